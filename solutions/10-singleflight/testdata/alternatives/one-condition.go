// One lock, one condition for each run, and context.AfterFunc to wake those whose ctx ends.
//
// A caller waits until its run is over or its ctx has ended, and holds the lock
// whenever it looks. So it can see both at once, and decide: here, a result that is
// there counts even if ctx has ended. A Cond cannot stand in a select, and that is
// what AfterFunc is for, which costs something only for a ctx that can end. All
// that wake up need the lock one after the other, where a closed channel lets them
// all go at once.
package singleflight

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// ErrGoexit is the error of a function that called runtime.Goexit.
var ErrGoexit = errors.New("singleflight: function called runtime.Goexit")

// PanicError is the error of a function that panicked.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("singleflight: function panicked: %v", e.Value)
}

// Unwrap returns Value if that is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// Group keeps those who ask for the same key from doing the same work.
type Group[K comparable, V any] struct {
	mu   sync.Mutex
	runs map[K]*run[V]
}

// run is one call of a function, and what comes of it. All of it is guarded by the
// group's mu.
type run[V any] struct {
	wake    *sync.Cond
	waiting int
	stop    context.CancelFunc
	over    bool
	v       V
	shared  bool
	err     error
}

// Do returns what fn returns, once for all who ask at the same time.
func (g *Group[K, V]) Do(key K, fn func() (V, error)) (v V, shared bool, err error) {
	return g.DoContext(context.Background(), key, func(context.Context) (V, error) { return fn() })
}

// DoContext is Do with a ctx for each caller.
func (g *Group[K, V]) DoContext(ctx context.Context, key K, fn func(context.Context) (V, error)) (v V, shared bool, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return v, false, err
	}
	r, ok := g.runs[key]
	if !ok {
		r = g.begin(ctx, key, fn)
	}
	r.waiting++
	defer context.AfterFunc(ctx, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		r.wake.Broadcast()
	})()
	for !r.over && ctx.Err() == nil {
		r.wake.Wait()
	}
	if r.over {
		return r.v, r.shared, r.err
	}
	r.waiting--
	if r.waiting == 0 {
		g.remove(key, r)
		r.stop()
	}
	return v, false, ctx.Err()
}

// begin begins a run. The caller holds the lock.
func (g *Group[K, V]) begin(ctx context.Context, key K, fn func(context.Context) (V, error)) *run[V] {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	r := &run[V]{wake: sync.NewCond(&g.mu), stop: stop, err: ErrGoexit}
	if g.runs == nil {
		g.runs = make(map[K]*run[V])
	}
	g.runs[key] = r
	go func() {
		var v V
		err := ErrGoexit
		defer func() {
			if value := recover(); value != nil {
				err = &PanicError{Value: value, Stack: debug.Stack()}
			}
			stop()
			g.mu.Lock()
			defer g.mu.Unlock()
			g.remove(key, r)
			r.v, r.err, r.shared, r.over = v, err, r.waiting > 1, true
			r.wake.Broadcast()
		}()
		v, err = fn(ctx)
	}()
	return r
}

// remove takes r out of the map if it is there. The caller holds the lock.
func (g *Group[K, V]) remove(key K, r *run[V]) {
	if g.runs[key] == r {
		delete(g.runs, key)
	}
}

// Forget lets go of the run that is under way for key.
func (g *Group[K, V]) Forget(key K) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.runs, key)
}

// Cache remembers what has been loaded, for a while.
type Cache[K comparable, V any] struct {
	ttl   time.Duration
	load  func(context.Context, K) (V, error)
	loads Group[K, V]

	mu    sync.Mutex
	known map[K]entry[V]
}

// entry is a value that was loaded.
type entry[V any] struct {
	v      V
	loaded time.Time
}

// NewCache makes a cache that remembers nothing yet.
func NewCache[K comparable, V any](ttl time.Duration, load func(ctx context.Context, key K) (V, error)) *Cache[K, V] {
	if load == nil {
		panic("singleflight: NewCache needs a load function")
	}
	return &Cache[K, V]{ttl: ttl, load: load, known: make(map[K]entry[V])}
}

// Get returns what is remembered, or loads it.
func (c *Cache[K, V]) Get(ctx context.Context, key K) (V, error) {
	if v, ok := c.lookup(key); ok {
		return v, nil
	}
	v, _, err := c.loads.DoContext(ctx, key, func(ctx context.Context) (V, error) {
		if v, ok := c.lookup(key); ok {
			return v, nil
		}
		v, err := c.load(ctx, key)
		if err == nil {
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

// remember writes down what has just been loaded, unless everybody has left.
func (c *Cache[K, V]) remember(ctx context.Context, key K, v V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ctx.Err() == nil && c.ttl > 0 {
		c.known[key] = entry[V]{v: v, loaded: time.Now()}
	}
}
