// One goroutine for each subscription, which alone sends on its channel.
//
// The oldest rule of channels, that the sender closes, holds here as it stands:
// the pump is the only sender, so it closes the channel on its way out, and nothing
// has to be counted or locked for that. Publish hands each pump an envelope and
// waits until it is marked. All of a policy is in one small loop that nobody else
// runs, which makes this the design to start from if a subscription is to do more:
// merge messages, slow them down, send them over a network.
//
// The price is a goroutine for each subscription, a few kilobytes each, and two
// hand-overs for each message and subscriber. That is several times the work of the
// reference.
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

// Broker passes messages on.
type Broker[T any] struct {
	mu     sync.Mutex
	topics map[string]map[*Subscription[T]]bool // nil once closed
	pumps  sync.WaitGroup
}

// New makes a broker without subscriptions.
func New[T any]() *Broker[T] {
	return &Broker[T]{topics: map[string]map[*Subscription[T]]bool{}}
}

// Subscription is one subscriber's place at a topic.
type Subscription[T any] struct {
	leave   context.CancelFunc
	in      chan envelope[T]
	out     chan T
	dropped atomic.Uint64
	gone    chan struct{} // closed when the pump has ended
}

// envelope is a message on its way to a pump.
type envelope[T any] struct {
	ctx  context.Context
	v    T
	mark chan<- mark
}

// mark says what became of a message.
type mark int

const (
	notDelivered mark = iota
	isDelivered
	ctxEnded
)

// Subscribe starts the pump. Its ctx ends with the subscriber's, or by leave.
func (b *Broker[T]) Subscribe(ctx context.Context, topic string, buffer int, overflow Overflow) (*Subscription[T], error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if buffer < 0 || overflow < Block || overflow > DropOldest || overflow != Block && buffer == 0 {
		return nil, ErrInvalid
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.topics == nil {
		return nil, ErrClosed
	}
	ctx, leave := context.WithCancel(ctx)
	s := &Subscription[T]{leave: leave, in: make(chan envelope[T]), out: make(chan T, buffer), gone: make(chan struct{})}
	if b.topics[topic] == nil {
		b.topics[topic] = map[*Subscription[T]]bool{}
	}
	b.topics[topic][s] = true
	b.pumps.Go(func() {
		defer leave()
		s.pump(ctx, overflow)
		b.remove(topic, s)
		close(s.out)
		close(s.gone)
	})
	return s, nil
}

func (s *Subscription[T]) pump(ctx context.Context, overflow Overflow) {
	for {
		select {
		case e := <-s.in:
			e.mark <- s.put(ctx, e, overflow)
		case <-ctx.Done():
			return
		}
	}
}

// put is the one place where something is sent on out.
func (s *Subscription[T]) put(ctx context.Context, e envelope[T], overflow Overflow) mark {
	select {
	case s.out <- e.v:
		return isDelivered
	default:
	}
	switch overflow {
	case DropNewest:
		s.dropped.Add(1)
		return notDelivered
	case DropOldest:
		select {
		case <-s.out:
			s.dropped.Add(1)
		default:
		}
	}
	select {
	case s.out <- e.v:
		return isDelivered
	case <-ctx.Done():
		return notDelivered
	case <-e.ctx.Done():
		return ctxEnded
	}
}

// Publish hands v to all pumps at once.
func (b *Broker[T]) Publish(ctx context.Context, topic string, v T) (delivered int, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	b.mu.Lock()
	if b.topics == nil {
		b.mu.Unlock()
		return 0, ErrClosed
	}
	marks := make(chan mark, len(b.topics[topic]))
	for s := range b.topics[topic] {
		go s.hand(envelope[T]{ctx, v, marks})
	}
	b.mu.Unlock()

	for range cap(marks) {
		switch <-marks {
		case isDelivered:
			delivered++
		case ctxEnded:
			err = ctx.Err()
		}
	}
	return delivered, err
}

// hand waits until the pump has time for e.
func (s *Subscription[T]) hand(e envelope[T]) {
	select {
	case s.in <- e:
	case <-s.gone:
		e.mark <- notDelivered
	case <-e.ctx.Done():
		e.mark <- ctxEnded
	}
}

func (b *Broker[T]) remove(topic string, s *Subscription[T]) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.topics[topic], s)
	if len(b.topics[topic]) == 0 {
		delete(b.topics, topic)
	}
}

// Close sends all pumps home.
func (b *Broker[T]) Close() {
	b.mu.Lock()
	for _, subscriptions := range b.topics {
		for s := range subscriptions {
			s.leave()
		}
	}
	b.topics = nil
	b.mu.Unlock()
	b.pumps.Wait()
}

// C returns the channel to read from.
func (s *Subscription[T]) C() <-chan T { return s.out }

// Unsubscribe sends the pump home.
func (s *Subscription[T]) Unsubscribe() {
	s.leave()
	<-s.gone
}

// Dropped returns how many messages were dropped.
func (s *Subscription[T]) Dropped() uint64 { return s.dropped.Load() }
