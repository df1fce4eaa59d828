package resourcepool_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"

	resourcepool "concurrency-koans/solutions/12-resource-pool"
)

// dear is something that takes work to make, though far less than a connection.
type dear struct{ state [64]int }

func makeDear() *dear {
	d := new(dear)
	for turn := range 50_000 {
		d.state[turn%64] = d.state[(turn+1)%64]*1664525 + 1013904223
	}
	return d
}

func (d *dear) use() { d.state[0]++ }

// What does it cost to lease something and give it back, when nobody else wants
// it? Beside it: making one each time, a plain channel, and sync.Pool, which
// is no pool in the sense of this lesson.
func BenchmarkLease(b *testing.B) {
	ctx := context.Background()
	b.Run("made-each-time", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			makeDear().use()
		}
	})
	b.Run("pool", func(b *testing.B) {
		b.ReportAllocs()
		pool := newPool(b, 20)
		for b.Loop() {
			lease, err := pool.Acquire(ctx)
			if err != nil {
				b.Fatal(err)
			}
			lease.Value().use()
			lease.Release()
		}
	})
	b.Run("with", func(b *testing.B) {
		b.ReportAllocs()
		pool := newPool(b, 20)
		for b.Loop() {
			pool.With(ctx, func(d *dear) error { d.use(); return nil })
		}
	})
	b.Run("channel", func(b *testing.B) {
		b.ReportAllocs()
		idle := make(chan *dear, 20)
		idle <- makeDear()
		for b.Loop() {
			d := <-idle
			d.use()
			idle <- d
		}
	})
	b.Run("sync-pool", func(b *testing.B) {
		b.ReportAllocs()
		idle := sync.Pool{New: func() any { return makeDear() }}
		for b.Loop() {
			d := idle.Get().(*dear)
			d.use()
			idle.Put(d)
		}
	})
	// The lock alone, which every lease takes twice.
	b.Run("mutex", func(b *testing.B) {
		var mu sync.Mutex
		d := makeDear()
		for b.Loop() {
			mu.Lock()
			d.use()
			mu.Unlock()
		}
	})
}

// What does the one lock cost when many use the pool at the same time? There is
// one resource for each, so nobody waits for anything else.
func BenchmarkContention(b *testing.B) {
	for _, goroutines := range []int{1, 4, 16, 64} {
		b.Run(fmt.Sprint("pool/goroutines=", goroutines), func(b *testing.B) {
			pool := newPool(b, goroutines)
			share(b, goroutines, func() {
				lease, err := pool.Acquire(context.Background())
				if err != nil {
					b.Error(err)
					return
				}
				lease.Value().use()
				lease.Release()
			})
		})
		b.Run(fmt.Sprint("channel/goroutines=", goroutines), func(b *testing.B) {
			idle := make(chan *dear, goroutines)
			for range goroutines {
				idle <- new(dear)
			}
			share(b, goroutines, func() {
				d := <-idle
				d.use()
				idle <- d
			})
		})
	}
}

// What does waiting cost? There is a quarter as many resources as goroutines, and
// each is held for a moment in which somebody else can run.
func BenchmarkWaiting(b *testing.B) {
	for _, goroutines := range []int{4, 16, 64} {
		b.Run(fmt.Sprint("pool/goroutines=", goroutines), func(b *testing.B) {
			pool := newPool(b, goroutines/4)
			share(b, goroutines, func() {
				lease, err := pool.Acquire(context.Background())
				if err != nil {
					b.Error(err)
					return
				}
				runtime.Gosched()
				lease.Release()
			})
		})
		b.Run(fmt.Sprint("channel/goroutines=", goroutines), func(b *testing.B) {
			idle := make(chan *dear, goroutines/4)
			for range goroutines / 4 {
				idle <- new(dear)
			}
			share(b, goroutines, func() {
				d := <-idle
				runtime.Gosched()
				idle <- d
			})
		})
	}
}

// share has the benchmark's iterations done by several goroutines.
func share(b *testing.B, goroutines int, f func()) {
	var all sync.WaitGroup
	b.ResetTimer()
	for i := range goroutines {
		all.Go(func() {
			for turn := i; turn < b.N; turn += goroutines {
				f()
			}
		})
	}
	all.Wait()
}

func newPool(b *testing.B, limit int) *resourcepool.Pool[*dear] {
	b.Helper()
	pool, err := resourcepool.New(resourcepool.Config[*dear]{
		Max: limit,
		New: func(context.Context) (*dear, error) { return makeDear(), nil },
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := pool.Close(context.Background()); err != nil {
			b.Error(err)
		}
	})
	return pool
}
