// A channel for each caller, into which the run puts its result.
//
// A run keeps a list of those who wait, and hands each of them a copy. Who leaves
// takes its channel off the list, so the list always says who is there: its length
// is the count, and there is no number that could be wrong by one. Nothing of the
// run is shared with the callers, so nothing has to be read after it has ended. It
// costs a channel for each caller, and the end of a run takes as long as the list,
// while the lock is held. x/sync/singleflight keeps such a list for its DoChan.
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

// run is those who wait for a function.
type run[V any] struct {
	waiting map[chan result[V]]bool
	stop    context.CancelFunc
}

// result is what each of them gets.
type result[V any] struct {
	v      V
	shared bool
	err    error
}

// Do returns what fn returns, once for all who ask at the same time.
func (g *Group[K, V]) Do(key K, fn func() (V, error)) (v V, shared bool, err error) {
	return g.DoContext(context.Background(), key, func(context.Context) (V, error) { return fn() })
}

// DoContext is Do with a ctx for each caller.
func (g *Group[K, V]) DoContext(ctx context.Context, key K, fn func(context.Context) (V, error)) (v V, shared bool, err error) {
	if err := ctx.Err(); err != nil {
		return v, false, err
	}
	mine := make(chan result[V], 1) // with room, so that nobody has to wait for us
	r := g.join(ctx, key, fn, mine)
	select {
	case got := <-mine:
		return got.v, got.shared, got.err
	case <-ctx.Done():
		g.leave(key, r, mine)
		return v, false, ctx.Err()
	}
}

// join puts mine on the list of the run for key, or of a new one.
func (g *Group[K, V]) join(ctx context.Context, key K, fn func(context.Context) (V, error), mine chan result[V]) *run[V] {
	g.mu.Lock()
	defer g.mu.Unlock()
	if r, ok := g.runs[key]; ok {
		r.waiting[mine] = true
		return r
	}
	r := &run[V]{waiting: map[chan result[V]]bool{mine: true}}
	ctx, r.stop = context.WithCancel(context.WithoutCancel(ctx))
	if g.runs == nil {
		g.runs = make(map[K]*run[V])
	}
	g.runs[key] = r
	go func() {
		got := result[V]{err: ErrGoexit}
		defer func() { g.end(key, r, got) }()
		defer func() {
			if value := recover(); value != nil {
				got.err = &PanicError{Value: value, Stack: debug.Stack()}
			}
		}()
		got.v, got.err = fn(ctx)
	}()
	return r
}

// end hands out the result.
func (g *Group[K, V]) end(key K, r *run[V], got result[V]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	r.stop()
	if g.runs[key] == r {
		delete(g.runs, key)
	}
	got.shared = len(r.waiting) > 1
	for c := range r.waiting {
		c <- got
	}
}

// leave takes mine off the list.
func (g *Group[K, V]) leave(key K, r *run[V], mine chan result[V]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(r.waiting, mine)
	if len(r.waiting) == 0 {
		r.stop()
		if g.runs[key] == r {
			delete(g.runs, key)
		}
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
