// want: assertion TestBlockWaitsForRoom

// Publish looks at its ctx at the start, and then waits without it.
//
// The request that publishes has a second; the subscriber has stopped reading. Publish
// checked ctx when all was well, and now waits for room, or for the subscriber to
// leave, which may take until somebody restarts the server. A check before a wait says
// nothing about the wait. Every select that may take long needs a case for ctx.
package pubsub

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
)

var (
	ErrClosed  = errors.New("pubsub: closed")
	ErrInvalid = errors.New("pubsub: invalid buffer or policy")
)

// Overflow says what to do with a message that finds no room.
type Overflow int

const (
	Block Overflow = iota
	DropNewest
	DropOldest
)

func valid(buffer int, overflow Overflow) bool {
	switch overflow {
	case Block:
		return buffer >= 0
	case DropNewest, DropOldest:
		return buffer >= 1
	}
	return false
}

// Broker passes messages on.
type Broker[T any] struct {
	mu     sync.Mutex
	topics map[string]map[*Subscription[T]]bool
	closed bool
}

// Subscription is one subscriber's place at a topic.
type Subscription[T any] struct {
	broker   *Broker[T]
	topic    string
	overflow Overflow
	c        chan T
	dropped  atomic.Uint64

	ending  sync.Once
	forget  func() bool
	ended   chan struct{}  // closed before c: whoever waits to send on c leaves
	senders sync.WaitGroup // who waits to send on c
}

// New makes a broker without subscriptions.
func New[T any]() *Broker[T] {
	return &Broker[T]{topics: map[string]map[*Subscription[T]]bool{}}
}

// Subscribe enters a subscription under its topic.
func (b *Broker[T]) Subscribe(ctx context.Context, topic string, buffer int, overflow Overflow) (*Subscription[T], error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !valid(buffer, overflow) {
		return nil, ErrInvalid
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
		b.topics[topic] = map[*Subscription[T]]bool{}
	}
	b.topics[topic][s] = true
	s.forget = context.AfterFunc(ctx, s.Unsubscribe)
	return s, nil
}

// Publish gives v to all subscriptions of the topic.
func (b *Broker[T]) Publish(ctx context.Context, topic string, v T) (delivered int, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	delivered, full, err := b.offer(topic, v)
	if err != nil {
		return 0, err
	}
	var waits sync.WaitGroup
	var late atomic.Int64
	for _, s := range full {
		waits.Go(func() {
			defer s.senders.Done()
			select {
			case s.c <- v:
				late.Add(1)
			case <-s.ended:
			}
		})
	}
	waits.Wait()
	return delivered + int(late.Load()), nil
}

// offer does what needs no waiting, and returns those who are full.
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
			s.senders.Add(1)
			full = append(full, s)
		}
	}
	return delivered, full, nil
}

// accept takes v if that needs no waiting. The caller holds the lock.
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
		select {
		case <-s.c:
			s.dropped.Add(1)
		default:
		}
		s.c <- v
		return true
	}
	return false
}

// Close ends every subscription.
func (b *Broker[T]) Close() {
	b.mu.Lock()
	topics := b.topics
	b.topics, b.closed = nil, true
	b.mu.Unlock()
	for _, subscriptions := range topics {
		for s := range subscriptions {
			s.Unsubscribe()
		}
	}
}

// C returns the channel to read from.
func (s *Subscription[T]) C() <-chan T { return s.c }

// Unsubscribe ends the subscription.
func (s *Subscription[T]) Unsubscribe() {
	s.ending.Do(func() {
		s.broker.remove(s)
		s.forget()
		close(s.ended)
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

// Dropped returns how many messages were dropped.
func (s *Subscription[T]) Dropped() uint64 { return s.dropped.Load() }
