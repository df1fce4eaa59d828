// Package resourcepool is the twelfth lesson: reuse what is dear to make, and
// never have more of it than there may be. Replace each TODO with code, one step
// at a time, and give the two types the fields they need.
//
// Contexts passed in are not nil, nor is the f of With. Where ctx's error is
// returned, that is ctx.Err() or context.Cause(ctx).
package resourcepool

import (
	"context"
	"errors"
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
	// your fields here
}

// Lease is the right to use one resource, alone, until it is given back. Acquire
// makes it: the zero Lease is of no use. All its methods may be called from any
// goroutine.
type Lease[T any] struct {
	// your fields here
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
	panic("TODO(1): refuse what makes no sense; otherwise return a pool with nothing in it yet")
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
	panic("TODO(1): take an idle resource, or make one, and return a lease for it")
}

// Value returns the resource. It does so after the end of the lease too, but then
// the resource may be somebody else's, and must not be used any more.
func (l *Lease[T]) Value() T {
	panic("TODO(1): return the resource")
}

// Release ends the lease, and gives the resource back to be leased again. It goes
// to the first of those who wait, or lies idle. Once Close has been called, it is
// destroyed instead.
//
// A lease ends once. Of all calls of Release and Discard on it, the first one
// counts, and the others do nothing, no matter who has the resource by then.
func (l *Lease[T]) Release() {
	panic("TODO(1): give the resource back, unless the lease has ended before")
}

// Discard ends the lease as Release does, but the resource is destroyed, and not
// leased again. Once it is gone, there is room for another one: the first of those
// who wait has its turn.
func (l *Lease[T]) Discard() {
	panic("TODO(5): as Release, but destroy the resource, and let somebody else make another one")
}

// With leases a resource for the time of one call of f. If Acquire fails, With
// returns its error and does not call f. Otherwise it returns what f returns.
//
// When f has returned, with an error or without, the resource is released. If f
// panics or calls runtime.Goexit, nobody knows in what state it has left the
// resource: then it is discarded, and the panic or the Goexit goes on.
func (p *Pool[T]) With(ctx context.Context, f func(T) error) error {
	panic("TODO(6): acquire, call f, and give the resource back, whatever f does")
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
	panic("TODO(1): destroy what is idle; the rest comes with step 7")
}

// Stats returns what the pool has now. A resource that is being made or destroyed
// at this moment may count or not, and so may an Acquire or a Release that is
// under way.
func (p *Pool[T]) Stats() Stats {
	panic("TODO(3): count")
}
