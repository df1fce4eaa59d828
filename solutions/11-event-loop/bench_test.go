package eventloop_test

import (
	"context"
	"sync"
	"testing"
	"time"

	eventloop "concurrency-koans/solutions/11-event-loop"
)

// What does it cost to change a number that many goroutines want to change? Under a
// lock, by a function that is sent over a plain channel, and by one that is posted.
// Four goroutines do it.
func BenchmarkChange(b *testing.B) {
	const callers = 4
	b.Run("mutex", func(b *testing.B) {
		b.ReportAllocs()
		var mu sync.Mutex
		n := 0
		together(b, callers, func() {
			mu.Lock()
			n++
			mu.Unlock()
		})
		check(b, n)
	})
	for _, c := range []struct {
		name   string
		buffer int
	}{{"unbuffered", 0}, {"buffered", 128}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			n, functions, gone := 0, make(chan func(), c.buffer), make(chan struct{})
			go func() {
				defer close(gone)
				for f := range functions {
					f()
				}
			}()
			together(b, callers, func() { functions <- func() { n++ } })
			close(functions)
			<-gone
			check(b, n)
		})
	}
	b.Run("loop", func(b *testing.B) {
		b.ReportAllocs()
		n := 0
		running(b, func(loop *eventloop.Loop) {
			together(b, callers, func() { loop.Post(func() { n++ }) })
		})
		check(b, n)
	})
}

// The same, when the caller wants to know the outcome.
func BenchmarkAsk(b *testing.B) {
	b.Run("mutex", func(b *testing.B) {
		var mu sync.Mutex
		n := 0
		for range b.N {
			mu.Lock()
			n++
			mu.Unlock()
		}
		check(b, n)
	})
	b.Run("loop", func(b *testing.B) {
		n, answer := 0, make(chan int)
		running(b, func(loop *eventloop.Loop) {
			for range b.N {
				loop.Post(func() {
					n++
					answer <- n
				})
				<-answer
			}
		})
		check(b, n)
	})
}

// An event of a source, which waits until it has been handled.
func BenchmarkEvent(b *testing.B) {
	b.Run("range", func(b *testing.B) {
		n, source := 0, make(chan int)
		go func() {
			defer close(source)
			for range b.N {
				source <- 1
			}
		}()
		for range source {
			n++
		}
		check(b, n)
	})
	b.Run("attached", func(b *testing.B) {
		n, source := 0, make(chan int)
		running(b, func(loop *eventloop.Loop) {
			eventloop.Attach(loop, source, func(int) { n++ })
			for range b.N {
				source <- 1
			}
		})
		check(b, n)
	})
}

// A timer that is set and cancelled, as most are.
func BenchmarkTimer(b *testing.B) {
	b.Run("time", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			time.AfterFunc(time.Hour, func() {}).Stop()
		}
	})
	b.Run("loop", func(b *testing.B) {
		b.ReportAllocs()
		running(b, func(loop *eventloop.Loop) {
			for range b.N {
				loop.After(time.Hour, func() {})()
			}
		})
	})
}

// together calls f b.N times, from several goroutines.
func together(b *testing.B, callers int, f func()) {
	var all sync.WaitGroup
	for caller := range callers {
		all.Go(func() {
			for i := caller; i < b.N; i += callers {
				f()
			}
		})
	}
	all.Wait()
}

// running calls f with a loop, and waits until the loop has done everything.
func running(b *testing.B, f func(*eventloop.Loop)) {
	loop := eventloop.New(func(p *eventloop.PanicError) { panic(p) })
	ended := make(chan error, 1)
	go func() { ended <- loop.Run(context.Background()) }()
	f(loop)
	loop.Stop()
	if err := <-ended; err != nil {
		b.Fatal(err)
	}
}

func check(b *testing.B, n int) {
	if n != b.N {
		b.Fatalf("%d changes instead of %d", n, b.N)
	}
}
