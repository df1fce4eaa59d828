// Everybody waits with the function in hand.
//
// Only what was posted lies in a list, since Post may not wait. All others may: a
// source's reader, a timer, the one who did some work. Each has a goroutine, and offers
// its function on one unbuffered channel, until the loop takes it or there is no point
// in it any more. So there is nothing to take back: a timer that is cancelled withdraws
// its offer. The select in Run shows the whole pattern at a glance. The price is a
// goroutine for each timer, which is 2 kB and more, and that an event is taken from its
// source before the loop has time for it.
package eventloop

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

var (
	// ErrStopped means that the loop has been stopped, or has ended.
	ErrStopped = errors.New("eventloop: stopped")

	// ErrStarted means that Run had been called before.
	ErrStarted = errors.New("eventloop: Run was called before")
)

// PanicError says that a handler panicked, or the work of an Await.
type PanicError struct {
	Value any    // what it panicked with
	Stack []byte // where it did so
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("eventloop: panicked: %v", e.Value)
}

// Unwrap returns Value if that is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// Loop runs functions one after another.
type Loop struct {
	onPanic func(*PanicError)
	posted  chan struct{} // holds a token if there may be something in the inbox
	offers  chan func()   // unbuffered
	stop    chan struct{} // closed by Stop
	ended   chan struct{} // closed when nothing is run any more
	ctx     context.Context
	started atomic.Bool

	mu      sync.Mutex
	stopped bool
	inbox   []func()

	helpers sync.WaitGroup
	helping int // touched by the loop only
}

// New makes a loop.
func New(onPanic func(*PanicError)) *Loop {
	mustNot(onPanic == nil, "New with a nil function")
	return &Loop{
		onPanic: onPanic,
		posted:  make(chan struct{}, 1),
		offers:  make(chan func()),
		stop:    make(chan struct{}),
		ended:   make(chan struct{}),
	}
}

// Post has f run by the loop.
func (l *Loop) Post(f func()) error {
	mustNot(f == nil, "Post with a nil function")
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped {
		return ErrStopped
	}
	l.inbox = append(l.inbox, f)
	select {
	case l.posted <- struct{}{}:
	default:
	}
	return nil
}

// Stop asks the loop to come to its end.
func (l *Loop) Stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.stopped {
		l.stopped = true
		close(l.stop)
	}
}

// all takes all out of the inbox.
func (l *Loop) all() (fs []func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fs, l.inbox = l.inbox, nil
	return fs
}

// Run runs handlers until the loop is stopped.
func (l *Loop) Run(ctx context.Context) error {
	if l.started.Swap(true) {
		return ErrStarted
	}
	defer l.helpers.Wait()
	defer close(l.ended)
	defer l.Stop()

	l.ctx = ctx
	stop := l.stop
	for {
		// What handlers post meanwhile is for the next round. So each round ends, and
		// then somebody else may have a turn.
		fs := l.all()
		for _, f := range fs {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			l.call(f)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if stop == nil && l.helping == 0 {
			if len(fs) == 0 {
				return nil
			}
			continue
		}
		select {
		case <-l.posted:
		case f := <-l.offers:
			if ctx.Err() == nil {
				l.call(f)
			}
		case <-stop:
			stop = nil // from now on, it would always be ready
		case <-ctx.Done():
		}
	}
}

// help runs f on a goroutine of its own, for which Run waits.
func (l *Loop) help(f func(context.Context)) error {
	return l.Post(func() {
		l.helping++
		l.helpers.Go(func() {
			f(l.ctx)
			l.offer(func() { l.helping-- }, nil)
		})
	})
}

// offer waits until the loop takes f, and reports whether it did.
func (l *Loop) offer(f func(), withdrawn <-chan struct{}) bool {
	select {
	case l.offers <- f:
		return true
	case <-withdrawn:
		return false
	case <-l.ended:
		return false
	}
}

// set offers f after d, and then after as long as next says. The loop takes an offer
// and calls it at once, unless it has been cancelled, or the loop stopped.
func (l *Loop) set(d time.Duration, f func(settled *atomic.Bool), next func() time.Duration) (cancel func() bool) {
	var settled atomic.Bool
	withdrawn := make(chan struct{})
	due := time.Now().Add(d)
	l.help(func(context.Context) {
		timer := time.NewTimer(time.Until(due))
		defer timer.Stop()
		for {
			select {
			case <-timer.C:
			case <-withdrawn:
				return
			case <-l.stop:
				return
			}
			taken := l.offer(func() {
				select {
				case <-l.stop:
				default:
					f(&settled)
				}
			}, withdrawn)
			if !taken || next == nil {
				return
			}
			timer.Reset(next())
		}
	})
	return func() bool {
		if settled.Swap(true) {
			return false
		}
		close(withdrawn)
		return true
	}
}

// After has f run once, after d.
func (l *Loop) After(d time.Duration, f func()) (cancel func() bool) {
	mustNot(f == nil, "After with a nil function")
	return l.set(d, func(settled *atomic.Bool) {
		if !settled.Swap(true) {
			f()
		}
	}, nil)
}

// Every has f run at regular moments.
func (l *Loop) Every(d time.Duration, f func()) (cancel func()) {
	mustNot(f == nil || d <= 0, "Every with a nil function, or a time that is not positive")
	start := time.Now()
	skip := l.set(d, func(settled *atomic.Bool) {
		if !settled.Load() {
			f()
		}
	}, func() time.Duration { return d - time.Since(start)%d })
	return func() { skip() }
}

// Attach has the loop handle the events of a source.
func Attach[E any](l *Loop, source <-chan E, handle func(E)) {
	mustNot(handle == nil, "Attach with a nil function")
	l.help(func(context.Context) {
		for {
			select {
			case <-l.stop:
				return
			default:
			}
			select {
			case <-l.stop:
				return
			case event, ok := <-source:
				if !ok || !l.offer(func() { handle(event) }, nil) {
					return
				}
			}
		}
	})
}

// Await has work run on a goroutine of its own, and then on the loop.
func Await[T any](l *Loop, work func(context.Context) (T, error), then func(T, error)) error {
	mustNot(work == nil || then == nil, "Await with a nil function")
	return l.help(func(ctx context.Context) {
		v, err := attempt(ctx, work)
		l.offer(func() { then(v, err) }, nil)
	})
}

// attempt calls work, and makes an error of its panic.
func attempt[T any](ctx context.Context, work func(context.Context) (T, error)) (v T, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return work(ctx)
}

// call calls f, and reports its panic.
func (l *Loop) call(f func()) {
	defer func() {
		if v := recover(); v != nil {
			l.onPanic(&PanicError{Value: v, Stack: debug.Stack()})
		}
	}()
	f()
}

func mustNot(bad bool, what string) {
	if bad {
		panic("eventloop: " + what)
	}
}
