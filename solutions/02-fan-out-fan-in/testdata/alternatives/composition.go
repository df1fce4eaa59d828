// Large pieces built from small ones.
//
// Merge is one goroutine with one select over all inputs. FanOut is n stages of
// a pipeline on the same input, and Merge. MapAll is FanOut over the indices.
// Ordered deals the values to n stages in turn and collects the results in the
// same turn, so that the order comes for free.
//
// Better to think in, and for teaching: fan out, then fan in, each in a few
// lines. Worse to run: a value passes through two or three channels instead of
// one, and reflect.Select looks at every input for each value, so that Merge
// takes time in proportion to the number of inputs where goroutines do not.
package fan

import (
	"context"
	"iter"
	"reflect"
	"slices"
)

// Merge gathers the values of all inputs in the channel that it returns.
func Merge[T any](ctx context.Context, ins ...<-chan T) <-chan T {
	out := make(chan T)
	go func() {
		defer close(out)
		cases := []reflect.SelectCase{{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(ctx.Done())}}
		for _, in := range ins {
			cases = append(cases, reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(in)})
		}
		for len(cases) > 1 {
			i, v, open := reflect.Select(cases)
			switch {
			case i == 0:
				return
			case !open:
				// A closed channel is always ready: left in, it would be chosen for ever.
				cases = slices.Delete(cases, i, i+1)
			default:
				// Not v.Interface().(T): that would panic on a nil value of an interface type.
				value, _ := reflect.TypeAssert[T](v)
				if !send(ctx, out, value) {
					return
				}
			}
		}
	}()
	return out
}

// FanOut calls f for each value of in, n at a time, and sends the results as they
// are ready.
func FanOut[In, Out any](ctx context.Context, n int, in <-chan In, f func(context.Context, In) Out) <-chan Out {
	stages := make([]<-chan Out, max(n, 1))
	for i := range stages {
		stages[i] = stage(ctx, in, f)
	}
	merged, out := Merge(ctx, stages...), make(chan Out)
	go func() {
		defer close(out)
		for v := range merged {
			send(ctx, out, v)
		}
		// Merge gives up when ctx ends; the stages may still be at work.
		for _, s := range stages {
			for range s {
			}
		}
	}()
	return out
}

// MapAll calls f for each item, n at a time, and returns the results by index.
func MapAll[In, Out any](ctx context.Context, n int, items []In, f func(context.Context, In) (Out, error)) ([]Out, error) {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	results := make([]Out, len(items))
	indices := make(chan int)
	go func() {
		defer close(indices)
		for i := range items {
			if !send(ctx, indices, i) {
				return
			}
		}
	}()
	done := FanOut(ctx, n, indices, func(ctx context.Context, i int) struct{} {
		result, err := f(ctx, items[i])
		if err != nil {
			fail(err)
			return struct{}{}
		}
		results[i] = result
		return struct{}{}
	})
	for range done {
	}
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	return results, nil
}

// Ordered calls f for each value of in, n at a time, and sends the results in
// order.
func Ordered[In, Out any](ctx context.Context, n int, in <-chan In, f func(context.Context, In) Out) <-chan Out {
	hands := make([]chan In, max(n, 1))
	stages := make([]<-chan Out, len(hands))
	for i := range hands {
		hands[i] = make(chan In)
		stages[i] = stage(ctx, hands[i], f)
	}
	go func() {
		turn := 0
		for v := range each(ctx, in) {
			if !send(ctx, hands[turn], v) {
				break
			}
			turn = (turn + 1) % len(hands)
		}
		for _, hand := range hands {
			close(hand)
		}
	}()
	out := make(chan Out)
	go func() {
		defer close(out)
		for turn := 0; ; turn = (turn + 1) % len(stages) {
			v, open := <-stages[turn]
			if !open || !send(ctx, out, v) {
				break
			}
		}
		for _, s := range stages {
			for range s {
			}
		}
	}()
	return out
}

// stage is Map of the first lesson, for an f that takes a context.
func stage[In, Out any](ctx context.Context, in <-chan In, f func(context.Context, In) Out) <-chan Out {
	out := make(chan Out)
	go func() {
		defer close(out)
		for v := range each(ctx, in) {
			if !send(ctx, out, f(ctx, v)) {
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
