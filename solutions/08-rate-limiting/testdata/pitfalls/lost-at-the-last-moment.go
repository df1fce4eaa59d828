// want: assertion TestGivingUpCostsNothing

// The token comes, ctx ends, and Wait returns the error with the token in its pocket.
//
// Of two cases that are ready, select takes any. The token has been given to this Wait,
// its channel is closed, it is out of the queue; then select happens to look at ctx.
// The caller hears an error and does nothing, and the token is lost to all. It happens
// now and then, when time-outs and tokens come at the same rate, and no log tells. Look
// under the lock who came first. A token that is there is used, or given back.
package ratelimit

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// Limiter is a bucket of tokens.
type Limiter struct {
	every time.Duration
	size  time.Duration // burst times every
	burst int

	mu    sync.Mutex
	full  time.Time       // when the bucket will be full
	queue []chan struct{} // closed to give a Wait its token
	alarm *time.Timer     // calls ring when the first in the queue is due
}

// New makes a limiter with a full bucket.
func New(every time.Duration, burst int) (*Limiter, error) {
	if every <= 0 || burst <= 0 {
		return nil, fmt.Errorf("ratelimit: %d tokens, one every %v: both must be more than zero", burst, every)
	}
	return &Limiter{every: every, size: time.Duration(burst) * every, burst: burst}, nil
}

// update gives the tokens that have come to those who wait, or lets them overflow.
func (l *Limiter) update(now time.Time) {
	for len(l.queue) > 0 && l.delay(now, 1) <= 0 {
		l.full = l.full.Add(l.every)
		close(l.queue[0])
		l.queue = l.queue[1:]
	}
	if len(l.queue) == 0 && l.full.Before(now) {
		l.full = now
	}
}

// delay returns how long it takes until the bucket holds n tokens.
func (l *Limiter) delay(now time.Time, n int) time.Duration {
	return l.full.Sub(now) + time.Duration(n)*l.every - l.size
}

// Allow takes one token if there is one.
func (l *Limiter) Allow() bool { return l.AllowN(1) }

// AllowN takes n tokens or none.
func (l *Limiter) AllowN(n int) bool {
	if n <= 0 || n > l.burst {
		return n == 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.update(now)
	if l.delay(now, n) > 0 {
		return false
	}
	l.full = l.full.Add(time.Duration(n) * l.every)
	return true
}

// Wait takes a token, and waits for it.
func (l *Limiter) Wait(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if l.Allow() {
		return nil
	}
	turn, err := l.enqueue(ctx)
	if err != nil {
		return err
	}
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
		return l.leave(ctx, turn)
	}
}

// enqueue puts a Wait at the end of the queue.
func (l *Limiter) enqueue(ctx context.Context) (chan struct{}, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.update(now)
	delay := l.delay(now, len(l.queue)+1)
	if deadline, ok := ctx.Deadline(); ok && now.Add(delay).After(deadline) {
		return nil, fmt.Errorf("ratelimit: a token would come in %v: %w", delay, context.DeadlineExceeded)
	}
	turn := make(chan struct{})
	l.queue = append(l.queue, turn)
	if len(l.queue) == 1 {
		l.alarm = time.AfterFunc(delay, l.ring)
	}
	return turn, nil
}

// ring is called when the first in the queue is due.
func (l *Limiter) ring() {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.update(now)
	if len(l.queue) > 0 {
		l.alarm.Reset(l.delay(now, 1))
	}
}

// leave takes a Wait whose ctx has ended out of the queue.
func (l *Limiter) leave(ctx context.Context, turn chan struct{}) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queue = slices.DeleteFunc(l.queue, func(other chan struct{}) bool { return other == turn })
	if len(l.queue) == 0 {
		l.alarm.Stop()
	}
	return ctx.Err()
}

// Keyed is a Limiter for each key.
type Keyed[K comparable] struct {
	every time.Duration
	burst int
	idle  time.Duration

	mu    sync.Mutex
	known map[K]*entry
	swept time.Time
}

type entry struct {
	limiter *Limiter
	asked   time.Time
}

// NewKeyed makes a Keyed that remembers no key yet.
func NewKeyed[K comparable](every time.Duration, burst int, idle time.Duration) (*Keyed[K], error) {
	if _, err := New(every, burst); err != nil {
		return nil, err
	}
	if idle < time.Duration(burst)*every {
		return nil, fmt.Errorf("ratelimit: idle is %v: a key would gain by being forgotten", idle)
	}
	return &Keyed[K]{every: every, burst: burst, idle: idle, known: map[K]*entry{}}, nil
}

// Allow takes one token from the bucket of key.
func (k *Keyed[K]) Allow(key K) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	if now.Sub(k.swept) >= k.idle {
		k.sweep(now)
	}
	e, ok := k.known[key]
	if !ok {
		limiter, _ := New(k.every, k.burst) // NewKeyed has made sure that this works
		e = &entry{limiter: limiter}
		k.known[key] = e
	}
	e.asked = now
	return e.limiter.Allow()
}

// sweep forgets the keys that are idle.
func (k *Keyed[K]) sweep(now time.Time) {
	maps.DeleteFunc(k.known, func(_ K, e *entry) bool { return now.Sub(e.asked) >= k.idle })
	k.swept = now
}

// Len counts the keys that are not idle.
func (k *Keyed[K]) Len() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.sweep(time.Now())
	return len(k.known)
}
