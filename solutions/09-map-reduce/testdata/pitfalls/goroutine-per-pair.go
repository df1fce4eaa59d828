// want: assertion TestReduceGetsAllValuesOfAKey

// Each pair is put into the map by a goroutine of its own, for which nobody waits.
//
// A mapper should map, and not stand at a lock, so emit hands the pair to a goroutine and
// returns at once. When the last Map has returned, thousands of these are still on their
// way, and Reduce gets what has arrived by then. A WaitGroup for them would make it
// right, and would not make it good: to start a goroutine takes many times as long as to
// append a value, and each of them has a stack. Let emit do its work itself.
package mapreduce

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
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

// Run maps all inputs, then reduces all keys.
func (j Job[In, K, V, Out]) Run(ctx context.Context, inputs []In) (map[K]Out, error) {
	if j.Map == nil || j.Reduce == nil {
		return nil, errors.New("mapreduce: a job needs a Map and a Reduce")
	}
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)

	var mu sync.Mutex
	groups := map[K][]V{}
	emit := func(key K, value V) {
		go func() {
			mu.Lock()
			defer mu.Unlock()
			values := append(groups[key], value)
			if j.Combine != nil {
				values = append(values[:0], j.Combine(key, values))
			}
			groups[key] = values
		}()
	}
	err := each(ctx, fail, j.Mappers, inputs, func(in In) error {
		return j.Map(ctx, in, emit)
	})
	if err != nil {
		return nil, err
	}

	mu.Lock()
	complete := map[K][]V{}
	for key, values := range groups {
		complete[key] = slices.Clone(values)
	}
	mu.Unlock()
	keys := slices.Collect(maps.Keys(complete))
	results := make(map[K]Out, len(keys))
	err = each(ctx, fail, j.Reducers, keys, func(key K) error {
		result, err := j.Reduce(ctx, key, complete[key])
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
