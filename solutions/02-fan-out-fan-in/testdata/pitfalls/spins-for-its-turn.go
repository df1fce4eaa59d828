// want: stuck TestOrderedKeepsTheOrder

// A worker whose result is ready asks again and again whether it is its turn.
//
// The order is right, and with calls that take about the same time nobody
// notices. While the first call takes long, every other worker burns a core
// with asking, and slows down the one that it waits for.
//
// Wait on something that wakes you: a channel that whoever is before you closes
// or fills, or a sync.Cond. runtime.Gosched does not help: a goroutine that
// yields is still ready to run.
package fan

import (
	"context"
	"iter"
	"runtime"
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
	var workers sync.WaitGroup
	for range max(n, 1) {
		workers.Go(func() {
			for v := range each(ctx, in) {
				if !send(ctx, out, f(ctx, v)) {
					return
				}
			}
		})
	}
	go func() {
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
	type job struct {
		turn int64
		v    In
	}
	jobs, out := make(chan job), make(chan Out)
	go func() {
		defer close(jobs)
		turn := int64(0)
		for v := range each(ctx, in) {
			if !send(ctx, jobs, job{turn, v}) {
				return
			}
			turn++
		}
	}()
	var turn atomic.Int64
	var workers sync.WaitGroup
	for range max(n, 1) {
		workers.Go(func() {
			for j := range each(ctx, jobs) {
				result := f(ctx, j.v)
				for turn.Load() != j.turn {
					if ctx.Err() != nil {
						return
					}
					runtime.Gosched()
				}
				if !send(ctx, out, result) {
					return
				}
				turn.Add(1)
			}
		})
	}
	go func() {
		workers.Wait()
		close(out)
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
