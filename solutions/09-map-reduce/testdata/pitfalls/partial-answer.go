// want: assertion TestRunEndsWithItsCtx

// That no call has failed is taken for: all the work is done.
//
// Each call is preceded by a look at ctx, and the first error of a call is kept, so
// what could be missing? When ctx ends, no further Map begins, and those that run may
// return what they have, and nil. Then there is no error to be found anywhere. Run goes
// on with what there is, and returns a part of the answer as if it were the whole.
// Nobody can tell the two apart. After each phase, ask ctx as well.
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
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

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
	err := each(ctx, cancel, j.Mappers, inputs, func(in In) error {
		return j.Map(ctx, in, emit)
	})
	if err != nil {
		return nil, err
	}

	keys := make([]K, 0, len(groups))
	for key := range groups {
		keys = append(keys, key)
	}
	results := make(map[K]Out, len(keys))
	err = each(ctx, cancel, j.Reducers, keys, func(key K) error {
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

// each does work for each item, n at a time, and returns the first error.
func each[T any](ctx context.Context, cancel func(), n int, items []T, work func(T) error) error {
	var once sync.Once
	var first error
	fail := func(err error) {
		once.Do(func() {
			first = err
			cancel()
		})
	}
	var next atomic.Int64
	var all sync.WaitGroup
	for range min(max(n, 1), len(items)) {
		all.Go(func() {
			defer func() {
				if v := recover(); v != nil {
					fail(&PanicError{Value: v, Stack: debug.Stack()})
				}
			}()
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(items) {
					break
				}
				if err := work(items[i]); err != nil {
					fail(err)
				}
			}
		})
	}
	all.Wait()
	return first
}
