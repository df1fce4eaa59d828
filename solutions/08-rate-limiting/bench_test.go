package ratelimit_test

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/time/rate"

	ratelimit "concurrency-koans/solutions/08-rate-limiting"
)

// What does it cost to ask? The clock is what every limiter has to look at, so it
// is the unit.
func BenchmarkAsk(b *testing.B) {
	b.Run("clock", func(b *testing.B) {
		for range b.N {
			runtime.KeepAlive(time.Now())
		}
	})
	for _, c := range []struct {
		name  string
		every time.Duration
	}{{"granted", time.Nanosecond}, {"refused", time.Hour}} {
		b.Run(c.name, func(b *testing.B) {
			b.Run("limiter", func(b *testing.B) { ask(b, newLimiter(b, c.every, 1).Allow) })
			b.Run("x-time", func(b *testing.B) { ask(b, rate.NewLimiter(rate.Every(c.every), 1).Allow) })
		})
	}
	b.Run("waited", func(b *testing.B) {
		b.Run("limiter", func(b *testing.B) { wait(b, newLimiter(b, time.Nanosecond, 1).Wait) })
		b.Run("x-time", func(b *testing.B) { wait(b, rate.NewLimiter(rate.Every(time.Nanosecond), 1).Wait) })
	})
}

func ask(b *testing.B, allow func() bool) {
	b.ReportAllocs()
	for range b.N {
		allow()
	}
}

func wait(b *testing.B, wait func(context.Context) error) {
	b.ReportAllocs()
	for range b.N {
		if err := wait(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}

// Does it matter how many keys there are?
func BenchmarkKeys(b *testing.B) {
	for _, keys := range []int{1, 1_000, 100_000} {
		b.Run(map[int]string{1: "1", 1_000: "1000", 100_000: "100000"}[keys], func(b *testing.B) {
			keyed, err := ratelimit.NewKeyed[int](time.Second, 10, time.Minute)
			if err != nil {
				b.Fatal(err)
			}
			for key := range keys {
				keyed.Allow(key)
			}
			for i := 0; b.Loop(); i++ {
				keyed.Allow(i % keys)
			}
		})
	}
}

// What does a limiter take that nobody uses? One that works out what has dripped
// in, one of those in a Keyed, and one with a goroutine that fills it.
func BenchmarkMemory(b *testing.B) {
	const n = 10_000
	b.Run("limiter", func(b *testing.B) {
		for range b.N {
			limiters := make([]*ratelimit.Limiter, n)
			memory(b, n, func() {
				for i := range limiters {
					limiters[i] = newLimiter(b, time.Second, 10)
				}
			})
			runtime.KeepAlive(limiters)
		}
	})
	b.Run("keyed", func(b *testing.B) {
		for range b.N {
			keyed, err := ratelimit.NewKeyed[int](time.Second, 10, time.Minute)
			if err != nil {
				b.Fatal(err)
			}
			memory(b, n, func() {
				for key := range n {
					keyed.Allow(key)
				}
			})
			runtime.KeepAlive(keyed)
		}
	})
	b.Run("goroutine", func(b *testing.B) {
		for range b.N {
			stop := make(chan struct{})
			var all, started sync.WaitGroup
			memory(b, n, func() {
				for range n {
					started.Add(1)
					all.Go(func() {
						bucket := make(chan struct{}, 10)
						ticker := time.NewTicker(time.Second)
						defer ticker.Stop()
						started.Done()
						for {
							select {
							case <-ticker.C:
								select {
								case bucket <- struct{}{}:
								default:
								}
							case <-stop:
								return
							}
						}
					})
				}
				started.Wait()
			})
			close(stop)
			all.Wait()
		}
	})
}

// memory reports how much more is in use after make, for each of n.
func memory(b *testing.B, n int, make func()) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	make()
	runtime.GC()
	runtime.ReadMemStats(&after)
	used := int64(after.HeapAlloc+after.StackInuse) - int64(before.HeapAlloc+before.StackInuse)
	b.ReportMetric(float64(used)/float64(n), "B/limiter")
}

// A hundred wait for tokens, one of which comes each 50 microseconds. How many of
// the tokens do they get, and how often does somebody wake up for one? In a queue,
// and if each tries again when a token is due.
func BenchmarkQueue(b *testing.B) {
	const every = 50 * time.Microsecond
	b.Run("limiter", func(b *testing.B) {
		limiter := newLimiter(b, every, 1)
		queue(b, every, func() (wakeUps int) {
			if err := limiter.Wait(context.Background()); err != nil {
				b.Error(err)
			}
			return 1
		})
	})
	b.Run("x-time", func(b *testing.B) {
		limiter := rate.NewLimiter(rate.Every(every), 1)
		queue(b, every, func() (wakeUps int) {
			if err := limiter.Wait(context.Background()); err != nil {
				b.Error(err)
			}
			return 1
		})
	})
	b.Run("whoever-is-quickest", func(b *testing.B) {
		limiter := newLimiter(b, every, 1)
		queue(b, every, func() (wakeUps int) {
			for !limiter.Allow() {
				time.Sleep(every)
				wakeUps++
			}
			return wakeUps
		})
	})
}

func queue(b *testing.B, every time.Duration, wait func() (wakeUps int)) {
	var left, wakeUps atomic.Int64
	left.Store(int64(b.N))
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			for left.Add(-1) >= 0 {
				wakeUps.Add(int64(wait()))
			}
		})
	}
	all.Wait()
	b.ReportMetric(float64(wakeUps.Load())/float64(b.N), "wake-ups/token")
	b.ReportMetric(100*float64(b.N)*float64(every)/float64(b.Elapsed()), "%-of-tokens")
}

func newLimiter(b *testing.B, every time.Duration, burst int) *ratelimit.Limiter {
	limiter, err := ratelimit.New(every, burst)
	if err != nil {
		b.Fatal(err)
	}
	return limiter
}
