// want: assertion TestCloseWakesEverybody

// Put waits for room with a read lock in its hand.
//
// Any number of readers may hold it, so puts do not keep one another waiting, and Take
// needs no lock at all: it works for months. Then the consumers stop, the queue is
// full, and somebody wants to close it. Close needs the write lock, and has to wait for
// the puts, which wait for room, which nobody makes. The one call that should end all
// waits is waiting itself.
package prodcon

import (
	"context"
	"errors"
	"sync"
	"time"
)

var ErrClosed = errors.New("prodcon: closed")

// Queue is a buffered channel, and a lock that keeps sends and the close apart.
type Queue[T any] struct {
	items chan T

	mu     sync.RWMutex // read by those who send, written by the one who closes
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
	q.mu.RLock()
	defer q.mu.RUnlock()
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

// Close closes the channel.
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
