// Package pubsub is the reference for the sixth lesson: a broker that passes each
// message on to everybody who has subscribed to its topic. Those who publish and
// those who subscribe know the topic, and not one another.
//
// All that never waits is done under one lock, which keeps the policies short and
// exact. All that may wait is done without it. And a channel that several
// goroutines send on is closed by the one who knows that they have stopped.
//
// Contexts passed in are not nil. Where ctx's error is returned, that is
// ctx.Err() or context.Cause(ctx).
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

// Broker passes messages on from those who publish to those who subscribe. Make
// one with New: the zero Broker is of no use. All its methods may be called from
// any goroutine.
type Broker[T any] struct {
	mu     sync.Mutex
	topics map[string]map[*Subscription[T]]struct{} // no topic without subscriptions
	closed bool

	closing sync.Once
}

// Subscription is one subscriber's place at a topic. Subscribe makes it: the
// zero Subscription is of no use. All its methods may be called from any
// goroutine, also from the one that reads from C.
//
// A subscription lasts until Unsubscribe is called, its ctx ends, or the broker
// is closed. Any of these ends it in the same way. No further message is added,
// and a Publish that waits for this subscription stops doing so. What is already
// waiting can still be read, and then C is closed. Nothing of the subscription is
// left behind: no goroutine, no memory in the broker, and nothing that its ctx
// would hold on to, however long that goes on.
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

// New makes a broker without subscriptions. Whoever calls New has to call Close
// in the end.
func New[T any]() *Broker[T] {
	return &Broker[T]{topics: make(map[string]map[*Subscription[T]]struct{})}
}

// Subscribe makes a subscription to a topic. It gets all messages whose Publish
// is called after Subscribe has returned, and none that was complete before. A
// topic is any string; it exists as long as it has subscriptions, and needs no
// memory beyond that.
//
// Up to buffer messages wait in the subscription until they are read, and
// overflow says what happens when one more comes. With Block, buffer may be 0:
// then Publish waits until a reader has taken the message from its hand. A policy
// that drops needs a buffer of at least 1. Any other buffer, and any other
// policy, makes Subscribe return ErrInvalid.
//
// The subscription ends when ctx does. If ctx has ended before the call,
// Subscribe returns ctx's error, and once the broker is closed, ErrClosed. With an
// error there is no subscription. If several errors apply, it is any of them.
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

// Publish gives v to every subscription of the topic, and returns how many have
// got it: it waits in their buffers, or a reader has taken it. A subscription
// that drops v is not among them, one that drops an older message for it is. With
// no subscriptions there is nothing to do, and that is no error.
//
// Only Block makes Publish wait, and only while there is no room. Each
// subscription gets v as soon as it has room itself, no matter how long another
// takes. A Publish that waits holds up nobody else: all other calls return as
// they would without it.
//
// If ctx ends while Publish waits, it returns ctx's error and the number of those
// who have v by then; the others do not get it any more. If ctx has ended before
// the call, nobody gets v. A subscription that ends while Publish waits for it
// does not get v either, and that is no error: Publish goes on without it. Once
// the broker is closed, Publish returns 0 and ErrClosed. A Publish that Close
// finds waiting is released; its error is nil or ErrClosed.
//
// If one Publish has returned before another is called, every subscription gets
// their messages in this order. Between calls that overlap there is no order.
//
// All subscribers get the same v. If it contains pointers, they share what these
// point to.
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

// offer gives v to those who need not be waited for, and returns the others. As
// nothing here waits, it may be done under the lock.
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

// accept takes v if that needs no waiting. The caller holds the broker's lock.
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
		default: // in this moment, the reader has made room
		}
		s.c <- v // cannot wait: nobody else sends, for that would need the lock
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

// Close ends every subscription, as Unsubscribe does. Once it has returned,
// Subscribe and Publish return ErrClosed, and nothing that New has started is
// left running. Close may be called again, and from many goroutines.
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

// C returns the channel to read messages from. It is always the same one, and is
// closed when the subscription has ended, behind the messages still waiting.
func (s *Subscription[T]) C() <-chan T {
	return s.c
}

// Unsubscribe ends the subscription. Once it has returned, C is closed behind
// what is still waiting, and nothing more is added. It may be called again, from
// many goroutines, and after the subscription has ended in another way. It never
// waits for a reader.
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
// policy. With Block, that is always 0.
func (s *Subscription[T]) Dropped() uint64 {
	return s.dropped.Load()
}
