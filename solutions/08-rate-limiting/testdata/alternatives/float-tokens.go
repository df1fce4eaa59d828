// Counted tokens, with a fraction, and a Cond for those who wait.
//
// This is the bucket as one draws it: so many tokens, and when that was true. It
// is read at a glance, and can do what the reference cannot do so well, such as
// changing the rate while it runs. The price is floating point. A third of a token
// is never exactly that, so what is compared are times, where such errors are less
// than a nanosecond. A Cond knows nothing of ctx, so an AfterFunc has to wake those
// who wait, and it wakes all of them each time: with a long queue, the reference
// does less work.
package ratelimit

import (
	"container/list"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Limiter is a bucket of tokens.
type Limiter struct {
	every time.Duration
	burst int

	mu      sync.Mutex // guards all below
	tokens  float64    // in the bucket when it was last looked at
	last    time.Time  // when that was
	queue   []int      // the numbers of those who wait
	numbers int        // how many numbers have been given out
	changed sync.Cond  // a token is due, somebody has left the queue, or some ctx has ended
}

// New makes a limiter with a full bucket.
func New(every time.Duration, burst int) (*Limiter, error) {
	if every <= 0 || burst < 1 {
		return nil, fmt.Errorf("ratelimit: every is %v and burst is %d: both must be more than zero", every, burst)
	}
	l := &Limiter{every: every, burst: burst, tokens: float64(burst), last: time.Now()}
	l.changed.L = &l.mu
	return l, nil
}

// fill adds what has dripped in since the last time. For each of those who wait, one
// token fits in beyond burst, so that none is lost to them if they wake up late. The
// caller holds the lock.
func (l *Limiter) fill() {
	now := time.Now()
	dripped := float64(now.Sub(l.last)) / float64(l.every)
	l.tokens = min(l.tokens+dripped, float64(max(l.burst, len(l.queue))))
	l.last = now
}

// missing returns how long it takes until the bucket holds n tokens. What is less
// than a nanosecond is nothing. The caller holds the lock.
func (l *Limiter) missing(n int) time.Duration {
	l.fill()
	return time.Duration((float64(n) - l.tokens) * float64(l.every))
}

// Allow takes one token if there is one.
func (l *Limiter) Allow() bool { return l.AllowN(1) }

// AllowN takes n tokens or none.
func (l *Limiter) AllowN(n int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case n <= 0 || n > l.burst:
		return n == 0
	case len(l.queue) > 0 || l.missing(n) > 0:
		return false
	}
	l.tokens -= float64(n)
	return true
}

// Wait takes the next token that nobody before it waits for.
func (l *Limiter) Wait(ctx context.Context) error {
	// The lock makes sure that the wake-up does not fall between a look at the clock
	// or at ctx and the Wait after it.
	wake := func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.changed.Broadcast()
	}
	defer context.AfterFunc(ctx, wake)()

	l.mu.Lock()
	defer l.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	deadline, ok := ctx.Deadline()
	if delay := l.missing(len(l.queue) + 1); ok && time.Now().Add(delay).After(deadline) {
		return fmt.Errorf("ratelimit: no token for %v: %w", delay, context.DeadlineExceeded)
	}

	l.numbers++
	me := l.numbers
	l.queue = append(l.queue, me)
	defer func() {
		place := slices.Index(l.queue, me)
		l.queue = slices.Delete(l.queue, place, place+1)
		l.changed.Broadcast()
	}()
	alarm := time.AfterFunc(time.Hour, wake) // set by whoever is first
	defer alarm.Stop()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if l.queue[0] == me {
			delay := l.missing(1)
			if delay <= 0 {
				l.tokens--
				return nil
			}
			alarm.Reset(delay)
		}
		l.changed.Wait()
	}
}

// Keyed is a Limiter for each key. Its list is in the order in which the keys were
// last asked for, so the idle ones are all at the front, and forgetting costs as
// much as there is to forget.
type Keyed[K comparable] struct {
	every time.Duration
	burst int
	idle  time.Duration

	mu    sync.Mutex
	known map[K]*list.Element
	order *list.List // of *entry[K]
}

type entry[K comparable] struct {
	key     K
	limiter *Limiter
	asked   time.Time
}

// NewKeyed makes a Keyed that knows no key yet.
func NewKeyed[K comparable](every time.Duration, burst int, idle time.Duration) (*Keyed[K], error) {
	if _, err := New(every, burst); err != nil {
		return nil, err
	}
	if idle < time.Duration(burst)*every {
		return nil, fmt.Errorf("ratelimit: idle is %v, which is less than a bucket needs to fill", idle)
	}
	return &Keyed[K]{every: every, burst: burst, idle: idle, known: map[K]*list.Element{}, order: list.New()}, nil
}

// Allow takes one token from the bucket of key.
func (k *Keyed[K]) Allow(key K) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.forget()
	element := k.known[key]
	if element == nil {
		limiter, err := New(k.every, k.burst)
		if err != nil {
			panic(err) // NewKeyed has tried it
		}
		element = k.order.PushBack(&entry[K]{key: key, limiter: limiter})
		k.known[key] = element
	}
	k.order.MoveToBack(element)
	e := element.Value.(*entry[K])
	e.asked = time.Now()
	return e.limiter.Allow()
}

// forget drops the idle. The caller holds the lock.
func (k *Keyed[K]) forget() {
	for front := k.order.Front(); front != nil; front = k.order.Front() {
		e := front.Value.(*entry[K])
		if time.Since(e.asked) < k.idle {
			return
		}
		k.order.Remove(front)
		delete(k.known, e.key)
	}
}

// Len counts the keys that are not idle.
func (k *Keyed[K]) Len() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.forget()
	return len(k.known)
}
