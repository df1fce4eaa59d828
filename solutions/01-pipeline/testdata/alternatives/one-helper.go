// One helper that starts every stage.
//
// Source, Map, Take and the stages of Run differ in what they do with a value.
// All the rest, the goroutine, the close and the two selects, stands once, in
// start and connect. What is written once is right or wrong once, and a fifth
// kind of stage is three lines. The price is that a stage can no longer be read
// from top to bottom in one place; with two or three of them the reference is
// easier to follow.
package pipeline

import (
	"context"
	"iter"
	"sync"
)

// Source is a stage whose input is a sequence.
func Source[T any](ctx context.Context, seq iter.Seq[T]) <-chan T {
	return start(ctx, seq, func(v T) (T, error) { return v, nil }, func(error) {})
}

// Map is a stage that cannot fail.
func Map[In, Out any](ctx context.Context, in <-chan In, f func(In) Out) <-chan Out {
	return start(ctx, connect(ctx, in), func(v In) (Out, error) { return f(v), nil }, func(error) {})
}

// Take is a stage with an input that ends after n values.
func Take[T any](ctx context.Context, in <-chan T, n int, stop context.CancelFunc) <-chan T {
	limited := func(yield func(T) bool) {
		if n <= 0 {
			return
		}
		left := n
		for v := range connect(ctx, in) {
			if left--; !yield(v) || left == 0 {
				return
			}
		}
	}
	return start(ctx, limited, func(v T) (T, error) { return v, nil }, func(error) { stop() })
}

// Stage is one step of Run.
type Stage[T any] func(ctx context.Context, v T) (T, error)

// Run starts a stage for each function, and is itself the one that reads.
func Run[T any](ctx context.Context, seq iter.Seq[T], sink func(T) error, stages ...Stage[T]) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)

	var crew sync.WaitGroup
	leave := func(err error) {
		if err != nil {
			fail(err)
		}
		crew.Done()
	}

	crew.Add(1)
	last := start(ctx, seq, func(v T) (T, error) { return v, nil }, leave)
	for _, stage := range stages {
		crew.Add(1)
		last = start(ctx, connect(ctx, last), func(v T) (T, error) { return stage(ctx, v) }, leave)
	}
	for v := range connect(ctx, last) {
		if err := sink(v); err != nil {
			fail(err)
		}
	}
	crew.Wait()
	return context.Cause(ctx)
}

// start sends work(v) for every v of in from a goroutine of its own. Before it
// closes the channel it calls leave, with the error that ended it, if any.
func start[In, Out any](ctx context.Context, in iter.Seq[In], work func(In) (Out, error), leave func(error)) <-chan Out {
	out := make(chan Out)
	go func() {
		defer close(out)
		var err error
		defer func() { leave(err) }()
		for v := range in {
			var result Out
			if result, err = work(v); err != nil {
				return
			}
			select {
			case out <- result:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

// connect makes a sequence of a channel. It ends with the channel or with ctx.
func connect[T any](ctx context.Context, in <-chan T) iter.Seq[T] {
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
