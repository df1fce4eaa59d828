package pubsub_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"

	pubsub "concurrency-koans/solutions/06-pub-sub"
)

// What does a message cost that nobody has to wait for? The buffers are full, so
// each one drops a message to make room.
func BenchmarkPublish(b *testing.B) {
	for _, subscribers := range []int{0, 1, 10, 100, 1000} {
		name := fmt.Sprintf("subscribers=%d/", subscribers)
		// What people write for a few listeners in one process.
		b.Run(name+"callbacks", func(b *testing.B) {
			b.ReportAllocs()
			var l listeners
			var sum int
			for range subscribers {
				l.add(func(v int) { sum += v })
			}
			for v := range b.N {
				l.call(v)
			}
			runtime.KeepAlive(sum)
		})
		b.Run(name+"reference", func(b *testing.B) {
			broker := pubsub.New[int]()
			defer broker.Close()
			for range subscribers {
				subscribe(b, broker, 16, pubsub.DropOldest)
			}
			publish(b, broker)
		})
	}
}

// What does a message cost that is read by so many, each in a goroutine of its own?
func BenchmarkReaders(b *testing.B) {
	for _, subscribers := range []int{1, 10, 100} {
		read(b, fmt.Sprintf("subscribers=%d/", subscribers), subscribers, 16)
	}
}

// What does a buffer save when somebody reads? With one, those who publish and
// those who read overlap.
func BenchmarkBuffer(b *testing.B) {
	for _, buffer := range []int{0, 1, 16, 256} {
		read(b, fmt.Sprintf("buffer=%d/", buffer), 2, buffer)
	}
}

// read measures the ways to have all of so many subscribers get every message, in
// the order in which they were published.
func read(b *testing.B, name string, subscribers, buffer int) {
	// The least that this can cost: nobody comes or goes.
	b.Run(name+"channel", func(b *testing.B) {
		b.ReportAllocs()
		var readers sync.WaitGroup
		all := make([]chan int, subscribers)
		for i := range all {
			all[i] = make(chan int, buffer)
			readers.Go(func() { drain(all[i]) })
		}
		for v := range b.N {
			for _, c := range all {
				c <- v
			}
		}
		for _, c := range all {
			close(c)
		}
		readers.Wait()
	})
	// To keep the order, it has to wait until all have acknowledged a message before
	// it takes the next one. That is more than the broker promises: each has not only
	// been given the message, but is done with it. So a buffer is of little use.
	b.Run(name+"watermill", func(b *testing.B) {
		b.ReportAllocs()
		broker := watermill(buffer)
		var readers sync.WaitGroup
		for range subscribers {
			c, err := broker.Subscribe(context.Background(), "prices")
			if err != nil {
				b.Fatal(err)
			}
			readers.Go(func() {
				for m := range c {
					m.Ack()
				}
			})
		}
		for v := range b.N {
			m := message.NewMessage("", binary.BigEndian.AppendUint64(nil, uint64(v)))
			if err := broker.Publish("prices", m); err != nil {
				b.Fatal(err)
			}
		}
		broker.Close()
		readers.Wait()
	})
	b.Run(name+"reference", func(b *testing.B) {
		broker := pubsub.New[int]()
		var readers sync.WaitGroup
		for range subscribers {
			sub := subscribe(b, broker, buffer, pubsub.Block)
			readers.Go(func() { drain(sub.C()) })
		}
		publish(b, broker)
		broker.Close()
		readers.Wait()
	})
}

// Do publishers on different topics hinder each other? In the reference they share
// one lock.
func BenchmarkTopics(b *testing.B) {
	for _, publishers := range []int{1, 2, 4} {
		b.Run(fmt.Sprintf("publishers=%d/reference", publishers), func(b *testing.B) {
			b.ReportAllocs()
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
		name := fmt.Sprintf("buffer=%d/", buffer)
		b.Run(name+"watermill", func(b *testing.B) {
			b.ReportAllocs()
			broker := watermill(buffer)
			defer broker.Close()
			for range b.N {
				ctx, cancel := context.WithCancel(context.Background())
				c, err := broker.Subscribe(ctx, "prices")
				if err != nil {
					b.Fatal(err)
				}
				cancel() // there is no other way
				<-c
			}
		})
		b.Run(name+"reference", func(b *testing.B) {
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

func drain(c <-chan int) {
	for range c {
	}
}

// watermill makes a broker whose Publish waits for those who read. By default it
// starts a goroutine for each message and subscriber, and returns; then there is no
// order, and nothing holds up whoever publishes too much.
func watermill(buffer int) *gochannel.GoChannel {
	return gochannel.NewGoChannel(gochannel.Config{
		OutputChannelBuffer:            int64(buffer),
		BlockPublishUntilSubscriberAck: true,
	}, nil)
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
