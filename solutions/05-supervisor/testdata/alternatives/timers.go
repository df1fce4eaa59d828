// No loop at all: every end of a run decides what comes next.
//
// The goroutine of a run, when it has nothing more to run, looks at the policy and
// leaves behind a timer that will start the next one. While a worker waits to be
// started again, there is no goroutine for it, only the timer; with a hundred
// thousand connections of which most are down, that is memory saved. The price is
// that nobody owns the state: timer, ctx and run may all want it at one moment,
// so there is a lock, and each of them has to ask what the others have done.
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

// Keep starts w for the first time. The rest follows by itself.
func Keep(ctx context.Context, p Policy, w Worker) error {
	if w == nil {
		panic("supervisor: Keep was given a nil worker")
	}
	k := &keeper{ctx: ctx, policy: p, work: w, over: make(chan error, 1)}
	stop := context.AfterFunc(ctx, k.interrupt)
	defer stop()
	k.start()
	return <-k.over
}

type keeper struct {
	ctx    context.Context
	policy Policy
	work   Worker
	over   chan error // one element, when it is over

	mu       sync.Mutex
	wait     *time.Timer // until the next start, unless it is nil
	began    time.Time
	started  bool
	row      int
	restarts []time.Time
}

// start begins a run, unless ctx has ended.
func (k *keeper) start() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.wait = nil
	if k.ctx.Err() != nil {
		k.over <- k.ctx.Err()
		return
	}
	k.began = time.Now()
	if k.started && k.policy.MaxRestarts > 0 {
		k.restarts = append(k.restarts, k.began)
	}
	k.started = true
	begin(k.ctx, k.work, k.ended)
}

// begin starts a run, at whose end it calls ended in the goroutine of the run.
func begin(ctx context.Context, w Worker, ended func(error)) {
	go func() {
		err := ErrGoexit
		defer func() {
			if v := recover(); v != nil {
				err = &PanicError{Value: v, Stack: debug.Stack()}
			}
			ended(err)
		}()
		err = w(ctx)
	}()
}

// interrupt is called when ctx ends. A run hears of that by itself, a timer does
// not. If the timer cannot be stopped any more, start is on its way and will ask.
func (k *keeper) interrupt() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.wait != nil && k.wait.Stop() {
		k.over <- k.ctx.Err()
	}
}

// ended is the end of a run, called in its goroutine.
func (k *keeper) ended(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	p, ran := k.policy, time.Since(k.began)
	if p.OnExit != nil {
		p.OnExit("", err)
	}
	switch {
	case k.ctx.Err() != nil:
		k.over <- k.ctx.Err()
		return
	case err == nil || errors.Is(err, ErrDoNotRestart):
		k.over <- err
		return
	}
	if p.ResetAfter > 0 && ran >= p.ResetAfter {
		k.row = 0
	}
	k.row++
	for p.Window > 0 && len(k.restarts) > 0 && time.Since(k.restarts[0]) > p.Window {
		k.restarts = k.restarts[1:]
	}
	if p.MaxRestarts > 0 && len(k.restarts) >= p.MaxRestarts {
		k.over <- fmt.Errorf("%w: %w", ErrTooManyRestarts, err)
		return
	}
	var d time.Duration
	if p.Backoff != nil {
		d = max(p.Backoff(k.row), 0)
	}
	if k.ctx.Err() != nil { // its interrupt may have been here already, in vain
		k.over <- k.ctx.Err()
		return
	}
	k.wait = time.AfterFunc(d, k.start)
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
	if w == nil || s.serving.Load() {
		panic("supervisor: Add was given a nil worker, or called while Serve runs")
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
		return Keep(ctx, p, func(ctx context.Context) error {
			return s.all(ctx, func(ctx context.Context, w named, gone func(error)) {
				begin(ctx, w.work, func(err error) {
					s.report(w.name, err)
					gone(err)
				})
			})
		})
	}
	return s.all(ctx, func(ctx context.Context, w named, gone func(error)) {
		p := s.policy
		p.OnExit = func(_ string, err error) { s.report(w.name, err) }
		go func() { gone(Keep(ctx, p, w.work)) }()
	})
}

// all begins something for every worker, and waits until all are gone. The first
// error ends ctx.
func (s *Supervisor) all(ctx context.Context, begin func(context.Context, named, func(error))) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var here sync.WaitGroup
	here.Add(len(s.workers))
	for _, w := range s.workers {
		begin(ctx, w, func(err error) {
			if err != nil {
				stop(fmt.Errorf("%s: %w", w.name, err))
			}
			here.Done()
		})
	}
	here.Wait()
	return context.Cause(ctx)
}

func (s *Supervisor) report(name string, err error) {
	s.exit.Lock()
	defer s.exit.Unlock()
	if s.policy.OnExit != nil {
		s.policy.OnExit(name, err)
	}
}
