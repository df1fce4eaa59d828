// want: assertion TestUnfitIsReplaced

// What is taken out of the slice is a pointer to where it lay.
//
// The slice is cut, so the element seems to be gone. But the array under it is still
// there, and the next Release appends into the same place. Whoever holds the pointer
// now holds what was put down just now, and so will the one who takes that from the
// slice: two talk on one connection, and another one is forgotten. It needs a
// Release while Healthy is being asked, and that takes a month to happen. Copy the
// element before you cut the slice, or have pointers in the slice.
package resourcepool

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	config Config[T]

	mu      sync.Mutex
	taken   int                 // places in use, whether somebody has them or their resource lies idle
	idle    []resource[T]       // places with a resource that nobody has; the last one came last
	waiting []chan *resource[T] // one for each Acquire that waits, in their order
	closed  bool
	gone    chan struct{} // closed when the pool is closed and no place is in use any more
}

// resource is what a place holds.
type resource[T any] struct {
	value T
	since time.Time // when it was given back for the last time
}

// Lease is the right to use one resource, alone, until it is given back.
type Lease[T any] struct {
	pool     *Pool[T]
	resource *resource[T]
	over     atomic.Bool
}

// New makes a pool without any resources in it.
func New[T any](c Config[T]) (*Pool[T], error) {
	if c.Max <= 0 || c.New == nil {
		return nil, fmt.Errorf("resourcepool: Max is %d, and it must be more than zero; New must not be nil", c.Max)
	}
	if c.Destroy == nil {
		c.Destroy = func(T) {}
	}
	if c.Healthy == nil {
		c.Healthy = func(T) bool { return true }
	}
	return &Pool[T]{config: c, gone: make(chan struct{})}, nil
}

// Acquire leases a resource to the caller.
func (p *Pool[T]) Acquire(ctx context.Context) (*Lease[T], error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r, err := p.enter(ctx)
	if err != nil {
		return nil, err
	}
	for r != nil && !p.fit(r) {
		p.config.Destroy(r.value)
		r = p.exchange()
	}
	if r == nil {
		if r, err = p.fill(ctx); err != nil {
			return nil, err
		}
	}
	return &Lease[T]{pool: p, resource: r}, nil
}

// enter takes a place: one with a resource if there is one, or else an empty one.
func (p *Pool[T]) enter(ctx context.Context) (*resource[T], error) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, ErrClosed
	}
	if r := p.pop(); r != nil {
		p.mu.Unlock()
		return r, nil
	}
	if p.taken < p.config.Max {
		p.taken++ // in the same breath as the question, or two would take the last place
		p.mu.Unlock()
		return nil, nil
	}
	turn := make(chan *resource[T], 1)
	p.waiting = append(p.waiting, turn)
	p.mu.Unlock()

	select {
	case r, ok := <-turn:
		if !ok {
			return nil, ErrClosed
		}
		return r, nil
	case <-ctx.Done():
		return p.giveUp(ctx, turn)
	}
}

// giveUp ends the wait of an Acquire whose ctx has ended.
func (p *Pool[T]) giveUp(ctx context.Context, turn chan *resource[T]) (*resource[T], error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.waiting, turn); i >= 0 {
		p.waiting = slices.Delete(p.waiting, i, i+1)
		return nil, ctx.Err()
	}
	r, ok := <-turn // does not wait: who took the turn out of the queue has settled it under this lock
	if !ok {
		return nil, ErrClosed
	}
	return r, nil
}

// pop returns the resource that came last, or nil.
func (p *Pool[T]) pop() *resource[T] {
	last := len(p.idle) - 1
	if last < 0 {
		return nil
	}
	r := p.idle[last]
	p.idle = p.idle[:last]
	return &r
}

// fit says whether a resource that was given back may be leased again.
func (p *Pool[T]) fit(r *resource[T]) bool {
	if p.config.MaxIdle > 0 && time.Since(r.since) > p.config.MaxIdle {
		return false
	}
	return p.config.Healthy(r.value)
}

// exchange gives an empty place for one with a resource, if there is one.
func (p *Pool[T]) exchange() *resource[T] {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.idle) - 1
	if last < 0 {
		return nil
	}
	r := &p.idle[last]
	p.idle = p.idle[:last]
	p.taken-- // while something lies idle nobody waits for a place
	return r
}

// fill makes a resource for an empty place.
func (p *Pool[T]) fill(ctx context.Context) (r *resource[T], err error) {
	defer func() {
		if r == nil {
			p.leave(nil)
		}
	}()
	value, err := p.config.New(ctx)
	if err != nil {
		return nil, err
	}
	return &resource[T]{value: value}, nil
}

// leave gives a place back, with what it holds.
func (p *Pool[T]) leave(r *resource[T]) {
	if !p.pass(r) {
		p.discard(r)
	}
}

// discard destroys a resource, and gives back its place, empty.
func (p *Pool[T]) discard(r *resource[T]) {
	p.config.Destroy(r.value)
	p.pass(nil)
}

// pass passes a place on to the next one who needs it.
func (p *Pool[T]) pass(r *resource[T]) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r != nil {
		r.since = time.Now()
	}
	switch {
	case len(p.waiting) > 0:
		p.waiting[0] <- r
		p.waiting = p.waiting[1:]
	case r == nil:
		p.taken--
		if p.closed && p.taken == 0 {
			close(p.gone)
		}
	case p.closed:
		return false
	default:
		p.idle = append(p.idle, *r)
	}
	return true
}

// Value returns the resource.
func (l *Lease[T]) Value() T {
	return l.resource.value
}

// Release ends the lease, and gives the resource back to be leased again.
func (l *Lease[T]) Release() {
	if !l.over.Swap(true) {
		l.pool.leave(l.resource)
	}
}

// Discard ends the lease as Release does, but the resource is destroyed, and not
// leased again.
func (l *Lease[T]) Discard() {
	if !l.over.Swap(true) {
		l.pool.discard(l.resource)
	}
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

// Close ends the pool.
func (p *Pool[T]) Close(ctx context.Context) error {
	for _, r := range p.shut() {
		p.discard(&r)
	}
	select {
	case <-p.gone:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// shut closes the pool to all who want in, and returns what is idle, for the caller
// to destroy.
func (p *Pool[T]) shut() []resource[T] {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil
	}
	p.closed = true
	for _, turn := range p.waiting {
		close(turn)
	}
	if p.taken == 0 {
		close(p.gone)
	}
	idle := p.idle
	p.waiting, p.idle = nil, nil
	return idle
}

// Stats returns what the pool has now.
func (p *Pool[T]) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Stats{Live: p.taken, Idle: len(p.idle), Waiting: len(p.waiting)}
}
