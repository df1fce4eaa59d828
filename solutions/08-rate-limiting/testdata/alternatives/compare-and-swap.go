// One atomic number, changed by compare-and-swap.
//
// As in the reference, a bucket is the time at which it will be full, here as
// nanoseconds in an int64. Allow looks, works out the next value, and puts it in
// place only if nobody has changed it meanwhile; otherwise it looks again. So it
// takes no lock, and a goroutine that is interrupted halfway holds up nobody. A
// refusal does not even write. Those who wait take their tokens in advance, which
// moves the number beyond what a bucket can hold, and each has a timer of its own;
// so whoever gives up has to set the timers of all those behind. The lock is for
// them alone. More to get wrong than in the reference, and worth it only if a
// benchmark says so.
package ratelimit

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Limiter is a bucket of tokens.
type Limiter struct {
	every time.Duration
	size  time.Duration // burst times every
	burst int
	start time.Time    // what full counts from: so it is by the clock that nobody sets
	full  atomic.Int64 // nanoseconds; beyond now + size, the tokens are those of the queue

	mu    sync.Mutex
	queue []*waiter
}

type waiter struct {
	due   time.Duration // after start
	timer *time.Timer
}

// New makes a limiter with a full bucket.
func New(every time.Duration, burst int) (*Limiter, error) {
	if every <= 0 {
		return nil, fmt.Errorf("ratelimit: every is %v, and must be more than zero", every)
	}
	if burst <= 0 {
		return nil, fmt.Errorf("ratelimit: burst is %d, and must be more than zero", burst)
	}
	return &Limiter{every: every, size: time.Duration(burst) * every, burst: burst, start: time.Now()}, nil
}

// reserve takes n tokens, in advance if need be, and returns when they are there. It
// takes none if that is not within what the caller can wait for.
func (l *Limiter) reserve(n int, within func(delay time.Duration) bool) (due time.Duration, ok bool) {
	for {
		now, old := time.Since(l.start), l.full.Load()
		full := max(time.Duration(old), now) + time.Duration(n)*l.every
		due := full - l.size
		if !within(due - now) {
			return due, false
		}
		if l.full.CompareAndSwap(old, int64(full)) {
			return due, true
		}
	}
}

// Allow takes one token if there is one.
func (l *Limiter) Allow() bool { return l.AllowN(1) }

// AllowN takes n tokens or none.
func (l *Limiter) AllowN(n int) bool {
	if n <= 0 || n > l.burst {
		return n == 0
	}
	_, ok := l.reserve(n, func(delay time.Duration) bool { return delay <= 0 })
	return ok
}

// Wait takes the next token in advance, and waits until it is there.
func (l *Limiter) Wait(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w, err := l.join(ctx)
	if err != nil {
		return err
	}
	select {
	case <-w.timer.C:
		l.leave(w)
		return nil
	case <-ctx.Done():
		if l.leave(w) {
			return nil
		}
		return ctx.Err()
	}
}

// join reserves a token and puts a waiter into the queue. Under the lock, so that
// the queue has the order of the tokens.
func (l *Limiter) join(ctx context.Context) (*waiter, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	deadline, limited := ctx.Deadline()
	due, ok := l.reserve(1, func(delay time.Duration) bool {
		return !limited || !time.Now().Add(delay).After(deadline)
	})
	if !ok {
		return nil, fmt.Errorf("ratelimit: a token is %v away: %w", due-time.Since(l.start), context.DeadlineExceeded)
	}
	w := &waiter{due: due, timer: time.NewTimer(due - time.Since(l.start))}
	l.queue = append(l.queue, w)
	return w, nil
}

// leave takes a waiter out of the queue and reports whether its token had come. If
// not, it gives the token back, and everybody behind is due that much earlier. A
// token that has come is not given back: it might have overflowed by now.
func (l *Limiter) leave(w *waiter) (served bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	place := slices.Index(l.queue, w)
	l.queue = slices.Delete(l.queue, place, place+1)
	now := time.Since(l.start)
	if w.due <= now {
		return true
	}
	w.timer.Stop()
	l.full.Add(-int64(l.every))
	for _, behind := range l.queue[place:] {
		behind.due -= l.every
		behind.timer.Reset(behind.due - now)
	}
	return false
}

// Keyed is a Limiter for each key, in two generations. After each time idle, the
// young become the old, and the old are forgotten as a whole; who is asked for is
// young again. No key needs to be looked at for that.
type Keyed[K comparable] struct {
	every time.Duration
	burst int
	idle  time.Duration
	start time.Time

	mu         sync.Mutex
	generation time.Duration // how many times idle have passed since start
	young, old map[K]*Limiter
}

// NewKeyed makes a Keyed that knows no key yet.
func NewKeyed[K comparable](every time.Duration, burst int, idle time.Duration) (*Keyed[K], error) {
	limiter, err := New(every, burst)
	if err != nil {
		return nil, err
	}
	if idle < limiter.size {
		return nil, fmt.Errorf("ratelimit: idle is %v, and a bucket needs %v to fill", idle, limiter.size)
	}
	return &Keyed[K]{every: every, burst: burst, idle: idle, start: time.Now(), young: map[K]*Limiter{}}, nil
}

// Allow takes one token from the bucket of key.
func (k *Keyed[K]) Allow(key K) bool {
	limiter := k.find(key)
	return limiter.Allow() // the lock is not needed for that
}

func (k *Keyed[K]) find(key K) *Limiter {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.forget()
	limiter := k.young[key]
	if limiter == nil {
		limiter = k.old[key]
		delete(k.old, key)
	}
	if limiter == nil {
		limiter = &Limiter{every: k.every, size: time.Duration(k.burst) * k.every, burst: k.burst, start: time.Now()}
	}
	k.young[key] = limiter
	return limiter
}

// forget makes the generations as old as they are. The caller holds the lock.
func (k *Keyed[K]) forget() {
	generation := time.Since(k.start) / k.idle
	switch generation - k.generation {
	case 0:
		return
	case 1:
		k.old = k.young
	default:
		k.old = nil
	}
	k.young = map[K]*Limiter{}
	k.generation = generation
}

// Len counts both generations.
func (k *Keyed[K]) Len() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.forget()
	return len(k.young) + len(k.old)
}
