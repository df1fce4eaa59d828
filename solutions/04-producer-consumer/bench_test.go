package prodcon_test

import (
	"context"
	"errors"
	"runtime"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	prodcon "concurrency-koans/solutions/04-producer-consumer"
)

// What does it cost to hand over an item, with nothing to do for it?
func BenchmarkHandOver(b *testing.B) {
	for _, capacity := range []int{1, 8, 64, 512} {
		b.Run("capacity="+strconv.Itoa(capacity), func(b *testing.B) {
			b.Run("channel", func(b *testing.B) {
				b.ReportAllocs()
				items := make(chan int, capacity)
				go func() {
					defer close(items)
					for i := range b.N {
						items <- i
					}
				}()
				for range items {
				}
			})
			// What the channel costs once both sides listen to ctx, too.
			b.Run("channel-with-ctx", func(b *testing.B) {
				b.ReportAllocs()
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				items := make(chan int, capacity)
				go func() {
					defer close(items)
					for i := range b.N {
						select {
						case items <- i:
						case <-ctx.Done():
						}
					}
				}()
				for open := true; open; {
					select {
					case _, open = <-items:
					case <-ctx.Done():
					}
				}
			})
			b.Run("queue", func(b *testing.B) {
				b.ReportAllocs()
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				q := prodcon.NewQueue[int](capacity)
				go func() {
					defer q.Close()
					for i := range b.N {
						if err := q.Put(ctx, i); err != nil {
							panic(err)
						}
					}
				}()
				for {
					if _, err := q.Take(ctx); err != nil {
						break
					}
				}
			})
		})
	}
}

// The whole pattern, one producer and two consumers who have nothing to do, beside
// what people write in production.
func BenchmarkRun(b *testing.B) {
	const capacity = 64
	b.Run("Run", func(b *testing.B) {
		b.ReportAllocs()
		err := prodcon.Run(context.Background(), capacity, 2, func(context.Context, int) error {
			return nil
		}, func(_ context.Context, put func(int) error) error {
			for i := range b.N {
				if err := put(i); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	})
	b.Run("errgroup", func(b *testing.B) {
		b.ReportAllocs()
		g, ctx := errgroup.WithContext(context.Background())
		items := make(chan int, capacity)
		g.Go(func() error {
			defer close(items)
			for i := range b.N {
				select {
				case items <- i:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			return nil
		})
		for range 2 {
			g.Go(func() error {
				for range items {
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
		b.Run("capacity="+strconv.Itoa(capacity), func(b *testing.B) {
			var held, all, work time.Duration
			for range b.N {
				start := time.Now()
				err := prodcon.Run(context.Background(), capacity, 1, func(context.Context, int) error {
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

// What does batching gain? Writing costs as much as a hundred items each time, and
// one more for each item.
func BenchmarkBatch(b *testing.B) {
	const item = 100
	for _, size := range []int{1, 10, 100, 1000} {
		b.Run("size="+strconv.Itoa(size), func(b *testing.B) {
			b.ReportAllocs()
			ctx := context.Background()
			q := prodcon.NewQueue[int](1024)
			go func() {
				defer q.Close()
				for i := range b.N {
					if err := q.Put(ctx, i); err != nil {
						panic(err)
					}
				}
			}()
			err := prodcon.Batch(ctx, q, size, time.Second, func(_ context.Context, items []int) error {
				runtime.KeepAlive(spin(item * (100 + len(items))))
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
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
