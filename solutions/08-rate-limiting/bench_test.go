package ratelimit_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/time/rate"

	ratelimit "concurrency-koans/solutions/08-rate-limiting"
)

// What does it cost to ask? Every limiter has to look at the clock, so that is
// measured, too.
func BenchmarkAsk(b *testing.B) {
	clock := func() bool { return !time.Now().IsZero() }
	for _, c := range []struct {
		tokens string
		every  time.Duration
	}{{"enough", time.Nanosecond}, {"none", time.Hour}} {
		name := "call=Allow/tokens=" + c.tokens
		b.Run(name+"/clock", func(b *testing.B) { ask(b, clock) })
		b.Run(name+"/x-time", func(b *testing.B) { ask(b, rate.NewLimiter(rate.Every(c.every), 1).Allow) })
		b.Run(name+"/reference", func(b *testing.B) { ask(b, newLimiter(b, c.every, 1).Allow) })
	}
	wait := func(wait func(context.Context) error) func() bool {
		ctx := context.Background()
		return func() bool { return wait(ctx) == nil }
	}
	b.Run("call=Wait/tokens=enough/clock", func(b *testing.B) { ask(b, clock) })
	b.Run("call=Wait/tokens=enough/x-time", func(b *testing.B) { ask(b, wait(rate.NewLimiter(rate.Every(1), 1).Wait)) })
	b.Run("call=Wait/tokens=enough/reference", func(b *testing.B) { ask(b, wait(newLimiter(b, 1, 1).Wait)) })
}

func ask(b *testing.B, allow func() bool) {
	b.ReportAllocs()
	granted := 0
	for range b.N {
		if allow() {
			granted++
		}
	}
	runtime.KeepAlive(granted)
}

// What does it cost to ask when others ask the same limiter at the same time?
func BenchmarkContention(b *testing.B) {
	for _, goroutines := range []int{1, 2, 16} {
		share := func(b *testing.B, allow func() bool) {
			b.ReportAllocs()
			var all sync.WaitGroup
			for range goroutines {
				all.Go(func() {
					for range b.N / goroutines {
						allow()
					}
				})
			}
			all.Wait()
		}
		limiter := fmt.Sprintf("call=Limiter.Allow/goroutines=%d", goroutines)
		b.Run(limiter+"/x-time", func(b *testing.B) { share(b, rate.NewLimiter(rate.Every(time.Nanosecond), 1).Allow) })
		b.Run(limiter+"/reference", func(b *testing.B) { share(b, newLimiter(b, time.Nanosecond, 1).Allow) })

		// Each asks for a thousand keys in turn.
		keyed := fmt.Sprintf("call=Keyed.Allow/goroutines=%d", goroutines)
		inTurn := func(allow func(int) bool) func() bool {
			var turn atomic.Int64
			return func() bool { return allow(int(turn.Add(1) % 1000)) }
		}
		b.Run(keyed+"/x-time", func(b *testing.B) { share(b, inTurn(newMap(time.Nanosecond).allow)) })
		b.Run(keyed+"/reference", func(b *testing.B) { share(b, inTurn(newKeyed(b, time.Nanosecond).Allow)) })
	}
}

// Does it matter how many keys there are?
func BenchmarkKeys(b *testing.B) {
	for _, keys := range []int{1, 100, 10_000} {
		inTurn := func(allow func(int) bool) func(*testing.B) {
			return func(b *testing.B) {
				b.ReportAllocs()
				for key := range keys {
					allow(key)
				}
				for i := 0; b.Loop(); i++ {
					allow(i % keys)
				}
			}
		}
		name := fmt.Sprintf("keys=%d", keys)
		b.Run(name+"/x-time", inTurn(newMap(time.Second).allow))
		b.Run(name+"/reference", inTurn(newKeyed(b, time.Second).Allow))
	}
}

// limiters is the map that people put around x/time. It forgets no key, so whoever
// invents keys fills the memory.
type limiters struct {
	every time.Duration

	mu    sync.Mutex
	known map[int]*rate.Limiter
}

func newMap(every time.Duration) *limiters {
	return &limiters{every: every, known: map[int]*rate.Limiter{}}
}

func (l *limiters) allow(key int) bool {
	l.mu.Lock()
	limiter, ok := l.known[key]
	if !ok {
		limiter = rate.NewLimiter(rate.Every(l.every), 10)
		l.known[key] = limiter
	}
	l.mu.Unlock()
	return limiter.Allow()
}

// What does it cost to make ten thousand limiters, and how much memory does each of
// them take while nobody uses it? Beside those that work out what has dripped in,
// one with a goroutine that fills it.
func BenchmarkMemory(b *testing.B) {
	const n = 10_000
	b.Run("call=New/goroutine", func(b *testing.B) {
		for range b.N {
			stop := make(chan struct{})
			var all, started sync.WaitGroup
			memory(b, n, func() any {
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
				return nil
			})
			close(stop)
			all.Wait()
		}
	})
	b.Run("call=New/x-time", func(b *testing.B) {
		for range b.N {
			memory(b, n, func() any {
				limiters := make([]*rate.Limiter, n)
				for i := range limiters {
					limiters[i] = rate.NewLimiter(1, 10)
				}
				return limiters
			})
		}
	})
	b.Run("call=New/reference", func(b *testing.B) {
		for range b.N {
			memory(b, n, func() any {
				limiters := make([]*ratelimit.Limiter, n)
				for i := range limiters {
					limiters[i] = newLimiter(b, time.Second, 10)
				}
				return limiters
			})
		}
	})
	b.Run("call=Keyed.Allow/x-time", func(b *testing.B) {
		for range b.N {
			memory(b, n, func() any {
				keyed := newMap(time.Second)
				for key := range n {
					keyed.allow(key)
				}
				return keyed
			})
		}
	})
	b.Run("call=Keyed.Allow/reference", func(b *testing.B) {
		for range b.N {
			memory(b, n, func() any {
				keyed := newKeyed(b, time.Second)
				for key := range n {
					keyed.Allow(key)
				}
				return keyed
			})
		}
	})
}

// memory measures the making of something, and reports how much more is in use
// after it, for each of n.
func memory(b *testing.B, n int, make func() any) {
	var before, after runtime.MemStats
	b.StopTimer()
	runtime.GC()
	runtime.ReadMemStats(&before)
	b.StartTimer()
	made := make()
	b.StopTimer()
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(made)
	used := int64(after.HeapAlloc+after.StackInuse) - int64(before.HeapAlloc+before.StackInuse)
	b.ReportMetric(float64(used)/float64(n), "B/limiter")
	b.StartTimer()
}

// How long does it take to get a token when so many wait, and one comes each 50
// microseconds? How many of the tokens does somebody get, and how often does
// somebody wake up for one? In a queue, and if each tries again when a token is due.
func BenchmarkQueue(b *testing.B) {
	const every = 50 * time.Microsecond
	for _, waiting := range []int{1, 100} {
		inQueue := func(b *testing.B, wait func(context.Context) error) {
			queue(b, waiting, every, func() (wakeUps int) {
				if err := wait(context.Background()); err != nil {
					b.Error(err)
				}
				return 1
			})
		}
		name := fmt.Sprintf("waiting=%d", waiting)
		b.Run(name+"/whoever-is-quickest", func(b *testing.B) {
			limiter := rate.NewLimiter(rate.Every(every), 1)
			queue(b, waiting, every, func() (wakeUps int) {
				for !limiter.Allow() {
					time.Sleep(every)
					wakeUps++
				}
				return wakeUps
			})
		})
		b.Run(name+"/x-time", func(b *testing.B) { inQueue(b, rate.NewLimiter(rate.Every(every), 1).Wait) })
		b.Run(name+"/reference", func(b *testing.B) { inQueue(b, newLimiter(b, every, 1).Wait) })
	}
}

func queue(b *testing.B, waiting int, every time.Duration, wait func() (wakeUps int)) {
	b.ReportAllocs()
	var left, wakeUps atomic.Int64
	left.Store(int64(b.N))
	var all sync.WaitGroup
	for range waiting {
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

func newKeyed(b *testing.B, every time.Duration) *ratelimit.Keyed[int] {
	keyed, err := ratelimit.NewKeyed[int](every, 10, time.Minute)
	if err != nil {
		b.Fatal(err)
	}
	return keyed
}
