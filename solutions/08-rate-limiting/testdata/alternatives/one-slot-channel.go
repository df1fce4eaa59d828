// All state in a channel with one slot, and a queue in which the first one watches the clock.
//
// Whoever takes the state out of the channel is its only owner until it is put
// back. So there is no lock that somebody could forget, and no field that can be
// touched without it. The Wait that is first sleeps until the next token is due;
// when it goes, with or without the token, it wakes the one behind it. That needs
// no timer but its own. A channel costs two to three times as much as a mutex, and
// a panic with the state in hand leaves everybody waiting, where a deferred Unlock
// would not.
package ratelimit

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Limiter is a bucket of tokens.
type Limiter struct {
	every time.Duration
	burst int
	state chan state
}

// state is what changes.
type state struct {
	full  time.Time       // when the bucket will be full
	queue []chan struct{} // those who wait; each is closed when it has become the first
}

// New makes a limiter with a full bucket.
func New(every time.Duration, burst int) (*Limiter, error) {
	if every <= 0 || burst <= 0 {
		return nil, fmt.Errorf("ratelimit: bad limit: every %v, burst %d", every, burst)
	}
	l := &Limiter{every: every, burst: burst, state: make(chan state, 1)}
	l.state <- state{}
	return l, nil
}

// after returns the bucket's state after n tokens have been taken, and how long it
// takes until that can be done.
func (l *Limiter) after(s state, n int) (full time.Time, delay time.Duration) {
	now := time.Now()
	// For each of those who wait, one token fits in beyond burst, so that none is lost
	// to them if they wake up late.
	late := time.Duration(max(len(s.queue)-l.burst, 0)) * l.every
	full = s.full
	if fullest := now.Add(-late); full.Before(fullest) {
		full = fullest
	}
	full = full.Add(time.Duration(n) * l.every)
	return full, full.Sub(now) - time.Duration(l.burst)*l.every
}

// Allow takes one token if there is one.
func (l *Limiter) Allow() bool { return l.AllowN(1) }

// AllowN takes n tokens or none.
func (l *Limiter) AllowN(n int) bool {
	if n <= 0 || n > l.burst {
		return n == 0
	}
	s := <-l.state
	full, delay := l.after(s, n)
	ok := len(s.queue) == 0 && delay <= 0
	if ok {
		s.full = full
	}
	l.state <- s
	return ok
}

// Wait takes the next token that nobody before it waits for.
func (l *Limiter) Wait(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	first, err := l.join(ctx)
	if err != nil {
		return err
	}
	select {
	case <-first:
	case <-ctx.Done():
		l.leave(first, 0)
		return ctx.Err()
	}

	s := <-l.state
	_, delay := l.after(s, 1)
	l.state <- s
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		l.leave(first, 1)
		return nil
	case <-ctx.Done():
		l.leave(first, 0)
		return ctx.Err()
	}
}

// join puts a Wait into the queue.
func (l *Limiter) join(ctx context.Context) (first chan struct{}, err error) {
	s := <-l.state
	_, delay := l.after(s, len(s.queue)+1)
	if deadline, ok := ctx.Deadline(); ok && time.Now().Add(delay).After(deadline) {
		l.state <- s
		return nil, fmt.Errorf("ratelimit: %w: no token within %v", context.DeadlineExceeded, delay)
	}
	first = make(chan struct{})
	s.queue = append(s.queue, first)
	if len(s.queue) == 1 {
		close(first)
	}
	l.state <- s
	return first, nil
}

// leave takes a Wait out of the queue, and n tokens out of the bucket.
func (l *Limiter) leave(me chan struct{}, n int) {
	s := <-l.state
	if n > 0 {
		s.full, _ = l.after(s, n)
	}
	place := slices.Index(s.queue, me)
	s.queue = slices.Delete(s.queue, place, place+1)
	if place == 0 && len(s.queue) > 0 {
		close(s.queue[0])
	}
	l.state <- s
}

// Keyed is a Limiter for each key, with its state in a slot too.
type Keyed[K comparable] struct {
	every time.Duration
	burst int
	idle  time.Duration
	known chan map[K]*entry
}

type entry struct {
	*Limiter
	asked time.Time
}

// NewKeyed makes a Keyed that knows no key yet.
func NewKeyed[K comparable](every time.Duration, burst int, idle time.Duration) (*Keyed[K], error) {
	if _, err := New(every, burst); err != nil {
		return nil, err
	}
	if idle < time.Duration(burst)*every {
		return nil, fmt.Errorf("ratelimit: idle is %v: a key would gain by being forgotten", idle)
	}
	k := &Keyed[K]{every: every, burst: burst, idle: idle, known: make(chan map[K]*entry, 1)}
	k.known <- map[K]*entry{}
	return k, nil
}

// Allow takes one token from the bucket of key.
func (k *Keyed[K]) Allow(key K) bool {
	known := k.take()
	defer func() { k.known <- known }()
	e := known[key]
	if e == nil {
		limiter, _ := New(k.every, k.burst) // NewKeyed has tried it
		e = &entry{Limiter: limiter}
		known[key] = e
	}
	e.asked = time.Now()
	return e.Allow()
}

// take takes the map out of its slot and the idle keys out of the map: all of them,
// each time, which will do for some thousands.
func (k *Keyed[K]) take() map[K]*entry {
	known := <-k.known
	now := time.Now()
	for key, e := range known {
		if now.Sub(e.asked) >= k.idle {
			delete(known, key)
		}
	}
	return known
}

// Len counts the keys that are not idle.
func (k *Keyed[K]) Len() int {
	known := k.take()
	defer func() { k.known <- known }()
	return len(known)
}
