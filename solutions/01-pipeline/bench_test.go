package pipeline_test

import (
	"context"
	"iter"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	pipeline "concurrency-koans/solutions/01-pipeline"
)

// What does it cost to send a value through three stages that do nothing? All
// three ways do the same work; what differs is what a hand-over costs.
func BenchmarkHandOver(b *testing.B) {
	stage := func(_ context.Context, v int) (int, error) { return v + 1, nil }
	b.Run("loop", func(b *testing.B) { loop(b, stage) })
	b.Run("Run", func(b *testing.B) { run(b, stage) })
	b.Run("errgroup", func(b *testing.B) { group(b, 0, stage) })
	b.Run("errgroup,buffer=64", func(b *testing.B) { group(b, 64, stage) })
}

// When is that price worth paying? Three stages that compute.
func BenchmarkComputing(b *testing.B) {
	for _, turns := range []int{1_000, 10_000, 100_000} {
		stage := func(_ context.Context, v int) (int, error) { return spin(v, turns), nil }
		name := map[int]string{1_000: "short", 10_000: "medium", 100_000: "long"}[turns]
		b.Run(name+"/loop", func(b *testing.B) { loop(b, stage) })
		b.Run(name+"/Run", func(b *testing.B) { run(b, stage) })
	}
}

// Three stages that wait, as for a network or a disk.
func BenchmarkWaiting(b *testing.B) {
	stage := func(_ context.Context, v int) (int, error) {
		time.Sleep(time.Millisecond)
		return v, nil
	}
	b.Run("loop", func(b *testing.B) { loop(b, stage) })
	b.Run("Run", func(b *testing.B) { run(b, stage) })
}

func loop(b *testing.B, stage pipeline.Stage[int]) {
	b.ReportAllocs()
	ctx := context.Background()
	for v := range b.N {
		for range 3 {
			v, _ = stage(ctx, v)
		}
		_ = ignore(v)
	}
}

func run(b *testing.B, stage pipeline.Stage[int]) {
	b.ReportAllocs()
	if err := pipeline.Run(context.Background(), upTo(b.N), ignore, stage, stage, stage); err != nil {
		b.Fatal(err)
	}
}

// group is what people write with errgroup in production.
func group(b *testing.B, buffer int, stage pipeline.Stage[int]) {
	b.ReportAllocs()
	g, ctx := errgroup.WithContext(context.Background())
	first := make(chan int, buffer)
	g.Go(func() error {
		defer close(first)
		for v := range upTo(b.N) {
			select {
			case first <- v:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	last := first
	for range 3 {
		in, out := last, make(chan int, buffer)
		g.Go(func() error {
			defer close(out)
			for v := range in {
				v, err := stage(ctx, v)
				if err != nil {
					return err
				}
				select {
				case out <- v:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			return nil
		})
		last = out
	}
	g.Go(func() error {
		for v := range last {
			if err := ignore(v); err != nil {
				return err
			}
		}
		return nil
	})
	if err := g.Wait(); err != nil {
		b.Fatal(err)
	}
}

func ignore(int) error { return nil }

func upTo(n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for v := 0; v < n && yield(v); v++ {
		}
	}
}

// spin keeps a core busy.
func spin(v, turns int) int {
	for range turns {
		v = v*1664525 + 1013904223
	}
	return v
}
