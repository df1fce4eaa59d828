package timeouts_test

import (
	"context"
	"runtime"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	timeouts "concurrency-koans/solutions/07-timeouts-cancellation"
)

// What does a limit cost, on a function that does nothing?
func BenchmarkLimit(b *testing.B) {
	ctx := context.Background()
	listens := func(context.Context) (int, error) { return 7, nil }
	deaf := func() (int, error) { return 7, nil }

	b.Run("goroutine", func(b *testing.B) { // and a channel to wait for it: what Bound is made of
		b.ReportAllocs()
		for range b.N {
			done := make(chan int, 1)
			go func() { done <- 7 }()
			runtime.KeepAlive(<-done)
		}
	})
	b.Run("WithTimeout", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			ctx, cancel := context.WithTimeout(ctx, time.Minute)
			v, _ := listens(ctx)
			cancel()
			runtime.KeepAlive(v)
		}
	})
	b.Run("Call", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			v, _ := timeouts.Call(ctx, time.Minute, listens)
			runtime.KeepAlive(v)
		}
	})
	b.Run("Bound", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			v, _ := timeouts.Bound(ctx, time.Minute, deaf)
			runtime.KeepAlive(v)
		}
	})
}

// What does it cost to ask several, who answer at once?
func BenchmarkSeveral(b *testing.B) {
	ctx := context.Background()
	for _, n := range []int{1, 2, 8} {
		fs := slices.Repeat([]func(context.Context) (int, error){func(context.Context) (int, error) { return 7, nil }}, n)
		b.Run("First/n="+strconv.Itoa(n), func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				v, _ := timeouts.First(ctx, fs...)
				runtime.KeepAlive(v)
			}
		})
		// What people write in production to ask all, where all have to succeed.
		b.Run("errgroup/n="+strconv.Itoa(n), func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				g, ctx := errgroup.WithContext(ctx)
				for _, f := range fs {
					g.Go(func() error {
						_, err := f(ctx)
						return err
					})
				}
				if err := g.Wait(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// What does asking twice gain? A server answers within 5 ms, but one time in
// twenty it takes 100 ms. Half of the answers come within p50, all but one in a
// hundred within p99.
func BenchmarkTail(b *testing.B) {
	server := func(calls *atomic.Int64) func(context.Context) (int, error) {
		return func(ctx context.Context) (int, error) {
			d := 5 * time.Millisecond
			if calls.Add(1)%20 == 0 {
				d = 100 * time.Millisecond
			}
			return 7, timeouts.Sleep(ctx, d)
		}
	}
	ask := func(b *testing.B, get func(context.Context, func(context.Context) (int, error)) (int, error)) {
		var calls atomic.Int64
		ask := server(&calls)
		took := make([]time.Duration, b.N)
		for i := range took {
			start := time.Now()
			if _, err := get(context.Background(), ask); err != nil {
				b.Fatal(err)
			}
			took[i] = time.Since(start)
		}
		slices.Sort(took)
		ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
		b.ReportMetric(ms(took[len(took)/2]), "ms-p50")
		b.ReportMetric(ms(took[len(took)*99/100]), "ms-p99")
		b.ReportMetric(float64(calls.Load())/float64(b.N), "calls/op")
	}
	type request = func(context.Context) (int, error)
	b.Run("once", func(b *testing.B) {
		ask(b, func(ctx context.Context, f request) (int, error) { return f(ctx) })
	})
	b.Run("Hedge,after=15ms", func(b *testing.B) {
		ask(b, func(ctx context.Context, f request) (int, error) {
			return timeouts.Hedge(ctx, 15*time.Millisecond, 2, func(ctx context.Context, _ int) (int, error) { return f(ctx) })
		})
	})
	b.Run("First,n=2", func(b *testing.B) {
		ask(b, func(ctx context.Context, f request) (int, error) { return timeouts.First(ctx, f, f) })
	})
}

// How long does a sleep really take? The metric is the mean in lengths of what
// was asked for.
func BenchmarkSleep(b *testing.B) {
	for _, d := range []time.Duration{10 * time.Microsecond, 100 * time.Microsecond, time.Millisecond, 10 * time.Millisecond} {
		b.Run(d.String(), func(b *testing.B) {
			start := time.Now()
			for range b.N {
				if err := timeouts.Sleep(context.Background(), d); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(time.Since(start))/float64(b.N)/float64(d), "of-asked")
		})
	}
}
