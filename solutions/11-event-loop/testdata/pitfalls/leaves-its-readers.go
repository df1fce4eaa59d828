// want: assertion TestCtxEndsTheLoop

// Run tells its readers to go, and does not wait until they have gone.
//
// The deferred Stop closes the channel that all readers listen to, so each of them goes
// as soon as it can. But it has to hear of it first, and by then Run has returned.
// Whoever called Run goes on, hands the scanner to somebody else, and an old reader may
// be about to take one more event, which nobody will handle. To tell somebody to go is
// one thing, and to see that they have gone is another. Run has to count its
// goroutines, and wait for the last one, whatever it was that has ended it.
package eventloop

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

var (
	// ErrStopped means that the function was not accepted and never will run,
	// because the loop has been stopped, or has ended.
	ErrStopped = errors.New("eventloop: stopped")

	// ErrStarted means that Run had been called before.
	ErrStarted = errors.New("eventloop: Run was called before")
)

// PanicError says that a handler panicked, or the work of an Await.
type PanicError struct {
	Value any    // what it panicked with
	Stack []byte // where it did so, as debug.Stack prints it
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("eventloop: panicked: %v", e.Value)
}

// Unwrap returns
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// Loop runs functions one after another, on a single goroutine, for as long as Run
// runs.
type Loop struct {
	onPanic func(*PanicError)
	wake    chan struct{}   // holds a token if there may be something new for Run
	stop    chan struct{}   // closed when stopped is set, for those who wait for an event
	ctx     context.Context // of Run; only the loop's own goroutine touches it

	mu      sync.Mutex
	started bool
	stopped bool
	inbox   []func()                 // without a bound: a handler that had to wait for room would wait for itself
	timers  map[*time.Timer]struct{} // those whose function has not begun, and has not been cancelled
	helpers int                      // goroutines that may still bring something
}

// New makes a loop.
func New(onPanic func(*PanicError)) *Loop {
	if onPanic == nil {
		panic("eventloop: New with a nil function")
	}
	return &Loop{
		onPanic: onPanic,
		wake:    make(chan struct{}, 1),
		stop:    make(chan struct{}),
		timers:  map[*time.Timer]struct{}{},
	}
}

// Post has f run by the loop, once.
func (l *Loop) Post(f func()) error {
	if f == nil {
		panic("eventloop: Post with a nil function")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped {
		return ErrStopped
	}
	l.add(f)
	return nil
}

// deliver adds f to the inbox even after Stop: f belongs to something that was accepted
// before.
func (l *Loop) deliver(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.add(f)
}

// add adds f to the inbox.
func (l *Loop) add(f func()) {
	l.inbox = append(l.inbox, f)
	l.rouse()
}

// rouse has Run look again, now or when it next wants to wait.
func (l *Loop) rouse() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Run runs handlers until the loop is stopped.
func (l *Loop) Run(ctx context.Context) error {
	if !l.start() {
		return ErrStarted
	}
	defer l.Stop() // and the readers go
	l.ctx = ctx
	for {
		// Asked before each handler. In a select beside the inbox it would be left to
		// chance how many more of them run.
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		f, done := l.next()
		switch {
		case f != nil:
			l.call(f)
		case done:
			return nil
		default:
			select {
			case <-l.wake:
			case <-ctx.Done():
			}
		}
	}
}

// start reports whether this is the first call of Run.
func (l *Loop) start() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	first := !l.started
	l.started = true
	return first
}

// next takes the first function out of the inbox.
func (l *Loop) next() (f func(), done bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.inbox) == 0 {
		return nil, l.stopped && l.helpers == 0
	}
	f = l.inbox[0]
	l.inbox[0] = nil // or the array would keep what it refers to
	l.inbox = l.inbox[1:]
	return f, false
}

// call calls f.
func (l *Loop) call(f func()) {
	defer func() {
		if v := recover(); v != nil {
			l.onPanic(&PanicError{Value: v, Stack: debug.Stack()})
		}
	}()
	f()
}

// Stop asks the loop to come to its end, and returns
func (l *Loop) Stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped {
		return
	}
	l.stopped = true
	close(l.stop)
	for timer := range l.timers {
		timer.Stop()
	}
	clear(l.timers)
	l.rouse() // the inbox may be empty, and Run asleep
}

// After has f run once by the loop, when d has passed since the call; that may begin
// before Run.
func (l *Loop) After(d time.Duration, f func()) (cancel func() bool) {
	if f == nil {
		panic("eventloop: After with a nil function")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var timer *time.Timer
	// Between the moment at which a timer expires and the turn of its function,
	// somebody may cancel it, or stop the loop. Whoever takes the timer out of the
	// map decides, and only one can.
	take := func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		_, ok := l.timers[timer]
		delete(l.timers, timer)
		return ok
	}
	timer = time.AfterFunc(d, func() {
		l.Post(func() {
			if take() {
				f()
			}
		})
	})
	if l.stopped {
		timer.Stop()
	} else {
		l.timers[timer] = struct{}{}
	}
	return func() bool {
		timer.Stop()
		return take()
	}
}

// Every has f run by the loop at regular moments: d after the call, 2d after the call,
// 3d after the call, and so on.
func (l *Loop) Every(d time.Duration, f func()) (cancel func()) {
	if d <= 0 || f == nil {
		panic("eventloop: Every with a nil function, or a time that is not positive")
	}
	var (
		mu        sync.Mutex
		cancelled bool
		skip      func() bool // cancels the next run
		tick      func()
	)
	start := time.Now()
	// There is only ever one timer, and it is set when the one before has had its
	// turn. So nothing can pile up.
	plan := func() {
		mu.Lock()
		defer mu.Unlock()
		if !cancelled {
			skip = l.After(d-time.Since(start)%d, tick) // counted from the start, or each delay would stay for good
		}
	}
	tick = func() {
		plan() // before f, which may cancel it, and may panic
		f()
	}
	plan()
	return func() {
		mu.Lock()
		defer mu.Unlock()
		cancelled = true
		skip()
	}
}

// Attach has the loop take the events from source and call handle with each of them, in
// their order.
func Attach[E any](l *Loop, source <-chan E, handle func(E)) {
	if handle == nil {
		panic("eventloop: Attach with a nil function")
	}
	l.help(func() {
		handled := make(chan struct{}, 1)
		for {
			// After Stop, both cases below may be ready, and one more event would be
			// taken as often as not.
			select {
			case <-l.stop:
				return
			default:
			}
			select {
			case event, ok := <-source:
				if !ok {
					return
				}
				l.deliver(func() {
					defer func() { handled <- struct{}{} }()
					handle(event)
				})
			case <-l.stop:
				return
			}
			// The inbox would take all that the source has. So its bound is here.
			select {
			case <-handled:
			case <-l.stop:
				return
			}
		}
	})
}

// Await takes slow work off the loop.
func Await[T any](l *Loop, work func(context.Context) (T, error), then func(T, error)) error {
	if work == nil || then == nil {
		panic("eventloop: Await with a nil function")
	}
	return l.help(func() {
		v, err := attempt(l.ctx, work)
		l.deliver(func() { then(v, err) })
	})
}

// attempt calls work, and makes an error of its panic: on a goroutine of its own,
// nobody else could.
func attempt[T any](ctx context.Context, work func(context.Context) (T, error)) (v T, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return work(ctx)
}

// help has f run on a goroutine of its own, for which Run waits.
func (l *Loop) help(f func()) error {
	return l.Post(func() {
		l.mu.Lock()
		l.helpers++
		l.mu.Unlock()
		go func() {
			defer func() {
				l.mu.Lock()
				defer l.mu.Unlock()
				l.helpers--
				l.rouse()
			}()
			f()
		}()
	})
}
