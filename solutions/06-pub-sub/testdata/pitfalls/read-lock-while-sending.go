// want: assertion TestWaitingPublishHoldsUpNobody

// Publish sends under a read lock, which many can hold at a time.
//
// With a sync.RWMutex, publishers do not hinder each other, and a channel cannot be
// closed under them, since whoever closes it needs the write lock. It is shorter than
// counting senders. But a writer waits until the last reader has let go, and this one
// lets go when a customer reads. So nobody can subscribe or leave. And a writer that
// waits keeps out new readers, so then nobody can publish either: one full buffer
// stops the shop, as with a plain lock, only later.
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
	mu     sync.RWMutex
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

	ending sync.Once
	forget func() bool
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
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.closed {
		return 0, ErrClosed
	}
	var waits sync.WaitGroup
	var late, gaveUp atomic.Int64
	for s := range b.topics[topic] {
		if s.accept(v) {
			delivered++
			continue
		}
		if s.overflow == Block {
			waits.Go(func() {
				select {
				case s.c <- v:
					late.Add(1)
				case <-ctx.Done():
					gaveUp.Add(1)
				}
			})
		}
	}
	waits.Wait()
	if gaveUp.Load() > 0 {
		err = ctx.Err()
	}
	return delivered + int(late.Load()), err
}

// accept takes v if that needs no waiting. The caller holds a read lock, as others
// may at the same time.
func (s *Subscription[T]) accept(v T) bool {
	for {
		select {
		case s.c <- v:
			return true
		default:
		}
		switch s.overflow {
		case Block:
			return false
		case DropNewest:
			s.dropped.Add(1)
			return false
		}
		select {
		case <-s.c:
			s.dropped.Add(1)
		default:
		}
	}
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
		s.forget()
		b := s.broker
		b.mu.Lock() // now nobody is sending
		defer b.mu.Unlock()
		delete(b.topics[s.topic], s)
		if len(b.topics[s.topic]) == 0 {
			delete(b.topics, s.topic)
		}
		close(s.c)
	})
}

// Dropped returns how many messages were dropped.
func (s *Subscription[T]) Dropped() uint64 { return s.dropped.Load() }
