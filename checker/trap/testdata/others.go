package testdata

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
)

var ErrFull = errors.New("full")

func background(ctx context.Context) {
	ctx, cancel := context.WithCancel(context.Background()) // trap: own-context
	go func() { <-ctx.Done(); cancel() }()
}

func cleansUp(ctx context.Context, clean func(context.Context) error) {
	defer func() { _ = clean(ctx) }()
	own, cancel := context.WithTimeout(context.Background(), 1) // trap: own-context
	defer cancel()
	if own.Err() == context.DeadlineExceeded {
		return
	}
	clean(own) // trap: dropped-error
}

func noContext() context.Context { return context.Background() }

func lost(ctx context.Context) {
	ctx, _ = context.WithCancel(ctx) // trap: lost-cancel
	<-ctx.Done()
}

func cancelsTooEarly(ctx context.Context) <-chan int {
	out := make(chan int)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // trap: deferred-cancel
	go func() {
		defer close(out)
		<-ctx.Done()
	}()
	return out
}

func cancelsInTime(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan int)
	go func() {
		defer close(done)
		<-ctx.Done()
	}()
	<-done
}

func pulls(seq iter.Seq[int]) {
	next, _ := iter.Pull(seq) // trap: pull-without-stop
	next()
}

func pullsAndStops(seq iter.Seq[int]) {
	next, stop := iter.Pull(seq)
	defer stop()
	next()
}

func deaf(in []int, stop context.CancelFunc) {} // trap: never-mentioned

func errorsLost(ctx context.Context, sink func(int) error) error {
	sink(1)             // trap: dropped-error
	_ = sink(2)         // trap: dropped-error
	err := sink(3)      //
	if err == ErrFull { // trap: compared-error
		return fmt.Errorf("sinking: %v", err) // trap: error-in-text
	}
	if errors.Is(err, ErrFull) {
		return fmt.Errorf("item %d: %w", err) // trap: error-in-text
	}
	return fmt.Errorf("sinking: %w", err)
}

func shadows(sink func() error) error {
	var firstErr error
	if sink != nil {
		firstErr := sink() // trap: shadowed
		_ = firstErr
	}
	return firstErr
}

func shadowsNothing(sink func() error) error {
	var firstErr error
	if err := sink(); err != nil {
		firstErr = err
	}
	return firstErr
}

func shares(items []int) {
	var v int
	for _, v = range items { // trap: shared-variable
		go func() { println(v) }()
	}
}

func oneMore(n int) {
	for i := 0; i <= n; i++ { // trap: off-by-one
	}
	for i := 1; i <= n; i++ {
	}
	for i := 0; i <= n-1; i++ {
	}
}

func rescue() {
	if v := recover(); v != nil {
		return
	}
}

func tooDeep(f func()) {
	defer func() {
		rescue() // trap: recover-too-deep
	}()
	f()
}

func deepEnough(f func()) {
	defer rescue()
	f()
}

type job struct {
	ctx context.Context
	f   func()
}

func keep(ctx context.Context, jobs chan job, f func()) {
	select {
	case jobs <- job{ctx: ctx, f: f}: // trap: kept-context
	case <-ctx.Done():
	}
}

type crew struct {
	jobs   chan int
	handle func(int)
}

func (c *crew) work() {
	defer rescue()          // trap: recover-around-loop
	for j := range c.jobs { // trap: never-closed
		c.handle(j)
	}
}

func (c *crew) workRight() {
	for j := range c.jobs { // trap: never-closed
		c.one(j)
	}
}

func (c *crew) one(j int) {
	defer rescue()
	c.handle(j)
}

func exits() {
	runtime.Goexit() // trap: ends-goroutine
}

type outcome struct{ err error }

func leavesEarly(ctx context.Context, o *outcome) (v int, err error) {
	if err := ctx.Err(); err != nil {
		return v, err
	}
	defer func() {
		if v := recover(); v != nil {
			o.err = fmt.Errorf("%v", v)
		}
	}()
	return 1, o.err
}
