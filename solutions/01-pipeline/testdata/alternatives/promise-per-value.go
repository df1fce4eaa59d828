// A promise for every value.
//
// Map runs two goroutines. The one in front receives a value, queues an empty
// promise for its result, and does the work; the one behind takes the promises
// in their order and waits for each. Run turns the picture around: a goroutine
// belongs to a value and walks through the stages, and each value promises the
// next one to make room. The order is in the promises, so it no longer matters
// who finishes when: where a stage should work on several values at once and
// keep their order, start from here. A stage that takes one value at a time
// pays a channel per value for nothing, and the reference is better.
package pipeline

import (
	"context"
	"iter"
	"sync"
)

// Source sends every value of seq, then closes its channel.
func Source[T any](ctx context.Context, seq iter.Seq[T]) <-chan T {
	out := make(chan T)
	go func() {
		defer close(out)
		for v := range seq {
			select {
			case out <- v:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

// Map sends f(v) for every v of in, in order.
func Map[In, Out any](ctx context.Context, in <-chan In, f func(In) Out) <-chan Out {
	promises := make(chan chan Out)
	go func() {
		defer close(promises)
		for {
			select {
			case v, open := <-in:
				if !open || ctx.Err() != nil {
					return
				}
				promise := make(chan Out, 1) // with room for the result: keeping it never blocks
				select {
				case promises <- promise:
				case <-ctx.Done():
					return
				}
				promise <- f(v)
			case <-ctx.Done():
				return
			}
		}
	}()

	out := make(chan Out)
	go func() {
		defer close(out)
		for {
			select {
			case promise, open := <-promises:
				if !open {
					return
				}
				select {
				case result := <-promise:
					select {
					case out <- result:
					case <-ctx.Done():
						return
					}
				case <-ctx.Done():
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

// Take passes on n values of in, then stops what is upstream.
func Take[T any](ctx context.Context, in <-chan T, n int, stop context.CancelFunc) <-chan T {
	out := make(chan T)
	go func() {
		defer close(out)
		defer stop()
		for range n {
			select {
			case v, open := <-in:
				if !open {
					return
				}
				select {
				case out <- v:
				case <-ctx.Done():
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

// Stage is one step of Run.
type Stage[T any] func(ctx context.Context, v T) (T, error)

// Run starts a goroutine for every value, as soon as there is room for it.
func Run[T any](ctx context.Context, seq iter.Seq[T], sink func(T) error, stages ...Stage[T]) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	var values sync.WaitGroup

	rooms := append([]Stage[T]{}, stages...)
	rooms = append(rooms, func(_ context.Context, v T) (T, error) { return v, sink(v) })

	ahead := newPromises(len(rooms)) // nobody is ahead of the first value
	for _, promise := range ahead {
		close(promise)
	}
	for v := range seq {
		if !kept(ctx, ahead[0]) {
			break
		}
		before, mine := ahead, newPromises(len(rooms))
		values.Go(func() {
			for i, stage := range rooms {
				// Leave a room when the next one is free, and not before: as with an
				// unbuffered channel, a slow stage holds up those behind.
				if !kept(ctx, before[i]) {
					return
				}
				if i > 0 {
					close(mine[i-1])
				}
				var err error
				if v, err = stage(ctx, v); err != nil {
					fail(err)
					return
				}
			}
			close(mine[len(mine)-1])
		})
		ahead = mine
	}
	values.Wait()
	return context.Cause(ctx)
}

// newPromises returns a value's promise for each room: that it has left.
func newPromises(n int) []chan struct{} {
	promises := make([]chan struct{}, n)
	for i := range promises {
		promises[i] = make(chan struct{})
	}
	return promises
}

// kept waits for a promise, and reports false if ctx ends first.
func kept(ctx context.Context, promise <-chan struct{}) bool {
	select {
	case <-promise:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
