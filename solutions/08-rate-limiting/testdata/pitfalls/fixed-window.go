// want: assertion TestNoWindowHoldsMore

// Grants are counted in windows, one after the other.
//
// So many in each minute: a counter, and a time at which it goes back to zero. It is
// the limiter that everybody writes first, and each window by itself is right. But
// nobody else cuts time where you do. All that is allowed can come in the last second
// of one window, and again in the first second of the next: twice the burst in two
// seconds. Let tokens drip in one by one; then it makes no difference where a window
// begins.
package ratelimit

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// Limiter grants burst tokens in each window.
type Limiter struct {
	every  time.Duration
	window time.Duration
	burst  int

	mu      sync.Mutex
	opened  time.Time // when the current window began
	granted int       // in the current window
	queue   []chan struct{}
	alarm   *time.Timer
}

// New makes a limiter that grants burst tokens in the time that burst tokens take.
func New(every time.Duration, burst int) (*Limiter, error) {
	if every <= 0 || burst <= 0 {
		return nil, fmt.Errorf("ratelimit: %d tokens, one every %v: both must be more than zero", burst, every)
	}
	return &Limiter{every: every, window: time.Duration(burst) * every, burst: burst}, nil
}

// update begins a new window if the old one is over, and serves those who wait.
func (l *Limiter) update(now time.Time) {
	if now.Sub(l.opened) >= l.window {
		l.opened, l.granted = now, 0
	}
	for len(l.queue) > 0 && l.granted < l.burst {
		l.granted++
		close(l.queue[0])
		l.queue = l.queue[1:]
	}
}

// delay returns how long it takes until n more can be granted.
func (l *Limiter) delay(now time.Time, n int) time.Duration {
	if l.granted+n <= l.burst {
		return 0
	}
	return l.opened.Add(l.window).Sub(now)
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
	l.granted += n
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
	place := slices.Index(l.queue, turn)
	if place < 0 {
		return nil // served at the last moment
	}
	l.queue = slices.Delete(l.queue, place, place+1)
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
