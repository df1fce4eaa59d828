// Package fan is the second lesson: spread work over several goroutines (fan
// out), and gather what they make into one stream again (fan in). Replace each
// TODO with code, one step at a time.
//
// Two rules hold for every function here. An n below 1 counts as 1. And contexts
// and functions passed in are not nil.
package fan

import "context"

// Merge gathers the values of all inputs in the channel that it returns.
//
// Merge returns at once. The values of one input come out in the order in which
// they went in; values of different inputs come out in any order. An input that
// is silent holds up no other. The output is closed when every input has been
// closed and every value has been received; with no inputs it is closed at once.
// A nil input is a channel that never delivers and never closes.
//
// When ctx ends, Merge gives up, whether it waits for an input or for its
// reader: values not yet received are dropped and the output is closed.
func Merge[T any](ctx context.Context, ins ...<-chan T) <-chan T {
	panic("TODO(1): one goroutine forwards each input; close the output when all of them have ended")
}

// FanOut calls f for each value of in and sends the results to the channel that
// it returns, in the order in which they are ready.
//
// FanOut returns at once. It makes no more than n calls at a time, and no fewer
// while there are values and the results are received: as soon as one call ends,
// the next begins. It never runs further ahead than 3n: that many values, at
// most, have been taken from in without their results having been received. The
// output is closed when in has been closed and every result has been received. A
// nil in is a channel that never delivers and never closes.
//
// f is given ctx, or a context derived from it. When ctx ends, no further call
// begins, results not yet received are dropped, and the output is closed as soon
// as the last call has returned.
func FanOut[In, Out any](ctx context.Context, n int, in <-chan In, f func(context.Context, In) Out) <-chan Out {
	panic("TODO(2): n workers receive from the same channel and send to the same channel")
}

// MapAll calls f for each item and returns the results: the result of items[i]
// is at index i. It returns when the last call has returned.
//
// MapAll makes no more than n calls at a time, and no fewer while there are
// items: as soon as one call ends, the next begins. No items give an empty slice
// and no error.
//
// f is given a context derived from ctx. The first call that returns an error
// ends the work: that context is cancelled, no further call begins, and when the
// last call has returned, MapAll returns nil and this first error, wrapped or as
// it is, but never what a later call returned, be it because it was cancelled or
// for a reason of its own. When ctx ends before every item is done, no further
// call begins either, and MapAll returns nil and ctx.Err() or context.Cause(ctx).
func MapAll[In, Out any](ctx context.Context, n int, items []In, f func(context.Context, In) (Out, error)) ([]Out, error) {
	panic("TODO(3): n workers take the next index; the first error cancels the others; wait for all of them")
}

// Ordered calls f for each value of in and sends the results to the channel that
// it returns, in the order of the values.
//
// Ordered returns at once. It makes no more than n calls at a time, and n while
// there are values, the results are received, and no result has to wait for an
// earlier one. It never runs further ahead than 3n: that many values, at most,
// have been taken from in without their results having been received, however
// long the first of them takes. The output is closed when in has been closed and
// every result has been received. A nil in is a channel that never delivers and
// never closes.
//
// f is given ctx, or a context derived from it. When ctx ends, no further call
// begins, results not yet received are dropped, and the output is closed as soon
// as the last call has returned. Even then there is no gap: once a result has
// been dropped, no later one is sent.
func Ordered[In, Out any](ctx context.Context, n int, in <-chan In, f func(context.Context, In) Out) <-chan Out {
	panic("TODO(4): keep the places of the results in a queue, in order, and read them from its head")
}
