// A goroutine owns each run, and callers talk to it.
//
// The owner hears who joins, who leaves and that fn has ended, one after the other,
// so what it knows needs no lock and can never be half true. Whoever finds a run in
// the map offers to join; if the owner has closed its door meanwhile, the caller
// looks again. It takes two goroutines and a handful of channels for each run: right
// where a run does more than wait, as to report progress or to follow the priority
// of those who wait; too much for what is asked here.
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
	runs sync.Map // of K to *run[V]
}

// run is how to talk to the owner of a run.
type run[V any] struct {
	join, leave chan chan<- result[V]
	closed      chan struct{} // closed when nobody can join or leave any more
}

// result is what each caller gets.
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
	mine := make(chan result[V], 1)
	r := g.join(ctx, key, fn, mine)
	select {
	case got := <-mine:
		return got.v, got.shared, got.err
	case <-ctx.Done():
		select {
		case r.leave <- mine:
		case <-r.closed:
		}
		return v, false, ctx.Err()
	}
}

// join returns the run that mine has joined.
func (g *Group[K, V]) join(ctx context.Context, key K, fn func(context.Context) (V, error), mine chan result[V]) *run[V] {
	fresh := &run[V]{make(chan chan<- result[V]), make(chan chan<- result[V]), make(chan struct{})}
	for {
		found, there := g.runs.LoadOrStore(key, fresh)
		r := found.(*run[V])
		if !there {
			go g.own(context.WithoutCancel(ctx), key, r, fn, mine)
			return r
		}
		select {
		case r.join <- mine:
			return r
		case <-r.closed:
			g.runs.CompareAndDelete(key, r)
		}
	}
}

// own runs fn for those who wait.
func (g *Group[K, V]) own(ctx context.Context, key K, r *run[V], fn func(context.Context) (V, error), first chan<- result[V]) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	returned := make(chan result[V], 1)
	go func() {
		got := result[V]{err: ErrGoexit}
		defer func() {
			if value := recover(); value != nil {
				got.err = &PanicError{Value: value, Stack: debug.Stack()}
			}
			stop()
			returned <- got
		}()
		got.v, got.err = fn(ctx)
	}()

	waiting := map[chan<- result[V]]bool{first: true}
	for len(waiting) > 0 {
		select {
		case c := <-r.join:
			waiting[c] = true
		case c := <-r.leave:
			delete(waiting, c)
		case got := <-returned:
			g.runs.CompareAndDelete(key, r)
			close(r.closed)
			got.shared = len(waiting) > 1
			for c := range waiting {
				c <- got
			}
			return
		}
	}
	g.runs.CompareAndDelete(key, r)
	close(r.closed)
}

// Forget lets go of the run that is under way for key.
func (g *Group[K, V]) Forget(key K) {
	g.runs.Delete(key)
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
