package pubsub_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	pubsub "concurrency-koans/solutions/06-pub-sub"
)

// What does a message cost that nobody has to wait for? The buffers are full, so
// each one drops a message to make room.
func BenchmarkPublish(b *testing.B) {
	for _, subscribers := range []int{0, 1, 10, 100, 1000} {
		b.Run(fmt.Sprintf("broker/subscribers=%d", subscribers), func(b *testing.B) {
			broker := pubsub.New[int]()
			defer broker.Close()
			for range subscribers {
				subscribe(b, broker, 16, pubsub.DropOldest)
			}
			publish(b, broker)
		})
		// What people write for a few listeners in one process.
		b.Run(fmt.Sprintf("callbacks/subscribers=%d", subscribers), func(b *testing.B) {
			b.ReportAllocs()
			var l listeners
			var sum int
			for range subscribers {
				l.add(func(v int) { sum += v })
			}
			for v := range b.N {
				l.call(v)
			}
		})
	}
}

// What does it cost when somebody reads? With a buffer, the two overlap.
func BenchmarkRead(b *testing.B) {
	for _, buffer := range []int{0, 1, 16, 256} {
		b.Run(fmt.Sprintf("buffer=%d", buffer), func(b *testing.B) {
			broker := pubsub.New[int]()
			var readers sync.WaitGroup
			for range 2 {
				sub := subscribe(b, broker, buffer, pubsub.Block)
				readers.Go(func() {
					for range sub.C() {
					}
				})
			}
			publish(b, broker)
			broker.Close()
			readers.Wait()
		})
	}
}

// Do publishers on different topics hinder each other? They share one lock.
func BenchmarkTopics(b *testing.B) {
	for _, publishers := range []int{1, 2, 4} {
		b.Run(fmt.Sprintf("publishers=%d", publishers), func(b *testing.B) {
			broker := pubsub.New[int]()
			defer broker.Close()
			var all sync.WaitGroup
			for p := range publishers {
				topic := fmt.Sprint("topic ", p)
				for range 10 {
					if _, err := broker.Subscribe(context.Background(), topic, 16, pubsub.DropOldest); err != nil {
						b.Fatal(err)
					}
				}
				all.Go(func() {
					for v := range b.N / publishers {
						if _, err := broker.Publish(context.Background(), topic, v); err != nil {
							b.Error(err)
						}
					}
				})
			}
			all.Wait()
		})
	}
}

// What does it cost to come and go? The memory is that of the buffer.
func BenchmarkComeAndGo(b *testing.B) {
	for _, buffer := range []int{0, 16, 1024} {
		b.Run(fmt.Sprintf("buffer=%d", buffer), func(b *testing.B) {
			b.ReportAllocs()
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			broker := pubsub.New[int]()
			defer broker.Close()
			for range b.N {
				sub, err := broker.Subscribe(ctx, "prices", buffer, pubsub.Block)
				if err != nil {
					b.Fatal(err)
				}
				sub.Unsubscribe()
			}
		})
	}
}

func subscribe(b *testing.B, broker *pubsub.Broker[int], buffer int, overflow pubsub.Overflow) *pubsub.Subscription[int] {
	b.Helper()
	sub, err := broker.Subscribe(context.Background(), "prices", buffer, overflow)
	if err != nil {
		b.Fatal(err)
	}
	return sub
}

func publish(b *testing.B, broker *pubsub.Broker[int]) {
	b.Helper()
	b.ReportAllocs()
	ctx := context.Background()
	for v := range b.N {
		if _, err := broker.Publish(ctx, "prices", v); err != nil {
			b.Fatal(err)
		}
	}
}

// listeners is the plainest way to tell several of something.
type listeners struct {
	mu  sync.RWMutex
	all []func(int)
}

func (l *listeners) add(f func(int)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, f)
}

func (l *listeners) call(v int) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for _, f := range l.all {
		f(v)
	}
}
