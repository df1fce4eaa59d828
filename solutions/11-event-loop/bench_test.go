package eventloop_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	eventloop "concurrency-koans/solutions/11-event-loop"
)

// What does it cost to change a number that many goroutines want to change? Under a
// lock, by a function that is sent over a plain channel, and by one that is posted.
// Only Post never makes its caller wait.
func BenchmarkChange(b *testing.B) {
	for _, callers := range []int{1, 4, 64} {
		b.Run(fmt.Sprintf("callers=%d/reference", callers), func(b *testing.B) {
			b.ReportAllocs()
			n := 0
			running(b, func(loop *eventloop.Loop) {
				together(b, callers, func() { loop.Post(func() { n++ }) })
			})
			check(b, n)
		})
		b.Run(fmt.Sprintf("callers=%d/mutex", callers), func(b *testing.B) {
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
			name string
			room int
		}{{"channel", 128}, {"channel-without-room", 0}} {
			b.Run(fmt.Sprintf("callers=%d/%s", callers, c.name), func(b *testing.B) {
				b.ReportAllocs()
				n := 0
				owned(c.room, func(functions chan<- func()) {
					together(b, callers, func() { functions <- func() { n++ } })
				})
				check(b, n)
			})
		}
	}
}

// What does it cost to change the number, and to wait for the outcome?
func BenchmarkAsk(b *testing.B) {
	for _, callers := range []int{1, 4, 64} {
		b.Run(fmt.Sprintf("callers=%d/reference", callers), func(b *testing.B) {
			b.ReportAllocs()
			n := 0
			running(b, func(loop *eventloop.Loop) {
				together(b, callers, func() {
					answer := make(chan int, 1)
					loop.Post(func() {
						n++
						answer <- n
					})
					<-answer
				})
			})
			check(b, n)
		})
		b.Run(fmt.Sprintf("callers=%d/mutex", callers), func(b *testing.B) {
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
		b.Run(fmt.Sprintf("callers=%d/channel", callers), func(b *testing.B) {
			b.ReportAllocs()
			n := 0
			owned(128, func(functions chan<- func()) {
				together(b, callers, func() {
					answer := make(chan int, 1)
					functions <- func() {
						n++
						answer <- n
					}
					<-answer
				})
			})
			check(b, n)
		})
	}
}

// What does it cost to handle an event of a source? Beside it, a select that is
// written for these very sources, and a goroutine for each source that hands its
// events on over one channel. Neither of the two lets go of a source when the owner
// is asked to stop.
func BenchmarkEvent(b *testing.B) {
	for _, many := range []int{1, 3, 64} {
		b.Run(fmt.Sprintf("sources=%d/reference", many), func(b *testing.B) {
			b.ReportAllocs()
			n, all := 0, make(chan struct{})
			handle := func(int) {
				if n++; n == b.N {
					close(all)
				}
			}
			running(b, func(loop *eventloop.Loop) {
				feed(b, many, func(sources []<-chan int) {
					for _, source := range sources {
						eventloop.Attach(loop, source, handle)
					}
					<-all
				})
			})
			check(b, n)
		})
		b.Run(fmt.Sprintf("sources=%d/channel", many), func(b *testing.B) {
			b.ReportAllocs()
			n := 0
			feed(b, many, func(sources []<-chan int) {
				events := make(chan int)
				var all sync.WaitGroup
				for _, source := range sources {
					all.Go(func() {
						for event := range source {
							events <- event
						}
					})
				}
				go func() {
					all.Wait()
					close(events)
				}()
				for range events {
					n++
				}
			})
			check(b, n)
		})
		if many == 3 {
			b.Run("sources=3/select", func(b *testing.B) {
				b.ReportAllocs()
				n := 0
				feed(b, 3, func(sources []<-chan int) {
					for n < b.N {
						var i int
						var ok bool
						select {
						case _, ok = <-sources[0]:
							i = 0
						case _, ok = <-sources[1]:
							i = 1
						case _, ok = <-sources[2]:
							i = 2
						}
						if ok {
							n++
						} else {
							sources[i] = nil // or it would be ready for ever
						}
					}
				})
				check(b, n)
			})
		}
	}
}

// What does it cost to have something done beside the loop, and to handle its
// answer? Each handler asks the next question. Beside it, a goroutine that sends a
// function to the owner, for which nobody waits at the end.
func BenchmarkAwait(b *testing.B) {
	work := func(context.Context) (int, error) { return 1, nil }
	b.Run("reference", func(b *testing.B) {
		b.ReportAllocs()
		n, all := 0, make(chan struct{})
		running(b, func(loop *eventloop.Loop) {
			var ask func()
			ask = func() {
				if n == b.N {
					close(all)
					return
				}
				eventloop.Await(loop, work, func(v int, _ error) {
					n += v
					ask()
				})
			}
			loop.Post(ask)
			<-all
		})
		check(b, n)
	})
	b.Run("channel", func(b *testing.B) {
		b.ReportAllocs()
		n, all := 0, make(chan struct{})
		owned(128, func(functions chan<- func()) {
			var ask func()
			ask = func() {
				if n == b.N {
					close(all)
					return
				}
				go func() {
					v, _ := work(context.Background())
					functions <- func() {
						n += v
						ask()
					}
				}()
			}
			functions <- ask
			<-all
		})
		check(b, n)
	})
}

// What does it cost to set a timer and to cancel it, as happens to most of them?
func BenchmarkTimer(b *testing.B) {
	b.Run("reference", func(b *testing.B) {
		b.ReportAllocs()
		running(b, func(loop *eventloop.Loop) {
			for range b.N {
				loop.After(time.Hour, func() {})()
			}
		})
	})
	b.Run("time", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			time.AfterFunc(time.Hour, func() {}).Stop()
		}
	})
}

// feed calls f with so many sources, which have b.N events among them and are then
// closed. f receives all of them.
func feed(b *testing.B, many int, f func([]<-chan int)) {
	var all sync.WaitGroup
	sources := make([]<-chan int, many)
	for i := range sources {
		source := make(chan int)
		sources[i] = source
		all.Go(func() {
			defer close(source)
			for event := i; event < b.N; event += many {
				source <- event
			}
		})
	}
	f(sources)
	all.Wait()
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

// owned calls f with a channel to a goroutine that calls what it receives, and
// waits until that has called everything.
func owned(room int, f func(chan<- func())) {
	functions, gone := make(chan func(), room), make(chan struct{})
	go func() {
		defer close(gone)
		for f := range functions {
			f()
		}
	}()
	f(functions)
	close(functions)
	<-gone
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
