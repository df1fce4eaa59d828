// One engine, and everything else is a case of it.
//
// First is a Hedge that does not wait before it asks the next one. Call is a First
// with one function, which may take its panic back to the caller. Bound is the only
// one that leaves somebody behind, so it has a goroutine more. There is one place in which
// results are collected, one in which panics are caught and one in which contexts are
// made, and each rule of the lesson is written once. The price is a goroutine and a
// channel for a Call that needed neither, and a reader who has to follow from one
// function to the next to see what one of them does.
package timeouts

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
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
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	awake, cancel := context.WithTimeoutCause(ctx, d, errAwake)
	defer cancel()
	<-awake.Done()
	if why := context.Cause(awake); why != errAwake {
		return why
	}
	return nil
}

// errAwake is the cause of the context that Sleep waits for, and never leaves it.
var errAwake = errors.New("timeouts: the time to sleep has passed")

// Bound calls f and waits for it no longer than d.
func Bound[T any](ctx context.Context, d time.Duration, f func() (T, error)) (T, error) {
	results := make(chan result[T], 1)
	begun := false
	_, err := Call(ctx, d, func(ctx context.Context) (T, error) {
		begun = true
		go func() { results <- try(f) }()
		select {
		case r := <-results:
			results <- r
		case <-ctx.Done():
		}
		return *new(T), nil
	})
	if !begun {
		return *new(T), err
	}
	select {
	case r := <-results:
		return r.value, r.err
	default:
	}
	if ctx.Err() != nil {
		return *new(T), context.Cause(ctx)
	}
	return *new(T), &TimeoutError{d}
}

// Call calls f with a context that ends after d.
func Call[T any](ctx context.Context, d time.Duration, f func(context.Context) (T, error)) (T, error) {
	limited, cancel := context.WithTimeoutCause(ctx, d, &TimeoutError{d})
	defer cancel()
	var value T
	_, err := First(limited, func(ctx context.Context) (_ T, err error) {
		value, err = f(ctx)
		return value, err
	})
	var panicked *PanicError
	if errors.As(err, &panicked) {
		panic(panicked.Value)
	}
	return value, err
}

// First calls all functions at once and returns the first success.
func First[T any](ctx context.Context, fs ...func(context.Context) (T, error)) (T, error) {
	if len(fs) == 0 && ctx.Err() == nil {
		return *new(T), ErrNoFunctions
	}
	return Hedge(ctx, 0, len(fs), func(ctx context.Context, i int) (T, error) { return fs[i](ctx) })
}

// Hedge calls f once more whenever the answer is late or a failure.
func Hedge[T any](ctx context.Context, after time.Duration, attempts int, f func(ctx context.Context, attempt int) (T, error)) (T, error) {
	if ctx.Err() != nil {
		return *new(T), context.Cause(ctx)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make(chan result[T])
	late := time.NewTimer(after)
	defer late.Stop()

	begun, running := 0, 0
	begin := func() {
		if begun == max(attempts, 1) || ctx.Err() != nil {
			return
		}
		attempt := begun
		begun++
		running++
		go func() { results <- try(func() (T, error) { return f(ctx, attempt) }) }()
		late.Reset(after)
	}

	var winner *result[T]
	var errs []error
	for begin(); running > 0; {
		select {
		case <-late.C:
			begin()
		case r := <-results:
			running--
			switch {
			case winner != nil:
			case r.err == nil:
				winner = &r
				cancel()
			default:
				errs = append(errs, r.err)
				begin()
			}
		}
	}
	if winner != nil {
		return winner.value, nil
	}
	return *new(T), errors.Join(append(errs, context.Cause(ctx))...)
}

// Finally calls work, and then cleanup with time of its own.
func Finally(ctx context.Context, grace time.Duration, work, cleanup func(context.Context) error) (err error) {
	defer func() {
		kept := context.WithoutCancel(ctx)
		live, cancel := context.WithTimeoutCause(kept, grace, &TimeoutError{grace})
		defer cancel()
		err = errors.Join(err, cleanup(live))
	}()
	if ctx.Err() != nil {
		return context.Cause(ctx)
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
