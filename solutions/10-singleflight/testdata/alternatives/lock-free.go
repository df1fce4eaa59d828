// A sync.Map and one atomic number for each run.
//
// The number says how many wait, and zero says that nobody may join any more,
// because the run is over or everybody has left. It is changed by compare-and-swap
// only, so whoever brings it to zero knows that, and does what has to be done.
// Whoever meets a zero helps to clear it away and tries again. No two keys share a
// lock, which pays with many cores and many keys. But each step has to be thought
// through for itself, where a lock lets one think of all at once, and a sync.Map
// stores keys and values as interfaces, which costs an allocation here and there.
package singleflight

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
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

// run is one call of a function, and what comes of it.
type run[V any] struct {
	waiting atomic.Int64 // how many wait; once it is zero, it stays zero
	stop    context.CancelFunc
	over    chan struct{}
	v       V
	shared  bool
	err     error
}

// join counts a caller in, unless it is too late.
func (r *run[V]) join() bool {
	for {
		n := r.waiting.Load()
		if n == 0 {
			return false
		}
		if r.waiting.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// leave counts a caller out, and reports whether it was the last one.
func (r *run[V]) leave() bool {
	for {
		n := r.waiting.Load()
		if n == 0 {
			return false // the run is over
		}
		if r.waiting.CompareAndSwap(n, n-1) {
			return n == 1
		}
	}
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
	r := g.join(ctx, key, fn)
	select {
	case <-r.over:
		return r.v, r.shared, r.err
	case <-ctx.Done():
		if r.leave() {
			g.runs.CompareAndDelete(key, r)
			r.stop()
		}
		return v, false, ctx.Err()
	}
}

// join returns a run that counts the caller in.
func (g *Group[K, V]) join(ctx context.Context, key K, fn func(context.Context) (V, error)) *run[V] {
	mine := &run[V]{over: make(chan struct{})}
	mine.waiting.Store(1)
	ctx, mine.stop = context.WithCancel(context.WithoutCancel(ctx))
	for {
		found, joined := g.runs.LoadOrStore(key, mine)
		r := found.(*run[V])
		switch {
		case !joined:
			go g.do(ctx, key, r, fn)
			return r
		case r.join():
			mine.stop() // it was not needed
			return r
		}
		g.runs.CompareAndDelete(key, r)
	}
}

// do calls fn and ends the run.
func (g *Group[K, V]) do(ctx context.Context, key K, r *run[V], fn func(context.Context) (V, error)) {
	r.err = ErrGoexit
	defer func() {
		if value := recover(); value != nil {
			r.err = &PanicError{Value: value, Stack: debug.Stack()}
		}
		r.stop()
		r.shared = r.waiting.Swap(0) > 1
		g.runs.CompareAndDelete(key, r)
		close(r.over)
	}()
	r.v, r.err = fn(ctx)
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
	begun atomic.Int64
	known sync.Map // of K to *entry[V]
}

// entry is a value that was loaded.
type entry[V any] struct {
	v      V
	loaded time.Time
	number int64 // of the load, in the order in which they began
}

// NewCache makes a cache that remembers nothing yet.
func NewCache[K comparable, V any](ttl time.Duration, load func(ctx context.Context, key K) (V, error)) *Cache[K, V] {
	if load == nil {
		panic("singleflight: NewCache needs a load function")
	}
	return &Cache[K, V]{ttl: ttl, load: load}
}

// Get returns what is remembered, or loads it.
func (c *Cache[K, V]) Get(ctx context.Context, key K) (V, error) {
	if e, fresh := c.lookup(key); fresh {
		return e.v, nil
	}
	v, _, err := c.loads.DoContext(ctx, key, func(ctx context.Context) (V, error) {
		if e, fresh := c.lookup(key); fresh {
			return e.v, nil
		}
		number := c.begun.Add(1)
		v, err := c.load(ctx, key)
		if err == nil && ctx.Err() == nil && c.ttl > 0 {
			c.remember(key, &entry[V]{v, time.Now(), number})
		}
		return v, err
	})
	return v, err
}

// lookup returns what there is for key, and whether its time is not up.
func (c *Cache[K, V]) lookup(key K) (e *entry[V], fresh bool) {
	found, ok := c.known.Load(key)
	if !ok {
		return nil, false
	}
	e = found.(*entry[V])
	return e, time.Since(e.loaded) < c.ttl
}

// remember writes e down, unless there is something newer.
func (c *Cache[K, V]) remember(key K, e *entry[V]) {
	for {
		found, there := c.known.LoadOrStore(key, e)
		if !there {
			return
		}
		if old := found.(*entry[V]); old.number > e.number || c.known.CompareAndSwap(key, old, e) {
			return
		}
	}
}
