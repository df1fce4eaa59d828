// Package fan is the reference for the second lesson: spread work over several
// goroutines (fan out), and gather what they make into one stream again (fan in).
//
// Two rules hold for every function here. An n below 1 counts as 1. And contexts
// and functions passed in are not nil.
package fan

import (
	"context"
	"iter"
	"sync"
	"sync/atomic"
)

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
	out := make(chan T)
	var forwarders sync.WaitGroup
	for _, in := range ins {
		// Go counts before the goroutine runs, so Wait below cannot come too early
		// and find nobody there yet.
		forwarders.Go(func() {
			for v := range each(ctx, in) {
				if !send(ctx, out, v) {
					return
				}
			}
		})
	}
	closeAfter(&forwarders, out)
	return out
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
	out := make(chan Out)
	var workers sync.WaitGroup
	for range max(n, 1) {
		// All workers receive from one channel, so the next value goes to whoever
		// is free: nobody has to deal them out. And a worker that waits for the
		// reader makes no calls, which is all the backpressure that is needed.
		workers.Go(func() {
			for v := range each(ctx, in) {
				if !send(ctx, out, f(ctx, v)) {
					return
				}
			}
		})
	}
	closeAfter(&workers, out)
	return out
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
	// One call does all that the first error asks for: it keeps that error, ignores
	// later ones, and ends the context of the other calls. If the caller's context
	// ends first, that is the cause.
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)

	results := make([]Out, len(items))
	var next atomic.Int64 // a slice needs no channel to be shared out: an index will do
	var workers sync.WaitGroup
	for range min(max(n, 1), len(items)) {
		workers.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(items) {
					return
				}
				result, err := f(ctx, items[i])
				if err != nil {
					fail(err)
					return
				}
				// Every index belongs to one worker, so this needs no lock; Wait
				// makes it visible to the caller.
				results[i] = result
			}
		})
	}
	workers.Wait()

	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	return results, nil
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
	// The queue holds a place for each result, in the order of the values, while the
	// calls that fill the places end in any order. Its length is the limit: one place
	// is in the reader's hands and n-1 are in the queue, so n calls are under way.
	queue := make(chan chan Out, max(n, 1)-1)
	go func() {
		defer close(queue)
		for v := range each(ctx, in) {
			place := make(chan Out, 1) // room for the result, so that the call need not wait for its turn
			if !send(ctx, queue, place) {
				return
			}
			go func() { place <- f(ctx, v) }()
		}
	}()

	out := make(chan Out)
	go func() {
		defer close(out)
		// The loop goes on to the end of the queue even after ctx has ended: that is
		// how it waits for every call that was begun.
		for place := range queue {
			result := <-place
			// Asking first keeps the gap out: send might give up on one result and
			// yet find a reader for the next.
			if ctx.Err() == nil {
				send(ctx, out, result)
			}
		}
	}()
	return out
}

// closeAfter closes out when the senders have ended. Each of them may be the last
// one, so none of them can close it; and the caller cannot wait, for it is the
// caller who reads.
func closeAfter[T any](senders *sync.WaitGroup, out chan<- T) {
	go func() {
		senders.Wait()
		close(out)
	}()
}

// send hands v to whoever reads from out, unless ctx ends first. It reports
// whether it did.
func send[T any](ctx context.Context, out chan<- T, v T) bool {
	select {
	case out <- v:
		return true
	case <-ctx.Done():
		return false
	}
}

// each yields what arrives on in until in is closed or ctx ends.
func each[T any](ctx context.Context, in <-chan T) iter.Seq[T] {
	return func(yield func(T) bool) {
		for {
			select {
			case v, open := <-in:
				// Both cases may have been ready, so ask once more.
				if !open || ctx.Err() != nil || !yield(v) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}
}
