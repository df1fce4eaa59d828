// Workers that hand on a baton.
//
// In Ordered, whoever receives a value takes the baton first and hands it on
// afterwards, with a channel attached that closes when its result has been
// sent. So every worker knows whom to wait for, and nobody needs a queue or a
// goroutine that sorts. Merge pairs its inputs like a tournament, and MapAll
// keeps what is shared under one mutex.
//
// Better when you want to see the order in the code: no gap is possible,
// because each worker waits for the one before it. Worse for throughput: a
// worker that waits for its turn does nothing else, and a value of Merge passes
// through as many goroutines as the tournament has rounds.
package fan

import (
	"context"
	"iter"
	"sync"
)

// Merge gathers the values of all inputs in the channel that it returns.
func Merge[T any](ctx context.Context, ins ...<-chan T) <-chan T {
	switch len(ins) {
	case 0:
		none := make(chan T)
		close(none)
		return none
	case 1:
		return pair(ctx, ins[0], Merge[T](ctx))
	case 2:
		return pair(ctx, ins[0], ins[1])
	}
	half := len(ins) / 2
	return pair(ctx, Merge(ctx, ins[:half]...), Merge(ctx, ins[half:]...))
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
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make([]Out, len(items))
	var (
		mu    sync.Mutex
		next  int
		first error
	)
	take := func() (i int, ok bool) {
		mu.Lock()
		defer mu.Unlock()
		if next == len(items) || first != nil {
			return 0, false
		}
		if first = ctx.Err(); first != nil {
			return 0, false
		}
		next++
		return next - 1, true
	}
	put := func(i int, result Out, err error) {
		mu.Lock()
		defer mu.Unlock()
		if err != nil && first == nil {
			first = err
			cancel()
		}
		results[i] = result
	}
	var workers sync.WaitGroup
	for range max(n, 1) {
		workers.Go(func() {
			for i, ok := take(); ok; i, ok = take() {
				result, err := f(ctx, items[i])
				put(i, result, err)
			}
		})
	}
	workers.Wait()
	if first != nil {
		return nil, first
	}
	return results, nil
}

// Ordered calls f for each value of in, n at a time, and sends the results in
// order.
func Ordered[In, Out any](ctx context.Context, n int, in <-chan In, f func(context.Context, In) Out) <-chan Out {
	out := make(chan Out)
	baton := make(chan (<-chan struct{}), 1)
	start := make(chan struct{})
	close(start)
	baton <- start
	work := func() {
		for before := range each(ctx, baton) {
			var v In
			var open bool
			select {
			case v, open = <-in:
			case <-ctx.Done():
			}
			sent := make(chan struct{})
			baton <- sent
			if !open || ctx.Err() != nil {
				return
			}
			result := f(ctx, v)
			select {
			case <-before:
			case <-ctx.Done():
				return
			}
			if !send(ctx, out, result) {
				return
			}
			close(sent)
		}
	}
	var workers sync.WaitGroup
	for range max(n, 1) {
		workers.Go(work)
	}
	go func() {
		workers.Wait()
		close(out)
	}()
	return out
}

// pair merges two inputs with a select. An input that has been closed becomes nil,
// which takes it out of the select. It differs from a nil input that was passed in,
// which never closes, only in being counted.
func pair[T any](ctx context.Context, a, b <-chan T) <-chan T {
	out := make(chan T)
	go func() {
		defer close(out)
		for open := 2; open > 0; {
			var v T
			var ok bool
			select {
			case v, ok = <-a:
				if !ok {
					a = nil
				}
			case v, ok = <-b:
				if !ok {
					b = nil
				}
			case <-ctx.Done():
				return
			}
			if !ok {
				open--
				continue
			}
			if !send(ctx, out, v) {
				return
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
