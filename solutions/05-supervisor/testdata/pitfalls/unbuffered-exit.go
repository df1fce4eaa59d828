// want: leak TestEndOfCtxIsNoFailure

// Keep has left when the worker wants to say that it is done.
//
// Keep waits for the exit or for the end of ctx, whichever comes first. When ctx
// ends, it returns. The worker returns too, a moment later, and its goroutine then
// sends on a channel without a buffer, to nobody, for the rest of the program. A
// buffer of one lets it go, but hides only half of the mistake: Keep should not
// have left before.
package supervisor

import (
	"context"
	"errors"
	"fmt"
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

// Keep runs w until it is done, given up, or ctx has ended.
func Keep(ctx context.Context, p Policy, w Worker) error {
	if w == nil {
		panic("supervisor: Keep was given a nil worker")
	}
	row := 0
	var restarts []time.Time
	for {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		start := time.Now()
		err := run(ctx, w)
		ran := time.Since(start)
		if p.OnExit != nil {
			p.OnExit("", err)
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil:
			return nil
		case errors.Is(err, ErrDoNotRestart):
			return err
		}

		if p.ResetAfter > 0 && ran >= p.ResetAfter {
			row = 0
		}
		row++
		now := time.Now()
		for p.Window > 0 && len(restarts) > 0 && now.Sub(restarts[0]) > p.Window {
			restarts = restarts[1:]
		}
		if p.MaxRestarts > 0 && len(restarts) >= p.MaxRestarts {
			return fmt.Errorf("%w: %w", ErrTooManyRestarts, err)
		}
		if p.Backoff != nil {
			sleep(ctx, p.Backoff(row))
		}
		if p.MaxRestarts > 0 {
			restarts = append(restarts, time.Now())
		}
	}
}

// run runs w once, in a goroutine of its own, and says how that ended.
func run(ctx context.Context, w Worker) error {
	exit := make(chan error)
	go func() {
		err := ErrGoexit
		defer func() {
			if v := recover(); v != nil {
				err = &PanicError{Value: v, Stack: debug.Stack()}
			}
			exit <- err
		}()
		err = w(ctx)
	}()
	select {
	case err := <-exit:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// sleep waits for d, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// Supervisor keeps several workers running.
type Supervisor struct {
	strategy Strategy
	policy   Policy
	workers  []named
	serving  atomic.Bool
	exit     sync.Mutex
}

type named struct {
	name string
	work Worker
}

// New makes a Supervisor without workers.
func New(s Strategy, p Policy) *Supervisor {
	if s != OneForOne && s != OneForAll {
		panic(fmt.Sprintf("supervisor: New was given strategy %d", s))
	}
	return &Supervisor{strategy: s, policy: p}
}

// Add adds a worker.
func (s *Supervisor) Add(name string, w Worker) {
	switch {
	case w == nil:
		panic("supervisor: Add was given a nil worker")
	case s.serving.Load():
		panic("supervisor: Add was called while Serve runs")
	}
	for _, other := range s.workers {
		if other.name == name {
			panic(fmt.Sprintf("supervisor: two workers with the name %q", name))
		}
	}
	s.workers = append(s.workers, named{name, w})
}

// Serve keeps each worker, or keeps all of them as one.
func (s *Supervisor) Serve(ctx context.Context) error {
	if s.serving.Swap(true) {
		panic("supervisor: Serve was called while it runs")
	}
	defer s.serving.Store(false)
	if s.strategy == OneForAll {
		p := s.policy
		p.OnExit = nil
		return Keep(ctx, p, s.together(func(ctx context.Context, w named) error {
			err := run(ctx, w.work)
			s.report(w.name, err)
			return err
		}))
	}
	return s.together(func(ctx context.Context, w named) error {
		p := s.policy
		p.OnExit = func(_ string, err error) { s.report(w.name, err) }
		return Keep(ctx, p, w.work)
	})(ctx)
}

// together makes one worker of all, which ends with the first error.
func (s *Supervisor) together(each func(context.Context, named) error) Worker {
	return func(ctx context.Context) error {
		ctx, fail := context.WithCancelCause(ctx)
		defer fail(nil)
		var all sync.WaitGroup
		for _, w := range s.workers {
			all.Go(func() {
				if err := each(ctx, w); err != nil {
					fail(fmt.Errorf("%s: %w", w.name, err))
				}
			})
		}
		all.Wait()
		return context.Cause(ctx)
	}
}

// report calls OnExit for one worker at a time.
func (s *Supervisor) report(name string, err error) {
	if s.policy.OnExit == nil {
		return
	}
	s.exit.Lock()
	defer s.exit.Unlock()
	s.policy.OnExit(name, err)
}
