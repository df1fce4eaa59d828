// One Cond to wait on, and a heap of timers.
//
// All that the loop knows lies under one mutex, and whoever changes something there
// signals. The loop looks for what is to be done, and waits on the Cond if there is
// nothing. A Cond knows no time and no ctx, so both have to call in: an AfterFunc for
// the next timer, another for ctx. In return, a timer costs a place in the heap and
// no goroutine when it expires, timers run in the order of their moments, however late
// the loop is, and to cancel one is to take it out, wherever it is.
package eventloop

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
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
	stop    chan struct{} // closed when stopped is set

	mu      sync.Mutex
	changed *sync.Cond // of the state below
	ctx     context.Context
	started bool
	stopped bool
	inbox   []*entry
	timers  timers
	helpers int
}

// entry is a function to run, now or later.
type entry struct {
	f     func()
	due   time.Time // zero if it is not a timer's
	every time.Duration
}

// timers is a heap: the first one is the next one.
type timers []*entry

func (t timers) Len() int           { return len(t) }
func (t timers) Less(i, j int) bool { return t[i].due.Before(t[j].due) }
func (t timers) Swap(i, j int)      { t[i], t[j] = t[j], t[i] }
func (t *timers) Push(x any)        { *t = append(*t, x.(*entry)) }
func (t *timers) Pop() any {
	last := len(*t) - 1
	x := (*t)[last]
	*t = slices.Delete(*t, last, last+1)
	return x
}

// New makes a loop.
func New(onPanic func(*PanicError)) *Loop {
	mustNot(onPanic == nil, "New with a nil function")
	l := &Loop{onPanic: onPanic, stop: make(chan struct{})}
	l.changed = sync.NewCond(&l.mu)
	return l
}

// change changes the state under the lock, and wakes the loop.
func (l *Loop) change(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
	l.changed.Signal()
}

// Post has f run by the loop.
func (l *Loop) Post(f func()) (err error) {
	mustNot(f == nil, "Post with a nil function")
	l.change(func() {
		if l.stopped {
			err = ErrStopped
			return
		}
		l.inbox = append(l.inbox, &entry{f: f})
	})
	return err
}

// Stop asks the loop to come to its end.
func (l *Loop) Stop() {
	l.change(func() {
		if !l.stopped {
			l.stopped, l.timers = true, nil
			l.inbox = slices.DeleteFunc(l.inbox, func(e *entry) bool { return !e.due.IsZero() })
			close(l.stop)
		}
	})
}

// Run runs handlers until the loop is stopped.
func (l *Loop) Run(ctx context.Context) error {
	again := false
	l.change(func() {
		again = l.started
		l.started, l.ctx = true, ctx
	})
	if again {
		return ErrStarted
	}
	wake := func() { l.change(func() {}) }
	defer context.AfterFunc(ctx, wake)()
	alarm := time.AfterFunc(time.Hour, wake)
	defer alarm.Stop()

	for ctx.Err() == nil {
		f, done := l.next(ctx, alarm)
		if done {
			return nil
		}
		if f != nil {
			l.call(f)
		}
	}
	l.Stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.helpers > 0 {
		l.changed.Wait()
	}
	return context.Cause(ctx)
}

// next waits for something to run, and takes it out.
func (l *Loop) next(ctx context.Context, alarm *time.Timer) (f func(), done bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for ctx.Err() == nil {
		now := time.Now()
		for len(l.timers) > 0 && !l.timers[0].due.After(now) {
			l.inbox = append(l.inbox, heap.Pop(&l.timers).(*entry))
		}
		if len(l.inbox) > 0 {
			e := l.inbox[0]
			l.inbox[0] = nil
			l.inbox = l.inbox[1:]
			if e.every > 0 {
				e.due = e.due.Add((now.Sub(e.due)/e.every + 1) * e.every)
				heap.Push(&l.timers, e)
			}
			return e.f, false
		}
		if l.stopped && l.helpers == 0 {
			return nil, true
		}
		if len(l.timers) > 0 {
			alarm.Reset(l.timers[0].due.Sub(now))
		}
		l.changed.Wait()
	}
	return nil, false
}

// set sets a timer.
func (l *Loop) set(e *entry) (cancel func() bool) {
	l.change(func() {
		if !l.stopped {
			heap.Push(&l.timers, e)
		}
	})
	return func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		if i := slices.Index(l.timers, e); i >= 0 {
			heap.Remove(&l.timers, i)
			return true
		}
		i := slices.Index(l.inbox, e)
		if i >= 0 {
			l.inbox = slices.Delete(l.inbox, i, i+1)
		}
		return i >= 0
	}
}

// After has f run once, after d.
func (l *Loop) After(d time.Duration, f func()) (cancel func() bool) {
	mustNot(f == nil, "After with a nil function")
	return l.set(&entry{f: f, due: time.Now().Add(d)})
}

// Every has f run at regular moments.
func (l *Loop) Every(d time.Duration, f func()) (cancel func()) {
	mustNot(f == nil || d <= 0, "Every with a nil function, or a time that is not positive")
	skip := l.set(&entry{f: f, due: time.Now().Add(d), every: d})
	return func() { skip() }
}

// Attach has the loop handle the events of a source.
func Attach[E any](l *Loop, source <-chan E, handle func(E)) {
	mustNot(handle == nil, "Attach with a nil function")
	l.help(func(context.Context) {
		turn := make(chan struct{}, 1)
		turn <- struct{}{}
		for {
			select {
			case <-l.stop:
				return
			case <-turn:
			}
			select {
			case <-l.stop: // Stop may have been called long ago; do not leave it to chance
				return
			default:
			}
			select {
			case <-l.stop:
				return
			case event, ok := <-source:
				if !ok {
					return
				}
				l.change(func() {
					l.inbox = append(l.inbox, &entry{f: func() {
						defer func() { turn <- struct{}{} }()
						handle(event)
					}})
				})
			}
		}
	})
}

// Await has work run on a goroutine of its own, and then on the loop.
func Await[T any](l *Loop, work func(context.Context) (T, error), then func(T, error)) error {
	mustNot(work == nil || then == nil, "Await with a nil function")
	return l.help(func(ctx context.Context) {
		v, err := attempt(ctx, work)
		l.change(func() {
			l.inbox = append(l.inbox, &entry{f: func() { then(v, err) }})
		})
	})
}

// help runs f on a goroutine of its own, for which Run waits.
func (l *Loop) help(f func(context.Context)) error {
	return l.Post(func() {
		l.change(func() { l.helpers++ })
		go func() {
			defer l.change(func() { l.helpers-- })
			f(l.ctx)
		}()
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
