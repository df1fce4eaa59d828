// want: assertion TestHedgeAsksOnceMoreWhenLate

// The late attempt is given up when the next one begins.
//
// Each attempt gets a limit, and when it has passed, the next one is made: a retry.
// But an attempt that is late has often done most of its work. If all of them need a
// little more than the limit, none ever finishes, and where a hedge would have had the
// answer after 2.5 seconds there is none at all. Let the late one go on, and take
// whichever is first.
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
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Bound calls f and waits for it no longer than d.
func Bound[T any](ctx context.Context, d time.Duration, f func() (T, error)) (T, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, d, &TimeoutError{d})
	defer cancel()
	if ctx.Err() != nil {
		return *new(T), context.Cause(ctx)
	}
	results := make(chan result[T], 1)
	go func() { results <- try(f) }()
	select {
	case r := <-results:
		return r.value, r.err
	case <-ctx.Done():
	}
	select {
	case r := <-results:
		return r.value, r.err
	default:
		return *new(T), context.Cause(ctx)
	}
}

// Call calls f with a context that ends after d.
func Call[T any](ctx context.Context, d time.Duration, f func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, d, &TimeoutError{d})
	defer cancel()
	if ctx.Err() != nil {
		return *new(T), context.Cause(ctx)
	}
	value, err := f(ctx)
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
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
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make(chan result[T])
	for _, f := range fs {
		go func() { results <- try(func() (T, error) { return f(ctx) }) }()
	}
	var winner *result[T]
	var errs []error
	for range fs {
		switch r := <-results; {
		case winner != nil:
		case r.err == nil:
			winner = &r
			cancel()
		default:
			errs = append(errs, r.err)
		}
	}
	if winner != nil {
		return winner.value, nil
	}
	return *new(T), errors.Join(append(errs, context.Cause(ctx))...)
}

// Hedge calls f once more whenever the answer is late or a failure.
func Hedge[T any](ctx context.Context, after time.Duration, attempts int, f func(ctx context.Context, attempt int) (T, error)) (T, error) {
	if ctx.Err() != nil {
		return *new(T), context.Cause(ctx)
	}
	attempts = max(attempts, 1)
	var errs []error
	for attempt := range attempts {
		limited, cancel := context.WithCancel(ctx)
		if attempt < attempts-1 {
			limited, cancel = context.WithTimeout(ctx, after)
		}
		r := try(func() (T, error) { return f(limited, attempt) })
		cancel()
		if r.err == nil {
			return r.value, nil
		}
		errs = append(errs, r.err)
		if ctx.Err() != nil {
			break
		}
	}
	return *new(T), errors.Join(append(errs, context.Cause(ctx))...)
}

// Finally calls work, and then cleanup with time of its own.
func Finally(ctx context.Context, grace time.Duration, work, cleanup func(context.Context) error) (err error) {
	defer func() {
		ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), grace, &TimeoutError{grace})
		defer cancel()
		err = errors.Join(err, cleanup(ctx))
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
