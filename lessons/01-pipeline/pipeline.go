// Package pipeline is the first lesson: chain stages so that each one works
// while the next one does. Replace each TODO with code, one step at a time.
//
// Three rules hold for every function here. It never changes the order of the
// values. It holds at most four values that its reader has not taken yet; an
// unbuffered channel keeps it to one or two. And contexts, functions and
// sequences passed in are not nil.
package pipeline

import (
	"context"
	"iter"
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
	panic("TODO(1): send every value of seq from a goroutine of its own, then close the channel")
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
	panic("TODO(2): receive from in, call f, send the result; close the channel when in is closed")
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
	panic("TODO(4): pass on n values, then stop what is upstream and close the channel")
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
	panic("TODO(5): one goroutine for seq and one for each stage; stop all at the first error, wait for all")
}
