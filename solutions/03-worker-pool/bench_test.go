package workerpool_test

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	workerpool "concurrency-koans/solutions/03-worker-pool"
)

// What does it cost to hand over a job that does nothing?
func BenchmarkHandOver(b *testing.B) { compare(b, 0) }

// When does that cost no longer matter? Jobs that compute.
func BenchmarkComputing(b *testing.B) {
	b.Run("short", func(b *testing.B) { compare(b, 1_000) })
	b.Run("medium", func(b *testing.B) { compare(b, 10_000) })
	b.Run("long", func(b *testing.B) { compare(b, 100_000) })
}

func compare(b *testing.B, turns int) {
	workers := runtime.GOMAXPROCS(0)
	b.Run("loop", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			runtime.KeepAlive(spin(turns))
		}
	})
	b.Run("pool", func(b *testing.B) {
		b.ReportAllocs()
		ctx := context.Background()
		pool := workerpool.New(workers, 64, func(_ context.Context, turns int) (int, error) { return spin(turns), nil })
		for range b.N {
			if _, err := pool.Submit(ctx, turns); err != nil {
				b.Fatal(err)
			}
		}
		if err := pool.Shutdown(ctx); err != nil {
			b.Fatal(err)
		}
	})
	// What people write in production for one batch.
	b.Run("errgroup", func(b *testing.B) {
		b.ReportAllocs()
		var g errgroup.Group
		g.SetLimit(workers)
		for range b.N {
			g.Go(func() error {
				runtime.KeepAlive(spin(turns))
				return nil
			})
		}
		if err := g.Wait(); err != nil {
			b.Fatal(err)
		}
	})
	b.Run("unbounded", func(b *testing.B) {
		b.ReportAllocs()
		var all sync.WaitGroup
		for range b.N {
			all.Go(func() { runtime.KeepAlive(spin(turns)) })
		}
		all.Wait()
	})
}

// How long is a job in the pool when more come than it can do? The metric is the
// mean time from accepted to ended, in lengths of a job.
func BenchmarkLatencyUnderLoad(b *testing.B) {
	const length = time.Millisecond
	for _, queue := range []int{0, 10, 100} {
		b.Run(map[int]string{0: "queue=0", 10: "queue=10", 100: "queue=100"}[queue], func(b *testing.B) {
			ctx := context.Background()
			accepted, ended := make([]time.Time, b.N), make([]time.Time, b.N)
			pool := workerpool.New(1, queue, func(_ context.Context, job int) (int, error) {
				time.Sleep(length)
				ended[job] = time.Now()
				return 0, nil
			})
			for job := range b.N {
				if _, err := pool.Submit(ctx, job); err != nil {
					b.Fatal(err)
				}
				accepted[job] = time.Now()
			}
			if err := pool.Shutdown(ctx); err != nil {
				b.Fatal(err)
			}
			var sum time.Duration
			for job := range b.N {
				sum += ended[job].Sub(accepted[job])
			}
			b.ReportMetric(float64(sum)/float64(b.Elapsed()), "lengths/job")
		})
	}
}

// spin keeps a core busy. Inlined where nobody wants its result, it would do less.
//
//go:noinline
func spin(turns int) int {
	v := 1
	for range turns {
		v = v*1664525 + 1013904223
	}
	return v
}
