package workerpool_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/alitto/pond/v2"
	"github.com/panjf2000/ants/v2"
	concpool "github.com/sourcegraph/conc/pool"
	"golang.org/x/sync/errgroup"

	workerpool "concurrency-koans/solutions/03-worker-pool"
)

const queue = 64 // where there is one

// What does it cost to hand over one job that does nothing? Nobody asks for its
// answer.
func BenchmarkHandOver(b *testing.B) {
	for _, workers := range []int{2, 16} {
		for _, submitters := range []int{1, 16} {
			b.Run(fmt.Sprintf("workers=%d/submitters=%d", workers, submitters), func(b *testing.B) {
				handOver(b, workers, submitters, 0)
			})
		}
	}
}

// When does that cost no longer matter? Jobs that compute, and a worker for each
// core.
func BenchmarkComputing(b *testing.B) {
	for _, turns := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("turns=%d", turns), func(b *testing.B) {
			handOver(b, runtime.GOMAXPROCS(0), 1, turns)
		})
	}
}

// How long does it take to hand over one job that does nothing and to wait for
// its answer? That is what the handler of a request does.
func BenchmarkAnswer(b *testing.B) {
	for _, workers := range []int{2, 16} {
		for _, submitters := range []int{1, 16} {
			b.Run(fmt.Sprintf("workers=%d/submitters=%d", workers, submitters), func(b *testing.B) {
				answer(b, workers, submitters)
			})
		}
	}
}

// What does it cost to be refused by a full pool?
func BenchmarkRefuse(b *testing.B) {
	for _, submitters := range []int{1, 16} {
		b.Run(fmt.Sprintf("submitters=%d", submitters), func(b *testing.B) { refuse(b, submitters) })
	}
}

// How long is a job in the pool when more come than it can do? The metric is the
// mean time from accepted to ended, in lengths of a job.
func BenchmarkLatencyUnderLoad(b *testing.B) {
	const length = time.Millisecond
	for _, queue := range []int{0, 10, 100} {
		b.Run(fmt.Sprintf("queue=%d/reference", queue), func(b *testing.B) {
			ctx := b.Context()
			jobs := queue + 1 + b.N // the first ones fill the pool and do not count
			accepted, ended := make([]time.Time, jobs), make([]time.Time, jobs)
			pool := workerpool.New(1, queue, func(_ context.Context, job int) (int, error) {
				time.Sleep(length)
				ended[job] = time.Now()
				return 0, nil
			})
			for job := range jobs {
				if job == queue+1 {
					b.ResetTimer()
				}
				if _, err := pool.Submit(ctx, job); err != nil {
					b.Fatal(err)
				}
				accepted[job] = time.Now()
			}
			b.StopTimer()
			if err := pool.Shutdown(ctx); err != nil {
				b.Fatal(err)
			}
			var sum time.Duration
			for job := queue + 1; job < jobs; job++ {
				sum += ended[job].Sub(accepted[job])
			}
			b.ReportMetric(float64(sum)/float64(b.Elapsed()), "lengths/job")
		})
	}
}

// handOver runs b.N jobs in every way there is.
func handOver(b *testing.B, workers, submitters, turns int) {
	b.Run("reference", func(b *testing.B) {
		b.ReportAllocs()
		pool := workerpool.New(workers, queue, handle)
		spread(b.N, submitters, func() {
			if _, err := pool.Submit(b.Context(), turns); err != nil {
				b.Error(err)
			}
		})
		shutdown(b, pool)
	})
	// The only other one with a queue and with answers. It gives no ctx to those who
	// wait for room.
	b.Run("pond", func(b *testing.B) {
		b.ReportAllocs()
		pool := pond.NewResultPool[int](workers, pond.WithQueueSize(queue))
		spread(b.N, submitters, func() {
			pool.SubmitErr(func() (int, error) { return handle(pool.Context(), turns) })
		})
		pool.StopAndWait()
	})
	// No queue, no answer, no ctx. A panic is logged.
	b.Run("ants", func(b *testing.B) {
		b.ReportAllocs()
		pool, err := ants.NewPoolWithFuncGeneric(workers, func(turns int) {
			runtime.KeepAlive(spin(turns))
		}, ants.WithDisablePurge(true))
		if err != nil {
			b.Fatal(err)
		}
		spread(b.N, submitters, func() {
			if err := pool.Invoke(turns); err != nil {
				b.Error(err)
			}
		})
		if err := pool.ReleaseContext(b.Context()); err != nil {
			b.Fatal(err)
		}
	})
	// For one batch: no queue, and no answer but the first panic.
	b.Run("conc", func(b *testing.B) {
		b.ReportAllocs()
		pool := concpool.New().WithMaxGoroutines(workers)
		spread(b.N, submitters, func() {
			pool.Go(func() { runtime.KeepAlive(spin(turns)) })
		})
		pool.Wait()
	})
	// For one batch, too: no queue, no answer but the first error.
	b.Run("errgroup", func(b *testing.B) {
		b.ReportAllocs()
		var g errgroup.Group
		g.SetLimit(workers)
		spread(b.N, submitters, func() {
			g.Go(func() error {
				runtime.KeepAlive(spin(turns))
				return nil
			})
		})
		if err := g.Wait(); err != nil {
			b.Fatal(err)
		}
	})
	b.Run("unbounded", func(b *testing.B) {
		b.ReportAllocs()
		var all sync.WaitGroup
		spread(b.N, submitters, func() {
			all.Go(func() { runtime.KeepAlive(spin(turns)) })
		})
		all.Wait()
	})
	b.Run("loop", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			runtime.KeepAlive(spin(turns))
		}
	})
}

// answer asks for the answer to b.N jobs in every way that gives one.
func answer(b *testing.B, workers, submitters int) {
	b.Run("reference", func(b *testing.B) {
		b.ReportAllocs()
		ctx := b.Context()
		pool := workerpool.New(workers, queue, handle)
		spread(b.N, submitters, func() {
			ticket, err := pool.Submit(ctx, 0)
			if err != nil {
				b.Error(err)
				return
			}
			if _, err := ticket.Wait(ctx); err != nil {
				b.Error(err)
			}
		})
		shutdown(b, pool)
	})
	b.Run("pond", func(b *testing.B) {
		b.ReportAllocs()
		pool := pond.NewResultPool[int](workers, pond.WithQueueSize(queue))
		spread(b.N, submitters, func() {
			task := pool.SubmitErr(func() (int, error) { return handle(pool.Context(), 0) })
			if _, err := task.Wait(); err != nil {
				b.Error(err)
			}
		})
		pool.StopAndWait()
	})
	// The caller makes the ticket: a channel with room for the answer. A job that
	// panics leaves it empty, and Submit listens to no ctx.
	b.Run("ants", func(b *testing.B) {
		b.ReportAllocs()
		ctx := b.Context()
		pool, err := ants.NewPool(workers, ants.WithDisablePurge(true))
		if err != nil {
			b.Fatal(err)
		}
		spread(b.N, submitters, func() {
			ticket := make(chan int, 1)
			if err := pool.Submit(func() { ticket <- spin(0) }); err != nil {
				b.Error(err)
				return
			}
			select {
			case <-ticket:
			case <-ctx.Done():
			}
		})
		if err := pool.ReleaseContext(b.Context()); err != nil {
			b.Fatal(err)
		}
	})
	b.Run("unbounded", func(b *testing.B) {
		b.ReportAllocs()
		ctx := b.Context()
		spread(b.N, submitters, func() {
			ticket := make(chan int, 1)
			go func() { ticket <- spin(0) }()
			select {
			case <-ticket:
			case <-ctx.Done():
			}
		})
	})
}

// refuse is told b.N times that there is no room.
func refuse(b *testing.B, submitters int) {
	b.Run("reference", func(b *testing.B) {
		b.ReportAllocs()
		open := make(chan struct{})
		pool := workerpool.New(1, 0, func(context.Context, int) (int, error) {
			<-open
			return 0, nil
		})
		if _, err := pool.Submit(b.Context(), 0); err != nil {
			b.Fatal(err)
		}
		spread(b.N, submitters, func() {
			if _, err := pool.TrySubmit(0); !errors.Is(err, workerpool.ErrQueueFull) {
				b.Error(err)
			}
		})
		close(open)
		shutdown(b, pool)
	})
	b.Run("pond", func(b *testing.B) {
		b.ReportAllocs()
		open := make(chan struct{})
		pool := pond.NewResultPool[int](1, pond.WithQueueSize(0))
		pool.Submit(func() int {
			<-open
			return 0
		})
		spread(b.N, submitters, func() {
			if _, ok := pool.TrySubmit(func() int { return 0 }); ok {
				b.Error("the pool was not full")
			}
		})
		close(open)
		pool.StopAndWait()
	})
	b.Run("ants", func(b *testing.B) {
		b.ReportAllocs()
		open := make(chan struct{})
		pool, err := ants.NewPool(1, ants.WithDisablePurge(true), ants.WithNonblocking(true))
		if err != nil {
			b.Fatal(err)
		}
		if err := pool.Submit(func() { <-open }); err != nil {
			b.Fatal(err)
		}
		spread(b.N, submitters, func() {
			if err := pool.Submit(func() {}); !errors.Is(err, ants.ErrPoolOverload) {
				b.Error(err)
			}
		})
		close(open)
		if err := pool.ReleaseContext(b.Context()); err != nil {
			b.Fatal(err)
		}
	})
	b.Run("errgroup", func(b *testing.B) {
		b.ReportAllocs()
		open := make(chan struct{})
		var g errgroup.Group
		g.SetLimit(1)
		g.Go(func() error {
			<-open
			return nil
		})
		spread(b.N, submitters, func() {
			if g.TryGo(func() error { return nil }) {
				b.Error("the group was not full")
			}
		})
		close(open)
		if err := g.Wait(); err != nil {
			b.Fatal(err)
		}
	})
}

// spread makes n calls of submit, from so many goroutines.
func spread(n, submitters int, submit func()) {
	var all sync.WaitGroup
	for i := range submitters {
		all.Go(func() {
			for range (n + i) / submitters {
				submit()
			}
		})
	}
	all.Wait()
}

func shutdown(b *testing.B, pool *workerpool.Pool[int, int]) {
	if err := pool.Shutdown(b.Context()); err != nil {
		b.Fatal(err)
	}
}

func handle(_ context.Context, turns int) (int, error) { return spin(turns), nil }

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
