// One loop for all workers.
//
// The goroutine that called Serve owns everything there is to know about the
// workers, in plain fields, and takes one event after another: a run has ended, a
// wait is over, ctx has ended. Workers that are started together are a unit; one
// for one is many units of one worker, one for all is one unit of many. OnExit
// needs no lock, because there is only one who calls it. This is how Erlang does
// it, and how suture does: workers that come and go while Serve runs are one more
// event. The price is a state machine, whose rules are spread over its states,
// where the reference reads from top to bottom.
package supervisor

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
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

// Keep is the loop with a single worker.
func Keep(ctx context.Context, p Policy, w Worker) error {
	if w == nil {
		panic("supervisor: Keep was given a nil worker")
	}
	return loop(ctx, p, []*unit{{members: []named{{"", w}}}})
}

// Supervisor keeps several workers running.
type Supervisor struct {
	strategy Strategy
	policy   Policy
	workers  []named
	serving  atomic.Bool
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

// Serve is the loop with all workers, in one unit or in many.
func (s *Supervisor) Serve(ctx context.Context) error {
	if !s.serving.CompareAndSwap(false, true) {
		panic("supervisor: Serve was called while it runs")
	}
	defer s.serving.Store(false)
	if s.strategy == OneForAll {
		return loop(ctx, s.policy, []*unit{{members: s.workers}})
	}
	var units []*unit
	for _, w := range s.workers {
		units = append(units, &unit{members: []named{w}})
	}
	return loop(ctx, s.policy, units)
}

// A unit is what is started, stopped and counted together. It is running, or
// waits until it is due, or neither: then it is done.
type unit struct {
	members []named

	running int // members whose run has not ended
	began   time.Time
	cause   error // the first failure of this run
	stop    context.CancelFunc

	waiting bool
	due     time.Time

	row  int
	ring []time.Time // the last MaxRestarts restarts, the oldest at next
	next int
}

// exit tells the loop how a run has ended.
type exit struct {
	unit *unit
	name string
	err  error
	at   time.Time // the loop may be busy when it comes
}

func loop(ctx context.Context, p Policy, units []*unit) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	exits := make(chan exit)
	ended := ctx.Done()
	for _, u := range units {
		u.waiting = true // for its first start, which is due already
		u.ring = make([]time.Time, max(p.MaxRestarts, 0))
	}
	for {
		running, first := 0, time.Time{}
		for _, u := range units {
			if u.waiting && ctx.Err() == nil && !u.due.After(time.Now()) {
				u.start(ctx, exits)
			}
			if u.waiting && (first.IsZero() || u.due.Before(first)) {
				first = u.due
			}
			running += u.running
		}
		var wake <-chan time.Time // nil, and so never ready, unless somebody waits
		if ctx.Err() == nil && !first.IsZero() {
			wake = time.After(time.Until(first))
		}
		if running == 0 && wake == nil {
			return context.Cause(ctx)
		}
		select {
		case e := <-exits:
			if p.OnExit != nil {
				p.OnExit(e.name, e.err)
			}
			if err := e.unit.ended(ctx, p, e); err != nil {
				fail(err)
			}
		case <-wake:
		case <-ended:
			ended = nil // heard; from now on the exits are all there is to hear
		}
	}
}

func (u *unit) start(ctx context.Context, exits chan<- exit) {
	ctx, u.stop = context.WithCancel(ctx)
	if u.waiting = false; !u.began.IsZero() && len(u.ring) > 0 {
		u.ring[u.next] = time.Now()
		u.next = (u.next + 1) % len(u.ring)
	}
	u.began, u.cause, u.running = time.Now(), nil, len(u.members)
	for _, w := range u.members {
		go func() {
			err := ErrGoexit
			defer func() {
				if v := recover(); v != nil {
					err = &PanicError{Value: v, Stack: debug.Stack()}
				}
				exits <- exit{u, w.name, err, time.Now()}
			}()
			err = w.work(ctx)
		}()
	}
}

// ended takes note of an exit, and returns an error if the unit is to be given up.
func (u *unit) ended(ctx context.Context, p Policy, e exit) error {
	if e.err != nil && u.cause == nil {
		u.cause = e.err
		if e.name != "" {
			u.cause = fmt.Errorf("%s: %w", e.name, e.err)
		}
		u.stop()
	}
	if u.running--; u.running > 0 {
		return nil
	}
	u.stop()
	switch {
	case ctx.Err() != nil || u.cause == nil:
		return nil
	case errors.Is(u.cause, ErrDoNotRestart):
		return u.cause
	}
	if p.ResetAfter > 0 && e.at.Sub(u.began) >= p.ResetAfter {
		u.row = 0
	}
	u.row++
	if len(u.ring) > 0 {
		oldest := u.ring[u.next]
		if !oldest.IsZero() && (p.Window <= 0 || time.Since(oldest) <= p.Window) {
			return fmt.Errorf("%w: %w", ErrTooManyRestarts, u.cause)
		}
	}
	u.waiting, u.due = true, time.Now()
	if p.Backoff != nil {
		u.due = u.due.Add(max(p.Backoff(u.row), 0))
	}
	return nil
}
