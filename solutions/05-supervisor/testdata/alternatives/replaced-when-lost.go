// The worker runs inside the loop, and a lost goroutine is replaced.
//
// Keep has one goroutine for all runs: it calls the worker as a plain function,
// with a deferred recover around it. What recover cannot do is to stop
// runtime.Goexit, which takes the goroutine away in the middle of the loop. But
// deferred functions still run, and the last one starts a successor, which goes
// on where the lost one was. No goroutine and no channel is made for a restart,
// which matters where runs are short and many. For workers that run for hours it
// saves nothing, and the reference is easier to understand.
package supervisor

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
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

// Keep waits for the verdict of the goroutine that lives with w.
func Keep(ctx context.Context, p Policy, w Worker) error {
	if w == nil {
		panic("supervisor: Keep was given a nil worker")
	}
	k := &keeper{ctx: ctx, policy: p, work: w, verdict: make(chan error, 1)}
	go k.live(false)
	return <-k.verdict
}

// keeper is what is handed on from one goroutine to its successor.
type keeper struct {
	ctx      context.Context
	policy   Policy
	work     Worker
	began    time.Time
	row      int
	restarts []time.Time
	verdict  chan error
}

// live is the loop. With lost it goes on after a run that has not come back.
func (k *keeper) live(lost bool) {
	inside := false
	defer func() {
		if inside {
			go k.live(true)
		}
	}()
	for {
		err := ErrGoexit
		if !lost {
			if k.ctx.Err() != nil {
				k.verdict <- k.ctx.Err()
				return
			}
			inside, k.began = true, time.Now()
			err = k.run()
			inside = false
		}
		lost = false
		if verdict, over := k.judge(err); over {
			k.verdict <- verdict
			return
		}
	}
}

func (k *keeper) run() (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return k.work(k.ctx)
}

// judge says whether it is over after a run, and if not, waits.
func (k *keeper) judge(err error) (verdict error, over bool) {
	p, ran := k.policy, time.Since(k.began)
	if p.OnExit != nil {
		p.OnExit("", err)
	}
	if k.ctx.Err() != nil {
		return k.ctx.Err(), true
	}
	if err == nil || errors.Is(err, ErrDoNotRestart) {
		return err, true
	}
	if p.ResetAfter > 0 && ran >= p.ResetAfter {
		k.row = 0
	}
	k.row++
	if p.MaxRestarts > 0 {
		recent := k.restarts[:0]
		for _, at := range k.restarts {
			if p.Window <= 0 || time.Since(at) < p.Window {
				recent = append(recent, at)
			}
		}
		k.restarts = recent
		if len(recent) >= p.MaxRestarts {
			return fmt.Errorf("%w: %w", ErrTooManyRestarts, err), true
		}
	}
	if p.Backoff != nil {
		if d := p.Backoff(k.row); d > 0 {
			select {
			case <-time.After(d):
			case <-k.ctx.Done():
			}
		}
	}
	if p.MaxRestarts > 0 {
		k.restarts = append(k.restarts, time.Now())
	}
	return nil, false
}

// Supervisor keeps several workers running.
type Supervisor struct {
	strategy Strategy
	policy   Policy

	mu      sync.Mutex
	serving bool
	names   []string
	workers []Worker
}

// New makes a Supervisor without workers.
func New(s Strategy, p Policy) *Supervisor {
	if s != OneForOne && s != OneForAll {
		panic(fmt.Sprintf("supervisor: New was given strategy %d", s))
	}
	if p.OnExit != nil {
		var one sync.Mutex
		onExit := p.OnExit
		p.OnExit = func(name string, err error) {
			one.Lock()
			defer one.Unlock()
			onExit(name, err)
		}
	}
	return &Supervisor{strategy: s, policy: p}
}

// Add adds a worker.
func (s *Supervisor) Add(name string, w Worker) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w == nil || s.serving {
		panic("supervisor: Add was given a nil worker, or called while Serve runs")
	}
	for _, other := range s.names {
		if other == name {
			panic("supervisor: two workers with one name")
		}
	}
	s.names, s.workers = append(s.names, name), append(s.workers, w)
}

func (s *Supervisor) serve(yes bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if yes && s.serving {
		panic("supervisor: Serve was called while it runs")
	}
	s.serving = yes
}

// Serve keeps each worker, or keeps all of them as one.
func (s *Supervisor) Serve(ctx context.Context) error {
	s.serve(true)
	defer s.serve(false)
	report := func(int, error) {}
	if onExit := s.policy.OnExit; onExit != nil {
		report = func(i int, err error) { onExit(s.names[i], err) }
	}
	p := s.policy
	if s.strategy == OneForAll {
		p.OnExit = nil
		return Keep(ctx, p, func(ctx context.Context) error {
			return s.all(ctx, func(ctx context.Context, i int) error {
				err := once(ctx, s.workers[i])
				report(i, err)
				return err
			})
		})
	}
	return s.all(ctx, func(ctx context.Context, i int) error {
		p := p
		p.OnExit = func(_ string, err error) { report(i, err) }
		return Keep(ctx, p, s.workers[i])
	})
}

// once runs w one time, in a goroutine that it may take along.
func once(ctx context.Context, w Worker) error {
	k := &keeper{ctx: ctx, work: w}
	err := ErrGoexit
	var gone sync.WaitGroup
	gone.Go(func() { err = k.run() })
	gone.Wait()
	return err
}

// all does something for all workers at once, until the first error.
func (s *Supervisor) all(ctx context.Context, do func(context.Context, int) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var wg sync.WaitGroup
	for i, name := range s.names {
		wg.Go(func() {
			if err := do(ctx, i); err != nil {
				stop(fmt.Errorf("%s: %w", name, err))
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}
