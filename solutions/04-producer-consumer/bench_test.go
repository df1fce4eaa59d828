package prodcon_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	prodcon "concurrency-koans/solutions/04-producer-consumer"
)

// What does it cost to hand over one item through the queue, with nothing to do for
// it?
func BenchmarkHandOver(b *testing.B) {
	for _, capacity := range []int{1, 8, 64, 512} {
		for _, crew := range []struct{ producers, consumers int }{{1, 1}, {1, 4}, {4, 1}, {4, 4}} {
			name := fmt.Sprintf("capacity=%d/producers=%d/consumers=%d", capacity, crew.producers, crew.consumers)
			b.Run(name, func(b *testing.B) { handOver(b, capacity, crew.producers, crew.consumers) })
		}
	}
}

func handOver(b *testing.B, capacity, producers, consumers int) {
	b.Run("reference", func(b *testing.B) {
		b.ReportAllocs()
		ctx, cancel := context.WithCancel(b.Context())
		defer cancel()
		q := prodcon.NewQueue[int](capacity)
		var users sync.WaitGroup
		for range consumers {
			users.Go(func() {
				for {
					if _, err := q.Take(ctx); err != nil {
						return
					}
				}
			})
		}
		produce(b.N, producers, func(i int) {
			if err := q.Put(ctx, i); err != nil {
				b.Error(err)
			}
		})
		q.Close()
		users.Wait()
	})
	// Only those who send may close it, and nobody who waits hears of ctx.
	b.Run("channel", func(b *testing.B) {
		b.ReportAllocs()
		items := make(chan int, capacity)
		var users sync.WaitGroup
		for range consumers {
			users.Go(func() {
				for range items {
				}
			})
		}
		produce(b.N, producers, func(i int) { items <- i })
		close(items)
		users.Wait()
	})
	// The same channel, once both sides listen to ctx.
	b.Run("channel-with-ctx", func(b *testing.B) {
		b.ReportAllocs()
		ctx, cancel := context.WithCancel(b.Context())
		defer cancel()
		items := make(chan int, capacity)
		var users sync.WaitGroup
		for range consumers {
			users.Go(func() {
				for open := true; open; {
					select {
					case _, open = <-items:
					case <-ctx.Done():
						return
					}
				}
			})
		}
		produce(b.N, producers, func(i int) {
			select {
			case items <- i:
			case <-ctx.Done():
				b.Error(ctx.Err())
			}
		})
		close(items)
		users.Wait()
	})
}

// produce makes n calls of put, from so many goroutines.
func produce(n, producers int, put func(int)) {
	var makers sync.WaitGroup
	for p := range producers {
		makers.Go(func() {
			for i := range (n + p) / producers {
				put(i)
			}
		})
	}
	makers.Wait()
}

// What does one item cost in the whole pattern? The consumers have nothing to do.
func BenchmarkRun(b *testing.B) {
	for _, capacity := range []int{1, 64} {
		for _, crew := range []struct{ producers, consumers int }{{1, 2}, {4, 4}} {
			name := fmt.Sprintf("capacity=%d/producers=%d/consumers=%d", capacity, crew.producers, crew.consumers)
			b.Run(name, func(b *testing.B) { run(b, capacity, crew.producers, crew.consumers) })
		}
	}
}

func run(b *testing.B, capacity, producers, consumers int) {
	consume := func(context.Context, int) error { return nil }
	b.Run("reference", func(b *testing.B) {
		b.ReportAllocs()
		all := make([]prodcon.Producer[int], producers)
		for p := range all {
			all[p] = func(_ context.Context, put func(int) error) error {
				for i := range (b.N + p) / producers {
					if err := put(i); err != nil {
						return err
					}
				}
				return nil
			}
		}
		if err := prodcon.Run(b.Context(), capacity, consumers, consume, all...); err != nil {
			b.Fatal(err)
		}
	})
	// What people write in production. Its consumers range over the channel: they
	// notice the end of ctx only when the producers have, and may begin on what is
	// still in the channel.
	b.Run("errgroup", func(b *testing.B) {
		b.ReportAllocs()
		g, ctx := errgroup.WithContext(b.Context())
		items := make(chan int, capacity)
		g.Go(func() error {
			defer close(items)
			makers, ctx := errgroup.WithContext(ctx)
			for p := range producers {
				makers.Go(func() error {
					for i := range (b.N + p) / producers {
						select {
						case items <- i:
						case <-ctx.Done():
							return ctx.Err()
						}
					}
					return nil
				})
			}
			return makers.Wait()
		})
		for range consumers {
			g.Go(func() error {
				for i := range items {
					if err := consume(ctx, i); err != nil {
						return err
					}
				}
				return nil
			})
		}
		if err := g.Wait(); err != nil {
			b.Fatal(err)
		}
	})
}

// What does a buffer do for a burst? A hundred items come at once, and each takes a
// millisecond to consume. The metrics are how long the producer is held up, and how
// long it takes until all is done, both in lengths of an item.
func BenchmarkBurst(b *testing.B) {
	const burst, length = 100, time.Millisecond
	for _, capacity := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("capacity=%d/reference", capacity), func(b *testing.B) {
			var held, all, work time.Duration
			for range b.N {
				start := time.Now()
				err := prodcon.Run(b.Context(), capacity, 1, func(context.Context, int) error {
					begun := time.Now()
					time.Sleep(length)
					work += time.Since(begun)
					return nil
				}, func(_ context.Context, put func(int) error) error {
					var failed error
					for i := range burst {
						failed = errors.Join(failed, put(i))
					}
					held += time.Since(start)
					return failed
				})
				if err != nil {
					b.Fatal(err)
				}
				all += time.Since(start)
			}
			one := float64(work) / float64(burst*b.N)
			b.ReportMetric(float64(held)/float64(b.N)/one, "held/burst")
			b.ReportMetric(float64(all)/float64(b.N)/one, "done/burst")
		})
	}
}

// What does batching gain for one item? Writing costs as much as a hundred items
// each time, and one more for each item.
func BenchmarkBatch(b *testing.B) {
	const item, capacity, age = 100, 1024, time.Second
	write := func(items []int) { runtime.KeepAlive(spin(item * (100 + len(items)))) }
	for _, size := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprintf("size=%d/reference", size), func(b *testing.B) {
			b.ReportAllocs()
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			q := prodcon.NewQueue[int](capacity)
			var maker sync.WaitGroup
			maker.Go(func() {
				defer q.Close()
				for i := range b.N {
					if err := q.Put(ctx, i); err != nil {
						b.Error(err)
						return
					}
				}
			})
			err := prodcon.Batch(ctx, q, size, age, func(_ context.Context, items []int) error {
				write(items)
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
			maker.Wait()
		})
		// What people write in production: a channel, a timer, and one loop.
		b.Run(fmt.Sprintf("size=%d/channel", size), func(b *testing.B) {
			b.ReportAllocs()
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			items := make(chan int, capacity)
			go func() {
				defer close(items)
				for i := range b.N {
					select {
					case items <- i:
					case <-ctx.Done():
						return
					}
				}
			}()
			var batch []int
			flush := func() {
				if len(batch) > 0 {
					write(batch)
				}
				batch = nil // the old one is the writer's to keep
			}
			old := time.NewTimer(age)
			defer old.Stop()
			for open := true; open; {
				var i int
				select {
				case i, open = <-items:
					if !open {
						continue
					}
					if len(batch) == 0 {
						old.Reset(age)
					}
					if batch = append(batch, i); len(batch) == size {
						flush()
					}
				case <-old.C:
					flush()
				case <-ctx.Done():
					open = false
				}
			}
			flush()
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
