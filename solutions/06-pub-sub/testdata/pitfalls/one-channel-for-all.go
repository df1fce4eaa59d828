// want: assertion TestMessageGoesToEverySubscriber

// Everybody who subscribes to a topic reads from the same channel.
//
// A topic is a channel, is it not? But a value that is sent on a channel goes to one
// receiver. Those who share it compete for the messages, as the workers of a pool do
// for jobs, and each sees a part of the story. That is right for work, which is to be
// done once, and wrong for news. Give each subscriber a channel of its own, and send
// to all of them.
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
	topics map[string]*topic[T]
	closed bool
}

// topic is what its subscribers share.
type topic[T any] struct {
	c             chan T
	subscriptions map[*Subscription[T]]bool
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
	return &Broker[T]{topics: map[string]*topic[T]{}}
}

// Subscribe enters a subscription under its topic.
func (b *Broker[T]) Subscribe(ctx context.Context, name string, buffer int, overflow Overflow) (*Subscription[T], error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !valid(buffer, overflow) {
		return nil, ErrInvalid
	}
	s := &Subscription[T]{
		broker:   b,
		topic:    name,
		overflow: overflow,
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, ErrClosed
	}
	if b.topics[name] == nil {
		b.topics[name] = &topic[T]{c: make(chan T, buffer), subscriptions: map[*Subscription[T]]bool{}}
	}
	s.c = b.topics[name].c
	b.topics[name].subscriptions[s] = true
	s.forget = context.AfterFunc(ctx, s.Unsubscribe)
	return s, nil
}

// Publish sends v on the topic's channel, from which all of them read.
func (b *Broker[T]) Publish(ctx context.Context, name string, v T) (delivered int, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return 0, ErrClosed
	}
	t := b.topics[name]
	if t == nil {
		b.mu.Unlock()
		return 0, nil
	}
	n := len(t.subscriptions)
	b.mu.Unlock()
	select {
	case t.c <- v:
		return n, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// Close ends every subscription.
func (b *Broker[T]) Close() {
	b.mu.Lock()
	topics := b.topics
	b.topics, b.closed = nil, true
	b.mu.Unlock()
	for _, t := range topics {
		for s := range t.subscriptions {
			s.Unsubscribe()
		}
	}
}

// C returns the channel to read from.
func (s *Subscription[T]) C() <-chan T { return s.c }

// Unsubscribe ends the subscription, and the topic with its last one.
func (s *Subscription[T]) Unsubscribe() {
	s.ending.Do(func() {
		b := s.broker
		b.mu.Lock()
		defer b.mu.Unlock()
		s.forget()
		t := b.topics[s.topic]
		if t == nil {
			return
		}
		delete(t.subscriptions, s)
		if len(t.subscriptions) == 0 {
			delete(b.topics, s.topic)
			close(t.c)
		}
	})
}

// Dropped returns how many messages were dropped.
func (s *Subscription[T]) Dropped() uint64 { return s.dropped.Load() }
