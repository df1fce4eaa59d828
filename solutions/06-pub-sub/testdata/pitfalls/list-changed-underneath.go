// want: race TestPublishRacesTheEnd

// Publish goes through a slice that Unsubscribe changes.
//
// The slice is read under the lock, so it looks like a copy. But what is copied is
// three words: the elements are where they were, and slices.Delete moves them while
// Publish is on its way through. It meets one subscriber twice, and another not at
// all, or the nil that Delete leaves at the end. Clone the slice under the lock, or
// replace it by a new one whenever it changes.
package pubsub

import (
	"context"
	"errors"
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
	topics map[string][]*Subscription[T]
	closed bool
}

// Subscription is one subscriber's place at a topic.
type Subscription[T any] struct {
	broker   *Broker[T]
	topic    string
	overflow Overflow
	c        chan T
	dropped  atomic.Uint64

	mu   sync.Mutex
	over bool // no sender may come any more

	ending  sync.Once
	forget  func() bool
	ended   chan struct{}  // closed before c: whoever waits to send on c leaves
	senders sync.WaitGroup // who waits to send on c
}

// New makes a broker without subscriptions.
func New[T any]() *Broker[T] {
	return &Broker[T]{topics: map[string][]*Subscription[T]{}}
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
	b.topics[topic] = append(b.topics[topic], s)
	s.forget = context.AfterFunc(ctx, s.Unsubscribe)
	return s, nil
}

// Publish gives v to all subscriptions of the topic.
func (b *Broker[T]) Publish(ctx context.Context, topic string, v T) (delivered int, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	b.mu.Lock()
	all, closed := b.topics[topic], b.closed // a copy, so the lock can go
	b.mu.Unlock()
	if closed {
		return 0, ErrClosed
	}
	var full []*Subscription[T]
	for _, s := range all {
		took, wait := s.accept(v)
		if took {
			delivered++
		}
		if wait {
			full = append(full, s)
		}
	}
	var waits sync.WaitGroup
	var late, gaveUp atomic.Int64
	for _, s := range full {
		waits.Go(func() {
			defer s.senders.Done()
			select {
			case s.c <- v:
				late.Add(1)
			case <-s.ended:
			case <-ctx.Done():
				gaveUp.Add(1)
			}
		})
	}
	waits.Wait()
	if gaveUp.Load() > 0 {
		err = ctx.Err()
	}
	return delivered + int(late.Load()), err
}

// accept takes v if that needs no waiting. If it is full, the caller is counted as
// a sender.
func (s *Subscription[T]) accept(v T) (took, wait bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return false, false
	}
	select {
	case s.c <- v:
		return true, false
	default:
	}
	switch s.overflow {
	case DropNewest:
		s.dropped.Add(1)
		return false, false
	case DropOldest:
		select {
		case <-s.c:
			s.dropped.Add(1)
		default:
		}
		s.c <- v
		return true, false
	}
	s.senders.Add(1)
	return false, true
}

// Close ends every subscription.
func (b *Broker[T]) Close() {
	b.mu.Lock()
	topics := b.topics
	b.topics, b.closed = nil, true
	b.mu.Unlock()
	for _, subscriptions := range topics {
		for _, s := range subscriptions {
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
		s.mu.Lock()
		s.over = true
		s.mu.Unlock()
		close(s.ended)
		s.senders.Wait()
		close(s.c)
	})
}

// remove forgets a subscription, and a topic with its last one.
func (b *Broker[T]) remove(s *Subscription[T]) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := slices.Index(b.topics[s.topic], s); i >= 0 {
		b.topics[s.topic] = slices.Delete(b.topics[s.topic], i, i+1)
	}
	if len(b.topics[s.topic]) == 0 {
		delete(b.topics, s.topic)
	}
}

// Dropped returns how many messages were dropped.
func (s *Subscription[T]) Dropped() uint64 { return s.dropped.Load() }
