// Package pipeline is the reference for the first lesson: chain stages so that
// each one works while the next one does.
//
// Three rules hold for every function here. It never changes the order of the
// values. It holds at most four values that its reader has not taken yet; an
// unbuffered channel keeps it to one or two. And contexts, functions and
// sequences passed in are not nil.
package pipeline

import (
	"context"
	"iter"
	"sync"
)

// Source starts a goroutine that sends every value of seq, and returns at once
// with the channel to read them from.
//
// The channel is closed after the last value, so an empty seq gives a channel
// that is closed without a value. If ctx ends first, Source stops waiting for
// its reader, leaves its loop over seq, so that the sequence can clean up after
// itself, and closes the channel. What a reader is ready to take at that moment
// may still be sent.
func Source[T any](ctx context.Context, seq iter.Seq[T]) <-chan T {
	out := make(chan T)
	go func() {
		// The sender closes: only it knows that nothing more will come. Deferred,
		// it holds for every way out, the ones that are added later included.
		defer close(out)
		for v := range seq {
			if !send(ctx, out, v) {
				return // leaving the loop is what lets seq run its clean-up
			}
		}
	}()
	return out
}

// Map starts a goroutine that calls f for every value of in and sends the
// results, and returns at once with the channel to read them from.
//
// It calls f for one value at a time. The channel is closed once in is closed
// and the last result has been sent. If ctx ends first, Map stops waiting, for
// its reader as well as for in, and closes the channel: in need not be closed
// for that. A call of f that is under way is not interrupted, but once ctx has
// ended f is not called again. A nil in is an input that stays silent for ever:
// only the end of ctx ends it.
func Map[In, Out any](ctx context.Context, in <-chan In, f func(In) Out) <-chan Out {
	out := make(chan Out)
	go func() {
		defer close(out)
		for v := range each(ctx, in) {
			if !send(ctx, out, f(v)) {
				return
			}
		}
	}()
	return out
}

// Take starts a goroutine that passes on the first n values of in, and returns
// at once with the channel to read them from.
//
// It receives no more than n values from in; with n zero or less it receives
// none. The channel is closed after the nth value, or when in is closed before
// that, or when ctx ends: Take then stops waiting, for its reader as well as
// for in.
//
// However it ends, Take calls stop. That is how it tells those who feed in that
// nobody will read from them any more: stop ends their context, which is not
// ctx. Like every [context.CancelFunc], stop may be called more than once.
func Take[T any](ctx context.Context, in <-chan T, n int, stop context.CancelFunc) <-chan T {
	out := make(chan T)
	go func() {
		defer close(out)
		// Deferred too: upstream must be released on every way out, or its
		// goroutines wait for ever for a reader that has gone.
		defer stop()
		if n <= 0 {
			return
		}
		for v := range each(ctx, in) {
			if !send(ctx, out, v) {
				return
			}
			// Count after sending, and leave before receiving again: a value that
			// is received and not passed on is lost to everybody.
			if n--; n == 0 {
				return
			}
		}
	}()
	return out
}

// Stage is one step of [Run]. It turns v into the value for the next stage, or
// fails. A stage that may take long watches ctx and returns early when it ends.
type Stage[T any] func(ctx context.Context, v T) (T, error)

// Run sends every value of seq through all stages, in the order given, and
// hands what comes out of the last one to sink. Without stages, sink gets the
// values of seq.
//
// The sequence, every stage and sink work at the same time, each on one value:
// none of them is ever called twice at once. Run returns nil when every value
// has gone through.
//
// The first error that a stage or sink returns stops everything: the context
// that the stages were given ends, and nothing is started on another value. Run
// returns that error (it may be wrapped) and no other. If ctx ends before every
// value has gone through, everything stops in the same way, and Run returns
// ctx.Err() or context.Cause(ctx).
//
// Run waits. When it returns, on whichever path, the loop over seq has been
// left, every stage and sink have returned, and no goroutine is left.
func Run[T any](ctx context.Context, seq iter.Seq[T], sink func(T) error, stages ...Stage[T]) error {
	// One call does all that the first error asks for: it remembers the error,
	// ignores those that follow, and ends the context of everybody else.
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)

	// Ending a context only asks. The crew tells when everybody has really gone.
	var crew sync.WaitGroup

	first := make(chan T)
	crew.Go(func() {
		defer close(first)
		for v := range seq {
			if !send(ctx, first, v) {
				return
			}
		}
	})

	var last <-chan T = first
	for _, stage := range stages {
		// A pair of channels for each stage. Were last itself used in the goroutine,
		// every stage would read from whatever last is by then.
		in, out := last, make(chan T)
		crew.Go(func() {
			defer close(out)
			for v := range each(ctx, in) {
				v, err := stage(ctx, v)
				if err != nil {
					fail(err)
					return
				}
				if !send(ctx, out, v) {
					return
				}
			}
		})
		last = out
	}

	for v := range each(ctx, last) {
		if err := sink(v); err != nil {
			fail(err)
		}
	}
	crew.Wait()
	return context.Cause(ctx) // nil, unless a stage, sink or the caller ended it
}

// send hands v to whoever reads from out, unless ctx ends first. It reports
// whether it did. Every send of this package goes through here, so none of them
// can forget that its reader may have gone.
func send[T any](ctx context.Context, out chan<- T, v T) bool {
	select {
	case out <- v:
		return true
	case <-ctx.Done():
		return false
	}
}

// each yields what arrives on in until in is closed or ctx ends. It is to
// receiving what send is to sending.
func each[T any](ctx context.Context, in <-chan T) iter.Seq[T] {
	return func(yield func(T) bool) {
		for {
			select {
			case v, open := <-in:
				// A select takes any of the cases that are ready. When a value is
				// waiting and ctx has ended, that may be the value, so ask once more.
				if !open || ctx.Err() != nil || !yield(v) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}
}
