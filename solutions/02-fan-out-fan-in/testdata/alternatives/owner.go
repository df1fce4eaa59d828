// One goroutine owns the state, and the others only tell it what happened.
//
// All that is shared in the reference (the next index, the first error, whose
// turn it is) is here a plain variable of one goroutine, and each decision is
// one line in its loop. A nil channel is never ready, so a case of a select is
// switched off by making its channel nil.
//
// Better when the rules grow: priorities, retries, progress reports, a window
// that is larger than n, as Ordered has here, so that a slow call leaves n-1
// workers with something to do. Worse when items are many and small: every
// event passes through one goroutine, and that is then the limit.
package fan

import (
	"context"
	"iter"
)

// Merge gathers the values of all inputs in the channel that it returns.
func Merge[T any](ctx context.Context, ins ...<-chan T) <-chan T {
	out := make(chan T)
	go func() {
		defer close(out)
		values, ended := make(chan T), make(chan struct{})
		for _, in := range ins {
			go func() {
				for v := range each(ctx, in) {
					if !send(ctx, values, v) {
						break
					}
				}
				ended <- struct{}{}
			}()
		}
		for running := len(ins); running > 0; {
			select {
			case v := <-values:
				send(ctx, out, v)
			case <-ended:
				running--
			}
		}
	}()
	return out
}

// FanOut calls f for each value of in, n at a time, and sends the results as they
// are ready.
func FanOut[In, Out any](ctx context.Context, n int, in <-chan In, f func(context.Context, In) Out) <-chan Out {
	n = max(n, 1)
	out := make(chan Out)
	go func() {
		defer close(out)
		done := make(chan Out)
		var ready []Out
		running, ended := 0, false
		for !ended || running > 0 || len(ready) > 0 {
			receive, deliver := in, out
			if ended || running+len(ready) == n || ctx.Err() != nil {
				receive = nil
			}
			var next Out
			if len(ready) > 0 {
				next = ready[0]
			} else {
				deliver = nil
			}
			select {
			case v, open := <-receive:
				if !open {
					ended = true
					continue
				}
				if ctx.Err() != nil {
					continue // the value is dropped, and the loop ends in its next round
				}
				running++
				go func() { done <- f(ctx, v) }()
			case result := <-done:
				running--
				ready = append(ready, result)
			case deliver <- next:
				ready = ready[1:]
			case <-ctx.Done():
				for ; running > 0; running-- {
					<-done
				}
				return
			}
		}
	}()
	return out
}

// MapAll calls f for each item, n at a time, and returns the results by index.
func MapAll[In, Out any](ctx context.Context, n int, items []In, f func(context.Context, In) (Out, error)) ([]Out, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type outcome struct {
		i      int
		result Out
		err    error
	}
	var (
		outcomes = make(chan outcome)
		results  = make([]Out, len(items))
		first    error
		next     int
		running  int
	)
	for {
		if first == nil && next < len(items) {
			first = ctx.Err() // nobody has failed, so it is the caller's
		}
		for ; first == nil && next < len(items) && running < max(n, 1); next++ {
			running++
			go func(i int) {
				result, err := f(ctx, items[i])
				outcomes <- outcome{i, result, err}
			}(next)
		}
		if running == 0 {
			break
		}
		o := <-outcomes
		running--
		if o.err != nil && first == nil {
			first = o.err
			cancel()
		}
		results[o.i] = o.result
	}
	if first != nil {
		return nil, first
	}
	return results, nil
}

// Ordered calls f for each value of in, n at a time, and sends the results in
// order.
func Ordered[In, Out any](ctx context.Context, n int, in <-chan In, f func(context.Context, In) Out) <-chan Out {
	n = max(n, 1)
	type numbered struct {
		turn int
		v    Out
	}
	out := make(chan Out)
	go func() {
		defer close(out)
		done := make(chan numbered)
		early := make(map[int]Out)
		running, begun, sent := 0, 0, 0
		ended := false
		for !ended || sent < begun {
			receive, deliver := in, out
			if ended || running == n || begun-sent == 2*n || ctx.Err() != nil {
				receive = nil
			}
			next, ok := early[sent]
			if !ok {
				deliver = nil
			}
			select {
			case v, open := <-receive:
				if !open {
					ended = true
					continue
				}
				if ctx.Err() != nil {
					continue // the value is dropped, and the loop ends in its next round
				}
				turn := begun
				begun++
				running++
				go func() { done <- numbered{turn, f(ctx, v)} }()
			case r := <-done:
				running--
				early[r.turn] = r.v
			case deliver <- next:
				delete(early, sent)
				sent++
			case <-ctx.Done():
				for ; running > 0; running-- {
					<-done
				}
				return
			}
		}
	}()
	return out
}

// send hands v to whoever reads from out, unless ctx ends first.
func send[T any](ctx context.Context, out chan<- T, v T) bool {
	select {
	case out <- v:
		return true
	case <-ctx.Done():
		return false
	}
}

// each yields what arrives on in until in is closed or ctx ends.
func each[T any](ctx context.Context, in <-chan T) iter.Seq[T] {
	return func(yield func(T) bool) {
		for {
			select {
			case v, open := <-in:
				if !open || ctx.Err() != nil || !yield(v) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}
}
