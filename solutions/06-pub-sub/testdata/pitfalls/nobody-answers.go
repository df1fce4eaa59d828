// want: deadlock TestCloseEndsEverything

// After Close nobody receives requests any more, and Subscribe sends one.
//
// A goroutine owns the state, and the others ask it over a channel. When it has ended,
// the channel is still there, and a send on it waits for ever. In a server that stops,
// a last request subscribes, and the stop hangs on it. Whoever sends to a goroutine
// that can end needs a second case in its select, for a channel that is closed when it
// has.
package pubsub

import (
	"context"
	"errors"
	"reflect"
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

// Broker passes messages on.
type Broker[T any] struct {
	requests chan func()
	gone     chan struct{} // closed when the owner has ended

	// All below belongs to the owner.
	topics map[string]map[*Subscription[T]]bool
	open   int // subscriptions whose channel is not closed yet
	closed bool
}

// New starts the owner.
func New[T any]() *Broker[T] {
	b := &Broker[T]{
		requests: make(chan func()),
		gone:     make(chan struct{}),
		topics:   map[string]map[*Subscription[T]]bool{},
	}
	go func() {
		defer close(b.gone)
		for !b.closed || b.open > 0 {
			(<-b.requests)()
		}
	}()
	return b
}

// ask has the owner run f.
func (b *Broker[T]) ask(f func()) {
	done := make(chan struct{})
	b.requests <- func() { f(); close(done) }
	<-done
}

// Subscription is one subscriber's place at a topic.
type Subscription[T any] struct {
	broker   *Broker[T]
	topic    string
	overflow Overflow
	c        chan T
	dropped  atomic.Uint64
	ended    chan struct{} // tells those who wait to send
	shut     chan struct{} // closed right after c

	// All below belongs to the owner.
	forget  func() bool
	over    bool
	senders int
}

// Subscribe asks the owner for a place.
func (b *Broker[T]) Subscribe(ctx context.Context, topic string, buffer int, overflow Overflow) (*Subscription[T], error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if overflow < Block || overflow > DropOldest || buffer < min(int(overflow), 1) {
		return nil, ErrInvalid
	}
	s := &Subscription[T]{
		broker: b, topic: topic, overflow: overflow,
		c: make(chan T, buffer), ended: make(chan struct{}), shut: make(chan struct{}),
	}
	accepted := false
	b.ask(func() {
		if b.closed {
			return
		}
		if b.topics[topic] == nil {
			b.topics[topic] = map[*Subscription[T]]bool{}
		}
		b.topics[topic][s] = true
		b.open++
		s.forget = context.AfterFunc(ctx, s.Unsubscribe)
		accepted = true
	})
	if !accepted {
		return nil, ErrClosed
	}
	return s, nil
}

// Publish lets the owner do what needs no waiting, and waits for the rest.
func (b *Broker[T]) Publish(ctx context.Context, topic string, v T) (delivered int, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	var full []*Subscription[T]
	err = ErrClosed
	b.ask(func() {
		if b.closed {
			return
		}
		err = nil
		for s := range b.topics[topic] {
			switch {
			case s.accept(v):
				delivered++
			case s.overflow == Block:
				s.senders++
				full = append(full, s)
			}
		}
	})

	for len(full) > 0 {
		cases := []reflect.SelectCase{{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(ctx.Done())}}
		for _, s := range full {
			cases = append(cases,
				reflect.SelectCase{Dir: reflect.SelectSend, Chan: reflect.ValueOf(s.c), Send: reflect.ValueOf(&v).Elem()},
				reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(s.ended)})
		}
		chosen, _, _ := reflect.Select(cases)
		if chosen == 0 {
			b.ask(func() {
				for _, s := range full {
					s.left()
				}
			})
			return delivered, ctx.Err()
		}
		i := (chosen - 1) / 2
		if chosen%2 == 1 {
			delivered++
		}
		s := full[i]
		b.ask(s.left)
		full = append(full[:i], full[i+1:]...)
	}
	return delivered, err
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

// left notes that a sender has stopped waiting.
func (s *Subscription[T]) left() {
	s.senders--
	s.shutIfOver()
}

func (s *Subscription[T]) shutIfOver() {
	if s.over && s.senders == 0 {
		close(s.c)
		close(s.shut)
		s.broker.open--
	}
}

// end ends the subscription.
func (s *Subscription[T]) end() {
	if s.over {
		return
	}
	s.over = true
	s.forget()
	topics := s.broker.topics
	delete(topics[s.topic], s)
	if len(topics[s.topic]) == 0 {
		delete(topics, s.topic)
	}
	close(s.ended)
	s.shutIfOver()
}

// Unsubscribe asks the owner to end the subscription.
func (s *Subscription[T]) Unsubscribe() {
	select {
	case <-s.shut:
	case <-s.broker.gone:
	default:
		s.broker.ask(s.end)
	}
	<-s.shut
}

// Close asks the owner to end all subscriptions, and waits for its own end.
func (b *Broker[T]) Close() {
	b.ask(func() {
		b.closed = true
		for _, subscriptions := range b.topics {
			for s := range subscriptions {
				s.end()
			}
		}
	})
	<-b.gone
}

// C returns the channel to read from.
func (s *Subscription[T]) C() <-chan T { return s.c }

// Dropped returns how many messages were dropped.
func (s *Subscription[T]) Dropped() uint64 { return s.dropped.Load() }
