// Many maps, each behind a lock of its own.
//
// The hash of a key chooses a shard, and only those who meet in the same shard at the
// same time wait for one another. With several times as many shards as mappers that is
// rare. No pair is kept twice and nothing is merged, so this needs the least memory of
// all; and the shards are not tied to the reducers, who take one after the other, so
// that an uneven lot evens out. Each pair still takes a lock, which costs some
// nanoseconds even if nobody else wants it. And the goroutines here are one for each
// input, with seats for those that may run.
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

type shard[K comparable, V any] struct {
	mu     sync.Mutex
	groups map[K][]V
}

// Run maps all inputs, then reduces all keys.
func (j Job[In, K, V, Out]) Run(ctx context.Context, inputs []In) (map[K]Out, error) {
	if j.Map == nil || j.Reduce == nil {
		return nil, errors.New("mapreduce: a job needs a Map and a Reduce")
	}
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)

	seed := maphash.MakeSeed()
	shards := make([]shard[K, V], 64)
	for i := range shards {
		shards[i].groups = map[K][]V{}
	}
	emit := func(key K, value V) {
		s := &shards[maphash.Comparable(seed, key)%uint64(len(shards))]
		s.mu.Lock()
		defer s.mu.Unlock()
		s.groups[key] = append(s.groups[key], value)
		if values := s.groups[key]; j.Combine != nil && len(values) > 100 {
			s.groups[key] = []V{j.Combine(key, values)}
		}
	}

	mapping := newSeats(ctx, fail, j.Mappers)
	for _, in := range inputs {
		mapping.do(func() error { return j.Map(ctx, in, emit) })
	}
	if err := mapping.wait(); err != nil {
		return nil, err
	}

	var mu sync.Mutex
	results := map[K]Out{}
	reducing := newSeats(ctx, fail, j.Reducers)
	for i := range shards {
		for key, values := range shards[i].groups {
			reducing.do(func() error {
				if j.Combine != nil {
					values = []V{j.Combine(key, values)}
				}
				result, err := j.Reduce(ctx, key, values)
				if err != nil {
					return err
				}
				mu.Lock()
				defer mu.Unlock()
				results[key] = result
				return nil
			})
		}
	}
	if err := reducing.wait(); err != nil {
		return nil, err
	}
	return results, nil
}

// seats lets so many work at a time.
type seats struct {
	ctx  context.Context
	fail context.CancelCauseFunc
	free chan struct{}
	all  sync.WaitGroup
}

func newSeats(ctx context.Context, fail context.CancelCauseFunc, n int) *seats {
	return &seats{ctx: ctx, fail: fail, free: make(chan struct{}, max(n, 1))}
}

// do waits for a seat and then does the work, unless ctx has ended.
func (s *seats) do(work func() error) {
	select {
	case s.free <- struct{}{}:
	case <-s.ctx.Done():
		return
	}
	if s.ctx.Err() != nil { // both may have been ready
		<-s.free
		return
	}
	s.all.Go(func() {
		defer func() { <-s.free }()
		defer func() {
			if v := recover(); v != nil {
				s.fail(&PanicError{Value: v, Stack: debug.Stack()})
			}
		}()
		if err := work(); err != nil {
			s.fail(err)
		}
	})
}

func (s *seats) wait() error {
	s.all.Wait()
	return context.Cause(s.ctx)
}
