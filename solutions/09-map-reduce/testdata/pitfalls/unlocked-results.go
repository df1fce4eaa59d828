// want: race TestReducersWorkAtTheSameTime

// The reducers share the map of the results.
//
// All the care has gone into the values: no key has two owners, so no two reducers
// ever write the same entry. But they write the same map. An insertion may move half of
// the other entries, so two of them at a time are a data race even if the keys are
// different, and the runtime may end the program for it. Give each reducer a map of its
// own, or a place in a slice for each key, and put them together when all have ended.
package mapreduce

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
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
	// ends first, that is the cause.
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)

	table := make([][]map[K][]V, min(max(j.Mappers, 1), len(inputs)))
	reducers := max(j.Reducers, 1)
	seed := maphash.MakeSeed()
	var next atomic.Int64
	err := crew(ctx, len(table), fail, func(m int) error {
		row := make([]map[K][]V, reducers)
		table[m] = row
		emit := func(key K, value V) {
			r := maphash.Comparable(seed, key) % uint64(reducers)
			if row[r] == nil {
				row[r] = map[K][]V{}
			}
			row[r][key] = j.add(key, row[r][key], value)
		}
		for ctx.Err() == nil {
			i := int(next.Add(1)) - 1
			if i >= len(inputs) {
				break
			}
			if err := j.Map(ctx, inputs[i], emit); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}

	results := map[K]Out{}
	err = crew(ctx, reducers, fail, func(r int) error {
		groups := map[K][]V{}
		for _, row := range table {
			for key, values := range row[r] {
				groups[key] = append(groups[key], values...)
			}
		}
		for key, values := range groups {
			if ctx.Err() != nil {
				break
			}
			result, err := j.Reduce(ctx, key, values)
			if err != nil {
				return err
			}
			results[key] = result
		}
		return nil
	})

	if err != nil {
		return nil, err
	}
	return results, nil
}

// add adds a value to those that a mapper has for a key.
func (j Job[In, K, V, Out]) add(key K, values []V, value V) []V {
	values = append(values, value)
	if j.Combine == nil || len(values) == 1 {
		return values
	}
	return append(values[:0], j.Combine(key, values))
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
