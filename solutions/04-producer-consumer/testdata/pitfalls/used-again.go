// want: assertion TestBatchLosesNothing

// The next batch is collected in the slice of the last one.
//
// batch[:0] saves an allocation, and it is right if flush is done with the items when it
// returns. Nobody has promised that. A flush that hands them on, to a log, a retry list or
// another goroutine, finds them changed a moment later: the first batch now has the items of
// the second. Make a new slice, or write into the contract that it may be used in the call
// only.
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
	var batch []T
	for {
		var more bool
		batch, more = collect(ctx, q, batch[:0], max(size, 1), age)
		stopped := ctx.Err()
		if len(batch) > 0 {
			flushing := ctx
			if stopped != nil {
				flushing = context.WithoutCancel(ctx)
			}
			if err := flush(flushing, batch); err != nil {
				return errors.Join(stopped, err)
			}
		}
		if stopped != nil || !more {
			return stopped
		}
	}
}

// collect takes the items of one batch, and reports whether more may come.
func collect[T any](ctx context.Context, q *Queue[T], batch []T, size int, age time.Duration) ([]T, bool) {
	v, err := q.Take(ctx)
	if err != nil {
		return batch, !errors.Is(err, ErrClosed)
	}
	batch = append(batch, v)
	ctx, cancel := context.WithTimeout(ctx, age)
	defer cancel()
	for len(batch) < size {
		v, err := q.Take(ctx)
		if err != nil {
			return batch, !errors.Is(err, ErrClosed)
		}
		batch = append(batch, v)
	}
	return batch, true
}
