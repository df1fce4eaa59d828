// want: assertion TestGivingUpCostsNothing

// A Wait that gives up leaves a gap, and nobody moves up.
//
// It gives its token back, so the next one who comes gets it. But those who were already
// waiting behind it have set their timers, to the times that held when they came, and
// nobody sets them anew. The token comes, and nobody wakes up for it. And who comes next
// is due at the same moment as the last one in the queue: two at once. Give everybody
// behind a new time when somebody leaves, or let only the first in the queue have one.
package ratelimit

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"
)

// Limiter is a bucket of tokens.
type Limiter struct {
	every time.Duration
	size  time.Duration // burst times every
	burst int

	mu   sync.Mutex
	full time.Time // when the bucket will be full; further ahead than size: somebody waits
}

// New makes a limiter with a full bucket.
func New(every time.Duration, burst int) (*Limiter, error) {
	if every <= 0 || burst <= 0 {
		return nil, fmt.Errorf("ratelimit: %d tokens, one every %v: both must be more than zero", burst, every)
	}
	return &Limiter{every: every, size: time.Duration(burst) * every, burst: burst}, nil
}

// update lets the bucket overflow.
func (l *Limiter) update(now time.Time) {
	if l.full.Before(now) {
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

// Wait takes the next token in advance, and waits until it is there.
func (l *Limiter) Wait(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	delay, err := l.reserve(ctx)
	if err != nil {
		return err
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		l.giveBack()
		return ctx.Err()
	}
}

// reserve takes the next token that nobody has taken, and returns when it is there.
func (l *Limiter) reserve(ctx context.Context) (time.Duration, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.update(now)
	delay := l.delay(now, 1)
	if deadline, ok := ctx.Deadline(); ok && now.Add(delay).After(deadline) {
		return 0, fmt.Errorf("ratelimit: a token would come in %v: %w", delay, context.DeadlineExceeded)
	}
	l.full = l.full.Add(l.every)
	return delay, nil
}

// giveBack puts a token back that was taken in advance.
func (l *Limiter) giveBack() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.full = l.full.Add(-l.every)
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
