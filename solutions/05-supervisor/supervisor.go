// Package supervisor is the reference for the fifth lesson: keep what matters
// running. A worker that fails is started again, after a wait that grows, and
// when that does not help, whoever stands above is told.
//
// Keep is one loop around one worker. Both strategies are made from it: to keep
// each worker and run all of these side by side is one for one, and to run the
// workers side by side and keep all of that is one for all.
//
// Contexts passed in are not nil. Where ctx's error is returned, that is
// ctx.Err() or context.Cause(ctx). No goroutine outlives the call of Keep or Serve
// that started it.
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
	// ErrTooManyRestarts means that a worker failed and was not started again,
	// because it had been started again too often already.
	ErrTooManyRestarts = errors.New("supervisor: too many restarts")

	// ErrDoNotRestart is for workers to return, alone or wrapped, for a failure
	// that no restart can mend.
	ErrDoNotRestart = errors.New("supervisor: do not restart")

	// ErrGoexit is the error of a run in which the worker called runtime.Goexit.
	ErrGoexit = errors.New("supervisor: worker called runtime.Goexit")
)

// PanicError is the error of a run in which the worker panicked.
type PanicError struct {
	Value any    // what the worker panicked with
	Stack []byte // where it did so, as debug.Stack prints it
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("supervisor: worker panicked: %v", e.Value)
}

// Unwrap returns Value if that is an error, so that errors.Is and errors.As
// see the cause.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// Worker is something to keep running. One call of it is a run. It returns nil
// when it is done for good, and an error when it has failed. When ctx ends, it
// puts its things in order and returns, no matter what.
//
// A worker is never in two runs at the same time. Each run starts from scratch,
// and leaves nothing running when it returns.
type Worker func(ctx context.Context) error

// Policy says how to go about starting a worker again. The zero Policy starts
// it again at once, for ever. Its functions must not panic.
type Policy struct {
	// Backoff says how long to wait before the worker is started again after
	// its nth failure in a row, with n = 1, 2, 3 and so on. The wait begins when
	// the run has ended. Zero or less is no wait, and so is a nil Backoff.
	//
	// Backoff is called once for each restart. Where there are several workers,
	// it may be called from several goroutines at the same time.
	Backoff func(n int) time.Duration

	// ResetAfter is how long a run has to last to count as healthy. The failure
	// that ends a healthy run is the first in a row again. Time spent waiting for
	// a restart is not part of any run. With zero or less no run is healthy, and
	// every failure adds to the row.
	ResetAfter time.Duration

	// MaxRestarts is how often the worker may be started again within Window. If
	// it fails, and in the span of Window before that there have been MaxRestarts
	// restarts already, it is given up. The first start is no restart. With zero
	// or less there is no limit.
	MaxRestarts int

	// Window is the span of time for MaxRestarts. It slides: it always ends
	// now. With zero or less it has no beginning, and all restarts count.
	Window time.Duration

	// OnExit, unless it is nil, is called after every run, also after the last
	// one, with the error of that run: nil if the worker returned nil, a
	// *PanicError if it panicked, ErrGoexit if it called runtime.Goexit. It has
	// returned before that worker's next run begins, and before Keep or Serve
	// returns. name is the one that was given to Add, and empty with Keep.
	//
	// Two calls never overlap, even if two workers end at the same moment. So
	// OnExit needs no lock. It should be quick, since others may be waiting for
	// it.
	OnExit func(name string, err error)
}

// Keep runs w, and whenever it fails, starts it again as p says: one run at a
// time, until there is a reason to stop. The reasons are, in this order:
//
//   - ctx has ended. Keep returns ctx's error, whatever w has returned.
//   - w has returned nil. It is done, and Keep returns nil.
//   - w has returned an error that is ErrDoNotRestart. Keep returns that error.
//   - w has failed, and p allows no more restarts. Keep returns, at once, an error
//     that is both ErrTooManyRestarts and the error of that last run.
//
// A run that ends with any other error has failed. So has one in which w panics:
// its error is a *PanicError. And so has one in which w calls runtime.Goexit: its
// error is ErrGoexit. Neither does any harm to the goroutine that called Keep. A
// run that ends with context.Canceled or context.DeadlineExceeded has failed like
// any other, as long as ctx itself has not ended. A panic with ErrDoNotRestart for
// its value may be taken for either.
//
// w gets ctx, or a context made from it, and it is for w to listen to it. If ctx
// ends during a run, Keep waits until w has returned, for as long as that may
// take: once Keep has returned, w is not running. If ctx ends while Keep waits to
// start w again, Keep returns at that moment. Once ctx has ended, w is not
// started, not even for the first time.
//
// Keep panics at once if w is nil.
func Keep(ctx context.Context, p Policy, w Worker) error {
	if w == nil {
		// Found here, the mistake has the caller's line in its stack. Found by the
		// first run, it would be one more panic to start w again for.
		panic("supervisor: Keep was given a nil worker")
	}
	row := 0                 // failures since the last healthy run
	var restarts []time.Time // those that count, MaxRestarts of them at most
	for {
		// Asked before every start, whichever way leads here: the first one, a wait
		// that was no wait, a select that preferred the timer.
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
			// First of all, and asking ctx rather than err: an error that comes of
			// being stopped may have any name, and a worker's own deadline has the
			// same name as the caller's.
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
		if p.Window > 0 {
			for len(restarts) > 0 && now.Sub(restarts[0]) > p.Window {
				restarts = restarts[1:] // it has slid out of the window
			}
		}
		if p.MaxRestarts > 0 && len(restarts) >= p.MaxRestarts {
			return fmt.Errorf("%w: %w", ErrTooManyRestarts, err) // the limit alone would not tell what to mend
		}
		if p.Backoff != nil {
			sleep(ctx, p.Backoff(row))
		}
		if p.MaxRestarts > 0 {
			restarts = append(restarts, time.Now())
		}
	}
}

// run runs w once and says how that ended.
//
// w has a goroutine to itself, because runtime.Goexit ends the goroutine that
// calls it, and nothing can keep it from doing so. What can be chosen is whose
// goroutine that is.
func run(ctx context.Context, w Worker) error {
	exit := make(chan error)
	go func() {
		// Goexit leaves no trace but this: w has neither returned nor panicked.
		err := ErrGoexit
		// Deferred, the send happens in all three endings, and run never waits in
		// vain. It needs no buffer, for run never leaves before it has received.
		defer func() {
			if v := recover(); v != nil {
				// The frames that panicked are still on the stack here, and only here.
				err = &PanicError{Value: v, Stack: debug.Stack()}
			}
			exit <- err
		}()
		err = w(ctx)
	}()
	return <-exit
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

// Strategy says which workers of a Supervisor are started again when one of
// them fails.
type Strategy int

const (
	// OneForOne keeps each worker by itself, as Keep does: with its own row of
	// failures, its own waits and its own restarts to count. A failure, a restart
	// or the end of one worker goes unnoticed by the others.
	OneForOne Strategy = iota

	// OneForAll keeps the workers as if they were one. When one of them fails, the
	// ctx of all others ends. When the last of them has returned, and not before,
	// the run of all is over: it has failed, once, with the error that came first.
	// What the others return after that does not matter. After the wait, all are
	// started again, also those that had returned nil. Their run returns nil when
	// all of them have.
	OneForAll
)

// Supervisor keeps several workers running. Make one with New: the zero
// Supervisor is of no use.
type Supervisor struct {
	strategy Strategy
	policy   Policy
	workers  []named
	serving  atomic.Bool

	exit sync.Mutex // held while OnExit runs
}

// named is a worker with its name.
type named struct {
	name string
	work Worker
}

// New makes a Supervisor without workers, which will treat those that are
// added as s and p say. New panics if s is neither OneForOne nor OneForAll.
func New(s Strategy, p Policy) *Supervisor {
	if s != OneForOne && s != OneForAll {
		panic(fmt.Sprintf("supervisor: New was given strategy %d", s))
	}
	return &Supervisor{strategy: s, policy: p}
}

// Add adds a worker, to be run by Serve. The name is for people: it is given to
// OnExit, and stands in the error if the worker is given up. Add panics if w is
// nil, if the name has been given to another worker of the Supervisor, or while
// Serve runs. It is not made for being called from several goroutines at once.
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

// Serve starts all workers, in no particular order, and keeps them running. It
// returns
//
//   - nil when all workers are done, which is at once if there are none,
//   - ctx's error if ctx has ended before that (if there are no workers, either),
//   - otherwise, once a worker has been given up, the error that Keep returns in
//     that case. Its text contains the name of the worker that failed. Before that
//     the ctx of all other workers ends. Whatever these return then does not
//     matter, and is not part of the error.
//
// In every case Serve first waits until all workers have returned, for as long as
// that may take.
//
// Serve may be called again after it has returned. It starts all workers then,
// with nothing counted yet. So Serve is a Worker itself, and a Supervisor can keep
// others. Serve panics if it is called while it runs.
func (s *Supervisor) Serve(ctx context.Context) error {
	if s.serving.Swap(true) {
		panic("supervisor: Serve was called while it runs")
	}
	defer s.serving.Store(false)
	if s.strategy == OneForAll {
		p := s.policy
		p.OnExit = nil // that all have ended is no news: each has been reported
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

// together makes one worker of all: it calls each for every worker at the same
// time. The first error ends the ctx of the others and is the one that is
// returned, after all have returned.
func (s *Supervisor) together(each func(context.Context, named) error) Worker {
	return func(ctx context.Context) error {
		ctx, fail := context.WithCancelCause(ctx)
		defer fail(nil)
		var all sync.WaitGroup
		for _, w := range s.workers {
			all.Go(func() {
				if err := each(ctx, w); err != nil {
					// Only the first call counts. What a worker says after it was told to
					// stop is an echo, and so is ctx's own error.
					fail(fmt.Errorf("%s: %w", w.name, err))
				}
			})
		}
		all.Wait()
		return context.Cause(ctx) // nil, unless a worker or the caller ended it
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
