// Package mapreduce is the reference for the ninth lesson: read a heap of data on
// several cores, bring together what belongs together, and work out one figure for
// each key.
//
// There is a table with a row for each mapper and a column for each reducer. A
// mapper touches its row and nothing else, a reducer its column and nothing else,
// and between the two everybody waits. So each cell has one owner at any time, and
// there is no lock.
//
// Contexts passed in are not nil. Where ctx's error is returned, that is
// ctx.Err() or context.Cause(ctx). Every key is equal to itself, which NaN is not.
// And no function passed in calls runtime.Goexit.
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
	Value any    // what it panicked with
	Stack []byte // where it did so, as debug.Stack prints it
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("mapreduce: function panicked: %v", e.Value)
}

// Unwrap returns Value if that is an error, so that errors.Is and errors.As
// see the cause.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// Emit hands over one pair of a key and a value. A Map may call the emit that it
// was given any number of times, until it returns, and from one goroutine at a
// time. Run need not notice who breaks this rule, and so needs no lock to keep
// the calls of one emit apart.
//
// Emit never waits for another Map to return. It returns also when the job has
// failed or ctx has ended; the pair then counts for nothing.
type Emit[K comparable, V any] func(key K, value V)

// Job says what is to be made of the inputs. Run does not change it: the same Job
// may be run any number of times, also at the same time.
type Job[In any, K comparable, V, Out any] struct {
	// Map reads one input and emits pairs, as many as it likes, or none.
	Map func(ctx context.Context, in In, emit Emit[K, V]) error

	// Combine makes one value of one or more values of a key, so that fewer have to
	// be kept. It may be nil. If it is not, Run may combine what it likes: any of the
	// key's values, in any order, also those that Combine has returned, and from
	// several goroutines at the same time. It is for the Job to see that Reduce comes
	// to the same result. Combine may change the slice, but not keep it.
	Combine func(key K, values []V) V

	// Reduce makes the result for a key of all of its values, in any order. The slice
	// is its own: it may sort it, append to it, and keep it.
	Reduce func(ctx context.Context, key K, values []V) (Out, error)

	// So many calls of Map, or of Reduce, are made at a time. Below 1 counts as 1.
	Mappers, Reducers int
}

// Run calls Map for each input, brings together the values of each key, and calls
// Reduce for each key. It returns the results by key, in a map that is the
// caller's. No inputs, and inputs for which nothing is emitted, give an empty map
// that is not nil. Without Map or without Reduce, Run returns an error, and calls
// nothing. It does not change the inputs.
//
// Map is called once for each input, in any order. Run makes no more than Mappers
// calls at a time, and no fewer while there are inputs: as soon as one call ends,
// the next begins.
//
// No Reduce begins before the last Map has returned. Reduce is called once for
// each key that was emitted, with all of its values; where there is a Combine,
// with no more than Mappers values. Run makes no more than Reducers calls at a
// time. If there are many times as many keys as Reducers, it comes to make that many
// at a time; but it may share out the keys beforehand, as chance will have it, and
// whoever is done with its share need not help the others.
//
// Map and Reduce are given a context derived from ctx. That context has ended when
// Run returns, also if all went well. The first call that returns an error ends the
// work: the context is cancelled, no further Map or Reduce begins, and when the last
// call has returned, Run returns nil and this first error, wrapped or as it is, but
// never what a later call returned, be it because it was cancelled or for a reason of
// its own. A panic in Map, Combine or Reduce is such an error too, a *PanicError.
//
// When ctx ends, no further Map or Reduce begins either, and when the last call
// has returned, Run returns nil and ctx's error. If ctx had ended before, nothing is
// called. If it ends when all calls have begun, Run may return the results all the
// same. If it ends in the middle and a call returns another error, whichever comes
// first, Run may return either.
//
// When Run returns, nothing of it is left running.
func (j Job[In, K, V, Out]) Run(ctx context.Context, inputs []In) (map[K]Out, error) {
	if j.Map == nil || j.Reduce == nil {
		return nil, errors.New("mapreduce: a job needs a Map and a Reduce")
	}
	// One call does all that the first error asks for: it keeps that error, ignores
	// later ones, and ends the context of the other calls. If the caller's context
	// ends first, that is the cause.
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)

	table := make([][]map[K][]V, max(min(j.Mappers, len(inputs)), 1))
	reducers := max(j.Reducers, 1)
	// One seed for all. With a seed of its own, each mapper would send the same key
	// somewhere else.
	seed := maphash.MakeSeed()
	var next atomic.Int64 // whoever is free takes the next input
	err := crew(ctx, len(table), fail, func(m int) error {
		row := make([]map[K][]V, reducers)
		for r := range row {
			row[r] = map[K][]V{}
		}
		table[m] = row
		emit := func(key K, value V) {
			cell := row[maphash.Comparable(seed, key)%uint64(reducers)]
			if j.Combine == nil {
				cell[key] = append(cell[key], value)
			} else {
				cell[key] = j.combined(key, append(cell[key], value))
			}
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

	// Here is the barrier. Any Map might have emitted one more value for any key, so
	// until now, nobody could know that a key has all of its values.
	results := make([]map[K]Out, reducers)
	err = crew(ctx, reducers, fail, func(r int) error {
		// The column is this reducer's own by now, with all that is in it. So its first
		// cell can take in the others.
		groups := table[0][r]
		for _, row := range table[1:] {
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
	// A key is in one column, so these maps have no key in common.
	for _, r := range results[1:] {
		maps.Copy(results[0], r)
	}
	return results[0], nil
}

// combined makes one value of those that a mapper has for a key. Combining at once,
// and not at the end of the mapper, keeps the memory small, and leaves nothing to be
// combined later and forgotten.
func (j Job[In, K, V, Out]) combined(key K, values []V) []V {
	if len(values) == 1 {
		return values
	}
	return append(values[:0], j.Combine(key, values))
}

// crew does work in n goroutines, which are numbered from zero, and returns when
// all have ended. An error or a panic of one of them goes to fail, which ends ctx.
// What crew returns is why ctx has ended, or nil.
func crew(ctx context.Context, n int, fail context.CancelCauseFunc, work func(number int) error) error {
	var all sync.WaitGroup
	for number := range n {
		all.Go(func() {
			// A panic ends the whole job, so once for each goroutine is often enough.
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
