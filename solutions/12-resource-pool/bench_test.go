package resourcepool_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/jackc/puddle/v2"
	"golang.org/x/sync/semaphore"

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

// way is a way to share what is dear.
type way struct {
	name string
	// open returns a function that leases something, uses it while hold runs, and
	// gives it back. Of what is leased, there is never more than limit.
	open func(b *testing.B, limit int) func(ctx context.Context, hold func()) error
}

// ways are all that make those who ask wait when there is nothing left.
var ways = []way{
	{"reference", func(b *testing.B, limit int) func(context.Context, func()) error {
		pool := newPool(b, limit)
		return func(ctx context.Context, hold func()) error {
			lease, err := pool.Acquire(ctx)
			if err != nil {
				return err
			}
			lease.Value().use()
			hold()
			lease.Release()
			return nil
		}
	}},
	// It promises much the same, and also keeps count of how long everybody waits.
	// It does not ask about health.
	{"puddle", func(b *testing.B, limit int) func(context.Context, func()) error {
		pool, err := puddle.NewPool(&puddle.Config[*dear]{
			Constructor: func(context.Context) (*dear, error) { return makeDear(), nil },
			Destructor:  func(*dear) {},
			MaxSize:     int32(limit),
		})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(pool.Close)
		return func(ctx context.Context, hold func()) error {
			lease, err := pool.Acquire(ctx)
			if err != nil {
				return err
			}
			lease.Value().use()
			hold()
			lease.Release()
			return nil
		}
	}},
	// A semaphore and a stack: what one writes who has no pool. It cannot be closed,
	// and nothing in it ever grows old.
	{"x-sync", func(_ *testing.B, limit int) func(context.Context, func()) error {
		room := semaphore.NewWeighted(int64(limit))
		var mu sync.Mutex
		var idle []*dear
		pop := func() *dear {
			mu.Lock()
			defer mu.Unlock()
			if len(idle) == 0 {
				return nil
			}
			d := idle[len(idle)-1]
			idle = idle[:len(idle)-1]
			return d
		}
		push := func(d *dear) {
			mu.Lock()
			defer mu.Unlock()
			idle = append(idle, d)
		}
		return func(ctx context.Context, hold func()) error {
			if err := room.Acquire(ctx, 1); err != nil {
				return err
			}
			defer room.Release(1)
			d := pop()
			if d == nil {
				d = makeDear()
			}
			d.use()
			hold()
			push(d)
			return nil
		}
	}},
	// All is made in advance, and nothing can break.
	{"channel", func(_ *testing.B, limit int) func(context.Context, func()) error {
		idle := make(chan *dear, limit)
		for range limit {
			idle <- makeDear()
		}
		return func(ctx context.Context, hold func()) error {
			select {
			case d := <-idle:
				d.use()
				hold()
				idle <- d
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}},
}

// What does it cost to lease something and give it back, when nobody else wants
// it? Beside it: a lock alone, making one each time, and sync.Pool, which is no
// pool in the sense of this lesson.
func BenchmarkLease(b *testing.B) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for _, w := range ways {
		b.Run("call=Acquire/"+w.name, func(b *testing.B) {
			b.ReportAllocs()
			lease := w.open(b, 20)
			for b.Loop() {
				if err := lease(ctx, nothing); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("call=Acquire/mutex", func(b *testing.B) {
		b.ReportAllocs()
		var mu sync.Mutex
		d := makeDear()
		for b.Loop() {
			mu.Lock()
			d.use()
			mu.Unlock()
		}
	})
	b.Run("call=Acquire/unpooled", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			makeDear().use()
		}
	})
	b.Run("call=Acquire/sync-pool", func(b *testing.B) {
		b.ReportAllocs()
		idle := sync.Pool{New: func() any { return makeDear() }}
		for b.Loop() {
			d := idle.Get().(*dear)
			d.use()
			idle.Put(d)
		}
	})
	b.Run("call=With/reference", func(b *testing.B) {
		b.ReportAllocs()
		pool := newPool(b, 20)
		for b.Loop() {
			if err := pool.With(ctx, func(d *dear) error { d.use(); return nil }); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// What does it cost when many use the pool at the same time? There is a resource
// for each of them, so nobody waits for anything but a lock.
func BenchmarkContention(b *testing.B) {
	for _, goroutines := range []int{1, 4, 16, 64} {
		for _, w := range ways {
			b.Run(fmt.Sprintf("goroutines=%d/%s", goroutines, w.name), func(b *testing.B) {
				crowd(b, w, goroutines, goroutines, nothing)
			})
		}
	}
}

// What does it cost to wait? There is one resource for each four goroutines, or
// one for all of them, and each is held for a moment in which somebody else can
// run.
func BenchmarkWaiting(b *testing.B) {
	for _, many := range []struct{ goroutines, limit int }{{4, 1}, {16, 4}, {64, 16}, {64, 1}} {
		for _, w := range ways {
			b.Run(fmt.Sprintf("goroutines=%d/max=%d/%s", many.goroutines, many.limit, w.name), func(b *testing.B) {
				crowd(b, w, many.goroutines, many.limit, runtime.Gosched)
			})
		}
	}
}

func nothing() {}

// crowd has the benchmark's leases taken by several goroutines.
func crowd(b *testing.B, w way, goroutines, limit int, hold func()) {
	b.ReportAllocs()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	lease := w.open(b, limit)
	var all sync.WaitGroup
	b.ResetTimer()
	for i := range goroutines {
		all.Go(func() {
			for turn := i; turn < b.N; turn += goroutines {
				if err := lease(ctx, hold); err != nil {
					b.Error(err)
					return
				}
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
