package pipeline_test

import (
	"context"
	"fmt"
	"iter"
	"runtime"
	"testing"
	"time"

	"github.com/sourcegraph/conc/stream"
	"golang.org/x/sync/errgroup"

	pipeline "concurrency-koans/solutions/01-pipeline"
)

// What does it cost to send one value through stages that do nothing? It is handed
// over once more than there are stages, except by conc, to which a value is handed
// over once, with all its stages.
func BenchmarkHandOver(b *testing.B) {
	stage := func(_ context.Context, v int) (int, error) { return v + 1, nil }
	for _, stages := range []int{1, 3, 10} {
		b.Run(fmt.Sprintf("stages=%d", stages), func(b *testing.B) {
			compare(b, stages, stage)
			b.Run("errgroup-buffer-64", func(b *testing.B) { group(b, 64, stages, stage) })
		})
	}
}

// When is that price worth paying? Three stages that compute.
func BenchmarkComputing(b *testing.B) {
	for _, turns := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("turns=%d", turns), func(b *testing.B) {
			compare(b, 3, func(_ context.Context, v int) (int, error) { return spin(v, turns), nil })
		})
	}
}

// What does it gain when three stages wait for a millisecond each, as for a
// network or a disk?
func BenchmarkWaiting(b *testing.B) {
	compare(b, 3, func(_ context.Context, v int) (int, error) {
		time.Sleep(time.Millisecond)
		return v, nil
	})
}

// What does one value cost on its way through Source, Map and Take? None of the
// three does anything with it.
func BenchmarkChain(b *testing.B) {
	addOne := func(v int) int { return v + 1 }
	b.Run("reference", func(b *testing.B) {
		b.ReportAllocs()
		ctx, cancel := context.WithCancel(b.Context())
		defer cancel()
		upstream, stop := context.WithCancel(ctx)
		numbers := pipeline.Source(upstream, upTo(b.N))
		results := pipeline.Map(upstream, numbers, addOne)
		drain(pipeline.Take(ctx, results, b.N, stop))
		// Take asks the others to go; their channels tell when they have gone.
		drain(results)
		drain(numbers)
	})
	// Without ctx. Whoever stops reading leaves the others behind.
	b.Run("channel", func(b *testing.B) {
		b.ReportAllocs()
		numbers, results, taken := make(chan int), make(chan int), make(chan int)
		go func() {
			defer close(numbers)
			for v := range upTo(b.N) {
				numbers <- v
			}
		}()
		go func() {
			defer close(results)
			for v := range numbers {
				results <- addOne(v)
			}
		}()
		go func() {
			defer close(taken)
			for v := range results {
				taken <- v
			}
		}()
		drain(taken)
	})
	// The same shape without concurrency: functions from sequence to sequence.
	b.Run("iter", func(b *testing.B) {
		b.ReportAllocs()
		sum := 0
		for v := range takeSeq(mapSeq(upTo(b.N), addOne), b.N) {
			sum += v
		}
		runtime.KeepAlive(sum)
	})
}

// compare sends b.N values through so many stages in every way there is.
func compare(b *testing.B, stages int, stage pipeline.Stage[int]) {
	b.Run("reference", func(b *testing.B) { run(b, stages, stage) })
	b.Run("errgroup", func(b *testing.B) { group(b, 0, stages, stage) })
	b.Run("conc", func(b *testing.B) { concStream(b, stages, stage) })
	b.Run("loop", func(b *testing.B) { loop(b, stages, stage) })
}

func run(b *testing.B, stages int, stage pipeline.Stage[int]) {
	b.ReportAllocs()
	all := make([]pipeline.Stage[int], stages)
	for i := range all {
		all[i] = stage
	}
	sum := 0
	add := func(v int) error { sum += v; return nil }
	if err := pipeline.Run(b.Context(), upTo(b.N), add, all...); err != nil {
		b.Fatal(err)
	}
	runtime.KeepAlive(sum)
}

// group is what people write with errgroup in production. Its stages range over
// their input: one that waits notices the end of ctx only when the one before it
// has gone, and may begin a call after it.
func group(b *testing.B, buffer, stages int, stage pipeline.Stage[int]) {
	b.ReportAllocs()
	g, ctx := errgroup.WithContext(b.Context())
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
	for range stages {
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
	sum := 0
	g.Go(func() error {
		for v := range last {
			sum += v
		}
		return nil
	})
	if err := g.Wait(); err != nil {
		b.Fatal(err)
	}
	runtime.KeepAlive(sum)
}

// concStream gives a goroutine to the value, not to the stage: a value goes through
// all stages in one piece, and the results come out in order. As many values are
// under way as there are stages. It promises less than Run: a stage may be called
// twice at once, and the first error and its ctx are left to the caller. And more:
// a panic in a stage comes out of Wait.
func concStream(b *testing.B, stages int, stage pipeline.Stage[int]) {
	b.ReportAllocs()
	ctx, fail := context.WithCancelCause(b.Context())
	defer fail(nil)
	s := stream.New().WithMaxGoroutines(stages)
	sum := 0
	for v := range upTo(b.N) {
		if ctx.Err() != nil {
			break
		}
		s.Go(func() stream.Callback {
			for range stages {
				var err error
				if v, err = stage(ctx, v); err != nil {
					fail(err)
					break
				}
			}
			return func() {
				if ctx.Err() == nil {
					sum += v
				}
			}
		})
	}
	s.Wait()
	if err := context.Cause(ctx); err != nil {
		b.Fatal(err)
	}
	runtime.KeepAlive(sum)
}

func loop(b *testing.B, stages int, stage pipeline.Stage[int]) {
	b.ReportAllocs()
	ctx := b.Context()
	sum := 0
	for v := range upTo(b.N) {
		for range stages {
			var err error
			if v, err = stage(ctx, v); err != nil {
				b.Fatal(err)
			}
		}
		sum += v
	}
	runtime.KeepAlive(sum)
}

func drain(ch <-chan int) {
	sum := 0
	for v := range ch {
		sum += v
	}
	runtime.KeepAlive(sum)
}

func upTo(n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for v := 0; v < n && yield(v); v++ {
		}
	}
}

func mapSeq(seq iter.Seq[int], f func(int) int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for v := range seq {
			if !yield(f(v)) {
				return
			}
		}
	}
}

func takeSeq(seq iter.Seq[int], n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		if n <= 0 {
			return
		}
		for v := range seq {
			if n--; !yield(v) || n == 0 {
				return
			}
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
