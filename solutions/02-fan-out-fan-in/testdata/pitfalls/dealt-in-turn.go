// want: assertion TestFanOutKeepsNCallsInFlight

// The values are dealt to the workers in turn, each through a channel of its
// own.
//
// It looks fair, and is while every value takes the same time. As soon as one
// takes longer, the dealer stands in front of that worker with the next value
// in hand, while all the others have nothing to do.
//
// One channel that all workers receive from needs no dealer: the next value
// goes to whoever is free.
package fan

import (
	"context"
	"iter"
	"sync"
	"sync/atomic"
)

// Merge gathers the values of all inputs in the channel that it returns.
func Merge[T any](ctx context.Context, ins ...<-chan T) <-chan T {
	out := make(chan T)
	var forwarders sync.WaitGroup
	for _, in := range ins {
		forwarders.Go(func() {
			for v := range each(ctx, in) {
				if !send(ctx, out, v) {
					return
				}
			}
		})
	}
	go func() {
		forwarders.Wait()
		close(out)
	}()
	return out
}

// FanOut calls f for each value of in, n at a time, and sends the results as they
// are ready.
func FanOut[In, Out any](ctx context.Context, n int, in <-chan In, f func(context.Context, In) Out) <-chan Out {
	out := make(chan Out)
	hands := make([]chan In, max(n, 1))
	var workers sync.WaitGroup
	for i := range hands {
		hands[i] = make(chan In)
		workers.Go(func() {
			for v := range each(ctx, hands[i]) {
				if !send(ctx, out, f(ctx, v)) {
					return
				}
			}
		})
	}
	go func() {
		turn := 0
		for v := range each(ctx, in) {
			if !send(ctx, hands[turn], v) {
				break
			}
			turn = (turn + 1) % len(hands)
		}
		for _, hand := range hands {
			close(hand)
		}
		workers.Wait()
		close(out)
	}()
	return out
}

// MapAll calls f for each item, n at a time, and returns the results by index.
func MapAll[In, Out any](ctx context.Context, n int, items []In, f func(context.Context, In) (Out, error)) ([]Out, error) {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	results := make([]Out, len(items))
	var next atomic.Int64
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

// Ordered calls f for each value of in, n at a time, and sends the results in
// order.
func Ordered[In, Out any](ctx context.Context, n int, in <-chan In, f func(context.Context, In) Out) <-chan Out {
	queue := make(chan chan Out, max(n, 1)-1)
	go func() {
		defer close(queue)
		for v := range each(ctx, in) {
			place := make(chan Out, 1)
			if !send(ctx, queue, place) {
				return
			}
			go func() { place <- f(ctx, v) }()
		}
	}()
	out := make(chan Out)
	go func() {
		defer close(out)
		for place := range queue {
			result := <-place
			if ctx.Err() == nil {
				send(ctx, out, result)
			}
		}
	}()
	return out
}

// send hands v to whoever reads from out, unless ctx ends first.
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
				if !open || ctx.Err() != nil || !yield(v) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}
}
