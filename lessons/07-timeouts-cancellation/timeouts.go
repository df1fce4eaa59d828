// Package timeouts is the seventh lesson: bound how long something may take,
// stop it cleanly, and say why it ended. Replace each TODO with code, one step
// at a time.
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
	panic("TODO(1): wait for a timer or for the end of ctx, whichever comes first")
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
	panic("TODO(2): call f in a goroutine of its own, and wait for its result, for d or for ctx")
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
	panic("TODO(3): call f with a context that ends after d, and when f fails, add why it was told to stop")
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
	panic("TODO(4): call all, keep the first success, end the contexts of the others, wait for everybody")
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
	panic("TODO(5): begin one more attempt whenever the last is late or one has failed; then as First does")
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
	panic("TODO(6): make sure of cleanup before you call work, and give it a context of its own")
}
