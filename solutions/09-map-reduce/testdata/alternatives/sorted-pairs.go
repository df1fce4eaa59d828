// The pairs are kept in a long list, and sorted by the hash of their keys.
//
// A mapper does nothing but append, which is the cheapest emit there can be. After the
// last Map the lists are put together and sorted, and then the values of a key stand
// side by side. This is how it is done when the data does not fit into memory: sorted
// runs can be written to a disk and merged from there, and a map cannot. In memory,
// sorting costs more than hashing once there are many more pairs than keys. Two
// different keys may have the same hash, so within a run of equal hashes they have to
// be told apart. And the values of all keys lie in one array: a Reduce that appends to
// its slice must not write into its neighbour's.
package mapreduce

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
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

type pair[K comparable, V any] struct {
	hash  uint64
	key   K
	value V
}

type group[K comparable, V any] struct {
	key    K
	values []V
}

// Run maps all inputs, then reduces all keys.
func (j Job[In, K, V, Out]) Run(ctx context.Context, inputs []In) (map[K]Out, error) {
	if j.Map == nil || j.Reduce == nil {
		return nil, errors.New("mapreduce: a job needs a Map and a Reduce")
	}
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)

	seed := maphash.MakeSeed()
	lists := make([][]pair[K, V], max(j.Mappers, 1))
	err := each(ctx, fail, len(lists), len(inputs), func(m, i int) error {
		return j.Map(ctx, inputs[i], func(key K, value V) {
			lists[m] = append(lists[m], pair[K, V]{maphash.Comparable(seed, key), key, value})
		})
	})
	if err != nil {
		return nil, err
	}

	groups := grouped(slices.Concat(lists...))
	results := make([]Out, len(groups))
	err = each(ctx, fail, max(j.Reducers, 1), len(groups), func(_, i int) (err error) {
		g := groups[i]
		if j.Combine != nil {
			g.values = []V{j.Combine(g.key, g.values)}
		}
		results[i], err = j.Reduce(ctx, g.key, g.values)
		return err
	})
	if err != nil {
		return nil, err
	}
	all := make(map[K]Out, len(groups))
	for i, g := range groups {
		all[g.key] = results[i]
	}
	return all, nil
}

// grouped brings together the values of each key.
func grouped[K comparable, V any](pairs []pair[K, V]) (groups []group[K, V]) {
	slices.SortFunc(pairs, func(a, b pair[K, V]) int { return cmp.Compare(a.hash, b.hash) })
	values := make([]V, 0, len(pairs))
	for len(pairs) > 0 {
		first := pairs[0]
		run := 1
		for run < len(pairs) && pairs[run].hash == first.hash {
			run++
		}
		start := len(values)
		others := pairs[:0]
		for _, p := range pairs[:run] {
			if p.key == first.key {
				values = append(values, p.value)
			} else {
				others = append(others, p)
			}
		}
		// The others, if there are any, come next: move them up to the rest.
		copy(pairs[run-len(others):run], others)
		pairs = pairs[run-len(others):]
		groups = append(groups, group[K, V]{first.key, slices.Clip(values[start:])})
	}
	return groups
}

// each does work for 0 to items-1, in n goroutines, which are numbered as well.
func each(ctx context.Context, fail context.CancelCauseFunc, n, items int, work func(number, i int) error) error {
	var next atomic.Int64
	return crew(ctx, n, fail, func(number int) error {
		for ctx.Err() == nil {
			i := int(next.Add(1)) - 1
			if i >= items {
				break
			}
			if err := work(number, i); err != nil {
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
