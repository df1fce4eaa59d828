// The state is a value in a channel, and which channel it is in says who may have it.
//
// There is one store, and it lies in one of four channels: for an empty queue, for
// a full one, for one in between, and for a closed one. Who wants to put receives
// from those in which there is room, who wants to take from those with an item, and
// each puts the store back where it then belongs. To have received it is to hold the
// lock; to wait for a condition, with ctx, is one select. No wake-up can be
// forgotten, since there are none to write. It is a design to know, from Bryan
// Mills' talk on condition variables; under contention it is slower than the
// reference, because each call moves the store twice.
package prodcon

import (
	"context"
	"errors"
	"sync"
	"time"
)

var ErrClosed = errors.New("prodcon: closed")

// Queue is four channels with one store in one of them.
type Queue[T any] struct {
	empty, between, full, closed chan *store[T]
}

type store[T any] struct {
	items    []T
	capacity int
	closed   bool
}

// NewQueue makes an empty store and puts it where it belongs.
func NewQueue[T any](capacity int) *Queue[T] {
	place := func() chan *store[T] { return make(chan *store[T], 1) }
	q := &Queue[T]{place(), place(), place(), place()}
	q.putBack(&store[T]{capacity: max(capacity, 1)})
	return q
}

func (q *Queue[T]) putBack(s *store[T]) {
	switch {
	case s.closed:
		q.closed <- s
	case len(s.items) == 0:
		q.empty <- s
	case len(s.items) == s.capacity:
		q.full <- s
	default:
		q.between <- s
	}
}

// Put wants a store with room.
func (q *Queue[T]) Put(ctx context.Context, v T) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var s *store[T]
	select {
	case s = <-q.empty:
	case s = <-q.between:
	case s = <-q.closed:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer q.putBack(s)
	if s.closed {
		return ErrClosed
	}
	s.items = append(s.items, v)
	return nil
}

// Take wants a store with items, or a closed one.
func (q *Queue[T]) Take(ctx context.Context) (T, error) {
	var none T
	if err := ctx.Err(); err != nil {
		return none, err
	}
	var s *store[T]
	select {
	case s = <-q.full:
	case s = <-q.between:
	case s = <-q.closed:
	case <-ctx.Done():
		return none, ctx.Err()
	}
	defer func() { q.putBack(s) }()
	if len(s.items) == 0 {
		return none, ErrClosed
	}
	v := s.items[0]
	s.items[0] = none
	s.items = s.items[1:]
	return v, nil
}

// look gets the store wherever it is, which takes no longer than another call
// needs to put it back.
func (q *Queue[T]) look() *store[T] {
	select {
	case s := <-q.empty:
		return s
	case s := <-q.between:
		return s
	case s := <-q.full:
		return s
	case s := <-q.closed:
		return s
	}
}

// Close moves the store to its last channel. One who waits there receives it, puts
// it back, and so wakes the next.
func (q *Queue[T]) Close() {
	s := q.look()
	s.closed = true
	q.putBack(s)
}

// Len looks into the store.
func (q *Queue[T]) Len() int {
	s := q.look()
	defer q.putBack(s)
	return len(s.items)
}

// Producer makes items for Run.
type Producer[T any] func(ctx context.Context, put func(T) error) error

// Run is a group of goroutines with two kinds of members. The last producer to
// leave closes the queue.
func Run[T any](ctx context.Context, capacity, consumers int, consume func(context.Context, T) error, producers ...Producer[T]) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	q := NewQueue[T](capacity)
	left := make(chan int, 1)
	left <- len(producers)
	if len(producers) == 0 {
		q.Close()
	}

	var all sync.WaitGroup
	for _, produce := range producers {
		all.Go(func() {
			if err := produce(ctx, func(v T) error { return q.Put(ctx, v) }); err != nil {
				fail(err)
			}
			n := <-left - 1
			if n == 0 {
				q.Close()
			}
			left <- n
		})
	}
	for range max(consumers, 1) {
		all.Go(func() {
			for {
				v, err := q.Take(ctx)
				if err != nil {
					return
				}
				if err := consume(ctx, v); err != nil {
					fail(err)
				}
			}
		})
	}
	all.Wait()
	return context.Cause(ctx)
}

// Batch waits for a first item and then, with a deadline, for the others.
func Batch[T any](ctx context.Context, q *Queue[T], size int, age time.Duration, flush func(context.Context, []T) error) error {
	for {
		var batch []T
		v, err := q.Take(ctx)
		if err == nil {
			batch = append(batch, v)
			aging, cancel := context.WithTimeoutCause(ctx, age, errOld)
			for err == nil && len(batch) < size {
				if v, err = q.Take(aging); err == nil {
					batch = append(batch, v)
				}
			}
			cancel()
		}
		if stopped := ctx.Err(); stopped != nil {
			if len(batch) > 0 {
				stopped = errors.Join(stopped, flush(context.WithoutCancel(ctx), batch))
			}
			return stopped
		}
		if len(batch) > 0 {
			if err := flush(ctx, batch); err != nil {
				return err
			}
		}
		if errors.Is(err, ErrClosed) {
			return nil
		}
	}
}

var errOld = errors.New("the batch is old")
