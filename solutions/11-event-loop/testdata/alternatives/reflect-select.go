// One select for all, made at run time.
//
// The loop's own goroutine receives from every source, so no source needs a
// goroutine, and no event is ever in anybody's hands but the loop's: there is nothing
// to wait for at the end, and nothing that could get lost on the way. The timers are a
// list that the loop looks through, and the next one is a case like the others. The
// price is reflect.Select, which takes time for each source at each event. For a till
// that is nothing; for a thousand sources it is too much.
package eventloop

import (
	"context"
	"errors"
	"fmt"
	"reflect"
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
	wake    chan struct{} // holds a token if there may be something new

	mu      sync.Mutex
	ctx     context.Context // of Run
	started bool
	stopped bool
	inbox   []func()
	sources []source
	timers  []*timer // in the order of their moments
	works   sync.WaitGroup
	pending int // works whose answers have not been posted
}

type source struct {
	events reflect.Value
	handle func(reflect.Value)
}

type timer struct {
	due   time.Time
	every time.Duration // zero for one that comes once
	f     func()
}

// New makes a loop.
func New(onPanic func(*PanicError)) *Loop {
	mustNot(onPanic == nil, "New with a nil function")
	return &Loop{onPanic: onPanic, wake: make(chan struct{}, 1)}
}

// change changes something under the lock, and has Run look again.
func (l *Loop) change(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Post has f run by the loop.
func (l *Loop) Post(f func()) (err error) {
	mustNot(f == nil, "Post with a nil function")
	l.change(func() {
		if l.stopped {
			err = ErrStopped
			return
		}
		l.inbox = append(l.inbox, f)
	})
	return err
}

// Stop asks the loop to come to its end.
func (l *Loop) Stop() {
	l.change(func() {
		l.stopped, l.sources, l.timers = true, nil, nil
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
	defer l.works.Wait()
	defer l.Stop()

	alarm := time.NewTimer(time.Hour)
	defer alarm.Stop()
	for turn := 0; ; turn++ {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		// Posts, timers and sources take turns, so that none can starve another.
		f, wait, done := l.next(turn)
		if done {
			return nil
		}
		cases := []reflect.SelectCase{
			{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(l.wake)},
			{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(ctx.Done())},
		}
		if f != nil {
			l.call(f)
			if turn%2 == 0 {
				continue
			}
			cases = append(cases, reflect.SelectCase{Dir: reflect.SelectDefault})
		} else {
			alarm.Reset(wait)
			cases = append(cases, reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(alarm.C)})
		}
		if ctx.Err() != nil {
			continue
		}
		l.receive(cases)
	}
}

// receive waits for one of the cases, or for an event, and handles it.
func (l *Loop) receive(cases []reflect.SelectCase) {
	l.mu.Lock()
	sources := slices.Clone(l.sources)
	l.mu.Unlock()
	first := len(cases)
	for _, s := range sources {
		cases = append(cases, reflect.SelectCase{Dir: reflect.SelectRecv, Chan: s.events})
	}
	i, event, ok := reflect.Select(cases)
	if i < first {
		return
	}
	s := sources[i-first]
	if ok {
		l.call(func() { s.handle(event) })
		return
	}
	l.change(func() {
		l.sources = slices.DeleteFunc(l.sources, func(x source) bool { return x.events == s.events })
	})
}

// next returns what is to be run next, or how long that takes, or that there is
// nothing left to do.
func (l *Loop) next(turn int) (f func(), wait time.Duration, done bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	due := len(l.timers) > 0 && !l.timers[0].due.After(now)
	switch {
	case due && (turn%4 < 2 || len(l.inbox) == 0):
		t := l.timers[0]
		l.timers = l.timers[1:]
		if t.every > 0 {
			t.due = t.due.Add((now.Sub(t.due)/t.every + 1) * t.every)
			l.insert(t)
		}
		return t.f, 0, false
	case len(l.inbox) > 0:
		f, l.inbox = l.inbox[0], l.inbox[1:]
		return f, 0, false
	case len(l.timers) > 0:
		return nil, l.timers[0].due.Sub(now), false
	}
	return nil, time.Hour, l.stopped && l.pending == 0
}

// insert puts a timer into its place. The caller holds the lock.
func (l *Loop) insert(t *timer) {
	i, _ := slices.BinarySearchFunc(l.timers, t, func(a, b *timer) int { return a.due.Compare(b.due) })
	l.timers = slices.Insert(l.timers, i, t)
}

func (l *Loop) set(t *timer) (cancel func() bool) {
	l.change(func() {
		if !l.stopped {
			l.insert(t)
		}
	})
	return func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		i := slices.Index(l.timers, t)
		if i >= 0 {
			l.timers = slices.Delete(l.timers, i, i+1)
		}
		return i >= 0
	}
}

// After has f run once, after d.
func (l *Loop) After(d time.Duration, f func()) (cancel func() bool) {
	mustNot(f == nil, "After with a nil function")
	return l.set(&timer{due: time.Now().Add(d), f: f})
}

// Every has f run at regular moments.
func (l *Loop) Every(d time.Duration, f func()) (cancel func()) {
	mustNot(f == nil || d <= 0, "Every with a nil function, or a time that is not positive")
	skip := l.set(&timer{due: time.Now().Add(d), every: d, f: f})
	return func() { skip() }
}

// Attach has the loop handle the events of a source.
func Attach[E any](l *Loop, events <-chan E, handle func(E)) {
	mustNot(handle == nil, "Attach with a nil function")
	l.change(func() {
		if !l.stopped && events != nil {
			l.sources = append(l.sources, source{reflect.ValueOf(events), func(v reflect.Value) {
				event, _ := v.Interface().(E) // a nil interface is an event, too
				handle(event)
			}})
		}
	})
}

// Await has work run on a goroutine of its own, and then on the loop.
func Await[T any](l *Loop, work func(context.Context) (T, error), then func(T, error)) error {
	mustNot(work == nil || then == nil, "Await with a nil function")
	return l.Post(func() {
		l.change(func() { l.pending++ })
		l.works.Go(func() {
			v, err := attempt(l.ctx, work)
			l.change(func() {
				l.pending--
				l.inbox = append(l.inbox, func() { then(v, err) })
			})
		})
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
