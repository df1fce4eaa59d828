// Package ratelimit is the reference for the eighth lesson: no more than so many
// in so long, however many goroutines ask.
//
// It counts no tokens. A bucket is one point in time, at which it will be full
// again: taking a token moves that point on by the time that a token needs, and
// the clock does the rest. So nothing has to run in order to fill it, nothing is
// rounded, and there is no lid to forget, since a bucket cannot be fuller than
// full.
//
// Contexts passed in are not nil. Where ctx's error is returned, that is
// ctx.Err() or context.Cause(ctx). And no product of a time and a number of
// tokens is larger than a time.Duration can hold, which is 292 years.
package ratelimit

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// Limiter is a bucket of tokens. It starts full. Every so often one token drips
// in, as long as there is room for it; what does not fit is lost. Who wants to go
// ahead takes one out, and who finds none does not go ahead.
//
// Time counts in full: half of the time is half a token, and no call to any
// method, whatever comes of it, takes such a fraction away. A token is there at
// the moment at which it is complete; the few nanoseconds that rounding may cost
// do not matter. While somebody waits, nothing is lost because a timer rings late:
// a token counts from when it was complete, and not from when it was handed over.
//
// Make a Limiter with New: the zero Limiter is of no use. All its methods may be
// called from any goroutine. There is no Close, for there is nothing to stop: a
// Limiter that nobody uses does nothing, and can be left to the garbage
// collector.
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
// each time every. So in any stretch of time T it lets through no more than
// burst + T/every, no matter where the stretch begins; with a burst of 1, no two
// are closer together than every.
//
// With every zero or less, or burst zero or less, there is no such limit, and
// New returns an error and no limiter. It starts no goroutine.
func New(every time.Duration, burst int) (*Limiter, error) {
	if every <= 0 || burst <= 0 {
		return nil, fmt.Errorf("ratelimit: %d tokens, one every %v: both must be more than zero", burst, every)
	}
	// The zero time is long past, so the bucket is full.
	return &Limiter{every: every, size: time.Duration(burst) * every, burst: burst}, nil
}

// update does what has happened since the last time: those who wait get the tokens
// that have come, and when nobody waits, the bucket overflows. The caller holds the
// lock.
func (l *Limiter) update(now time.Time) {
	for len(l.queue) > 0 && l.delay(now, 1) <= 0 {
		// The token counts from when it came, and not from now. An alarm rings late,
		// and those behind must not lose what drips in meanwhile.
		l.full = l.full.Add(l.every)
		close(l.queue[0])
		l.queue = l.queue[1:]
	}
	if len(l.queue) == 0 && l.full.Before(now) {
		l.full = now // since when does not matter: fuller than full it is not
	}
}

// delay returns how long it takes, from now on, until the bucket holds n tokens.
// If it holds them now, that is zero or less. The caller holds the lock.
func (l *Limiter) delay(now time.Time, n int) time.Duration {
	return l.full.Sub(now) + time.Duration(n)*l.every - l.size
}

// Allow takes one token if there is one, and reports whether it did. It is
// AllowN(1).
func (l *Limiter) Allow() bool {
	return l.AllowN(1)
}

// AllowN takes n tokens if there are n, and reports whether it did. It takes all
// n or none, and it never waits.
//
// An n of zero is always granted, and takes nothing. A negative n, and an n
// above burst, which no bucket ever holds, are never granted.
//
// AllowN does not push in. While a Wait waits, every token that drips in belongs
// to those who wait, and so AllowN grants nothing (but an n of zero).
func (l *Limiter) AllowN(n int) bool {
	if n <= 0 || n > l.burst {
		return n == 0
	}
	// Looking and taking are one step. Between two, somebody else would see the
	// same token.
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.take(time.Now(), n)
}

// take takes n tokens if there are n, and reports whether it did. The caller holds
// the lock.
func (l *Limiter) take(now time.Time, n int) bool {
	l.update(now) // those who wait come first; if any are left, nothing is left for us
	if l.delay(now, n) > 0 {
		return false
	}
	l.full = l.full.Add(time.Duration(n) * l.every)
	return true
}

// Wait takes one token, and waits for it if there is none. It returns nil at the
// moment at which it has its token. When it returns, nothing of it is left running.
//
// Those who wait are served in the order in which they came. Nobody else is
// held up by them: other calls return as they would without them, apart from the
// tokens that they do not get.
//
// A Wait that returns an error has taken nothing, and leaves everything as if it
// had never been called: those behind it move up, and get their tokens earlier.
// There are three such cases.
//
//   - ctx had ended before the call: Wait returns ctx's error, even if there is a
//     token.
//   - ctx ends during the wait: Wait returns ctx's error at that moment. If a
//     token comes at the same moment, one of the two wins, no matter which.
//   - ctx has a deadline, and the token would come after it, as things stand when
//     Wait is called, with so many waiting already: Wait returns at once, without
//     waiting in vain, an error for which errors.Is(err, context.DeadlineExceeded)
//     is true.
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
// closed when the Wait has its token. With an error it is not in the queue.
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

// ring is called when the first in the queue is due. It runs only while somebody
// waits, and then for a moment: nothing has to be stopped.
func (l *Limiter) ring() {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.update(now)
	if len(l.queue) > 0 {
		l.alarm.Reset(l.delay(now, 1))
	}
}

// leave takes a Wait whose ctx has ended out of the queue, and returns what the
// Wait is to return. No token has been put aside for it, so there is none to give
// back, and the others move up by this alone. Not even the alarm has to change: it
// is set for the next token, whoever will get that.
func (l *Limiter) leave(ctx context.Context, turn chan struct{}) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	place := slices.Index(l.queue, turn)
	if place < 0 {
		return nil // served at the last moment: the token is taken, and must not go to waste
	}
	l.queue = slices.Delete(l.queue, place, place+1)
	if len(l.queue) == 0 {
		l.alarm.Stop()
	}
	return ctx.Err()
}

// Keyed is a Limiter for each key: for each user, each address, each customer.
// Make one with NewKeyed: the zero Keyed is of no use. All its methods may be
// called from any goroutine. There is no Close here either.
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

// NewKeyed makes a set of limiters, each of them as New(every, burst) makes it,
// and each for one key. A key that has not been asked for yet has a full bucket.
//
// Keys come and go, so those that are idle are forgotten. A key is remembered as
// long as the last Allow for it, granted or not, is less than idle ago. Once that
// is twice idle ago or more, the next Allow, for whichever key, forgets it, and so
// does the next Len; in between, it may be one or the other. No part of a key that
// is forgotten stays in memory. All this is done by those calls, on their way: no
// goroutine is started.
//
// A key that is forgotten has a full bucket when it comes back. Nobody may gain
// by that, so idle must be at least the time in which an empty bucket fills,
// which is burst times every. With a smaller idle, and where New returns an
// error, NewKeyed returns an error and no Keyed.
func NewKeyed[K comparable](every time.Duration, burst int, idle time.Duration) (*Keyed[K], error) {
	if _, err := New(every, burst); err != nil {
		return nil, err
	}
	if fills := time.Duration(burst) * every; idle < fills {
		return nil, fmt.Errorf("ratelimit: a key forgotten after %v would gain by it: its bucket fills in %v", idle, fills)
	}
	return &Keyed[K]{every: every, burst: burst, idle: idle, known: map[K]*entry{}}, nil
}

// Allow takes one token from the bucket of key if there is one, and reports
// whether it did. What other keys do makes no difference.
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
	return e.limiter.take(now, 1) // nobody else has this limiter, so k's lock is its lock too
}

// sweep forgets the keys that are idle. The caller holds the lock.
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
