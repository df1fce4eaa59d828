// A semaphore for those who may have a resource, and a stack of those that lie idle.
//
// The semaphore knows nothing of resources. It lets Max callers in, in turn; who
// is in takes something from the stack, or makes something if there is nothing.
// That there are never too many follows from the order alone: put down the
// resource, and only then leave. Both parts are useful on their own and may be
// exchanged: golang.org/x/sync/semaphore for the first, a heap or a list for each
// host for the second. The price is that nobody sees both at once. Which resource
// the next one gets cannot be chosen by who that is, and Stats is put together from
// two readings.
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
	permits chan struct{} // one element for each caller who is in
	waiting atomic.Int64
	closing chan struct{}

	mu     sync.Mutex
	closed bool
	stack  []resource[T]

	last    sync.Mutex // guards emptied and filled, and is held while looking, never while waiting
	emptied bool       // whether what was on the stack when the pool was closed is destroyed
	filled  int        // how many permits a Close has taken for good
	gone    chan struct{}
}

type resource[T any] struct {
	value T
	since time.Time
}

// Lease is the right to use one resource, alone, until it is given back.
type Lease[T any] struct {
	pool  *Pool[T]
	value T
	over  atomic.Bool
}

// New makes a pool without any resources in it.
func New[T any](c Config[T]) (*Pool[T], error) {
	if c.Max <= 0 {
		return nil, fmt.Errorf("resourcepool: Max is %d, and it must be more than zero", c.Max)
	}
	if c.New == nil {
		return nil, errors.New("resourcepool: New is nil")
	}
	return &Pool[T]{config: c, permits: make(chan struct{}, c.Max), closing: make(chan struct{}), gone: make(chan struct{})}, nil
}

// Acquire leases a resource to the caller.
func (p *Pool[T]) Acquire(ctx context.Context) (*Lease[T], error) {
	if err := p.enter(ctx); err != nil {
		return nil, err
	}
	in := false
	defer func() {
		if !in {
			p.exit()
		}
	}()
	for {
		r, ok, err := p.pop()
		if err != nil {
			return nil, err
		}
		if !ok {
			value, err := p.config.New(ctx)
			if err != nil {
				return nil, err
			}
			in = true
			return &Lease[T]{pool: p, value: value}, nil
		}
		old := p.config.MaxIdle > 0 && time.Since(r.since) > p.config.MaxIdle
		if !old && (p.config.Healthy == nil || p.config.Healthy(r.value)) {
			in = true
			return &Lease[T]{pool: p, value: r.value}, nil
		}
		p.destroy(r.value)
	}
}

// enter waits for a permit.
func (p *Pool[T]) enter(ctx context.Context) error {
	select {
	case <-p.closing:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	default:
	}
	p.waiting.Add(1)
	defer p.waiting.Add(-1)
	select {
	case p.permits <- struct{}{}:
		return nil
	case <-p.closing:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// exit gives a permit back. The one who closes waits until everybody has.
func (p *Pool[T]) exit() {
	<-p.permits
	p.fill()
}

// fill takes the permits that are free, once the pool is closed and what was on the
// stack is destroyed, which has no permit. With all of them taken, nobody is in, and
// nobody can come in.
func (p *Pool[T]) fill() {
	p.last.Lock()
	defer p.last.Unlock()
	for p.emptied && p.filled < cap(p.permits) {
		select {
		case p.permits <- struct{}{}:
			p.filled++
			if p.filled == cap(p.permits) {
				close(p.gone)
			}
		default:
			return
		}
	}
}

// pop takes what was put on the stack last.
func (p *Pool[T]) pop() (r resource[T], ok bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return r, false, ErrClosed
	}
	if len(p.stack) == 0 {
		return r, false, nil
	}
	r = p.stack[len(p.stack)-1]
	p.stack = p.stack[:len(p.stack)-1]
	return r, true, nil
}

// push puts a resource on the stack, unless the pool is closed.
func (p *Pool[T]) push(value T) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.stack = append(p.stack, resource[T]{value, time.Now()})
	return true
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
	if l.over.CompareAndSwap(false, true) {
		if !l.pool.push(l.value) {
			l.pool.destroy(l.value)
		}
		l.pool.exit()
	}
}

// Discard ends the lease, and destroys the resource.
func (l *Lease[T]) Discard() {
	if l.over.CompareAndSwap(false, true) {
		l.pool.destroy(l.value)
		l.pool.exit()
	}
}

// With leases a resource for the time of one call of f.
func (p *Pool[T]) With(ctx context.Context, f func(T) error) error {
	lease, err := p.Acquire(ctx)
	if err != nil {
		return err
	}
	returned := false
	defer func() {
		if returned {
			lease.Release()
		} else {
			lease.Discard()
		}
	}()
	err = f(lease.Value())
	returned = true
	return err
}

// Close ends the pool.
func (p *Pool[T]) Close(ctx context.Context) error {
	p.mu.Lock()
	first := !p.closed
	if first {
		p.closed = true
		close(p.closing)
	}
	stack := p.stack
	p.stack = nil
	p.mu.Unlock()
	if first {
		for _, r := range stack {
			p.destroy(r.value)
		}
		p.last.Lock()
		p.emptied = true
		p.last.Unlock()
		p.fill()
	}
	select {
	case <-p.gone:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Stats returns what the pool has now.
func (p *Pool[T]) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last.Lock()
	defer p.last.Unlock()
	return Stats{Live: len(p.stack) + len(p.permits) - p.filled, Idle: len(p.stack), Waiting: int(p.waiting.Load())}
}
