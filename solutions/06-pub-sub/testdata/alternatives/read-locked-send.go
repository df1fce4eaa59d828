// Many send under a read lock, one closes under the write lock.
//
// Each subscription has a sync.RWMutex that is used the other way round from what
// its name suggests: those who send share it, and whoever closes the channel has it
// alone. So a close cannot meet a send, and no count of senders is needed. Waiting
// with a read lock in hand is safe here for one reason only: the one who wants the
// write lock first closes another channel, which makes everybody who waits let go.
// Forget that, and leaving takes as long as the slowest reader.
//
// Publish works on a copy of the topic's list, which it takes under the broker's
// lock. That costs an allocation for each message, and lets publishers on one topic
// work at the same time. Then DropOldest needs a loop, for somebody else may take
// the room that was made.
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

// Broker passes messages on.
type Broker[T any] struct {
	mu     sync.RWMutex
	topics map[string][]*Subscription[T]
	closed bool
}

// New makes a broker without subscriptions.
func New[T any]() *Broker[T] {
	return &Broker[T]{topics: map[string][]*Subscription[T]{}}
}

// Subscription is one subscriber's place at a topic.
type Subscription[T any] struct {
	c        chan T
	overflow Overflow
	dropped  atomic.Uint64
	leave    func()

	ended chan struct{}
	gate  sync.RWMutex // read-locked to send on c, locked to close it
}

// Subscribe adds a subscription to the topic's list.
func (b *Broker[T]) Subscribe(ctx context.Context, topic string, buffer int, overflow Overflow) (*Subscription[T], error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if !slices.Contains([]Overflow{Block, DropNewest, DropOldest}, overflow) || buffer < 0 || buffer == 0 && overflow != Block {
		return nil, ErrInvalid
	}
	s := &Subscription[T]{c: make(chan T, buffer), overflow: overflow, ended: make(chan struct{})}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, ErrClosed
	}
	b.topics[topic] = append(b.topics[topic], s)

	var stop func() bool
	s.leave = sync.OnceFunc(func() {
		b.mu.Lock()
		rest := slices.DeleteFunc(b.topics[topic], func(other *Subscription[T]) bool { return other == s })
		if b.topics[topic] = rest; len(rest) == 0 {
			delete(b.topics, topic)
		}
		b.mu.Unlock()
		stop()
		close(s.ended)
		s.gate.Lock()
		defer s.gate.Unlock()
		close(s.c)
	})
	stop = context.AfterFunc(ctx, s.leave)
	return s, nil
}

// Publish sends to a copy of the topic's list.
func (b *Broker[T]) Publish(ctx context.Context, topic string, v T) (int, error) {
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	b.mu.RLock()
	subscriptions, closed := slices.Clone(b.topics[topic]), b.closed
	b.mu.RUnlock()
	if closed {
		return 0, ErrClosed
	}

	var delivered atomic.Int64
	var gaveUp atomic.Bool
	var waits sync.WaitGroup
	for _, s := range subscriptions {
		if s.offer(v, &delivered) {
			continue
		}
		waits.Go(func() {
			s.gate.RLock()
			defer s.gate.RUnlock()
			select {
			case <-s.ended:
				return // perhaps closed already: not even a select may send now
			default:
			}
			select {
			case s.c <- v:
				delivered.Add(1)
			case <-s.ended:
			case <-ctx.Done():
				gaveUp.Store(true)
			}
		})
	}
	waits.Wait()
	if gaveUp.Load() {
		return int(delivered.Load()), context.Cause(ctx)
	}
	return int(delivered.Load()), nil
}

// offer does what needs no waiting, and reports whether that was all.
func (s *Subscription[T]) offer(v T, delivered *atomic.Int64) bool {
	s.gate.RLock()
	defer s.gate.RUnlock()
	for {
		select {
		case <-s.ended:
			return true
		default:
		}
		select {
		case s.c <- v:
			delivered.Add(1)
			return true
		default:
		}
		switch s.overflow {
		case Block:
			return false
		case DropNewest:
			s.dropped.Add(1)
			return true
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
	b.closed = true
	all := []*Subscription[T]{}
	for _, subscriptions := range b.topics {
		all = append(all, subscriptions...)
	}
	b.mu.Unlock()
	for _, s := range all {
		s.leave()
	}
}

// C returns the channel to read from.
func (s *Subscription[T]) C() <-chan T { return s.c }

// Unsubscribe ends the subscription.
func (s *Subscription[T]) Unsubscribe() { s.leave() }

// Dropped returns how many messages were dropped.
func (s *Subscription[T]) Dropped() uint64 { return s.dropped.Load() }
