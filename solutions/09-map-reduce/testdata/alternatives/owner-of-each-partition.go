// A goroutine owns each partition, and pairs are sent to it.
//
// The hash of its key says over which channel a pair goes, and at the other end one
// goroutine puts it into a map that is nobody else's. There is nothing to merge, and
// the grouping goes on while the mappers still map. It is the shape that can be taken
// apart: put a network in place of the channel, and the reducers are on other
// machines. In one process each pair pays for a channel operation, so pairs travel in
// batches, and the batches are what can be forgotten: at the end of a mapper, what it
// has left must be sent. A Combine works on the batch, and once more at the end,
// where one value for each key is left.
package mapreduce

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"runtime/debug"
	"sync"
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

const batchSize = 256

// Run maps all inputs, then reduces all keys.
func (j Job[In, K, V, Out]) Run(ctx context.Context, inputs []In) (map[K]Out, error) {
	if j.Map == nil || j.Reduce == nil {
		return nil, errors.New("mapreduce: a job needs a Map and a Reduce")
	}
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)

	mappers, reducers := min(max(j.Mappers, 1), len(inputs)), max(j.Reducers, 1)
	seed := maphash.MakeSeed()
	channels := make([]chan []pair[K, V], reducers)
	for r := range channels {
		channels[r] = make(chan []pair[K, V], mappers)
	}

	// The owners receive until their channel is closed, come what may: so a mapper
	// that emits never waits for long, not even after an error.
	results := make([]map[K]Out, reducers)
	var owners sync.WaitGroup
	mapped := make(chan struct{})
	for r := range reducers {
		owners.Go(func() {
			groups := map[K][]V{}
			for batch := range channels[r] {
				for _, p := range batch {
					groups[p.key] = append(groups[p.key], p.value)
				}
			}
			<-mapped
			results[r] = map[K]Out{}
			protect(fail, func() error { return j.reduce(ctx, groups, results[r]) })
		})
	}

	work := make(chan In, len(inputs))
	for _, in := range inputs {
		work <- in
	}
	close(work)
	crew(ctx, mappers, fail, func(int) error {
		batches := make([][]pair[K, V], reducers)
		emit := func(key K, value V) {
			r := maphash.Comparable(seed, key) % uint64(reducers)
			batches[r] = append(batches[r], pair[K, V]{key, value})
			if len(batches[r]) == batchSize {
				channels[r] <- batches[r]
				batches[r] = nil
			}
		}
		for in := range work {
			if ctx.Err() != nil {
				break
			}
			if err := j.Map(ctx, in, emit); err != nil {
				return err
			}
		}
		for r, batch := range batches {
			channels[r] <- batch
		}
		return nil
	})
	for _, c := range channels {
		close(c)
	}
	close(mapped)
	owners.Wait()

	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	all := map[K]Out{}
	for _, r := range results {
		for key, result := range r {
			all[key] = result
		}
	}
	return all, nil
}

func (j Job[In, K, V, Out]) reduce(ctx context.Context, groups map[K][]V, results map[K]Out) error {
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
		results[key] = result
	}
	return nil
}

// protect does work, and hands an error or a panic to fail.
func protect(fail context.CancelCauseFunc, work func() error) {
	defer func() {
		if v := recover(); v != nil {
			fail(&PanicError{Value: v, Stack: debug.Stack()})
		}
	}()
	if err := work(); err != nil {
		fail(err)
	}
}

// crew does work in n goroutines and returns when all have ended.
func crew(ctx context.Context, n int, fail context.CancelCauseFunc, work func(number int) error) {
	var all sync.WaitGroup
	for number := range n {
		all.Go(func() { protect(fail, func() error { return work(number) }) })
	}
	all.Wait()
}
