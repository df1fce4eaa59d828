// want: assertion TestPutRacesClose

// Put asks whether the queue is closed, and sends a moment too late.
//
// The channel is never closed, so nothing can panic, and whoever takes looks once more
// before it says that the queue is empty. But between the question of Put and its send
// there is a gap. When Close and the last Take fall into it, all consumers have been
// told that nothing is left, and have gone home; then the item arrives. Put returns nil,
// and nobody will ever look. To ask and to send must be one step, or else the consumers
// have to wait until all who have asked are out.
package prodcon

import (
	"context"
	"errors"
	"sync"
	"time"
)

var ErrClosed = errors.New("prodcon: closed")

// Queue is a buffered channel that is never closed, and one that tells.
type Queue[T any] struct {
	items   chan T
	closing chan struct{}
	once    sync.Once
}

// NewQueue makes a queue with room for capacity items.
func NewQueue[T any](capacity int) *Queue[T] {
	return &Queue[T]{items: make(chan T, max(capacity, 1)), closing: make(chan struct{})}
}

// Put waits for room and sends v.
func (q *Queue[T]) Put(ctx context.Context, v T) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if q.closed() {
		return ErrClosed
	}
	select {
	case q.items <- v:
		return nil
	case <-q.closing:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (q *Queue[T]) closed() bool {
	select {
	case <-q.closing:
		return true
	default:
		return false
	}
}

// Take receives an item.
func (q *Queue[T]) Take(ctx context.Context) (T, error) {
	var none T
	if err := ctx.Err(); err != nil {
		return none, err
	}
	select {
	case v := <-q.items:
		return v, nil
	case <-ctx.Done():
		return none, ctx.Err()
	case <-q.closing:
		// Nobody puts any more. What is left must still be taken.
		select {
		case v := <-q.items:
			return v, nil
		default:
			return none, ErrClosed
		}
	}
}

// Close turns away who comes later, and wakes who waits.
func (q *Queue[T]) Close() { q.once.Do(func() { close(q.closing) }) }

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
