// A list that is never changed, only replaced.
//
// Publish loads the current map of topics with one atomic operation and walks
// through lists that nobody will ever change, so publishers on different topics
// have nothing to wait for, not even for a moment. Whoever subscribes or leaves
// copies the map and the list of the topic, and puts the copies in their place.
// This pays when there are many messages and few comings and goings, as with
// listeners that stay for the life of a process. With ten thousand customers who
// open and close pages, every one of them copies, and the reference does less work.
//
// A list can be out of date when it is read. So each subscription has a lock of its
// own, under which it is asked whether it has ended.
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

type topics[T any] map[string][]*Subscription[T]

// Broker passes messages on.
type Broker[T any] struct {
	current atomic.Pointer[topics[T]] // nil once closed
	change  sync.Mutex                // held by whoever replaces current
}

// New makes a broker without subscriptions.
func New[T any]() *Broker[T] {
	b := &Broker[T]{}
	b.current.Store(&topics[T]{})
	return b
}

// Subscription is one subscriber's place at a topic.
type Subscription[T any] struct {
	broker   *Broker[T]
	topic    string
	overflow Overflow
	c        chan T
	dropped  atomic.Uint64
	forget   func() bool

	end     sync.Once
	ended   chan struct{}
	mu      sync.Mutex     // held while something that does not wait is sent
	over    bool           // no sender may come any more
	senders sync.WaitGroup // who waits to send; grows only while not over
}

// Subscribe replaces the map by one with the new subscription.
func (b *Broker[T]) Subscribe(ctx context.Context, topic string, buffer int, overflow Overflow) (*Subscription[T], error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	switch {
	case overflow < Block, overflow > DropOldest, buffer < 0, buffer == 0 && overflow != Block:
		return nil, ErrInvalid
	}
	s := &Subscription[T]{broker: b, topic: topic, overflow: overflow, c: make(chan T, buffer), ended: make(chan struct{})}

	b.change.Lock()
	defer b.change.Unlock()
	old := b.current.Load()
	if old == nil {
		return nil, ErrClosed
	}
	next := maps.Clone(*old)
	next[topic] = append(slices.Clip(next[topic]), s) // Clip makes append copy
	b.current.Store(&next)
	s.forget = context.AfterFunc(ctx, s.Unsubscribe)
	return s, nil
}

// Publish gives v to everybody in the list of this moment.
func (b *Broker[T]) Publish(ctx context.Context, topic string, v T) (delivered int, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	current := b.current.Load()
	if current == nil {
		return 0, ErrClosed
	}
	var waits sync.WaitGroup
	var late, gaveUp atomic.Int64
	for _, s := range (*current)[topic] {
		took, full := s.accept(v)
		if took {
			delivered++
		}
		if full {
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
	}
	waits.Wait()
	if gaveUp.Load() > 0 {
		err = ctx.Err()
	}
	return delivered + int(late.Load()), err
}

// accept takes v if that needs no waiting. If it is full, the caller is counted as
// a sender.
func (s *Subscription[T]) accept(v T) (took, full bool) {
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

// Close replaces the map by none, and ends all that were in it.
func (b *Broker[T]) Close() {
	b.change.Lock()
	last := b.current.Swap(nil)
	b.change.Unlock()
	if last == nil {
		return
	}
	for _, subscriptions := range *last {
		for _, s := range subscriptions {
			s.Unsubscribe()
		}
	}
}

// C returns the channel to read from.
func (s *Subscription[T]) C() <-chan T { return s.c }

// Unsubscribe replaces the map by one without s.
func (s *Subscription[T]) Unsubscribe() {
	s.end.Do(func() {
		s.broker.remove(s)
		s.mu.Lock()
		s.over = true
		s.mu.Unlock()
		close(s.ended)
		s.senders.Wait()
		close(s.c)
	})
}

func (b *Broker[T]) remove(s *Subscription[T]) {
	b.change.Lock()
	defer b.change.Unlock()
	s.forget()
	old := b.current.Load()
	if old == nil {
		return
	}
	next := maps.Clone(*old)
	next[s.topic] = slices.DeleteFunc(slices.Clone(next[s.topic]), func(other *Subscription[T]) bool { return other == s })
	if len(next[s.topic]) == 0 {
		delete(next, s.topic)
	}
	b.current.Store(&next)
}

// Dropped returns how many messages were dropped.
func (s *Subscription[T]) Dropped() uint64 { return s.dropped.Load() }
