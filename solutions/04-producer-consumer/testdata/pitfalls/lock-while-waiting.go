// want: assertion TestFullQueueMakesPutWait

// Put waits for room with the lock in its hand.
//
// The lock makes sure that nobody closes the queue between the look and the send, and
// defer holds it to the end of the function. But the one who could make room needs the
// same lock: Take stands before it, and Put waits for Take. Neither will ever go on. A Cond
// gives the lock back while it waits; a channel does not know of your lock. Hold it
// for what takes no time.
package prodcon

import (
	"context"
	"errors"
	"sync"
	"time"
)

var ErrClosed = errors.New("prodcon: closed")

// Queue is a buffered channel, and a lock so that Close does not meet a send.
type Queue[T any] struct {
	items chan T

	mu     sync.Mutex
	closed bool
}

// NewQueue makes a queue with room for capacity items.
func NewQueue[T any](capacity int) *Queue[T] {
	return &Queue[T]{items: make(chan T, max(capacity, 1))}
}

// Put waits for room and sends v.
func (q *Queue[T]) Put(ctx context.Context, v T) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return ErrClosed
	}
	select {
	case q.items <- v:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Take receives an item.
func (q *Queue[T]) Take(ctx context.Context) (T, error) {
	var none T
	if err := ctx.Err(); err != nil {
		return none, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	select {
	case v, open := <-q.items:
		if !open {
			return none, ErrClosed
		}
		return v, nil
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

// Close turns away who comes later, and wakes who waits.
func (q *Queue[T]) Close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed {
		q.closed = true
		close(q.items)
	}
}

// Len counts the items.
func (q *Queue[T]) Len() int { return len(q.items) }

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
		batch, more := collect(ctx, q, max(size, 1), age)
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
func collect[T any](ctx context.Context, q *Queue[T], size int, age time.Duration) (batch []T, more bool) {
	v, err := q.Take(ctx)
	if err != nil {
		return nil, !errors.Is(err, ErrClosed)
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
