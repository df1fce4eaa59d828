// want: assertion TestLeavingConcernsNobodyElse

// Each caller starts a goroutine that waits for the run, and leaves it behind.
//
// The run says that it is over with a WaitGroup, and a WaitGroup cannot stand in a
// select. So a goroutine waits for it and closes a channel. Who leaves takes the other
// case, and that goroutine stays until the run ends. When the database hangs, people
// give up and come back, and give up again, and each time one more is left. Let the
// run itself close a channel: then nobody has to wait for it in somebody's place.
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

// run is one call of a function, and what comes of it.
type run[V any] struct {
	waiting int // guarded by the group's mu
	stop    context.CancelFunc

	over   sync.WaitGroup // done when the rest is written
	v      V
	shared bool
	err    error
}

// Do returns what fn returns, once for all who ask at the same time.
func (g *Group[K, V]) Do(key K, fn func() (V, error)) (v V, shared bool, err error) {
	return g.DoContext(context.Background(), key, func(context.Context) (V, error) { return fn() })
}

// Forget lets go of the run that is under way for key.
func (g *Group[K, V]) Forget(key K) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.runs, key)
}

// DoContext is Do with a ctx for each caller.
func (g *Group[K, V]) DoContext(ctx context.Context, key K, fn func(context.Context) (V, error)) (v V, shared bool, err error) {
	if err := ctx.Err(); err != nil {
		return v, false, err
	}
	r := g.join(ctx, key, fn)
	over := make(chan struct{})
	go func() {
		r.over.Wait()
		close(over)
	}()
	select {
	case <-over:
		return r.v, r.shared, r.err
	case <-ctx.Done():
		g.leave(key, r)
		return v, false, ctx.Err()
	}
}

// join counts the caller in, and begins a run if there is none for key.
func (g *Group[K, V]) join(ctx context.Context, key K, fn func(context.Context) (V, error)) *run[V] {
	g.mu.Lock()
	defer g.mu.Unlock()
	r, ok := g.runs[key]
	if !ok {
		ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
		r = &run[V]{stop: stop}
		if g.runs == nil {
			g.runs = make(map[K]*run[V])
		}
		r.over.Add(1)
		g.runs[key] = r
		go g.do(ctx, key, r, fn)
	}
	r.waiting++
	return r
}

// do calls fn and ends the run.
func (g *Group[K, V]) do(ctx context.Context, key K, r *run[V], fn func(context.Context) (V, error)) {
	defer g.end(key, r)
	defer func() {
		if value := recover(); value != nil {
			r.err = &PanicError{Value: value, Stack: debug.Stack()}
		}
	}()
	r.err = ErrGoexit
	r.v, r.err = fn(ctx)
}

// end lets all who wait have the result.
func (g *Group[K, V]) end(key K, r *run[V]) {
	r.stop()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.remove(key, r)
	r.shared = r.waiting > 1
	r.over.Done()
}

// leave counts a caller out.
func (g *Group[K, V]) leave(key K, r *run[V]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	r.waiting--
	if r.waiting == 0 {
		g.remove(key, r)
		r.stop()
	}
}

// remove takes r out of the map if it is there. The caller holds the lock.
func (g *Group[K, V]) remove(key K, r *run[V]) {
	if g.runs[key] == r {
		delete(g.runs, key)
	}
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
