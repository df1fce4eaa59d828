// Each mapper has a map of its own, and one goroutine merges them.
//
// No hash, no partition, no lock: after the last Map, the maps are poured together,
// and the reducers take key by key from a list, so that none of them is idle while a
// key is left. It is what most people should write. The merge is done by one goroutine
// while the others look on. With few keys, or with a Combine, that is nothing. With
// millions of keys it becomes the longest part of the job, and then the reference is
// worth its table.
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

	locals := make([]map[K][]V, min(max(j.Mappers, 1), len(inputs)))
	var next atomic.Int64
	err := crew(ctx, len(locals), fail, func(m int) error {
		local := map[K][]V{}
		locals[m] = local
		emit := func(key K, value V) { local[key] = append(local[key], value) }
		for ctx.Err() == nil {
			i := int(next.Add(1)) - 1
			if i >= len(inputs) {
				break
			}
			if err := j.Map(ctx, inputs[i], emit); err != nil {
				return err
			}
		}
		if j.Combine != nil {
			for key, values := range local {
				local[key] = []V{j.Combine(key, values)}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}

	groups := map[K][]V{}
	for _, local := range locals {
		for key, values := range local {
			groups[key] = append(groups[key], values...)
		}
	}
	keys := make([]K, 0, len(groups))
	for key := range groups {
		keys = append(keys, key)
	}

	results := make([]Out, len(keys)) // a place for each key, so no lock
	next.Store(0)
	err = crew(ctx, min(max(j.Reducers, 1), len(keys)), fail, func(int) error {
		for ctx.Err() == nil {
			i := int(next.Add(1)) - 1
			if i >= len(keys) {
				break
			}
			result, err := j.Reduce(ctx, keys[i], groups[keys[i]])
			if err != nil {
				return err
			}
			results[i] = result
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	all := make(map[K]Out, len(keys))
	for i, key := range keys {
		all[key] = results[i]
	}
	return all, nil
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
