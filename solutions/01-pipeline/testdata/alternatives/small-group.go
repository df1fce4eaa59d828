// A small group that runs functions and keeps their first error.
//
// The group is golang.org/x/sync/errgroup in twenty lines: Go starts a function,
// the first error cancels the context of all, Wait returns it when all have
// returned. With it, Run reads as production code does, where the group is
// imported. As the functions return their errors instead of reporting them, a
// stage cannot forget to stop after a failure. The reference gets along with one
// type less, because a context with a cause can remember the error.
package pipeline

import (
	"context"
	"iter"
	"sync"
)

// Source sends every value of seq, then closes its channel.
func Source[T any](ctx context.Context, seq iter.Seq[T]) <-chan T {
	out := make(chan T)
	go feed(ctx, seq, out)
	return out
}

// Map sends f(v) for every v of in.
func Map[In, Out any](ctx context.Context, in <-chan In, f func(In) Out) <-chan Out {
	out := make(chan Out)
	go work(ctx, in, out, func(_ context.Context, v In) (Out, error) { return f(v), nil })
	return out
}

// Take passes on n values of in, then stops what is upstream.
func Take[T any](ctx context.Context, in <-chan T, n int, stop context.CancelFunc) <-chan T {
	out := make(chan T)
	go func() {
		defer close(out)
		defer stop()
		for range n {
			v, ok := receive(ctx, in)
			if !ok || send(ctx, out, v) != nil {
				return
			}
		}
	}()
	return out
}

// Stage is one step of Run.
type Stage[T any] func(ctx context.Context, v T) (T, error)

// Run runs the sequence, every stage and the sink as members of one group.
func Run[T any](ctx context.Context, seq iter.Seq[T], sink func(T) error, stages ...Stage[T]) error {
	g, ctx := newGroup(ctx)

	first := make(chan T)
	g.Go(func() error { return feed(ctx, seq, first) })
	last := first
	for _, stage := range stages {
		in, out := last, make(chan T)
		g.Go(func() error { return work(ctx, in, out, stage) })
		last = out
	}
	g.Go(func() error {
		for {
			v, ok := receive(ctx, last)
			if !ok {
				return ctx.Err()
			}
			if err := sink(v); err != nil {
				return err
			}
		}
	})
	return g.Wait()
}

func feed[T any](ctx context.Context, seq iter.Seq[T], out chan<- T) error {
	defer close(out)
	for v := range seq {
		if err := send(ctx, out, v); err != nil {
			return err
		}
	}
	return nil
}

func work[In, Out any](ctx context.Context, in <-chan In, out chan<- Out, f func(context.Context, In) (Out, error)) error {
	defer close(out)
	for {
		v, ok := receive(ctx, in)
		if !ok {
			return ctx.Err()
		}
		result, err := f(ctx, v)
		if err != nil {
			return err
		}
		if err := send(ctx, out, result); err != nil {
			return err
		}
	}
}

func send[T any](ctx context.Context, out chan<- T, v T) error {
	select {
	case out <- v:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func receive[T any](ctx context.Context, in <-chan T) (v T, ok bool) {
	select {
	case v, ok = <-in:
		return v, ok && ctx.Err() == nil
	case <-ctx.Done():
		return v, false
	}
}

type group struct {
	cancel  context.CancelFunc
	members sync.WaitGroup
	once    sync.Once
	err     error
}

func newGroup(ctx context.Context) (*group, context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	return &group{cancel: cancel}, ctx
}

func (g *group) Go(f func() error) {
	g.members.Go(func() {
		if err := f(); err != nil {
			g.once.Do(func() {
				g.err = err
				g.cancel()
			})
		}
	})
}

func (g *group) Wait() error {
	g.members.Wait()
	g.cancel()
	return g.err
}
