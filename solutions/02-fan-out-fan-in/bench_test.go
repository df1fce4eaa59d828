package fan_test

import (
	"context"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sourcegraph/conc/iter"
	"github.com/sourcegraph/conc/pool"
	"github.com/sourcegraph/conc/stream"
	"golang.org/x/sync/errgroup"

	fan "concurrency-koans/solutions/02-fan-out-fan-in"
)

// What does it cost to hand over one item, when there is nothing to do with it?
func BenchmarkHandOver(b *testing.B) {
	for _, workers := range []int{2, 8, 64} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			compare(b, workers, func(int) {})
		})
	}
}

// When is that price worth paying? Items that compute, and four workers for each
// core.
func BenchmarkComputing(b *testing.B) {
	for _, turns := range []int{100, 1_000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("turns=%d", turns), func(b *testing.B) {
			compare(b, 4*runtime.GOMAXPROCS(0), computing(turns))
		})
	}
}

// How many workers are best when items compute? As many as there are cores would
// do, were it not for those who feed the workers and read from them: they need a
// core, too.
func BenchmarkMoreWorkersThanCores(b *testing.B) {
	for _, times := range []int{1, 4, 32} {
		b.Run(fmt.Sprintf("workers-per-core=%d", times), func(b *testing.B) {
			compare(b, times*runtime.GOMAXPROCS(0), computing(10_000))
		})
	}
}

// What does it gain when each item waits a millisecond, as for a network or a
// disk?
func BenchmarkWaiting(b *testing.B) {
	for _, workers := range []int{8, 64} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			compareMapAll(b, workers, func(int) { time.Sleep(time.Millisecond) })
		})
	}
}

// What does order cost when one item in eight takes eight times as long? FanOut
// keeps no order, Ordered does; both have eight workers.
func BenchmarkUneven(b *testing.B) {
	wait := func(_ context.Context, v int) int {
		d := time.Millisecond
		if v%8 == 0 {
			d *= 8
		}
		time.Sleep(d)
		return v
	}
	b.Run("call=FanOut", func(b *testing.B) { compareFanOut(b, 8, wait) })
	b.Run("call=Ordered", func(b *testing.B) { compareOrdered(b, 8, wait) })
}

// What does it cost to merge one value, and does it matter how many inputs there
// are? The other way is a single select over all of them.
func BenchmarkMerge(b *testing.B) {
	for _, inputs := range []int{2, 16, 128} {
		b.Run(fmt.Sprintf("inputs=%d", inputs), func(b *testing.B) {
			gather := func(name string, merge func(context.Context, ...<-chan int) <-chan int) {
				b.Run(name, func(b *testing.B) {
					b.ReportAllocs()
					drain(merge(b.Context(), split(b.N, inputs)...))
				})
			}
			gather("reference", fan.Merge)
			gather("channel", channelMerge)
			gather("reflect-select", selectMerge)
		})
	}
}

// compare does one piece of work per item in every way there is.
func compare(b *testing.B, workers int, work func(int)) {
	f := func(_ context.Context, v int) int {
		work(v)
		return v
	}
	b.Run("call=MapAll", func(b *testing.B) { compareMapAll(b, workers, work) })
	b.Run("call=FanOut", func(b *testing.B) { compareFanOut(b, workers, f) })
	b.Run("call=Ordered", func(b *testing.B) { compareOrdered(b, workers, f) })
}

func compareMapAll(b *testing.B, workers int, work func(int)) {
	mapItems := func(name string, mapAll func(ctx context.Context, n int, items []int, f func(context.Context, int) (int, error)) ([]int, error)) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			// In pieces, lest the slices of a long run be larger than any cache.
			items := make([]int, min(b.N, 10_000))
			for left := b.N; left > 0; left -= len(items) {
				items = items[:min(left, len(items))]
				results, err := mapAll(b.Context(), workers, items, func(_ context.Context, v int) (int, error) {
					work(v)
					return v, nil
				})
				if err != nil {
					b.Fatal(err)
				}
				runtime.KeepAlive(results)
			}
		})
	}
	mapItems("reference", fan.MapAll)
	mapItems("errgroup", groupMapAll)
	mapItems("conc", concMapAll)
	mapItems("loop", func(ctx context.Context, _ int, items []int, f func(context.Context, int) (int, error)) ([]int, error) {
		results := make([]int, len(items))
		for i, v := range items {
			var err error
			if results[i], err = f(ctx, v); err != nil {
				return nil, err
			}
		}
		return results, nil
	})
}

// groupMapAll is what people write in production.
func groupMapAll(ctx context.Context, n int, items []int, f func(context.Context, int) (int, error)) ([]int, error) {
	results := make([]int, len(items))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(n)
	for i, v := range items {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			result, err := f(ctx, v)
			results[i] = result
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return results, nil
}

// concMapAll promises less: it has no ctx, and goes on after an error. A panic
// of f comes out of it, which MapAll does not promise.
func concMapAll(ctx context.Context, n int, items []int, f func(context.Context, int) (int, error)) ([]int, error) {
	m := iter.Mapper[int, int]{MaxGoroutines: n}
	return m.MapErr(items, func(v *int) (int, error) { return f(ctx, *v) })
}

func compareFanOut(b *testing.B, workers int, f func(context.Context, int) int) {
	flow := func(name string, fanOut func(ctx context.Context, n int, in <-chan int, f func(context.Context, int) int) <-chan int) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			drain(fanOut(b.Context(), workers, numbers(b.N), f))
		})
	}
	flow("reference", fan.FanOut)
	flow("errgroup", groupFanOut)
	flow("conc", concFanOut)
	flow("channel", channelFanOut)
	flow("loop", loopFanOut)
}

// groupFanOut and concFanOut promise less: when ctx ends, they wait for one more
// value, or for in to be closed, before they notice.
func groupFanOut(ctx context.Context, n int, in <-chan int, f func(context.Context, int) int) <-chan int {
	out := make(chan int)
	go func() {
		defer close(out)
		var g errgroup.Group
		g.SetLimit(n)
		for v := range in {
			if ctx.Err() != nil {
				break
			}
			g.Go(func() error {
				send(ctx, out, f(ctx, v))
				return nil
			})
		}
		_ = g.Wait()
	}()
	return out
}

func concFanOut(ctx context.Context, n int, in <-chan int, f func(context.Context, int) int) <-chan int {
	out := make(chan int)
	go func() {
		defer close(out)
		p := pool.New().WithMaxGoroutines(n)
		for v := range in {
			if ctx.Err() != nil {
				break
			}
			p.Go(func() { send(ctx, out, f(ctx, v)) })
		}
		p.Wait()
	}()
	return out
}

// channelFanOut is FanOut for those who always read to the end: it does not watch
// ctx.
func channelFanOut(ctx context.Context, n int, in <-chan int, f func(context.Context, int) int) <-chan int {
	out := make(chan int)
	go func() {
		defer close(out)
		var workers sync.WaitGroup
		for range n {
			workers.Go(func() {
				for v := range in {
					out <- f(ctx, v)
				}
			})
		}
		workers.Wait()
	}()
	return out
}

func compareOrdered(b *testing.B, workers int, f func(context.Context, int) int) {
	flow := func(name string, ordered func(ctx context.Context, n int, in <-chan int, f func(context.Context, int) int) <-chan int) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			last := -1
			for v := range ordered(b.Context(), workers, numbers(b.N), f) {
				if v != last+1 {
					b.Fatalf("%d came after %d", v, last)
				}
				last = v
			}
		})
	}
	flow("reference", fan.Ordered)
	flow("conc", concOrdered)
	flow("loop", loopFanOut)
}

// concOrdered keeps the order as Ordered does, and looks further ahead: results
// that wait for their turn do not keep others from being begun. It promises less,
// as concFanOut does.
func concOrdered(ctx context.Context, n int, in <-chan int, f func(context.Context, int) int) <-chan int {
	out := make(chan int)
	go func() {
		defer close(out)
		s := stream.New().WithMaxGoroutines(n)
		for v := range in {
			if ctx.Err() != nil {
				break
			}
			s.Go(func() stream.Callback {
				result := f(ctx, v)
				return func() {
					if ctx.Err() == nil {
						send(ctx, out, result)
					}
				}
			})
		}
		s.Wait()
	}()
	return out
}

// loopFanOut is a single goroutine, so it keeps the order, too.
func loopFanOut(ctx context.Context, _ int, in <-chan int, f func(context.Context, int) int) <-chan int {
	return channelFanOut(ctx, 1, in, f)
}

// channelMerge is Merge for those who always read to the end.
func channelMerge(_ context.Context, ins ...<-chan int) <-chan int {
	out := make(chan int)
	go func() {
		defer close(out)
		var forwarders sync.WaitGroup
		for _, in := range ins {
			forwarders.Go(func() {
				for v := range in {
					out <- v
				}
			})
		}
		forwarders.Wait()
	}()
	return out
}

// selectMerge is the core of the alternative that selects over all inputs.
func selectMerge(_ context.Context, ins ...<-chan int) <-chan int {
	out := make(chan int)
	go func() {
		defer close(out)
		var cases []reflect.SelectCase
		for _, in := range ins {
			cases = append(cases, reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(in)})
		}
		for len(cases) > 0 {
			i, v, open := reflect.Select(cases)
			if !open {
				cases = slices.Delete(cases, i, i+1)
				continue
			}
			out <- int(v.Int())
		}
	}()
	return out
}

func send(ctx context.Context, out chan<- int, v int) {
	select {
	case out <- v:
	case <-ctx.Done():
	}
}

// numbers sends 0 to n-1.
func numbers(n int) <-chan int {
	ch := make(chan int)
	go func() {
		defer close(ch)
		for v := range n {
			ch <- v
		}
	}()
	return ch
}

// split spreads n numbers over some channels.
func split(n, channels int) (ins []<-chan int) {
	for i := range channels {
		ins = append(ins, numbers((n+i)/channels))
	}
	return ins
}

func drain(ch <-chan int) {
	sum := 0
	for v := range ch {
		sum += v
	}
	runtime.KeepAlive(sum)
}

func computing(turns int) func(int) {
	return func(v int) { runtime.KeepAlive(spin(v, turns)) }
}

// spin keeps a core busy.
func spin(v, turns int) int {
	for range turns {
		v = v*1664525 + 1013904223
	}
	return v
}
