// want: assertion TestMappersEmitAtTheSameTime

// Each mapper reduces what it has emitted itself.
//
// The values are at hand, and it saves the whole business of passing them on. For one
// mapper it is right. With several, each of them has some of a key's values, and calls
// Reduce for these; the last one to do so has its result kept. If the results were
// brought together by one more Reduce, that would do for a sum, and no median can be
// made of medians. What may be done early, with a part of the values, is Combine, and
// that is why it is a function of its own.
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

// Run maps all inputs, and reduces all keys.
func (j Job[In, K, V, Out]) Run(ctx context.Context, inputs []In) (map[K]Out, error) {
	if j.Map == nil || j.Reduce == nil {
		return nil, errors.New("mapreduce: a job needs a Map and a Reduce")
	}
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)

	var mu sync.Mutex
	results := map[K]Out{}
	var next atomic.Int64
	err := crew(ctx, max(j.Mappers, 1), fail, func(int) error {
		groups := map[K][]V{}
		emit := func(key K, value V) { groups[key] = append(groups[key], value) }
		for ctx.Err() == nil {
			i := int(next.Add(1)) - 1
			if i >= len(inputs) {
				break
			}
			if err := j.Map(ctx, inputs[i], emit); err != nil {
				return err
			}
		}
		for key, values := range groups {
			if ctx.Err() != nil {
				break
			}
			if j.Combine != nil {
				values = []V{j.Combine(key, values)}
			}
			result, err := j.Reduce(ctx, key, values)
			if err != nil {
				return err
			}
			mu.Lock()
			results[key] = result
			mu.Unlock()
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return results, nil
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
