// want: deadlock TestErrorStopsTheJob

// The collector leaves when ctx ends, and the mappers still emit.
//
// Everybody should listen to ctx, so the goroutine that collects the pairs does. But the
// mappers send to it, from inside a Map that may know nothing of ctx. After an error the
// collector is gone, such a Map stands at emit for ever, and Run waits for it. Either emit
// listens to ctx as well, or the collector goes on receiving, and throws away, until the
// last mapper has ended and the channel is closed. Who receives leaves last.
package mapreduce

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// PanicError is the error of a Map, Combine or Reduce that panicked.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("mapreduce: function panicked: %v", e.Value)
}

func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// Emit hands over one pair.
type Emit[K comparable, V any] func(key K, value V)

// Job says what is to be made of the inputs.
type Job[In any, K comparable, V, Out any] struct {
	Map      func(ctx context.Context, in In, emit Emit[K, V]) error
	Combine  func(key K, values []V) V
	Reduce   func(ctx context.Context, key K, values []V) (Out, error)
	Mappers  int
	Reducers int
}

type pair[K comparable, V any] struct {
	key   K
	value V
}

// Run maps all inputs, then reduces all keys.
func (j Job[In, K, V, Out]) Run(ctx context.Context, inputs []In) (map[K]Out, error) {
	if j.Map == nil || j.Reduce == nil {
		return nil, errors.New("mapreduce: a job needs a Map and a Reduce")
	}
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)

	var mu sync.Mutex
	groups := map[K][]V{}
	pairs, collected := make(chan pair[K, V]), make(chan struct{})
	go func() {
		defer close(collected)
		defer func() {
			if v := recover(); v != nil {
				fail(&PanicError{Value: v, Stack: debug.Stack()})
			}
		}()
		for {
			select {
			case p, open := <-pairs:
				if !open {
					return
				}
				values := append(groups[p.key], p.value)
				if j.Combine != nil {
					values = append(values[:0], j.Combine(p.key, values))
				}
				groups[p.key] = values
			case <-ctx.Done():
				return
			}
		}
	}()
	emit := func(key K, value V) { pairs <- pair[K, V]{key, value} }
	err := each(ctx, fail, j.Mappers, inputs, func(in In) error {
		return j.Map(ctx, in, emit)
	})
	close(pairs)
	<-collected
	if err != nil {
		return nil, err
	}

	keys := make([]K, 0, len(groups))
	for key := range groups {
		keys = append(keys, key)
	}
	results := make(map[K]Out, len(keys))
	err = each(ctx, fail, j.Reducers, keys, func(key K) error {
		result, err := j.Reduce(ctx, key, groups[key])
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		results[key] = result
		return nil
	})
	if err != nil {
		return nil, err
	}
	return results, nil
}

// each does work for each item, n at a time.
func each[T any](ctx context.Context, fail context.CancelCauseFunc, n int, items []T, work func(T) error) error {
	var next atomic.Int64
	return crew(ctx, min(max(n, 1), len(items)), fail, func(int) error {
		for ctx.Err() == nil {
			i := int(next.Add(1)) - 1
			if i >= len(items) {
				break
			}
			if err := work(items[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// crew does work in n goroutines and returns when all have ended.
func crew(ctx context.Context, n int, fail context.CancelCauseFunc, work func(number int) error) error {
	var all sync.WaitGroup
	for number := range n {
		all.Go(func() {
			defer func() {
				if v := recover(); v != nil {
					fail(&PanicError{Value: v, Stack: debug.Stack()})
				}
			}()
			if err := work(number); err != nil {
				fail(err)
			}
		})
	}
	all.Wait()
	return context.Cause(ctx)
}
