// want: assertion TestBatchLeavesFullOrInTime

// A ticker flushes what there is every so often.
//
// It ticks from the moment when Batch was called, and knows nothing of the batches. An item
// that comes just before the tick leaves alone, one that comes just after it waits twice as
// long as its neighbour. The latency is right on average and wrong for each item. The age
// of a batch begins with its first item, and so must the timer.
package prodcon

import (
	"context"
	"errors"
	"sync"
	"time"
)

var ErrClosed = errors.New("prodcon: closed")

// Queue is a buffered channel, and a count of those who may still send on it.
type Queue[T any] struct {
	items   chan T
	closing chan struct{}

	mu     sync.Mutex
	inside int // calls of Put under way; as long as the queue is open, one more
}

// NewQueue makes a queue with room for capacity items.
func NewQueue[T any](capacity int) *Queue[T] {
	return &Queue[T]{items: make(chan T, max(capacity, 1)), closing: make(chan struct{}), inside: 1}
}

// Put waits for room and sends v.
func (q *Queue[T]) Put(ctx context.Context, v T) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !q.enter() {
		return ErrClosed
	}
	defer q.leave()
	select {
	case q.items <- v:
		return nil
	case <-q.closing:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (q *Queue[T]) enter() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed() {
		return false
	}
	q.inside++
	return true
}

// leave closes the channel behind the last one.
func (q *Queue[T]) leave() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.inside--; q.inside == 0 {
		close(q.items)
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
	first := !q.closed()
	if first {
		close(q.closing)
	}
	q.mu.Unlock()
	if first {
		q.leave()
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
	ticker := time.NewTicker(max(age, 1))
	defer ticker.Stop()
	var batch []T
	for {
		if err := ctx.Err(); err != nil {
			if len(batch) > 0 {
				err = errors.Join(err, flush(context.WithoutCancel(ctx), batch))
			}
			return err
		}
		full, open := false, true
		select {
		case v, more := <-q.items:
			if open = more; open {
				batch = append(batch, v)
			}
			full = len(batch) >= max(size, 1) || age <= 0
		case <-ticker.C:
			full = true
		case <-ctx.Done():
			continue
		}
		if len(batch) > 0 && (full || !open) {
			if err := flush(ctx, batch); err != nil {
				return err
			}
			batch = nil
		}
		if !open {
			return nil
		}
	}
}
