// want: panic TestCloseWaitsForLeases

// Close closes the channel in which the idle resources lie.
//
// It does two things at once, and both are wanted: a range over the channel ends
// when the last idle resource has come out, and everybody who waits for one wakes
// up. But those who have a lease send on that channel when they give their resource
// back. They do that later, and they panic. The receiver has closed a channel on
// which others send, and a check before the send comes too early. Let a channel of
// its own say that the pool is closed.
package resourcepool

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// ErrClosed means that there is no resource to be had, because Close had been
// called.
var ErrClosed = errors.New("resourcepool: closed")

// Config says what a pool is made of.
type Config[T any] struct {
	Max     int
	New     func(ctx context.Context) (T, error)
	Destroy func(T)
	Healthy func(T) bool
	MaxIdle time.Duration
}

// Stats is what a pool has at some moment.
type Stats struct {
	Live    int
	Idle    int
	Waiting int
}

// Pool leases resources, and gets them back.
type Pool[T any] struct {
	config  Config[T]
	slots   chan struct{}    // one element for each resource that exists
	idle    chan resource[T] // has as much room, so sending never waits
	waiting atomic.Int64

	once   sync.Once
	closer chan struct{} // whoever has put something in here fills up the slots
	filled atomic.Int64  // how many slots have been filled by that
}

type resource[T any] struct {
	value T
	since time.Time
}

// Lease is the right to use one resource, alone, until it is given back.
type Lease[T any] struct {
	pool  *Pool[T]
	value T
	once  sync.Once
}

// New makes a pool without any resources in it.
func New[T any](c Config[T]) (*Pool[T], error) {
	if c.Max <= 0 || c.New == nil {
		return nil, fmt.Errorf("resourcepool: Max is %d, and it must be more than zero; New must not be nil", c.Max)
	}
	return &Pool[T]{
		config: c,
		slots:  make(chan struct{}, c.Max),
		idle:   make(chan resource[T], c.Max),
		closer: make(chan struct{}, 1),
	}, nil
}

// Acquire leases a resource to the caller.
func (p *Pool[T]) Acquire(ctx context.Context) (*Lease[T], error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	// Of two cases that are ready, select takes any. What is idle goes first.
	select {
	case r, open := <-p.idle:
		if !open {
			return nil, ErrClosed
		}
		return p.lease(ctx, &r)
	default:
	}
	p.waiting.Add(1)
	select {
	case r, open := <-p.idle:
		p.waiting.Add(-1)
		if !open {
			return nil, ErrClosed
		}
		return p.lease(ctx, &r)
	case p.slots <- struct{}{}:
		p.waiting.Add(-1)
		return p.lease(ctx, nil)
	case <-ctx.Done():
		p.waiting.Add(-1)
		return nil, ctx.Err()
	}
}

// lease makes a lease for a caller who has a slot, and r to go with it, or nothing.
func (p *Pool[T]) lease(ctx context.Context, r *resource[T]) (lease *Lease[T], err error) {
	defer func() {
		if lease == nil {
			<-p.slots
		}
	}()
	for r != nil {
		if p.fit(r) {
			return &Lease[T]{pool: p, value: r.value}, nil
		}
		p.destroy(r.value)
		select {
		case next, open := <-p.idle:
			if !open {
				return nil, ErrClosed
			}
			<-p.slots // it comes with a slot of its own
			r = &next
		default:
			r = nil
		}
	}
	value, err := p.config.New(ctx)
	if err != nil {
		return nil, err
	}
	return &Lease[T]{pool: p, value: value}, nil
}

func (p *Pool[T]) fit(r *resource[T]) bool {
	if p.config.MaxIdle > 0 && time.Since(r.since) > p.config.MaxIdle {
		return false
	}
	return p.config.Healthy == nil || p.config.Healthy(r.value)
}

func (p *Pool[T]) destroy(value T) {
	if p.config.Destroy != nil {
		p.config.Destroy(value)
	}
}

// Value returns the resource.
func (l *Lease[T]) Value() T { return l.value }

// Release ends the lease, and gives the resource back.
func (l *Lease[T]) Release() {
	l.once.Do(func() {
		l.pool.idle <- resource[T]{l.value, time.Now()}
	})
}

// Discard ends the lease, and destroys the resource.
func (l *Lease[T]) Discard() {
	l.once.Do(func() {
		l.pool.destroy(l.value)
		<-l.pool.slots
	})
}

// With leases a resource for the time of one call of f.
func (p *Pool[T]) With(ctx context.Context, f func(T) error) error {
	lease, err := p.Acquire(ctx)
	if err != nil {
		return err
	}
	defer lease.Discard()
	err = f(lease.Value())
	lease.Release()
	return err
}

// Close ends the pool. When all slots are full, and by its own doing, there is no
// resource left. A slot that it has filled stays full, so that the next Close can
// go on from there.
func (p *Pool[T]) Close(ctx context.Context) error {
	p.once.Do(func() { close(p.idle) })
	for r := range p.idle {
		p.destroy(r.value)
		<-p.slots
	}
	select {
	case p.closer <- struct{}{}:
		defer func() { <-p.closer }()
	case <-ctx.Done():
		return ctx.Err()
	}
	for p.filled.Load() < int64(cap(p.slots)) {
		select {
		case p.slots <- struct{}{}:
			p.filled.Add(1)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Stats returns what the pool has now.
func (p *Pool[T]) Stats() Stats {
	return Stats{Live: len(p.slots) - int(p.filled.Load()), Idle: len(p.idle), Waiting: int(p.waiting.Load())}
}
