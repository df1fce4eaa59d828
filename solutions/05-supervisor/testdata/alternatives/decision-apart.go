// The decision apart from the doing.
//
// A record knows the policy and what has happened, and answers one question: a
// run has ended, what now? It is told the time and waits for nothing, so its rules
// can be tested with a table, without goroutines and without a clock. The loop
// around it runs, reports and waits, and knows no rules. Better as soon as there
// are more rules than these: a budget for each day, a policy that may be changed
// while workers run. For four rules it is one type more than is needed.
package supervisor

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

var (
	ErrTooManyRestarts = errors.New("supervisor: too many restarts")
	ErrDoNotRestart    = errors.New("supervisor: do not restart")
	ErrGoexit          = errors.New("supervisor: worker called runtime.Goexit")
)

// PanicError is the error of a run in which the worker panicked.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("supervisor: worker panicked: %v", e.Value)
}

func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// Worker is something to keep running.
type Worker func(ctx context.Context) error

// Policy says how to go about starting a worker again.
type Policy struct {
	Backoff     func(n int) time.Duration
	ResetAfter  time.Duration
	MaxRestarts int
	Window      time.Duration
	OnExit      func(name string, err error)
}

// Strategy says which workers are started again when one of them fails.
type Strategy int

const (
	OneForOne Strategy = iota
	OneForAll
)

// A record is what one worker has on record.
type record struct {
	policy   Policy
	row      int
	restarts []time.Time // a ring: the last MaxRestarts restarts, the oldest first
}

// ended takes a run down that has failed at a time, and says how long to wait, or
// with which error to give up.
func (r *record) ended(at time.Time, ran time.Duration, err error) (wait time.Duration, verdict error) {
	p := r.policy
	if errors.Is(err, ErrDoNotRestart) {
		return 0, err
	}
	if p.ResetAfter > 0 && ran >= p.ResetAfter {
		r.row = 0
	}
	r.row++
	// If the oldest of the last MaxRestarts restarts is in the window, all are.
	if p.MaxRestarts > 0 && len(r.restarts) == p.MaxRestarts && (p.Window <= 0 || at.Sub(r.restarts[0]) < p.Window) {
		return 0, fmt.Errorf("%w: %w", ErrTooManyRestarts, err)
	}
	if p.Backoff != nil {
		wait = max(0, p.Backoff(r.row))
	}
	return wait, nil
}

func (r *record) restarted(at time.Time) {
	if r.policy.MaxRestarts <= 0 {
		return
	}
	if len(r.restarts) == r.policy.MaxRestarts {
		r.restarts = r.restarts[:copy(r.restarts, r.restarts[1:])]
	}
	r.restarts = append(r.restarts, at)
}

// Keep goes through the runs of w and does what the record says.
func Keep(ctx context.Context, p Policy, w Worker) error {
	if w == nil {
		panic("supervisor: Keep was given a nil worker")
	}
	r := &record{policy: p}
	for ran, err := range runs(ctx, w) {
		at := time.Now()
		if p.OnExit != nil {
			p.OnExit("", err)
		}
		if ctx.Err() != nil {
			break
		}
		if err == nil {
			return nil
		}
		wait, verdict := r.ended(at, ran, err)
		if verdict != nil {
			return verdict
		}
		pause, done := context.WithTimeout(ctx, wait)
		<-pause.Done()
		done()
		r.restarted(time.Now())
	}
	return context.Cause(ctx)
}

// runs yields how long each run of w took and how it ended, until ctx ends.
func runs(ctx context.Context, w Worker) iter.Seq2[time.Duration, error] {
	return func(yield func(time.Duration, error) bool) {
		for ctx.Err() == nil {
			start := time.Now()
			err := run(ctx, w)
			if !yield(time.Since(start), err) {
				return
			}
		}
	}
}

// run keeps its answer in a variable; the closed channel says that it is there.
func run(ctx context.Context, w Worker) error {
	err, gone := ErrGoexit, make(chan struct{})
	go func() {
		defer close(gone)
		defer func() {
			if v := recover(); v != nil {
				err = &PanicError{Value: v, Stack: debug.Stack()}
			}
		}()
		err = w(ctx)
	}()
	<-gone
	return err
}

// Supervisor keeps several workers running.
type Supervisor struct {
	strategy Strategy
	policy   Policy
	workers  map[string]Worker
	serving  atomic.Bool
}

// New makes a Supervisor without workers.
func New(s Strategy, p Policy) *Supervisor {
	if s != OneForOne && s != OneForAll {
		panic(fmt.Sprintf("supervisor: New was given strategy %d", s))
	}
	if onExit := p.OnExit; onExit != nil {
		var one sync.Mutex
		p.OnExit = func(name string, err error) {
			one.Lock()
			defer one.Unlock()
			onExit(name, err)
		}
	} else {
		p.OnExit = func(string, error) {}
	}
	return &Supervisor{strategy: s, policy: p, workers: map[string]Worker{}}
}

// Add adds a worker.
func (s *Supervisor) Add(name string, w Worker) {
	if s.workers[name] != nil || w == nil || s.serving.Load() {
		panic("supervisor: Add was given a nil worker or a name that is taken, or was called while Serve runs")
	}
	s.workers[name] = w
}

// Serve keeps each worker, or keeps all of them as one.
func (s *Supervisor) Serve(ctx context.Context) error {
	if s.serving.Swap(true) {
		panic("supervisor: Serve was called while it runs")
	}
	defer s.serving.Store(false)

	together := func(ctx context.Context, each func(ctx context.Context, name string, w Worker) error) error {
		ctx, stop := context.WithCancelCause(ctx)
		defer stop(nil)
		var all sync.WaitGroup
		for name, w := range s.workers {
			all.Go(func() {
				if err := each(ctx, name, w); err != nil {
					stop(fmt.Errorf("%s: %w", name, err))
				}
			})
		}
		all.Wait()
		return context.Cause(ctx)
	}
	if s.strategy == OneForOne {
		return together(ctx, func(ctx context.Context, name string, w Worker) error {
			p := s.policy
			p.OnExit = func(_ string, err error) { s.policy.OnExit(name, err) }
			return Keep(ctx, p, w)
		})
	}
	p := s.policy
	p.OnExit = nil
	return Keep(ctx, p, func(ctx context.Context) error {
		return together(ctx, func(ctx context.Context, name string, w Worker) error {
			err := run(ctx, w)
			s.policy.OnExit(name, err)
			return err
		})
	})
}
