// want: assertion TestStagesOverlap

// A stage that collects its whole input first makes everybody after it wait.
//
// The results are right, and in order. But the stage starts to work when the
// stage before it has finished, so no two stages ever work at the same time,
// and all values are in memory at once. Pass each value on before you receive
// the next.
package pipeline

import (
	"context"
	"iter"
	"sync"
)

// Source sends every value of seq and closes its channel.
func Source[T any](ctx context.Context, seq iter.Seq[T]) <-chan T {
	out := make(chan T)
	go func() {
		defer close(out)
		for v := range seq {
			if !send(ctx, out, v) {
				return
			}
		}
	}()
	return out
}

// Map sends f(v) for every v of in.
func Map[In, Out any](ctx context.Context, in <-chan In, f func(In) Out) <-chan Out {
	out := make(chan Out)
	go func() {
		defer close(out)
		var all []In
		for v := range each(ctx, in) {
			all = append(all, v)
		}
		for _, v := range all {
			if ctx.Err() != nil || !send(ctx, out, f(v)) {
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
		if n <= 0 {
			return
		}
		for v := range each(ctx, in) {
			if !send(ctx, out, v) {
				return
			}
			if n--; n == 0 {
				return
			}
		}
	}()
	return out
}

// Stage is one step of Run.
type Stage[T any] func(ctx context.Context, v T) (T, error)

// Run sends every value of seq through all stages and on to sink.
func Run[T any](ctx context.Context, seq iter.Seq[T], sink func(T) error, stages ...Stage[T]) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	var crew sync.WaitGroup

	source := make(chan T)
	crew.Go(func() {
		defer close(source)
		for v := range seq {
			if !send(ctx, source, v) {
				return
			}
		}
	})

	var last <-chan T = source
	for _, stage := range stages {
		in, out := last, make(chan T)
		crew.Go(func() {
			defer close(out)
			for v := range each(ctx, in) {
				v, err := stage(ctx, v)
				if err != nil {
					fail(err)
					return
				}
				if !send(ctx, out, v) {
					return
				}
			}
		})
		last = out
	}

	for v := range each(ctx, last) {
		if err := sink(v); err != nil {
			fail(err)
		}
	}
	crew.Wait()
	return context.Cause(ctx)
}

// send hands v to the reader of out, unless ctx ends first.
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
