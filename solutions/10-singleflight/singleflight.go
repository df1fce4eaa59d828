// Package singleflight is the reference for the tenth lesson: many ask for the
// same thing at the same time, one works, and all get the answer.
//
// A run is a small struct in a map. Whoever finds none for its key puts one there
// and starts a goroutine for it; whoever finds one counts itself in. All wait for
// the same channel. A closed channel wakes everybody at once, and what was written
// before the close can be read after it without a lock. And unlike a WaitGroup it
// can stand in a select, beside the end of a ctx.
//
// Contexts and functions passed in are not nil. Where ctx's error is returned,
// that is ctx.Err() or context.Cause(ctx). Keys are compared as the keys of a map
// are; one that does not equal itself, as a NaN, must not be used.
package singleflight

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// ErrGoexit is the error of a function that called runtime.Goexit, and so has
// neither returned nor panicked.
var ErrGoexit = errors.New("singleflight: function called runtime.Goexit")

// PanicError is the error of a function that panicked.
type PanicError struct {
	Value any    // what it panicked with
	Stack []byte // where it did so, as debug.Stack prints it
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("singleflight: function panicked: %v", e.Value)
}

// Unwrap returns Value if that is an error, so that errors.Is and errors.As
// see the cause.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// Group keeps those who ask for the same key at the same time from doing the same
// work. The zero Group is ready for use; it must not be copied after that. All
// its methods may be called from any goroutine. There is no Close: a Group in
// which nothing is under way does nothing, and remembers nothing.
type Group[K comparable, V any] struct {
	mu   sync.Mutex // held for a few lines at a time, never while fn runs
	runs map[K]*run[V]
}

// run is one call of a function, and what comes of it.
type run[V any] struct {
	fn      func() (V, error)
	stop    context.CancelFunc // ends the function's context
	waiting int                // how many callers wait for it; guarded by the group's mu

	over   chan struct{} // closed when the run has ended, and the rest is written
	v      V
	shared bool
	err    error
}

// Do returns what fn returns, value and error, and sees to it that for a key
// only one function is under way at a time. If none is, Do calls fn, in a
// goroutine of its own, and waits for it: a run begins. If one is, Do joins that
// run: it waits for it to end, gets the same value and the same error, and its
// own fn is never called.
//
// Once any caller has got its result, the run is over for everybody: a call that
// begins later never gets that result, be it a value or an error. It begins a
// new run, or joins one that somebody else has begun since.
//
// shared is true if more than one caller was waiting for the run when it ended,
// and then it is true for each of them, also for the one that began the run.
//
// What is under way for one key holds up no other key. So fn may call Do for
// another key. It must not do so for its own: it would wait for itself.
//
// If fn panics, every caller gets a zero V and the same *PanicError, with what fn
// panicked with, and where. If fn calls runtime.Goexit, every caller gets a zero
// V and ErrGoexit. In either case shared is as always, and the key is free: the
// next call begins a new run.
func (g *Group[K, V]) Do(key K, fn func() (V, error)) (v V, shared bool, err error) {
	r := g.join(key, func() *run[V] {
		// Who calls Do never leaves, so this run needs no context to be stopped by.
		return &run[V]{fn: fn, stop: func() {}}
	})
	<-r.over
	return r.v, r.shared, r.err
}

// Forget lets go of the run that is under way for key: the next call begins a
// new one and does not join it. Who has joined it already goes on waiting for it
// and gets its result. When it ends, a newer run for the key is not touched: that
// one stays under way, and can be joined. Runs for other keys are not touched,
// either.
//
// If none is under way for key, Forget does nothing. It never waits, and fn may
// call it, also for its own key.
func (g *Group[K, V]) Forget(key K) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.runs, key)
}

// DoContext is Do for those who cannot wait for ever, and for an fn that listens
// to its context. In one Group, both take part in the same runs; Do is a caller
// who never gives up.
//
// If ctx ends while DoContext waits, it leaves: it returns a zero V, false, and
// ctx's error at that moment, and leaves nothing running behind, apart from fn.
// That is so for every caller, also for the one that began the run, and changes
// nothing for the others, except that those who have left do not count for
// shared. If the run and ctx end at the same moment, it may be one or the other.
// A ctx that has ended before the call begins nothing and joins nothing,
// also if a run is just about to end: DoContext returns ctx's error at once.
//
// The context that fn gets has the values of the ctx of the caller that began the
// run, and no more of it: neither its deadline nor its end. It ends when the last
// caller has left, which asks fn to stop, also if the run has been forgotten. From
// then on the run cannot be joined: the next call for the key begins a new one,
// even if fn has not listened and goes on. What such an fn returns in the end, or
// panics with, is dropped, and a newer run for the key is not touched. Its context
// ends as well once fn is over, in whichever way: it may have returned, panicked
// or called runtime.Goexit.
func (g *Group[K, V]) DoContext(ctx context.Context, key K, fn func(context.Context) (V, error)) (v V, shared bool, err error) {
	// The select below would toss a coin, and the run would have begun by then.
	if err := ctx.Err(); err != nil {
		return v, false, err
	}
	r := g.join(key, func() *run[V] {
		// Who begins a run does not own it, and may well be the first to leave.
		ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
		return &run[V]{fn: func() (V, error) { return fn(ctx) }, stop: stop}
	})
	select {
	case <-r.over:
		return r.v, r.shared, r.err
	case <-ctx.Done():
		g.leave(key, r)
		return v, false, ctx.Err()
	}
}

// join counts the caller in. If there is no run for key, it begins the one that
// create makes.
func (g *Group[K, V]) join(key K, create func() *run[V]) *run[V] {
	g.mu.Lock()
	defer g.mu.Unlock()
	r, ok := g.runs[key]
	if !ok {
		r = create()
		r.over = make(chan struct{})
		if g.runs == nil {
			g.runs = make(map[K]*run[V])
		}
		g.runs[key] = r
		go g.do(key, r)
	}
	r.waiting++
	return r
}

// do calls fn and ends the run. That is deferred, since fn may take any of three
// ways out of here, and those who wait must hear of each.
func (g *Group[K, V]) do(key K, r *run[V]) {
	defer g.end(key, r)
	defer func() {
		if value := recover(); value != nil {
			r.err = &PanicError{Value: value, Stack: debug.Stack()}
		}
	}()
	r.err = ErrGoexit // recover cannot see a Goexit: this stands if nothing replaces it
	r.v, r.err = r.fn()
}

// end lets all who wait have the result, and nobody else.
func (g *Group[K, V]) end(key K, r *run[V]) {
	r.stop()
	// One critical section. If the lock were given up between the two, somebody
	// who has the result could come back and find it under way; and if the run
	// could still be joined after it is counted, shared would be wrong.
	g.mu.Lock()
	defer g.mu.Unlock()
	g.remove(key, r)
	r.shared = r.waiting > 1
	close(r.over)
}

// leave counts a caller out.
func (g *Group[K, V]) leave(key K, r *run[V]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	r.waiting--
	if r.waiting == 0 {
		// In this order and under the lock, so that nobody joins what is told to stop.
		g.remove(key, r)
		r.stop()
	}
}

// remove takes r out of the map, unless it has gone already and another run is in
// its place. The caller holds the lock.
func (g *Group[K, V]) remove(key K, r *run[V]) {
	if g.runs[key] == r {
		delete(g.runs, key)
	}
}

// Cache remembers what has been loaded, for a while, and loads what it does not
// remember, once for all who ask. Make one with NewCache: the zero Cache is of no
// use. Its method may be called from any goroutine. There is no Close, for there
// is nothing to stop.
type Cache[K comparable, V any] struct {
	ttl   time.Duration
	load  func(context.Context, K) (V, error)
	loads Group[K, V]

	mu    sync.Mutex // held to look and to write, never while load runs
	known map[K]entry[V]
}

// entry is a value that was loaded.
type entry[V any] struct {
	v      V
	loaded time.Time // when load returned
}

// NewCache makes a cache that gets its values from load, and remembers each for
// ttl, counted from the moment at which load returned it. With a ttl of zero or
// less it remembers nothing; those who ask at the same time share a load all the
// same. NewCache panics if load is nil.
//
// A value whose time is up is never returned, but it takes up memory until its
// key is loaded again: there is one value for each key, and keys are not
// forgotten.
func NewCache[K comparable, V any](ttl time.Duration, load func(ctx context.Context, key K) (V, error)) *Cache[K, V] {
	if load == nil {
		panic("singleflight: NewCache needs a load function")
	}
	return &Cache[K, V]{ttl: ttl, load: load, known: make(map[K]entry[V])}
}

// Get returns the value for key. If it is remembered, Get returns it at once,
// even if ctx has ended. If not, Get calls load, or joins the load of the key that
// is under way, and returns what that returns, value and error.
//
// Loads are runs in the sense of Group. What DoContext says of fn and its
// context, of callers that leave, of panics and of runtime.Goexit, goes for load
// and for Get; and no load holds up a Get for another key, remembered or not.
//
// A load that succeeds is remembered before any Get returns its value, so that
// load is never called for a key whose value is remembered. A load that fails, in
// whichever way, is not remembered: the next Get calls load again. Nor is one that
// everybody had left by the time it ended.
func (c *Cache[K, V]) Get(ctx context.Context, key K) (V, error) {
	if v, ok := c.lookup(key); ok {
		return v, nil
	}
	v, _, err := c.loads.DoContext(ctx, key, func(ctx context.Context) (V, error) {
		// A load may have ended since the look above. While this run is under way,
		// there is no other that could: this look counts.
		if v, ok := c.lookup(key); ok {
			return v, nil
		}
		v, err := c.load(ctx, key)
		if err == nil {
			// Here, before the run ends, and not after DoContext: by then somebody
			// else could have looked, found nothing, and begun another one.
			c.remember(ctx, key, v)
		}
		return v, err
	})
	return v, err
}

// lookup returns the value for key if its time is not up.
func (c *Cache[K, V]) lookup(key K) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.known[key]
	return e.v, ok && time.Since(e.loaded) < c.ttl
}

// remember writes down what has just been loaded. If everybody has left, there may
// have been a newer load meanwhile, and its value must stay.
func (c *Cache[K, V]) remember(ctx context.Context, key K, v V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ctx.Err() == nil && c.ttl > 0 {
		c.known[key] = entry[V]{v: v, loaded: time.Now()}
	}
}
