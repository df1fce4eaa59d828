// Package testdata holds what people write. A comment names the trap of its line.
package testdata

import (
	"context"
	"time"
)

func breaks(in <-chan int, done chan int) {
	for {
		select {
		case _, ok := <-in:
			if !ok {
				break // trap: break-in-select
			}
		case <-done:
			return
		}
	}
}

func breaksRight(in <-chan int) {
loop:
	for {
		select {
		case _, ok := <-in:
			if !ok {
				break loop
			}
			for range 3 {
				break
			}
		}
	}
	select {
	case <-in:
		break
	}
}

func zeros(in <-chan int) {
	for {
		select {
		case v := <-in: // trap: value-without-ok
			println(v) // trap: print-in-loop
		}
	}
}

func zerosRight(in <-chan int, promises chan chan int) {
	for {
		v, ok := <-in
		if !ok {
			return
		}
		_ = v
		for promise := range promises {
			w := <-promise
			_ = w
		}
	}
}

func forgetful(ctx context.Context, in <-chan int) <-chan int {
	out := make(chan int)
	go func() {
		for v := range in { // trap: bare-receive
			out <- v // trap: bare-send
		}
		<-in // trap: bare-receive
		close(out)
	}()
	return out
}

func mindful(ctx context.Context, in <-chan int) <-chan int {
	out := make(chan int)
	errs := make(chan error, 1)
	go func() {
		defer close(out)
		errs <- nil
		for {
			select {
			case v, ok := <-in:
				if !ok {
					return
				}
				select {
				case out <- v:
				case <-ctx.Done():
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

func closesAtTheEnd(ctx context.Context) <-chan int {
	out := make(chan int, 1000) // trap: big-buffer
	go func() {
		for {
			select {
			case out <- 1:
			case <-ctx.Done():
				return
			}
		}
		close(out) // trap: close-on-one-path
	}()
	return out
}

func closesOnBoth(ctx context.Context, many bool) <-chan int {
	out := make(chan int)
	go func() {
		if !many {
			close(out)
			return
		}
		close(out)
	}()
	return out
}

func dropsAndCounts(out chan int) (dropped int) {
	select {
	case out <- 1:
	default:
		dropped++
	}
	return dropped
}

func drops(in, out chan int) {
	for {
		select {
		case out <- 1:
		default: // trap: default-on-send // trap: default-in-loop
		}
	}
}

func TryPut(out chan int) bool {
	select {
	case out <- 1:
		return true
	default:
		return false
	}
}

func impatient(in <-chan int, d time.Duration) {
	select {
	case <-in:
	case <-time.After(10 * time.Second): // trap: literal-timeout
	}
	select {
	case <-in:
	case <-time.After(d):
	}
}

type pool struct {
	queue  chan int
	places chan int
	unmade chan int
}

func newPool() *pool {
	return &pool{queue: make(chan int), places: make(chan int, 1)} // trap: never-made
}

func (p *pool) work() {
	for range p.queue { // trap: never-closed
		p.places <- 1 // trap: never-received
	}
}

func nilChannel() {
	var out chan int // trap: never-made
	close(out)
}

func chosen(left bool, a, b chan int) {
	var in chan int
	if left {
		in = a
	} else {
		in = b
	}
	<-in
}

type flight struct{ over chan int }

func joins(flights map[int]*flight) int {
	if r, ok := flights[1]; ok {
		<-r.over
		return 1
	}
	r := &flight{make(chan int)}
	flights[1] = r
	close(r.over)
	return 2
}
