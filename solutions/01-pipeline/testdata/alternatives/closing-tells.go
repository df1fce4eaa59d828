// A closed channel says that everybody upstream has gone.
//
// No WaitGroup and no lock: when a stage of Run leaves, it first waits until its
// own input has been closed, and then closes its output. So each close speaks
// for the whole pipeline up to that point, and Run, which reads the last channel
// to its end, knows that all have gone. It is the least machinery of all these
// designs, and the one with the most silent rules: it holds only while every
// stage keeps the habit, and only where upstream is sure to close.
package pipeline

import (
	"context"
	"iter"
)

// Source sends every value of seq, then closes its channel.
func Source[T any](ctx context.Context, seq iter.Seq[T]) <-chan T {
	out := make(chan T)
	go func() {
		defer close(out)
		for v := range seq {
			if ctx.Err() != nil {
				return
			}
			select {
			case out <- v:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

// Map sends f(v) for every v of in. Its input may come from strangers, who need
// not close it; so it leaves at once.
func Map[In, Out any](ctx context.Context, in <-chan In, f func(In) Out) <-chan Out {
	out := make(chan Out)
	go func() {
		defer close(out)
		for {
			select {
			case v, open := <-in:
				if !open || ctx.Err() != nil {
					return
				}
				select {
				case out <- f(v):
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

// Run reads the last channel until it is closed: then everybody has gone.
func Run[T any](ctx context.Context, seq iter.Seq[T], sink func(T) error, stages ...Stage[T]) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)

	last := Source(ctx, seq)
	for _, stage := range stages {
		last = follow(ctx, fail, last, stage)
	}
	for v := range last {
		// Once ctx has ended, go on reading and drop what comes: it is the close
		// that is waited for.
		if ctx.Err() != nil {
			continue
		}
		if err := sink(v); err != nil {
			fail(err)
		}
	}
	return context.Cause(ctx)
}

// follow starts a stage. Ranging over in is safe here, though range does not
// look at ctx: Source does, and its close is passed on from stage to stage.
func follow[T any](ctx context.Context, fail context.CancelCauseFunc, in <-chan T, stage Stage[T]) <-chan T {
	out := make(chan T)
	go func() {
		defer close(out)
		for v := range in {
			if ctx.Err() != nil {
				continue
			}
			v, err := stage(ctx, v)
			if err != nil {
				fail(err)
				continue
			}
			select {
			case out <- v:
			case <-ctx.Done():
			}
		}
	}()
	return out
}
