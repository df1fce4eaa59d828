package fan_test

import (
	"context"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	fan "concurrency-koans/solutions/02-fan-out-fan-in"
)

// What does it cost to hand over one item, when there is nothing to do with it?
func BenchmarkHandOver(b *testing.B) {
	each(b, 8, func(int) {})
}

// When is that price worth paying? Items that compute, a worker for each core.
func BenchmarkComputing(b *testing.B) {
	for _, turns := range []int{100, 1_000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("turns=%d", turns), func(b *testing.B) {
			each(b, runtime.GOMAXPROCS(0), func(v int) { runtime.KeepAlive(spin(v, turns)) })
		})
	}
}

// Is more always better? The same work with more workers than cores.
func BenchmarkMoreWorkersThanCores(b *testing.B) {
	for _, times := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("workers=%dxcores", times), func(b *testing.B) {
			b.ReportAllocs()
			mapAll(b, times*runtime.GOMAXPROCS(0), func(v int) { runtime.KeepAlive(spin(v, 10_000)) })
		})
	}
}

// Items that wait a millisecond each, as for a network or a disk.
func BenchmarkWaiting(b *testing.B) {
	wait := func(int) { time.Sleep(time.Millisecond) }
	b.Run("loop", func(b *testing.B) { loop(b, wait) })
	for _, n := range []int{8, 64} {
		b.Run(fmt.Sprintf("MapAll,n=%d", n), func(b *testing.B) { mapAll(b, n, wait) })
	}
}

// One item in eight waits eight times as long. What does order cost?
func BenchmarkUneven(b *testing.B) {
	wait := func(_ context.Context, v int) int {
		d := time.Millisecond
		if v%8 == 0 {
			d *= 8
		}
		time.Sleep(d)
		return v
	}
	b.Run("FanOut,n=8", func(b *testing.B) { drain(fan.FanOut(b.Context(), 8, numbers(b.N), wait)) })
	b.Run("Ordered,n=8", func(b *testing.B) { drain(fan.Ordered(b.Context(), 8, numbers(b.N), wait)) })
}

// A goroutine for each input, or one select over all of them?
func BenchmarkMerge(b *testing.B) {
	for _, inputs := range []int{2, 16, 128} {
		b.Run(fmt.Sprintf("goroutines,inputs=%d", inputs), func(b *testing.B) {
			b.ReportAllocs()
			drain(fan.Merge(b.Context(), split(b.N, inputs)...))
		})
		b.Run(fmt.Sprintf("reflect.Select,inputs=%d", inputs), func(b *testing.B) {
			b.ReportAllocs()
			drain(selectMerge(split(b.N, inputs)))
		})
	}
}

// each does one piece of work per item in every way there is.
func each(b *testing.B, n int, work func(int)) {
	b.Run("loop", func(b *testing.B) { loop(b, work) })
	b.Run("MapAll", func(b *testing.B) { mapAll(b, n, work) })
	b.Run("errgroup", func(b *testing.B) { group(b, n, work) })
	f := func(_ context.Context, v int) int {
		work(v)
		return v
	}
	b.Run("FanOut", func(b *testing.B) {
		b.ReportAllocs()
		drain(fan.FanOut(b.Context(), n, numbers(b.N), f))
	})
	b.Run("Ordered", func(b *testing.B) {
		b.ReportAllocs()
		drain(fan.Ordered(b.Context(), n, numbers(b.N), f))
	})
}

func loop(b *testing.B, work func(int)) {
	b.ReportAllocs()
	for v := range b.N {
		work(v)
	}
}

func mapAll(b *testing.B, n int, work func(int)) {
	b.ReportAllocs()
	_, err := fan.MapAll(b.Context(), n, make([]int, b.N), func(_ context.Context, v int) (int, error) {
		work(v)
		return v, nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

// group is what people write in production.
func group(b *testing.B, n int, work func(int)) {
	b.ReportAllocs()
	results := make([]int, b.N)
	g, ctx := errgroup.WithContext(b.Context())
	g.SetLimit(n)
	for i := range results {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			work(i)
			results[i] = i
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		b.Fatal(err)
	}
}

// selectMerge is the core of the alternative that selects over all inputs.
func selectMerge(ins []<-chan int) <-chan int {
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
	for range ch {
	}
}

// spin keeps a core busy.
func spin(v, turns int) int {
	for range turns {
		v = v*1664525 + 1013904223
	}
	return v
}
