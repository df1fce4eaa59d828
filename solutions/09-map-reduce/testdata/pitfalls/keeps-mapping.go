// want: assertion TestErrorStopsTheJob

// After an error the mappers go on to the end.
//
// The error is kept, it is the first one, it is returned, and no Reduce is called: it
// all looks right, and takes as long as if nothing had happened. One broken line in the
// first of ten thousand files, and the message comes after an hour. A Map that looks at
// its ctx returns soon, but each of them must first be called, and opens its file.
// Look at ctx before you take the next input.
package mapreduce

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
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
		for {
			i := int(next.Add(1)) - 1
			if i >= len(inputs) {
				return nil
			}
			if err := j.Map(ctx, inputs[i], emit); err != nil {
				fail(err)
			}
		}
	})
	if err != nil {
		return nil, err
	}

	results := make([]map[K]Out, reducers)
	err = crew(ctx, reducers, fail, func(r int) error {
		groups := map[K][]V{}
		for _, row := range table {
			for key, values := range row[r] {
				groups[key] = append(groups[key], values...)
			}
		}
		results[r] = make(map[K]Out, len(groups))
		for key, values := range groups {
			if ctx.Err() != nil {
				break
			}
			result, err := j.Reduce(ctx, key, values)
			if err != nil {
				return err
			}
			results[r][key] = result
		}
		return nil
	})

	if err != nil {
		return nil, err
	}
	all := map[K]Out{}
	for _, r := range results {
		maps.Copy(all, r)
	}
	return all, nil
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
