// want: assertion TestReduceWaitsForTheLastMap

// Reducing begins when the last input has been taken.
//
// The first mapper that finds no more inputs says so, since then everything has been
// mapped. But it has only been taken. The other mappers are still at their last inputs,
// and what they emit from now on is missing from keys that have been reduced already. On
// files of the same size it goes wrong for a moment at the end, once in a while. An
// empty list says that nothing more will begin; that all has ended, only those can say
// who did it. Wait for every mapper.
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
		mu.Lock()
		defer mu.Unlock()
		values := append(groups[key], value)
		if j.Combine != nil {
			values = append(values[:0], j.Combine(key, values))
		}
		groups[key] = values
	}
	var next atomic.Int64
	var once sync.Once
	mapped, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		crew(ctx, max(j.Mappers, 1), fail, func(int) error {
			defer once.Do(func() { close(mapped) })
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(inputs) {
					break
				}
				if err := j.Map(ctx, inputs[i], emit); err != nil {
					fail(err)
				}
			}
			return nil
		})
	}()
	<-mapped
	defer func() { <-gone }()
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}

	mu.Lock()
	keys := make([]K, 0, len(groups))
	for key := range groups {
		keys = append(keys, key)
	}
	mu.Unlock()
	results := make(map[K]Out, len(keys))
	err := each(ctx, fail, j.Reducers, keys, func(key K) error {
		mu.Lock()
		values := groups[key]
		mu.Unlock()
		result, err := j.Reduce(ctx, key, values)
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
