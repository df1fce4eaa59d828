// Package ratelimit is the eighth lesson: no more than so many in so long,
// however many goroutines ask. Replace each TODO with code, one step at a time,
// and give the two types the fields they need.
//
// Contexts passed in are not nil. Where ctx's error is returned, that is
// ctx.Err() or context.Cause(ctx). And no product of a time and a number of
// tokens is larger than a time.Duration can hold, which is 292 years.
package ratelimit

import (
	"context"
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
	// your fields here
}

// New makes a limiter whose bucket holds burst tokens, and gets a new one after
// each time every. So in any stretch of time T it lets through no more than
// burst + T/every, no matter where the stretch begins; with a burst of 1, no two
// are closer together than every.
//
// With every zero or less, or burst zero or less, there is no such limit, and
// New returns an error and no limiter. It starts no goroutine.
func New(every time.Duration, burst int) (*Limiter, error) {
	panic("TODO(1): refuse what makes no sense; otherwise return a limiter with a full bucket")
}

// Allow takes one token if there is one, and reports whether it did. It is
// AllowN(1).
func (l *Limiter) Allow() bool {
	panic("TODO(1): look how much time has passed since the last token was taken")
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
	panic("TODO(2): work out what has dripped in since the last call, and take n, or nothing")
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
	panic("TODO(3): take the next token that nobody else waits for, at the time at which it comes")
}

// Keyed is a Limiter for each key: for each user, each address, each customer.
// Make one with NewKeyed: the zero Keyed is of no use. All its methods may be
// called from any goroutine. There is no Close here either.
type Keyed[K comparable] struct {
	// your fields here
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
	panic("TODO(5): refuse what makes no sense; otherwise return a Keyed that remembers no key yet")
}

// Allow takes one token from the bucket of key if there is one, and reports
// whether it did. What other keys do makes no difference.
func (k *Keyed[K]) Allow(key K) bool {
	panic("TODO(5): find the bucket of the key, or make it, and take a token from it; forget who has long been idle")
}

// Len returns how many keys are remembered, after forgetting those that have been
// idle for long enough.
func (k *Keyed[K]) Len() int {
	panic("TODO(5): forget who has long been idle, and count the others")
}
