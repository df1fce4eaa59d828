// want: deadlock TestDropOldestKeepsWhatIsNew

// The channel was full a moment ago, so the broker receives from it without a
// default.
//
// The lock keeps every other Publish away, but it does not keep away the reader. In
// the moment between the send that found no room and the receive, the reader takes
// the last message, and the broker waits for one that only it could send, with the
// lock in its hand. Whatever is known about a channel that others use is out of date
// when it is known. Make each step a select with a default.
package pubsub

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
)

var (
	// ErrClosed means that Close had been called on the broker.
	ErrClosed = errors.New("pubsub: closed")

	// ErrInvalid means that Subscribe was given a buffer or a policy that it
	// cannot work with.
	ErrInvalid = errors.New("pubsub: invalid buffer or policy")
)

// errEnded means that there is nobody left to wait for.
var errEnded = errors.New("pubsub: subscription ended")

// Overflow is a subscription's policy: what to do with a message while buffer
// messages are already waiting to be read.
type Overflow int

const (
	// Block lets Publish wait until there is room.
	Block Overflow = iota
	// DropNewest drops the message that finds no room, and keeps what is waiting.
	DropNewest
	// DropOldest drops the message that has been waiting longest, and so makes
	// room for the new one.
	DropOldest
)

// Broker passes messages on from those who publish to those who subscribe.
type Broker[T any] struct {
	mu     sync.Mutex
	topics map[string]map[*Subscription[T]]struct{} // no topic without subscriptions
	closed bool

	closing sync.Once
}

// Subscription is one subscriber's place at a topic.
type Subscription[T any] struct {
	broker   *Broker[T]
	topic    string
	overflow Overflow
	c        chan T
	dropped  atomic.Uint64

	ending  sync.Once
	forget  func() bool    // makes ctx forget the subscription
	ended   chan struct{}  // closed before c: whoever waits to send on c leaves
	senders sync.WaitGroup // who waits to send on c; grows under the broker's lock only
}

// New makes a broker without subscriptions.
func New[T any]() *Broker[T] {
	return &Broker[T]{topics: make(map[string]map[*Subscription[T]]struct{})}
}

// Subscribe makes a subscription to a topic.
func (b *Broker[T]) Subscribe(ctx context.Context, topic string, buffer int, overflow Overflow) (*Subscription[T], error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	least := 1
	if overflow == Block {
		least = 0
	}
	if buffer < least || overflow < Block || overflow > DropOldest {
		return nil, fmt.Errorf("%w: a buffer of %d with policy %d", ErrInvalid, buffer, overflow)
	}
	s := &Subscription[T]{
		broker:   b,
		topic:    topic,
		overflow: overflow,
		c:        make(chan T, buffer),
		ended:    make(chan struct{}),
	}

	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, ErrClosed
	}
	if b.topics[topic] == nil {
		b.topics[topic] = make(map[*Subscription[T]]struct{})
	}
	b.topics[topic][s] = struct{}{}
	// No goroutine of our own has to wait for ctx, nor to be told when the
	// subscription ends before it.
	s.forget = context.AfterFunc(ctx, s.Unsubscribe)
	return s, nil
}

// Publish gives v to every subscription of the topic, and returns how many have got
// it: it waits in their buffers, or a reader has taken it.
func (b *Broker[T]) Publish(ctx context.Context, topic string, v T) (delivered int, err error) {
	// Among cases that are ready, select takes any. It could find room and
	// overlook that ctx has ended.
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	delivered, full, err := b.offer(topic, v)
	if len(full) == 0 {
		return delivered, err
	}

	// One goroutine each, since whoever waits for one subscriber cannot watch
	// another. This call waits for all of them, so none is left behind.
	outcome := make(chan error, len(full))
	for _, s := range full {
		go func() { outcome <- s.send(ctx, v) }()
	}
	for range full {
		switch failed := <-outcome; failed {
		case nil:
			delivered++
		case errEnded:
		default:
			err = failed
		}
	}
	return delivered, err
}

// offer gives v to those who need not be waited for, and returns the others.
func (b *Broker[T]) offer(topic string, v T) (delivered int, full []*Subscription[T], err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return 0, nil, ErrClosed
	}
	for s := range b.topics[topic] {
		switch {
		case s.accept(v):
			delivered++
		case s.overflow == Block:
			// Counted while the subscription is still entered, and so before
			// anybody can begin to wait for the count to reach zero.
			s.senders.Add(1)
			full = append(full, s)
		}
	}
	return delivered, full, nil
}

// accept takes v if that needs no waiting.
func (s *Subscription[T]) accept(v T) bool {
	select {
	case s.c <- v:
		return true
	default:
	}
	switch s.overflow {
	case DropNewest:
		s.dropped.Add(1)
	case DropOldest:
		<-s.c // full, so there is one
		s.dropped.Add(1)
		s.c <- v
		return true
	}
	return false
}

// send waits until there is room for v.
func (s *Subscription[T]) send(ctx context.Context, v T) error {
	defer s.senders.Done()
	select {
	case s.c <- v:
		return nil
	case <-s.ended:
		return errEnded
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close ends every subscription, as Unsubscribe does.
func (b *Broker[T]) Close() {
	// A Once lets every caller wait for the first, so each may rely on the end.
	b.closing.Do(func() {
		b.mu.Lock()
		b.closed = true
		topics := b.topics
		b.topics = nil // from here on, topics is ours alone
		b.mu.Unlock()
		for _, subscriptions := range topics {
			for s := range subscriptions {
				s.Unsubscribe()
			}
		}
	})
}

// C returns the channel to read messages from.
func (s *Subscription[T]) C() <-chan T {
	return s.c
}

// Unsubscribe ends the subscription.
func (s *Subscription[T]) Unsubscribe() {
	s.ending.Do(func() {
		s.broker.remove(s) // from here on, no Publish finds it
		s.forget()
		close(s.ended)
		// Those who have found it before are on their way out, and only then is
		// it certain that nobody sends on the channel while it is closed.
		s.senders.Wait()
		close(s.c)
	})
}

// remove forgets a subscription, and a topic with its last one.
func (b *Broker[T]) remove(s *Subscription[T]) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.topics[s.topic], s)
	if len(b.topics[s.topic]) == 0 {
		delete(b.topics, s.topic)
	}
}

// Dropped returns how many messages the subscription has dropped because of its
// policy.
func (s *Subscription[T]) Dropped() uint64 {
	return s.dropped.Load()
}
