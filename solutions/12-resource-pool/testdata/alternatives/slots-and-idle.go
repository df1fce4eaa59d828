// Two channels: one for what lies idle, one for the room that is taken.
//
// An Acquire receives from the first or sends to the second, whichever is possible
// first, and waits for both in one select. Who waits is served in turn, and a
// hand-over cannot meet a cancel, since the runtime sees to both: the whole queue
// of the reference is one statement here. It is the shortest way to a pool that is
// right. The price is that a channel is a queue: what comes back first goes out
// first, so that under a light load all resources stay in use, and none of them
// ever grows old. And it cannot be asked, only emptied.
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

	mu      sync.RWMutex // makes Close and those who give back agree on who came first
	closing chan struct{}

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
		config:  c,
		slots:   make(chan struct{}, c.Max),
		idle:    make(chan resource[T], c.Max),
		closing: make(chan struct{}),
		closer:  make(chan struct{}, 1),
	}, nil
}

// Acquire leases a resource to the caller.
func (p *Pool[T]) Acquire(ctx context.Context) (*Lease[T], error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if p.closed() {
		return nil, ErrClosed
	}
	// Of two cases that are ready, select takes any. What is idle goes first.
	select {
	case r := <-p.idle:
		return p.lease(ctx, &r)
	default:
	}
	p.waiting.Add(1)
	select {
	case r := <-p.idle:
		p.waiting.Add(-1)
		return p.lease(ctx, &r)
	case p.slots <- struct{}{}:
		p.waiting.Add(-1)
		if p.closed() {
			<-p.slots // Close has made the room, and needs it back
			return nil, ErrClosed
		}
		return p.lease(ctx, nil)
	case <-p.closing:
		p.waiting.Add(-1)
		return nil, ErrClosed
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
		case next := <-p.idle:
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

func (p *Pool[T]) closed() bool {
	select {
	case <-p.closing:
		return true
	default:
		return false
	}
}

// Value returns the resource.
func (l *Lease[T]) Value() T { return l.value }

// Release ends the lease, and gives the resource back.
func (l *Lease[T]) Release() {
	l.once.Do(func() {
		if !l.pool.keep(l.value) {
			l.pool.destroy(l.value)
			<-l.pool.slots
		}
	})
}

// keep puts a resource down, unless the pool is closed.
func (p *Pool[T]) keep(value T) bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.closed() {
		return false
	}
	p.idle <- resource[T]{value, time.Now()}
	return true
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
	p.mu.Lock()
	if !p.closed() {
		close(p.closing)
	}
	p.mu.Unlock()
	for left := true; left; {
		select {
		case r := <-p.idle:
			p.destroy(r.value)
			<-p.slots
		default:
			left = false
		}
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
