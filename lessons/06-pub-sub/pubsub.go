// Package pubsub is the sixth lesson: a broker that passes each message on to
// everybody who has subscribed to its topic. Those who publish and those who
// subscribe know the topic, and not one another. Replace each TODO with code,
// one step at a time, and give the two types the fields they need.
//
// Contexts passed in are not nil. Where ctx's error is returned, that is
// ctx.Err() or context.Cause(ctx).
package pubsub

import (
	"context"
	"errors"
)

var (
	// ErrClosed means that Close had been called on the broker.
	ErrClosed = errors.New("pubsub: closed")

	// ErrInvalid means that Subscribe was given a buffer or a policy that it
	// cannot work with.
	ErrInvalid = errors.New("pubsub: invalid buffer or policy")
)

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
	// your fields here
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
	// your fields here
}

// New makes a broker without subscriptions. Whoever calls New has to call Close
// in the end.
func New[T any]() *Broker[T] {
	panic("TODO(1): a broker needs to know the subscriptions of each topic, and a lock, for many goroutines will ask")
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
	panic("TODO(1): make a channel for this one subscriber, and enter it under its topic")
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
	panic("TODO(1): send v to each subscription of this topic; what if there is no room comes in step 3")
}

// Close ends every subscription, as Unsubscribe does. Once it has returned,
// Subscribe and Publish return ErrClosed, and nothing that New has started is
// left running. Close may be called again, and from many goroutines.
func (b *Broker[T]) Close() {
	panic("TODO(1): end whatever New has started, which may be nothing; the rest comes in step 5")
}

// C returns the channel to read messages from. It is always the same one, and is
// closed when the subscription has ended, behind the messages still waiting.
func (s *Subscription[T]) C() <-chan T {
	panic("TODO(1): return the subscriber's channel")
}

// Unsubscribe ends the subscription. Once it has returned, C is closed behind
// what is still waiting, and nothing more is added. It may be called again, from
// many goroutines, and after the subscription has ended in another way. It never
// waits for a reader.
func (s *Subscription[T]) Unsubscribe() {
	panic("TODO(2): remove the subscription from its topic and close its channel, once")
}

// Dropped returns how many messages the subscription has dropped because of its
// policy. With Block, that is always 0.
func (s *Subscription[T]) Dropped() uint64 {
	panic("TODO(3): return the count, which Publish keeps")
}
