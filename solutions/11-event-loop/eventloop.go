// Package eventloop is the reference for the eleventh lesson: many goroutines
// have something to say, and a single one owns the state that it is about.
//
// Everything becomes a function in one inbox. An event from a source, a timer that
// has expired, the answer of an Await: each is brought by somebody who only puts it
// in. So there is one place to wait, one order, and one goroutine that does things.
//
// Contexts passed in are not nil. Where ctx's error is returned, that is
// ctx.Err() or context.Cause(ctx). Where a function is asked for, a nil one makes
// the call panic at once.
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

// Unwrap returns Value if that is an error, so that errors.Is and errors.As
// see the cause.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// Loop runs functions one after another, never two at the same time, for as long as
// Run runs. These functions are its handlers: what is given to Post, After, Every
// and Attach, and the second function of Await. Each sees all that those before it
// have done. So what only handlers touch needs no lock.
//
// A handler should be quick, since all others wait for it meanwhile. It may call
// everything here. It must not call runtime.Goexit.
//
// Whatever waits gets its turn in the end, even if there are handlers that post
// themselves again and again. Unless something else is said, nothing is promised
// about which of the waiting handlers is next.
//
// Make a Loop with New: the zero Loop is of no use. All its methods may be called
// from any goroutine. As long as Run has not been called, no handler runs, nothing
// is taken from any source, and a Loop may be dropped like any other value.
type Loop struct {
	onPanic func(*PanicError)
	wake    chan struct{}   // holds a token if there may be something new for Run
	stop    chan struct{}   // closed when stopped is set, for those who wait for an event
	ctx     context.Context // of Run, set before any handler runs
	batch   []func()        // taken out of the inbox, and not run yet; only the loop's own goroutine touches it

	mu      sync.Mutex
	started bool
	stopped bool
	inbox   []func()                 // without a bound: a handler that had to wait for room would wait for itself
	timers  map[*time.Timer]struct{} // those whose function has not begun, and has not been cancelled
	helpers int                      // goroutines that may still bring something
}

// New makes a loop. A handler that panics does not end it: the loop calls onPanic
// with what happened, as it would call a handler, before it calls any other one,
// and goes on. A source stays attached and an Every stays in force when their
// handlers panic. onPanic itself must not panic. New panics if onPanic is nil.
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

// Post has f run by the loop, once. It never waits, no matter how much there is to
// do already, and it never calls f itself. It may be called before Run is: then f
// waits for it. Post panics at once if f is nil.
//
// If one Post has returned before another is called, their functions run in that
// order.
//
// Once Stop has been called, and once Run has returned, Post returns ErrStopped,
// and f never runs. When ctx has ended and Run has not returned yet, Post may
// return ErrStopped or nil, and f does not run.
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

// deliver adds f to the inbox even after Stop: f belongs to something that was
// accepted before.
func (l *Loop) deliver(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.add(f)
}

// add adds f to the inbox. The caller holds the lock.
func (l *Loop) add(f func()) {
	l.inbox = append(l.inbox, f)
	l.rouse()
}

// rouse has Run look again, now or when it next wants to wait. One token is enough:
// it says that there is something, and not how much.
func (l *Loop) rouse() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Run runs handlers until the loop is stopped. While there are none to run, it
// waits. It returns
//
//   - nil after Stop has been called, as soon as everything is done that Stop
//     leaves to be done,
//   - ctx's error if ctx ends before that. A handler that is running then is the
//     last one, and Run waits for it; all that was waiting is dropped. If ctx has
//     ended before the call, no handler runs at all.
//
// When Run has returned, nothing runs any more: no handler, and no goroutine that
// the loop has started. No event is taken from any source.
//
// A Loop runs once. Every further call of Run, whether the first one has returned
// or not, returns ErrStarted at once and does nothing else.
func (l *Loop) Run(ctx context.Context) error {
	if !l.start() {
		return ErrStarted
	}
	defer l.end()
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

// next returns the function whose turn it is. If there is none, it reports whether
// there will never be one again.
func (l *Loop) next() (f func(), done bool) {
	if len(l.batch) == 0 {
		done = l.refill()
	}
	if len(l.batch) == 0 {
		return nil, done
	}
	f = l.batch[0]
	l.batch[0] = nil // or the array would keep what it refers to
	l.batch = l.batch[1:]
	return f, false
}

// refill takes all that is in the inbox, so that Run and those who post meet at the
// lock once for many functions. It reports whether nothing can be brought any more.
func (l *Loop) refill() (done bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.batch, l.inbox = l.inbox, nil
	return l.stopped && l.helpers == 0
}

// call calls f. The recover is here and not in Run, where it would come too late
// to go on with the next one.
func (l *Loop) call(f func()) {
	defer func() {
		if v := recover(); v != nil {
			l.onPanic(&PanicError{Value: v, Stack: debug.Stack()})
		}
	}()
	f()
}

// end waits until nothing is left that the loop has started. The inbox is not
// looked at again, so whatever is still brought is dropped.
func (l *Loop) end() {
	l.Stop()
	for l.helping() {
		<-l.wake
	}
}

func (l *Loop) helping() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.helpers > 0
}

// Stop asks the loop to come to its end, and returns without waiting for that: it
// is Run that returns when the end has come. It may be called from anywhere, also
// from a handler, before Run, and more than once.
//
// What the loop has accepted is still done. Every function that was posted runs.
// Every event that was taken from a source is handled. The work of every Await is
// waited for, and its answer handled. All that needs to be accepted is refused:
// Post and Await return ErrStopped.
//
// What has not come yet does not come any more. No function given to After or
// Every begins to run, not even one whose time had come. No further event is taken
// from any source, apart from one that is just being taken at that moment, and that
// one is handled, too.
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

// After has f run once by the loop, when d has passed since the call; that may
// begin before Run. f runs at that moment, or, if the loop is busy or not running
// then, as soon as it gets its turn. With d zero or less the moment is now. After
// itself neither waits nor calls f. It panics at once if f is nil.
//
// cancel sees to it that f does not run, and reports whether it did: true means
// that f would have run and now never will, even if its moment has come and it was
// only waiting for its turn. False means that f has begun to run, or that cancel
// was called before. cancel may be called from anywhere, also from f, and more
// than once. It never waits.
//
// After Stop, and after the end of Run's ctx, f does not run, and what cancel
// reports means nothing.
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

// Every has f run by the loop at regular moments: d after the call, 2d after the
// call, 3d after the call, and so on. If the loop is busy or not running at one or
// several of these moments, f runs once for all of them as soon as it gets its
// turn, and then at the next of these moments. For those that pass while f itself
// runs, f may run once in this way, or not at all.
//
// Once cancel has been called, no run of f begins, not even one that was waiting
// for its turn. It may be called from anywhere, also from f, and more than once.
// It never waits. Every panics at once if d is zero or less, or f is nil.
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

// Attach has the loop take the events from source and call handle with each of
// them, in their order. It may be called at any time: before Run, while Run runs,
// also from a handler, and after Stop, when it does nothing.
//
// Events wait in the source until it is their turn. While handle has not returned
// for one event, no more than one further event is taken from that source.
//
// When source is closed, the loop handles what is left in it, and then forgets it.
// That is no event. Run goes on, even if it was the last source. A nil source
// never has any events. Attach panics at once if handle is nil.
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

// Await takes slow work off the loop. It has work run on a goroutine of its own,
// and when work has returned, it has the loop call then with what work returned.
// If work panics, then gets a zero T and a *PanicError; work must not call
// runtime.Goexit. Await itself does not wait. It panics at once if work or then is
// nil.
//
// work begins when the loop is running and has a moment for it, or before. Its ctx
// ends when Run's does. When it is Run's ctx that has ended, Run still waits for
// work to return, and then is not called.
//
// Once Stop has been called, and once Run has returned, Await returns ErrStopped,
// and neither function runs. When ctx has ended and Run has not returned yet, Await
// may return ErrStopped or nil, and then is not called.
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

// help has f run on a goroutine of its own, for which Run waits. It is the loop
// that starts it, and so nothing runs before Run, and nothing is started behind the
// back of a Run that is about to return.
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
