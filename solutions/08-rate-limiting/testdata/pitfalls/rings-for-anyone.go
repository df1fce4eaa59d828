// want: assertion TestGivingUpCostsNothing

// The alarm rings, so the first in the queue gets a token.
//
// It was set for somebody who has left since. The next one to come finds an empty
// queue and sets another alarm, and now two are ringing for one token. An alarm says
// that it is time to look, and not what will be found. Look again, under the lock,
// when you wake up.
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
	every time.Duration // for one token
	size  time.Duration // for all that the bucket holds: burst times every
	burst int

	mu    sync.Mutex
	full  time.Time       // when the bucket will be full if nobody takes anything
	queue []chan struct{} // one for each Wait that waits, in their order; closed to give it its token
	alarm *time.Timer     // calls ring when the first in the queue is due
}

// New makes a limiter whose bucket holds burst tokens, and gets a new one after
// each time every.
func New(every time.Duration, burst int) (*Limiter, error) {
	if every <= 0 || burst <= 0 {
		return nil, fmt.Errorf("ratelimit: %d tokens, one every %v: both must be more than zero", burst, every)
	}
	// The zero time is long past, so the bucket is full.
	return &Limiter{every: every, size: time.Duration(burst) * every, burst: burst}, nil
}

// update does what has happened since the last time: those who wait get the tokens
// that have come, and when nobody waits, the bucket overflows.
func (l *Limiter) update(now time.Time) {
	if len(l.queue) == 0 && l.full.Before(now) {
		l.full = now // since when does not matter: fuller than full it is not
	}
}

// delay returns how long it takes, from now on, until the bucket holds n tokens.
func (l *Limiter) delay(now time.Time, n int) time.Duration {
	return l.full.Sub(now) + time.Duration(n)*l.every - l.size
}

// Allow takes one token if there is one, and reports whether it did.
func (l *Limiter) Allow() bool {
	return l.AllowN(1)
}

// AllowN takes n tokens if there are n, and reports whether it did.
func (l *Limiter) AllowN(n int) bool {
	if n <= 0 || n > l.burst {
		return n == 0
	}
	// Looking and taking are one step. Between two, somebody else would see the
	// same token.
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.update(now)
	if len(l.queue) > 0 || l.delay(now, n) > 0 {
		return false
	}
	l.full = l.full.Add(time.Duration(n) * l.every)
	return true
}

// Wait takes one token, and waits for it if there is none.
func (l *Limiter) Wait(ctx context.Context) error {
	// Nothing below would notice if there is a token.
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
	// The lock is free again, so who waits here keeps nobody from anything.
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
		return l.leave(ctx, turn)
	}
}

// enqueue puts a Wait at the end of the queue, and returns the channel that is
// closed when the Wait has its token.
func (l *Limiter) enqueue(ctx context.Context) (chan struct{}, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.update(now)
	// Those in front may leave, and nobody can push in: it will not take longer.
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
	if len(l.queue) > 0 { // the alarm was set for when its token is due
		l.full = l.full.Add(l.every)
		close(l.queue[0])
		l.queue = l.queue[1:]
	}
	if len(l.queue) > 0 {
		l.alarm.Reset(l.delay(now, 1))
	}
}

// leave takes a Wait whose ctx has ended out of the queue, and returns what the
// Wait is to return.
func (l *Limiter) leave(ctx context.Context, turn chan struct{}) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	place := slices.Index(l.queue, turn)
	if place < 0 {
		return nil // served at the last moment: the token is taken, and must not go to waste
	}
	l.queue = slices.Delete(l.queue, place, place+1)
	return ctx.Err()
}

// Keyed is a Limiter for each key: for each user, each address, each customer.
type Keyed[K comparable] struct {
	every time.Duration
	burst int
	idle  time.Duration

	mu    sync.Mutex
	known map[K]*entry
	swept time.Time // when known was last searched for the idle
}

// entry is what is known of a key.
type entry struct {
	limiter *Limiter
	asked   time.Time // when the last Allow was
}

// NewKeyed makes a set of limiters, each of them as New(every, burst) makes it, and
// each for one key.
func NewKeyed[K comparable](every time.Duration, burst int, idle time.Duration) (*Keyed[K], error) {
	if _, err := New(every, burst); err != nil {
		return nil, err
	}
	if fills := time.Duration(burst) * every; idle < fills {
		return nil, fmt.Errorf("ratelimit: a key forgotten after %v would gain by it: its bucket fills in %v", idle, fills)
	}
	return &Keyed[K]{every: every, burst: burst, idle: idle, known: map[K]*entry{}}, nil
}

// Allow takes one token from the bucket of key if there is one, and reports whether
// it did.
func (k *Keyed[K]) Allow(key K) bool {
	// One lock for everything. If it were given up after the look into the map, two
	// goroutines could make a bucket each for the same new key, or one could take
	// from a bucket that another is just forgetting.
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	// To search the map at every call would make each call as slow as the map is
	// large. Once in idle, the cost is spread over all calls in between, and nobody
	// stays for longer than twice idle.
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

// Len returns how many keys are remembered, after forgetting those that have been
// idle for long enough.
func (k *Keyed[K]) Len() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.sweep(time.Now())
	return len(k.known)
}
