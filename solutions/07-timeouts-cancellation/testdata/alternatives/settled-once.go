// Whoever comes first settles the matter, and the others find it settled.
//
// A promise is a sync.Once, a channel that it closes, and two fields. The result,
// the limit and the end of ctx all try to settle it; time.AfterFunc and
// context.AfterFunc do so without a goroutine that waits. There is no select, and
// so nothing that is left to chance when two things are ready: the order in which
// they happened is the order that counts. The price is that a context which a timer
// cancels has no Deadline, so that what f calls cannot see how long it has left, and
// tells context.Canceled where others tell context.DeadlineExceeded.
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
	over := newPromise[struct{}]()
	defer over.unless(ctx)()
	if ctx.Err() == nil {
		defer time.AfterFunc(d, func() { over.settle(struct{}{}, nil) }).Stop()
	}
	_, err := over.wait()
	return err
}

// Bound calls f and waits for it no longer than d.
func Bound[T any](ctx context.Context, d time.Duration, f func() (T, error)) (T, error) {
	if ctx.Err() != nil {
		return *new(T), context.Cause(ctx)
	}
	if d <= 0 {
		return *new(T), &TimeoutError{d}
	}
	over := newPromise[T]()
	defer time.AfterFunc(d, func() { over.settle(*new(T), &TimeoutError{d}) }).Stop()
	defer over.unless(ctx)()
	go func() {
		r := try(f)
		over.settle(r.value, r.err)
	}()
	return over.wait()
}

// Call calls f with a context that ends after d.
func Call[T any](ctx context.Context, d time.Duration, f func(context.Context) (T, error)) (T, error) {
	if ctx.Err() != nil {
		return *new(T), context.Cause(ctx)
	}
	if d <= 0 {
		return *new(T), &TimeoutError{d}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer time.AfterFunc(d, func() { cancel(&TimeoutError{d}) }).Stop()
	value, err := f(ctx)
	if err != nil {
		err = errors.Join(context.Cause(ctx), err)
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
	caller := ctx
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	over := newPromise[T]()
	errs := make([]error, len(fs))
	var crew sync.WaitGroup
	for i, f := range fs {
		crew.Go(func() {
			r := try(func() (T, error) { return f(ctx) })
			if errs[i] = r.err; r.err == nil {
				over.settle(r.value, nil)
				cancel()
			}
		})
	}
	crew.Wait()
	over.settle(*new(T), errors.Join(append(errs, context.Cause(caller))...))
	return over.wait()
}

// Hedge calls f once more whenever the answer is late or a failure.
func Hedge[T any](ctx context.Context, after time.Duration, attempts int, f func(ctx context.Context, attempt int) (T, error)) (T, error) {
	if ctx.Err() != nil {
		return *new(T), context.Cause(ctx)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	h := hedge[T]{ctx: ctx, cancel: cancel, after: after, left: max(attempts, 1), f: f, over: newPromise[T]()}
	h.mu.Lock()
	h.begin()
	h.mu.Unlock()
	return h.over.wait()
}

// hedge is a Hedge under way. It is over when nothing runs any more.
type hedge[T any] struct {
	ctx    context.Context
	cancel context.CancelFunc
	after  time.Duration
	f      func(context.Context, int) (T, error)
	over   *promise[T]

	mu          sync.Mutex // guards all below
	late        *time.Timer
	begun, left int
	running     int
	won         bool
	winner      T
	errs        []error
}

// begin begins one more attempt, if there may be one.
func (h *hedge[T]) begin() {
	if h.late != nil {
		h.late.Stop()
	}
	if h.left == 0 || h.ctx.Err() != nil {
		return
	}
	attempt := h.begun
	h.begun, h.left, h.running = h.begun+1, h.left-1, h.running+1
	go func() { h.end(try(func() (T, error) { return h.f(h.ctx, attempt) })) }()
	h.late = time.AfterFunc(h.after, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		// A timer that was stopped too late finds that another attempt has begun.
		if h.running > 0 && h.begun == attempt+1 {
			h.begin()
		}
	})
}

// end takes in the result of one attempt.
func (h *hedge[T]) end(r result[T]) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.running--
	switch {
	case h.won:
	case r.err == nil:
		h.won, h.winner = true, r.value
		h.cancel()
	default:
		h.errs = append(h.errs, r.err)
		h.begin()
	}
	if h.running > 0 {
		return
	}
	h.late.Stop()
	if h.won {
		h.over.settle(h.winner, nil)
	} else {
		h.over.settle(*new(T), errors.Join(append(h.errs, context.Cause(h.ctx))...))
	}
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

// promise is a result that is settled once, by whoever comes first.
type promise[T any] struct {
	once  sync.Once
	done  chan struct{}
	value T
	err   error
}

func newPromise[T any]() *promise[T] { return &promise[T]{done: make(chan struct{})} }

func (p *promise[T]) settle(value T, err error) {
	p.once.Do(func() {
		p.value, p.err = value, err
		close(p.done)
	})
}

// unless settles the promise when ctx ends, until the function that it returns
// is called.
func (p *promise[T]) unless(ctx context.Context) (stop func() bool) {
	return context.AfterFunc(ctx, func() { p.settle(*new(T), context.Cause(ctx)) })
}

func (p *promise[T]) wait() (T, error) {
	<-p.done
	return p.value, p.err
}
