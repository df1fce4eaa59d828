// want: assertion TestBatchLeavesFullOrInTime

// flush is given the context that has just run out.
//
// The deadline of the batch is a context too, and it has the same name. When the batch is
// full all is well. When it is old, its context has ended: that is why it is flushed. The
// database looks at it, and does nothing. In a quiet hour nothing is saved, under load
// everything is. Let the short context live in a function of its own.
package prodcon

import (
	"context"
	"errors"
	"sync"
	"time"
)

var ErrClosed = errors.New("prodcon: closed")

// Queue is a slice, a lock, and a Cond for each side.
type Queue[T any] struct {
	mu       sync.Mutex
	filled   sync.Cond
	freed    sync.Cond
	capacity int
	items    []T
	closed   bool
}

// NewQueue makes a queue with room for capacity items.
func NewQueue[T any](capacity int) *Queue[T] {
	q := &Queue[T]{capacity: max(capacity, 1)}
	q.filled.L, q.freed.L = &q.mu, &q.mu
	return q
}

// Put waits for room and adds v.
func (q *Queue[T]) Put(ctx context.Context, v T) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.wait(ctx, &q.freed, func() bool { return len(q.items) < q.capacity }); err != nil {
		return err
	}
	if q.closed {
		return ErrClosed
	}
	q.items = append(q.items, v)
	q.filled.Signal()
	return nil
}

// Take waits for an item and removes it.
func (q *Queue[T]) Take(ctx context.Context) (T, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	var none T
	if err := q.wait(ctx, &q.filled, func() bool { return len(q.items) > 0 }); err != nil {
		return none, err
	}
	if len(q.items) == 0 {
		return none, ErrClosed
	}
	v := q.items[0]
	q.items[0] = none
	q.items = q.items[1:]
	q.freed.Signal()
	return v, nil
}

// wait returns when ready reports true, the queue is closed or ctx has ended. The
// caller holds the lock.
func (q *Queue[T]) wait(ctx context.Context, c *sync.Cond, ready func() bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		c.Broadcast()
	})
	defer stop()
	for !q.closed && !ready() {
		if err := ctx.Err(); err != nil {
			return err
		}
		c.Wait()
	}
	return nil
}

// Close closes the queue and wakes everybody.
func (q *Queue[T]) Close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.filled.Broadcast()
	q.freed.Broadcast()
}

// Len counts the items.
func (q *Queue[T]) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.items)
}

// Producer makes items for Run.
type Producer[T any] func(ctx context.Context, put func(T) error) error

// Run passes what the producers put to consume.
func Run[T any](ctx context.Context, capacity, consumers int, consume func(context.Context, T) error, producers ...Producer[T]) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	q := NewQueue[T](capacity)
	put := func(v T) error { return q.Put(ctx, v) }

	var makers, users sync.WaitGroup
	for _, produce := range producers {
		makers.Go(func() {
			if err := produce(ctx, put); err != nil {
				fail(err)
			}
		})
	}
	for range max(consumers, 1) {
		users.Go(func() {
			for {
				v, err := q.Take(ctx)
				if err != nil {
					return
				}
				if err := consume(ctx, v); err != nil {
					fail(err)
					return
				}
			}
		})
	}
	makers.Wait()
	q.Close()
	users.Wait()
	return context.Cause(ctx)
}

// Batch hands the items to flush, several at a time.
func Batch[T any](ctx context.Context, q *Queue[T], size int, age time.Duration, flush func(context.Context, []T) error) error {
	for {
		more, err := one(ctx, q, max(size, 1), age, flush)
		if stopped := ctx.Err(); stopped != nil {
			return errors.Join(stopped, err)
		}
		if err != nil || !more {
			return err
		}
	}
}

// one takes the items of one batch and flushes it.
func one[T any](ctx context.Context, q *Queue[T], size int, age time.Duration, flush func(context.Context, []T) error) (more bool, err error) {
	v, err := q.Take(ctx)
	if err != nil {
		return !errors.Is(err, ErrClosed), nil
	}
	batch := []T{v}
	parent := ctx
	ctx, cancel := context.WithTimeout(parent, age)
	defer cancel()
	for err == nil && len(batch) < size {
		if v, err = q.Take(ctx); err == nil {
			batch = append(batch, v)
		}
	}
	if parent.Err() != nil {
		ctx = context.WithoutCancel(parent)
	}
	return !errors.Is(err, ErrClosed), flush(ctx, batch)
}
