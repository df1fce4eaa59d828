// want: assertion TestRunWaitsForItsStages

// Run returns with the error while its stages are still at work.
//
// The error is known and everybody has been told to stop, so why wait? Because
// told is not gone. The caller closes the file or the database as soon as Run
// returns, and the stage that is still tidying up finds it closed. End the
// context, then wait for every goroutine, then return.
package pipeline

import (
	"context"
	"iter"
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
		for v := range each(ctx, in) {
			if !send(ctx, out, f(v)) {
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
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	errs := make(chan error, len(stages)) // room for everybody: nobody waits to report
	last := Source(ctx, seq)
	for _, stage := range stages {
		in, out := last, make(chan T)
		go func() {
			defer close(out)
			for v := range each(ctx, in) {
				v, err := stage(ctx, v)
				if err != nil {
					errs <- err
					return
				}
				if !send(ctx, out, v) {
					return
				}
			}
		}()
		last = out
	}

	for {
		select {
		case err := <-errs:
			return err
		case <-ctx.Done():
			return ctx.Err()
		case v, open := <-last:
			if !open {
				select {
				case err := <-errs:
					return err
				default:
					return ctx.Err()
				}
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err := sink(v); err != nil {
				return err
			}
		}
	}
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
