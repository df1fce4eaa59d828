// One goroutine owns the pool, and nobody locks.
//
// The state is local variables of one loop, and each thing that can happen is one
// case of one select, so no two of them ever meet. Rules that look at everything,
// such as priorities or a share for each customer, are a few lines here. The loop
// must never wait, so New, Healthy and Destroy stay with those who need them, and
// a waiter that gives up has to tell the loop so and hear its answer. The price is
// two messages for each lease, which all pass through one goroutine. And there is a
// goroutine that has to be ended: it goes when the pool is closed and empty.
package resourcepool

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
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
	asks   chan chan *resource[T] // who wants a place
	gaveUp chan quit[T]           // who wants none any more
	places chan *resource[T]      // what comes back; nil is an empty place
	swaps  chan chan *resource[T] // who has an empty place, and would rather have a full one
	stats  chan Stats
	closes chan chan []*resource[T]
	gone   chan struct{}
}

type resource[T any] struct {
	value T
	since time.Time
}

type quit[T any] struct {
	turn chan *resource[T]
	left chan bool
}

// Lease is the right to use one resource, alone, until it is given back.
type Lease[T any] struct {
	pool *Pool[T]
	r    *resource[T]
	once sync.Once
}

// New makes a pool without any resources in it.
func New[T any](c Config[T]) (*Pool[T], error) {
	if c.Max <= 0 || c.New == nil {
		return nil, fmt.Errorf("resourcepool: Max is %d, and it must be more than zero; New must not be nil", c.Max)
	}
	p := &Pool[T]{
		config: c,
		asks:   make(chan chan *resource[T]),
		gaveUp: make(chan quit[T]),
		places: make(chan *resource[T]),
		swaps:  make(chan chan *resource[T]),
		stats:  make(chan Stats),
		closes: make(chan chan []*resource[T]),
		gone:   make(chan struct{}),
	}
	go p.own()
	return p, nil
}

// own is the life of the owner. It ends when the pool is closed and all places are
// free again.
func (p *Pool[T]) own() {
	defer close(p.gone)
	var (
		taken   int
		idle    []*resource[T]
		waiting []chan *resource[T]
		closed  bool
	)
	pop := func() *resource[T] {
		r := idle[len(idle)-1]
		idle = idle[:len(idle)-1]
		return r
	}
	for !closed || taken > 0 {
		select {
		case turn := <-p.asks:
			switch {
			case closed:
				close(turn)
			case len(idle) > 0:
				turn <- pop()
			case taken < p.config.Max:
				taken++
				turn <- nil
			default:
				waiting = append(waiting, turn)
			}
		case q := <-p.gaveUp:
			i := slices.Index(waiting, q.turn)
			if i >= 0 {
				waiting = slices.Delete(waiting, i, i+1)
			}
			q.left <- i >= 0
		case r := <-p.places:
			switch {
			case len(waiting) > 0:
				waiting[0] <- r
				waiting = waiting[1:]
			case r == nil:
				taken--
			case closed:
				// Its place stays taken until it comes back empty.
				go p.discard(r)
			default:
				idle = append(idle, r)
			}
		case turn := <-p.swaps:
			if len(idle) > 0 {
				taken--
				turn <- pop()
			} else {
				turn <- nil
			}
		case p.stats <- Stats{Live: taken, Idle: len(idle), Waiting: len(waiting)}:
		case reply := <-p.closes:
			closed = true
			for _, turn := range waiting {
				close(turn)
			}
			reply <- idle
			waiting, idle = nil, nil
		}
	}
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
		p.destroy(r)
		turn := make(chan *resource[T], 1)
		p.swaps <- turn // the owner is there as long as this place is taken
		r = <-turn
	}
	if r == nil {
		done := false
		defer func() {
			if !done {
				p.places <- nil
			}
		}()
		value, err := p.config.New(ctx)
		if err != nil {
			return nil, err
		}
		done = true
		r = &resource[T]{value: value}
	}
	return &Lease[T]{pool: p, r: r}, nil
}

func (p *Pool[T]) enter(ctx context.Context) (*resource[T], error) {
	turn := make(chan *resource[T], 1)
	select {
	case p.asks <- turn:
	case <-p.gone:
		return nil, ErrClosed
	}
	select {
	case r, ok := <-turn:
		if !ok {
			return nil, ErrClosed
		}
		return r, nil
	case <-ctx.Done():
	}
	q := quit[T]{turn, make(chan bool, 1)}
	select {
	case p.gaveUp <- q:
		if <-q.left {
			return nil, ctx.Err()
		}
	case <-p.gone:
	}
	r, ok := <-turn // it came at the same moment
	if !ok {
		return nil, ErrClosed
	}
	return r, nil
}

func (p *Pool[T]) fit(r *resource[T]) bool {
	if p.config.MaxIdle > 0 && time.Since(r.since) > p.config.MaxIdle {
		return false
	}
	return p.config.Healthy == nil || p.config.Healthy(r.value)
}

func (p *Pool[T]) destroy(r *resource[T]) {
	if p.config.Destroy != nil {
		p.config.Destroy(r.value)
	}
}

func (p *Pool[T]) discard(r *resource[T]) {
	p.destroy(r)
	p.places <- nil
}

// Value returns the resource.
func (l *Lease[T]) Value() T { return l.r.value }

// Release ends the lease, and gives the resource back.
func (l *Lease[T]) Release() {
	l.once.Do(func() {
		l.r.since = time.Now()
		l.pool.places <- l.r
	})
}

// Discard ends the lease, and destroys the resource.
func (l *Lease[T]) Discard() {
	l.once.Do(func() { l.pool.discard(l.r) })
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
	reply := make(chan []*resource[T], 1)
	select {
	case p.closes <- reply:
		for _, r := range <-reply {
			p.discard(r)
		}
	case <-p.gone:
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
	select {
	case s := <-p.stats:
		return s
	case <-p.gone:
		return Stats{}
	}
}
