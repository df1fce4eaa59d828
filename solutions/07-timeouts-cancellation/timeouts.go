// Package timeouts is the reference for the seventh lesson: bound how long
// something may take, stop it cleanly, and say why it ended.
//
// Where the end of ctx is why a function returns, its error is
// context.Cause(ctx), wrapped or as it is. If ctx has ended before the call, no
// work is begun; this goes before every other rule about the arguments.
// Contexts and functions passed in are not nil, and such a function must not
// call runtime.Goexit.
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
// A deadline that the caller's ctx brought along is none of these: when that
// has passed, it is the caller who has run out of time.
type TimeoutError struct {
	Limit time.Duration // which limit: the d of Bound or Call, the grace of Finally
}

func (e *TimeoutError) Error() string {
	return fmt.Sprintf("timeouts: not done within %v", e.Limit)
}

// Unwrap returns context.DeadlineExceeded, so that those who only ask whether
// time ran out, and not whose, get the answer they know.
func (e *TimeoutError) Unwrap() error { return context.DeadlineExceeded }

// PanicError is the error of a function that panicked in a goroutine of its own.
type PanicError struct {
	Value any    // what it panicked with
	Stack []byte // where it did so, as debug.Stack prints it
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("timeouts: function panicked: %v", e.Value)
}

// Unwrap returns Value if that is an error, so that errors.Is and errors.As
// see the cause.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// Sleep waits for d and returns nil. If ctx ends first, Sleep returns at that
// moment, with ctx's cause.
//
// A d of zero or less has passed already. But a ctx that has ended before the
// call is an error whatever d is. Sleep leaves nothing running behind.
func Sleep(ctx context.Context, d time.Duration) error {
	// A select takes any of the cases that are ready, and a timer of zero is ready
	// at once. So what must not be left to chance is asked first.
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		// ctx.Err() would say that somebody cancelled. The cause says why.
		return context.Cause(ctx)
	}
}

// Bound calls f, which knows nothing of contexts, and waits for it no longer
// than d, and no longer than until ctx ends.
//
// What comes first decides. If f returns, Bound returns what f returned, value
// and error. If d passes, it returns a zero T and a *TimeoutError with d as its
// Limit; if ctx ends, a zero T and ctx's cause. A result that came first is
// returned even if Bound gets to see it only after d has passed or ctx has
// ended. Of what comes at the very same moment, any may count as first.
//
// Nobody can stop f from outside. When Bound gives up on it, f goes on in a
// goroutine of its own, which ends when f returns. What f returns then, or
// panics with, is dropped.
//
// If f panics before Bound gives up, Bound returns a zero T and a *PanicError.
// If ctx has ended before the call, or d is zero or less, f is not called: Bound
// returns ctx's cause or a *TimeoutError at once.
func Bound[T any](ctx context.Context, d time.Duration, f func() (T, error)) (T, error) {
	// One context for both reasons to give up. It remembers which one came first,
	// and a d of zero or less gives one that has ended from the start.
	ctx, cancel := context.WithTimeoutCause(ctx, d, &TimeoutError{d})
	defer cancel()
	if ctx.Err() != nil {
		return *new(T), context.Cause(ctx)
	}

	// Room for one result: when nobody waits for it any more, f's goroutine can
	// leave it there and go. And it is handed over, never written into a variable
	// of Bound, which may be read at that very moment.
	results := make(chan result[T], 1)
	go func() { results <- try(f) }()

	select {
	case r := <-results:
		return r.value, r.err
	case <-ctx.Done():
	}
	// The select may have had both to choose from. A result that is there is not
	// thrown away: f may have taken a customer's money for it.
	select {
	case r := <-results:
		return r.value, r.err
	default:
		return *new(T), context.Cause(ctx)
	}
}

// Call calls f, which listens to its context, gives it a limit of d, and returns
// when f has returned.
//
// The context that f gets is derived from ctx. It ends when d passes, with a
// *TimeoutError that has d as its Limit for its cause, or when ctx ends, with
// ctx's cause, whichever comes first. That asks f to stop; Call waits until f
// has. Once Call is over, by whatever way, the context has ended too.
//
// Call returns what f returned, value and error. If f fails, and its context had
// ended by then, the error matches the context's cause as well: in the sense of
// errors.Is and errors.As, it is what f returned and it is why f was told to
// stop. If f succeeds, Call succeeds, however late it is.
//
// If f panics, the panic reaches the caller of Call with its value, as in a
// plain call. If ctx has ended before the call, or d is zero or less, f is not
// called: Call returns a zero T and ctx's cause or a *TimeoutError at once.
func Call[T any](ctx context.Context, d time.Duration, f func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, d, &TimeoutError{d})
	// Deferred, it holds for a panic too. Without it, the timer, and whatever f
	// has left listening to ctx, would live until d has passed.
	defer cancel()
	if ctx.Err() != nil {
		return *new(T), context.Cause(ctx)
	}
	// Call waits for f anyway, so f may as well run here, where its panics belong.
	value, err := f(ctx)
	if err != nil && ctx.Err() != nil {
		// What f returns on being told to stop is anything: ctx.Err(), that wrapped,
		// or some error of a connection that was cut. So there is nothing to compare.
		// Both are true, and both are kept.
		err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	return value, err
}

// First calls all functions at the same time, each in a goroutine of its own,
// and returns the value of the one that succeeds first, where to succeed is to
// return a nil error.
//
// Each gets a context derived from ctx. When one has succeeded, the contexts of
// the others end. First waits until all have returned; nothing that the losers
// return by then counts any more. One that fails ends nothing: First goes on
// waiting for a success. Nor does the end of ctx end the wait: the functions
// hear of it, and a success still counts.
//
// If none succeeds, First returns a zero T and an error that matches all that
// the functions returned, and ctx's cause if ctx has ended, and nothing else. A
// function that panics has failed with a *PanicError. Without functions the
// error is ErrNoFunctions. If ctx has ended before the call, no function is
// called. Once First has returned, the contexts that it handed out have ended.
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

	var o outcome[T]
	// As many results as functions: that is also how First knows that all have gone.
	for range fs {
		if o.add(<-results) {
			cancel()
		}
	}
	return o.decide(ctx)
}

// Hedge calls f, calls it again each time the answer is late or a failure, up to
// attempts times in all, and returns the value of the attempt that succeeds
// first.
//
// The first attempt begins at once. The next one begins when after has passed
// since the last beginning, while the earlier attempts go on, or as soon as an
// attempt fails, whichever comes first. With an after of zero or less all begin
// at once. Fewer than one attempts count as one. Each attempt is called in a
// goroutine of its own, with its number, counted from 0.
//
// For the rest Hedge does as First. Each attempt gets a context derived from ctx.
// When one has succeeded, the contexts of the others end, and Hedge waits until
// all that began have returned. Once one has succeeded, or ctx has ended, none
// begins any more; but a success that comes after the end of ctx still counts.
//
// If none succeeds, Hedge returns a zero T and an error that matches all that
// the attempts returned, and ctx's cause if ctx has ended, and nothing else. An
// attempt that panics has failed with a *PanicError. If ctx has ended before the
// call, f is not called. Once Hedge has returned, the contexts that it handed out
// have ended.
func Hedge[T any](ctx context.Context, after time.Duration, attempts int, f func(ctx context.Context, attempt int) (T, error)) (T, error) {
	if ctx.Err() != nil {
		return *new(T), context.Cause(ctx)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	results := make(chan result[T])
	late := time.NewTimer(after)
	defer late.Stop()

	// All that changes is changed by this goroutine alone; the attempts only send.
	var o outcome[T]
	begun, running := 0, 0
	begin := func() {
		// A success ends ctx as well, so one question covers both. It matters: an
		// attempt that was told to stop comes back as a failure.
		if begun == max(attempts, 1) || ctx.Err() != nil {
			return
		}
		attempt := begun
		begun++
		running++
		go func() { results <- try(func() (T, error) { return f(ctx, attempt) }) }()
		late.Reset(after) // measured from this beginning, whatever the reason for it
	}

	for begin(); running > 0; {
		select {
		case <-late.C:
			begin()
		case r := <-results:
			running--
			if o.add(r) {
				cancel()
			} else {
				begin()
			}
		}
	}
	return o.decide(ctx)
}

// Finally calls work, and whatever comes of it, calls cleanup after it. It
// returns when both have returned.
//
// work gets ctx. cleanup gets a context with the values of ctx that does not end
// when ctx does, nor has it ended because ctx already has. It ends when grace has
// passed since cleanup was called, with a *TimeoutError that has grace as its
// Limit for its cause. That asks cleanup to stop; Finally waits until it has.
// With a grace of zero or less cleanup is called too, with a context that has
// ended already. Once Finally is over, the context has ended.
//
// cleanup is called exactly once: when work has succeeded, when it has failed,
// when it has panicked, and also when ctx has ended before the call. In that
// case alone work is not called, and counts as having failed with ctx's cause.
//
// The error matches the error of work and that of cleanup; it is nil if both
// are. If work panics, the panic reaches the caller of Finally with its value,
// after cleanup has returned. If cleanup panics, that panic does.
func Finally(ctx context.Context, grace time.Duration, work, cleanup func(context.Context) error) (err error) {
	// Deferred before work begins: from here on no way out leads past cleanup,
	// not even a panic.
	defer func() {
		// All that ctx knows, and nothing of its end. This is the moment from which
		// grace counts; made any earlier, the context would run out during work.
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

// try calls f and turns a panic into an error. It has to be called where f runs:
// recover sees the panics of its own goroutine alone, and one that nobody
// recovers ends the process.
func try[T any](f func() (T, error)) (r result[T]) {
	defer func() {
		if v := recover(); v != nil {
			r.err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	r.value, r.err = f()
	return r
}

// outcome is what First and Hedge make of the results that come in.
type outcome[T any] struct {
	won   bool
	value T // of the winner
	errs  []error
}

// add takes in one result. It reports whether there is a winner by now.
func (o *outcome[T]) add(r result[T]) bool {
	switch {
	case o.won: // whatever a loser says, it comes too late
	case r.err == nil:
		o.won, o.value = true, r.value
	default:
		o.errs = append(o.errs, r.err)
	}
	return o.won
}

// decide returns the winner's value, or all the reasons why there is none.
func (o *outcome[T]) decide(ctx context.Context) (T, error) {
	if o.won {
		return o.value, nil
	}
	// Without a winner nobody but the caller can have ended ctx.
	return *new(T), errors.Join(append(o.errs, context.Cause(ctx))...)
}
