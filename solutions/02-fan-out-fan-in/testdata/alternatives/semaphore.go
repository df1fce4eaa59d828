// A semaphore, and a goroutine for each item.
//
// A channel with n places is the semaphore: to send into it is to take a slot,
// to receive is to give it back. This is how errgroup.SetLimit works inside.
//
// Better when the number of items is small or unknown, or when work comes in
// bursts: nobody sits idle between them, and the limit is one line that can be
// put around work that exists already. Worse when items are many and small,
// since each costs a goroutine, and there is no worker to keep something in
// from one item to the next, such as a buffer or a connection.
package fan

import (
	"context"
	"iter"
	"sync"
)

// Merge gathers the values of all inputs in the channel that it returns.
func Merge[T any](ctx context.Context, ins ...<-chan T) <-chan T {
	out := make(chan T)
	ended := make(chan struct{})
	for _, in := range ins {
		go func() {
			defer func() { ended <- struct{}{} }()
			for v := range each(ctx, in) {
				if !send(ctx, out, v) {
					return
				}
			}
		}()
	}
	go func() {
		defer close(out)
		for range ins {
			<-ended
		}
	}()
	return out
}

// FanOut calls f for each value of in, n at a time, and sends the results as they
// are ready.
func FanOut[In, Out any](ctx context.Context, n int, in <-chan In, f func(context.Context, In) Out) <-chan Out {
	out := make(chan Out)
	slots := make(chan struct{}, max(n, 1))
	go func() {
		defer close(out)
		for v := range each(ctx, in) {
			if !send(ctx, slots, struct{}{}) {
				break
			}
			go func() {
				// The slot is given back after the send: a result that nobody has
				// received still counts.
				defer func() { <-slots }()
				send(ctx, out, f(ctx, v))
			}()
		}
		// Whoever holds all slots knows that nobody else is left.
		for range cap(slots) {
			slots <- struct{}{}
		}
	}()
	return out
}

// MapAll calls f for each item, n at a time, and returns the results by index.
func MapAll[In, Out any](ctx context.Context, n int, items []In, f func(context.Context, In) (Out, error)) ([]Out, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make([]Out, len(items))
	slots := make(chan struct{}, max(n, 1))
	var (
		calls sync.WaitGroup
		once  sync.Once
		first error
	)
	fail := func(err error) {
		once.Do(func() {
			first = err
			cancel()
		})
	}
	for i, item := range items {
		slots <- struct{}{}
		// Asked after the slot was taken: the call that gave it back may have failed.
		if err := ctx.Err(); err != nil {
			fail(err)
			break
		}
		calls.Go(func() {
			defer func() { <-slots }()
			result, err := f(ctx, item)
			if err != nil {
				fail(err)
				return
			}
			results[i] = result
		})
	}
	calls.Wait()
	if first != nil {
		return nil, first
	}
	return results, nil
}

// Ordered calls f for each value of in, n at a time, and sends the results in
// order.
func Ordered[In, Out any](ctx context.Context, n int, in <-chan In, f func(context.Context, In) Out) <-chan Out {
	n = max(n, 1)
	slots := make(chan struct{}, n)
	// A place has its slot before it comes here, so there is always room.
	queue := make(chan chan Out, n)
	go func() {
		defer close(queue)
		for send(ctx, slots, struct{}{}) {
			var v In
			var open bool
			select {
			case v, open = <-in:
			case <-ctx.Done():
			}
			if !open || ctx.Err() != nil {
				return
			}
			place := make(chan Out, 1)
			queue <- place
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
			<-slots
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
