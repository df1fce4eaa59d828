// want: leak TestNewRefusesNonsense

// A goroutine fills the bucket, one token at each tick.
//
// A channel with a buffer is a bucket, a ticker is a tap, and Wait is a receive: it
// takes ten lines. But the goroutine runs for as long as the program
// does, used or not, and its limiter can never be collected. With a limiter for each
// key, that makes a goroutine and a timer for everybody who has ever come by. A Close
// would help those who remember to call it. It is not needed: work out what has
// dripped in when somebody asks.
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
	burst  int
	mu     sync.Mutex // so that AllowN takes all or nothing
	bucket chan struct{}
}

// New makes a limiter with a full bucket.
func New(every time.Duration, burst int) (*Limiter, error) {
	if every <= 0 || burst <= 0 {
		return nil, fmt.Errorf("ratelimit: %d tokens, one every %v: both must be more than zero", burst, every)
	}
	l := &Limiter{burst: burst, bucket: make(chan struct{}, burst)}
	for range burst {
		l.bucket <- struct{}{}
	}
	go l.fill(every)
	return l, nil
}

// fill puts a token into the bucket at each tick, if there is room for it.
func (l *Limiter) fill(every time.Duration) {
	for range time.Tick(every) {
		l.putBack(1)
	}
}

// putBack puts n tokens into the bucket, as far as there is room for them.
func (l *Limiter) putBack(n int) {
	for range n {
		select {
		case l.bucket <- struct{}{}:
		default:
		}
	}
}

// Allow takes one token if there is one.
func (l *Limiter) Allow() bool { return l.AllowN(1) }

// AllowN takes n tokens or none.
func (l *Limiter) AllowN(n int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n <= 0 || n > l.burst {
		return n == 0
	}
	for taken := range n {
		select {
		case <-l.bucket:
		default:
			l.putBack(taken)
			return false
		}
	}
	return true
}

// Wait takes a token, and waits for it.
func (l *Limiter) Wait(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-l.bucket:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
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
