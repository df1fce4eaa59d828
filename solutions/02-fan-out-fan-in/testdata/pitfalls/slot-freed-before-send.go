// want: assertion TestFanOutWaitsForItsReader

// The slot is given back when f returns, before the result has been handed
// over.
//
// The number of calls at a time is right, which is what the semaphore seems to
// be for. But with a slow reader the goroutines whose call has ended pile up,
// each with a result in hand, until the whole input sits in memory.
//
// A result that nobody has received is still work in progress. Give the slot
// back after the send.
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
	slots := make(chan struct{}, max(n, 1))
	var calls sync.WaitGroup
	go func() {
		for v := range each(ctx, in) {
			if !send(ctx, slots, struct{}{}) {
				break
			}
			calls.Go(func() {
				result := f(ctx, v)
				<-slots
				send(ctx, out, result)
			})
		}
		calls.Wait()
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
