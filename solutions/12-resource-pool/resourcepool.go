// Package resourcepool is the reference for the twelfth lesson: reuse what is dear
// to make, and never have more of it than there may be.
//
// What goes from hand to hand is a place. There are Max of them. A place holds a
// resource, or it is empty, and who has it may fill it. So there can never be too
// many resources, whoever makes them and whatever goes wrong meanwhile, as long as
// each place that somebody takes comes back. And no resource is made, asked about
// or destroyed under the lock, since who does that has the place for itself.
//
// Contexts passed in are not nil, nor is the f of With. Where ctx's error is
// returned, that is ctx.Err() or context.Cause(ctx).
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
//
// Its functions are called from several goroutines at the same time, but for one
// resource never two at once, nor while somebody has it leased. A function that
// takes long holds up those who need its result, and nobody else: other calls
// return as they would without it. Destroy and Healthy must not panic, and none
// of the three may call runtime.Goexit.
type Config[T any] struct {
	// Max is how many resources may exist at any moment. One that is being made
	// exists from the call of New on, and one that is being destroyed until
	// Destroy has returned.
	Max int

	// New makes a resource. It is called for an Acquire, with the ctx of that
	// Acquire, and never in advance. If it returns an error or panics, nothing
	// has been made, whatever it returns beside the error.
	New func(ctx context.Context) (T, error)

	// Destroy is called once for each resource that New has made, when it is no
	// longer needed. With a nil Destroy, there is nothing to be done for it.
	Destroy func(T)

	// Healthy says whether a resource that was given back may be leased again. It
	// is asked after the resource was given back, at the moment at which it would
	// be leased again. About one that New has just made, it is not asked. One that
	// is not healthy is destroyed. With a nil Healthy, all are healthy.
	Healthy func(T) bool

	// MaxIdle is how long a resource may lie idle. Once it has been idle for
	// longer than that, it is never leased again, and is destroyed: by the
	// Acquire that comes upon it, or by Close, or by whoever finds it earlier. At
	// exactly MaxIdle it may be either. The time counts from when it was last
	// given back. With zero or less, there is no such limit.
	MaxIdle time.Duration
}

// Pool leases resources, and gets them back. Make one with New: the zero Pool is
// of no use. All its methods may be called from any goroutine.
type Pool[T any] struct {
	config Config[T]

	mu      sync.Mutex
	taken   int                 // places in use, whether somebody has them or their resource lies idle
	idle    []*resource[T]      // places with a resource that nobody has; the last one came last
	waiting []chan *resource[T] // one for each Acquire that waits, in their order
	closed  bool
	gone    chan struct{} // closed when the pool is closed and no place is in use any more
}

// resource is what a place holds. A nil *resource is an empty place.
type resource[T any] struct {
	value T
	since time.Time // when it was given back for the last time
}

// Lease is the right to use one resource, alone, until it is given back. Acquire
// makes it: the zero Lease is of no use. All its methods may be called from any
// goroutine.
type Lease[T any] struct {
	pool     *Pool[T]
	resource *resource[T]
	over     atomic.Bool
}

// Stats is what a pool has at some moment.
type Stats struct {
	Live    int // resources that exist, leased or idle
	Idle    int // those of them that nobody has leased
	Waiting int // calls of Acquire that wait for a resource to come back, or for room to make one
}

// New makes a pool without any resources in it. With a Max of zero or less, or a
// nil c.New, it returns an error and no pool.
//
// Whoever calls New has to call Close. Once that has returned nil, nothing of the
// pool is left running.
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

// Acquire leases a resource to the caller. If there are idle ones that may be
// leased, it takes one of these, no matter which. Otherwise it has a new one made,
// if fewer than Max exist. Otherwise it waits: until a resource is given back or
// one less exists, until ctx ends, or until Close is called.
//
// Those who wait are served in the order in which they came. Nobody who comes
// later gets ahead of them.
//
// An Acquire that returns an error returns no lease, has taken nothing, and keeps
// nobody else from anything.
//
//   - ctx had ended before the call: Acquire returns ctx's error, even if there is
//     an idle resource, and nothing is made.
//   - ctx ends during the wait: Acquire returns ctx's error at that moment. If its
//     turn comes at the same moment, one of the two wins, no matter which.
//   - New fails: Acquire returns New's error. The room is free again, and the
//     first of those who wait has its turn, and has New called for itself.
//   - Close had been called, or is called during the wait: Acquire returns
//     ErrClosed at once. If ctx has ended too, it may be either error.
//
// While New runs, Acquire waits for New alone, which has ctx and can listen to it.
// If New succeeds, so does Acquire, even if ctx has ended by then. If New panics,
// the room is free again too, and the panic goes on to the caller of Acquire.
func (p *Pool[T]) Acquire(ctx context.Context) (*Lease[T], error) {
	// Nothing below would notice if there is something idle.
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
// It waits for it if need be.
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
	// There is room for one place in it, and so pass, which has the lock, need not wait to put it in.
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

// giveUp ends the wait of an Acquire whose ctx has ended. If its turn has come in
// the same moment, then a place is on its way, or here already. Nobody else knows
// of that place, and so it must not be left in the channel: the Acquire goes on
// with it.
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

// pop returns the resource that came last, or nil. The last one is the one that
// is most likely to be fit. Those at the other end grow old, and that is how a
// pool shrinks. The caller holds the lock.
func (p *Pool[T]) pop() *resource[T] {
	last := len(p.idle) - 1
	if last < 0 {
		return nil
	}
	r := p.idle[last]
	p.idle[last] = nil // or the array would hold on to it
	p.idle = p.idle[:last]
	return r
}

// fit says whether a resource that was given back may be leased again. The answer
// may take a while, so it is not asked for under the lock.
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
	r := p.pop()
	if r != nil {
		p.taken-- // while something lies idle nobody waits for a place
	}
	return r
}

// fill makes a resource for an empty place. Whatever New does, the place is not
// lost: a defer also sees a panic, and does not stop it as a recover would.
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

// discard destroys a resource, and gives back its place, empty. Not the other way
// round: until it is destroyed it takes up room.
func (p *Pool[T]) discard(r *resource[T]) {
	p.config.Destroy(r.value)
	p.pass(nil)
}

// pass passes a place on to the next one who needs it. It reports false if the
// pool is closed, and nobody needs what the place holds.
func (p *Pool[T]) pass(r *resource[T]) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case len(p.waiting) > 0:
		// From hand to hand. If it were put down for the first in the queue to pick
		// up, anybody could come in between.
		p.waiting[0] <- r
		p.waiting = p.waiting[1:]
	case r == nil:
		p.taken--
		if p.closed && p.taken == 0 {
			close(p.gone)
		}
	case p.closed:
		// Asked under the lock under which Close takes away what is idle. Put down
		// after that, it would lie there for ever.
		return false
	default:
		p.idle = append(p.idle, r)
	}
	return true
}

// Value returns the resource. It does so after the end of the lease too, but then
// the resource may be somebody else's, and must not be used any more.
func (l *Lease[T]) Value() T {
	return l.resource.value
}

// Release ends the lease, and gives the resource back to be leased again. It goes
// to the first of those who wait, or lies idle. Once Close has been called, it is
// destroyed instead.
//
// A lease ends once. Of all calls of Release and Discard on it, the first one
// counts, and the others do nothing, no matter who has the resource by then.
func (l *Lease[T]) Release() {
	// It is the lease that ends once, and not the resource, which begins a new
	// lease each time. Asking and setting are one step, for two may call at once.
	if !l.over.Swap(true) {
		l.resource.since = time.Now()
		l.pool.leave(l.resource)
	}
}

// Discard ends the lease as Release does, but the resource is destroyed, and not
// leased again. Once it is gone, there is room for another one: the first of those
// who wait has its turn.
func (l *Lease[T]) Discard() {
	if !l.over.Swap(true) {
		l.pool.discard(l.resource)
	}
}

// With leases a resource for the time of one call of f. If Acquire fails, With
// returns its error and does not call f. Otherwise it returns what f returns.
//
// When f has returned, with an error or without, the resource is released. If f
// panics or calls runtime.Goexit, nobody knows in what state it has left the
// resource: then it is discarded, and the panic or the Goexit goes on.
func (p *Pool[T]) With(ctx context.Context, f func(T) error) error {
	lease, err := p.Acquire(ctx)
	if err != nil {
		return err
	}
	// A lease ends once. If f comes back, Release goes first, and this does nothing.
	// If f does not come back, only what is deferred is run.
	defer lease.Discard()
	err = f(lease.Value())
	lease.Release()
	return err
}

// Close ends the pool. From its first call on, Acquire returns ErrClosed, also
// to those who are waiting by then. An Acquire whose resource is at hand or is
// being made at that moment may return its lease all the same; or ErrClosed, and
// what was made is destroyed.
//
// Idle resources are destroyed at once, and leased ones when their leases end.
// Close waits for that, and returns nil when every resource has been destroyed.
// If ctx ends first, Close returns ctx's error at that moment, unless it is in the
// middle of a call of Destroy, which knows no ctx. What was still leased is
// destroyed when it is given back, all the same.
//
// Close may be called again, and from many goroutines. Each call waits for the
// same end for as long as its own ctx allows. A ctx that has ended before the call
// leaves no time to wait, but closes the pool all the same; if there is nothing to
// wait for, it may be either result.
func (p *Pool[T]) Close(ctx context.Context) error {
	for _, r := range p.shut() {
		p.discard(r)
	}
	select {
	case <-p.gone:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// shut closes the pool to all who want in, and returns what is idle, for the
// caller to destroy. It does so once: a second call finds nothing to do.
func (p *Pool[T]) shut() []*resource[T] {
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

// Stats returns what the pool has now. A resource that is being made or destroyed
// at this moment may count or not, and so may an Acquire or a Release that is
// under way.
func (p *Pool[T]) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Stats{Live: p.taken, Idle: len(p.idle), Waiting: len(p.waiting)}
}
