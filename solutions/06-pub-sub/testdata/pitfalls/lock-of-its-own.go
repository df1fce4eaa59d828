// want: assertion TestWaitingPublishHoldsUpNobody

// Each subscription has a lock, and Publish waits for room with that one in its hand.
//
// One lock for everything held up the shop, so each subscription got its own, and now
// a full one is alone with its trouble. Nearly: a second Publish to the same
// subscription waits for the lock. A mutex knows nothing of ctx, so this caller has a
// deadline and does not hear it. Unsubscribe wants the lock as well, to close the
// channel. Not the size of a lock is wrong here, but waiting with it.
package pubsub

import (
	"context"
	"errors"
	"maps"
	"slices"
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

	mu   sync.Mutex // held to send on c, and to close it
	over bool

	ending sync.Once
	forget func() bool
	ended  chan struct{} // closed before c: whoever waits to send on c leaves
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
	all, err := b.subscriptions(topic)
	if err != nil {
		return 0, err
	}
	var puts sync.WaitGroup
	var n, gaveUp atomic.Int64
	for _, s := range all {
		puts.Go(func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			switch {
			case s.over:
			case s.accept(v):
				n.Add(1)
			case s.overflow == Block:
				select {
				case s.c <- v:
					n.Add(1)
				case <-s.ended:
				case <-ctx.Done():
					gaveUp.Add(1)
				}
			}
		})
	}
	puts.Wait()
	if gaveUp.Load() > 0 {
		err = ctx.Err()
	}
	return int(n.Load()), err
}

// subscriptions returns the subscriptions of a topic.
func (b *Broker[T]) subscriptions(topic string) ([]*Subscription[T], error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, ErrClosed
	}
	return slices.Collect(maps.Keys(b.topics[topic])), nil
}

// accept takes v if that needs no waiting. The caller holds s.mu.
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
		s.mu.Lock()
		defer s.mu.Unlock()
		s.over = true
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
