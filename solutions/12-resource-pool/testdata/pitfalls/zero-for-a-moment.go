// want: assertion TestCloseMeetsEverything

// Between an unfit resource that was destroyed and the new one, the count is one
// less, and for a moment it may be zero.
//
// Each line is right: one is gone, so it counts one less; one is about to be made,
// so it counts one more. But Close may have been called in between, and zero is what
// it waits for. It returns nil, the program goes on to end, and then a connection is
// made that nobody expects any more; when its lease ends, the count is zero for a
// second time. Who destroys something in order to replace it keeps its place.
package resourcepool

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// ErrClosed means that there is no resource to be had, because Close had been called.
var ErrClosed = errors.New("resourcepool: closed")

// Config says what a pool is made of.
type Config[T any] struct {
	Max     int
	New     func(ctx context.Context) (T, error)
	Destroy func(T)
	Healthy func(T) bool
	MaxIdle time.Duration
}

// Pool leases resources, and gets them back.
type Pool[T any] struct {
	config  Config[T]
	mu      sync.Mutex
	idle    []item[T]
	live    int
	waiting int
	over    bool
	sem     chan struct{}
	closed  chan struct{}
	done    chan struct{}
}

type item[T any] struct {
	value T
	since time.Time
}

// Lease is the right to use one resource, alone, until it is given back.
type Lease[T any] struct {
	pool  *Pool[T]
	value T
	over  atomic.Bool
}

// Stats is what a pool has at some moment.
type Stats struct {
	Live    int
	Idle    int
	Waiting int
}

// New makes a pool without any resources in it.
func New[T any](c Config[T]) (*Pool[T], error) {
	if c.Max <= 0 {
		return nil, errors.New("resourcepool: Max must be positive")
	}
	if c.New == nil {
		return nil, errors.New("resourcepool: New must not be nil")
	}
	return &Pool[T]{config: c, sem: make(chan struct{}, c.Max), closed: make(chan struct{}), done: make(chan struct{})}, nil
}

// Acquire leases a resource to the caller.
func (p *Pool[T]) Acquire(ctx context.Context) (*Lease[T], error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p.mu.Lock()
	p.waiting++
	p.mu.Unlock()
	select {
	case p.sem <- struct{}{}:
	case <-p.closed:
		p.mu.Lock()
		p.waiting--
		p.mu.Unlock()
		return nil, ErrClosed
	case <-ctx.Done():
		p.mu.Lock()
		p.waiting--
		p.mu.Unlock()
		return nil, ctx.Err()
	}
	p.mu.Lock()
	p.waiting--
	if p.over {
		p.mu.Unlock()
		<-p.sem
		return nil, ErrClosed
	}
	for n := len(p.idle); n > 0; n = len(p.idle) {
		it := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		if p.fit(it) {
			return &Lease[T]{pool: p, value: it.value}, nil
		}
		p.destroy(it.value)
		p.mu.Lock()
		p.less(1)
	}
	p.live++
	p.mu.Unlock()
	made := false
	defer func() {
		if !made {
			p.mu.Lock()
			p.less(1)
			p.mu.Unlock()
			<-p.sem
		}
	}()
	v, err := p.config.New(ctx)
	if err != nil {
		return nil, err
	}
	made = true
	return &Lease[T]{pool: p, value: v}, nil
}

func (p *Pool[T]) fit(it item[T]) bool {
	if p.config.MaxIdle > 0 && time.Since(it.since) > p.config.MaxIdle {
		return false
	}
	return p.config.Healthy == nil || p.config.Healthy(it.value)
}

// Value returns the resource.
func (l *Lease[T]) Value() T {
	return l.value
}

// Release ends the lease, and gives the resource back to be leased again.
func (l *Lease[T]) Release() {
	if l.over.Swap(true) {
		return
	}
	p := l.pool
	p.mu.Lock()
	if p.over {
		p.mu.Unlock()
		p.destroy(l.value)
		p.mu.Lock()
		p.less(1)
	} else {
		p.idle = append(p.idle, item[T]{l.value, time.Now()})
	}
	p.mu.Unlock()
	<-p.sem
}

// Discard ends the lease as Release does, but the resource is destroyed, and not leased again.
func (l *Lease[T]) Discard() {
	if l.over.Swap(true) {
		return
	}
	p := l.pool
	p.destroy(l.value)
	p.mu.Lock()
	p.less(1)
	p.mu.Unlock()
	<-p.sem
}

// With leases a resource for the time of one call of f.
func (p *Pool[T]) With(ctx context.Context, f func(T) error) error {
	l, err := p.Acquire(ctx)
	if err != nil {
		return err
	}
	defer l.Discard()
	err = f(l.Value())
	l.Release()
	return err
}

// Close ends the pool.
func (p *Pool[T]) Close(ctx context.Context) error {
	p.mu.Lock()
	if !p.over {
		p.over = true
		close(p.closed)
		idle := p.idle
		p.idle = nil
		if p.live == 0 {
			close(p.done)
		}
		p.mu.Unlock()
		for _, it := range idle {
			p.destroy(it.value)
			p.mu.Lock()
			p.less(1)
			p.mu.Unlock()
		}
	} else {
		p.mu.Unlock()
	}
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// less counts n resources less; with the lock.
func (p *Pool[T]) less(n int) {
	p.live -= n
	if p.over && p.live == 0 {
		close(p.done)
	}
}

func (p *Pool[T]) destroy(v T) {
	if p.config.Destroy != nil {
		p.config.Destroy(v)
	}
}

// Stats returns what the pool has now.
func (p *Pool[T]) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Stats{Live: p.live, Idle: len(p.idle), Waiting: p.waiting}
}
