// Timers of its own, the caller's ctx as it is, and a group that waits.
//
// Bound derives no context: it selects on a timer, on the caller's ctx and on the
// result, and looks for the result once more whichever of the other two it was. That
// is a little cheaper, and one has to remember which came first where a derived
// context remembers by itself. First and Hedge are written as with errgroup: each
// goroutine does its own part of the bookkeeping under a mutex, and a WaitGroup tells
// when all have gone. That reads well for as long as nothing but the end is waited
// for; Hedge, which has a clock to watch as well, needs a channel beside it.
package timeouts

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// ErrNoFunctions means that First was given nothing to call.
var ErrNoFunctions = errors.New("timeouts: no functions to call")

// TimeoutError means that a limit which was given to this package has passed.
type TimeoutError struct {
	Limit time.Duration
}

func (e *TimeoutError) Error() string {
	return fmt.Sprintf("timeouts: not done within %v", e.Limit)
}

// Unwrap returns context.DeadlineExceeded.
func (e *TimeoutError) Unwrap() error { return context.DeadlineExceeded }

// PanicError is the error of a function that panicked in a goroutine of its own.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("timeouts: function panicked: %v", e.Value)
}

// Unwrap returns Value if that is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// Sleep waits for d, or until ctx ends.
func Sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	default:
	}
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Bound calls f and waits for it no longer than d.
func Bound[T any](ctx context.Context, d time.Duration, f func() (T, error)) (T, error) {
	switch {
	case ctx.Err() != nil:
		return *new(T), context.Cause(ctx)
	case d <= 0:
		return *new(T), &TimeoutError{d}
	}
	limit := time.NewTimer(d)
	defer limit.Stop()
	results := make(chan result[T], 1)
	go func() { results <- try(f) }()

	var why error
	select {
	case r := <-results:
		return r.value, r.err
	case <-limit.C:
		why = &TimeoutError{d}
	case <-ctx.Done():
		why = context.Cause(ctx)
	}
	if len(results) > 0 {
		r := <-results
		return r.value, r.err
	}
	return *new(T), why
}

// Call calls f with a context that ends after d.
func Call[T any](ctx context.Context, d time.Duration, f func(context.Context) (T, error)) (T, error) {
	limited, cancel := context.WithDeadlineCause(ctx, time.Now().Add(d), &TimeoutError{d})
	defer cancel()
	if why := context.Cause(limited); why != nil {
		return *new(T), why
	}
	value, err := f(limited)
	if err != nil {
		err = errors.Join(err, context.Cause(limited))
	}
	return value, err
}

// First calls all functions at once and returns the first success.
func First[T any](ctx context.Context, fs ...func(context.Context) (T, error)) (T, error) {
	if ctx.Err() != nil {
		return *new(T), context.Cause(ctx)
	}
	if len(fs) == 0 {
		return *new(T), ErrNoFunctions
	}
	racing, stop := context.WithCancel(ctx)
	defer stop()
	var (
		crew  sync.WaitGroup
		mu    sync.Mutex // guards both below
		won   *T
		fails []error
	)
	for _, f := range fs {
		crew.Go(func() {
			r := try(func() (T, error) { return f(racing) })
			mu.Lock()
			defer mu.Unlock()
			if r.err != nil {
				fails = append(fails, r.err)
			} else if won == nil {
				won = &r.value
				stop()
			}
		})
	}
	crew.Wait()
	if won != nil {
		return *won, nil
	}
	return *new(T), errors.Join(errors.Join(fails...), context.Cause(ctx))
}

// Hedge calls f once more whenever the answer is late or a failure.
func Hedge[T any](ctx context.Context, after time.Duration, attempts int, f func(ctx context.Context, attempt int) (T, error)) (T, error) {
	if ctx.Err() != nil {
		return *new(T), context.Cause(ctx)
	}
	racing, stop := context.WithCancel(ctx)
	defer stop()
	attempts = max(attempts, 1)
	failed := make(chan struct{}, attempts)
	var (
		crew  sync.WaitGroup
		mu    sync.Mutex // guards both below
		won   *T
		fails []error
	)
	for attempt := range attempts {
		crew.Go(func() {
			r := try(func() (T, error) { return f(racing, attempt) })
			mu.Lock()
			defer mu.Unlock()
			if r.err != nil {
				fails = append(fails, r.err)
				failed <- struct{}{}
			} else if won == nil {
				won = &r.value
				stop()
			}
		})
		if attempt == attempts-1 {
			break
		}
		late := time.NewTimer(after)
		select {
		case <-late.C:
		case <-failed:
		case <-racing.Done():
		}
		late.Stop()
		// A failure may be what comes of being told to stop.
		if racing.Err() != nil {
			break
		}
	}
	crew.Wait()
	if won != nil {
		return *won, nil
	}
	return *new(T), errors.Join(errors.Join(fails...), context.Cause(ctx))
}

// Finally calls work, and then cleanup with time of its own.
func Finally(ctx context.Context, grace time.Duration, work, cleanup func(context.Context) error) (err error) {
	defer func() {
		deadline := time.Now().Add(grace)
		live, cancel := context.WithDeadlineCause(context.WithoutCancel(ctx), deadline, &TimeoutError{grace})
		defer cancel()
		if failed := cleanup(live); failed != nil {
			err = errors.Join(err, fmt.Errorf("cleaning up: %w", failed))
		}
	}()
	if err := context.Cause(ctx); err != nil {
		return err
	}
	return work(ctx)
}

// result is what a function returned, on its way to another goroutine.
type result[T any] struct {
	value T
	err   error
}

// try calls f and turns a panic into an error.
func try[T any](f func() (T, error)) (r result[T]) {
	defer func() {
		if v := recover(); v != nil {
			r.err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	r.value, r.err = f()
	return r
}
