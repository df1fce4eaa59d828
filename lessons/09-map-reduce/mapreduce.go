// Package mapreduce is the ninth lesson: read a heap of data on several cores,
// bring together what belongs together, and work out one figure for each key.
// Replace the TODO with code, one step at a time.
//
// Contexts passed in are not nil. Where ctx's error is returned, that is
// ctx.Err() or context.Cause(ctx). Every key is equal to itself, which NaN is not.
// And no function passed in calls runtime.Goexit.
package mapreduce

import (
	"context"
	"fmt"
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
	panic("TODO(1): map every input, bring the values of each key together, reduce every key")
}
