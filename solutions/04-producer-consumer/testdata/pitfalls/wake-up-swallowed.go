// want: assertion TestErrorMeansNothingHappened

// Who was woken for an item leaves because of ctx, and does not wake another.
//
// Each who waits has a channel of his own in a list, and each item closes the first of
// them: nobody is woken in vain. When ctx ends for the one who has just been chosen, the
// select may take either case. It takes ctx, the caller leaves, and the wake-up is gone:
// the item lies in the queue, and the others sleep beside it. Whoever leaves the line has
// to look whether he was called, and then to call the next.
package prodcon

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

var ErrClosed = errors.New("prodcon: closed")

// Queue is a slice, a lock, and a line for each side.
type Queue[T any] struct {
	mu       sync.Mutex
	filled   line
	freed    line
	capacity int
	items    []T
	closed   bool
}

// NewQueue makes a queue with room for capacity items.
func NewQueue[T any](capacity int) *Queue[T] {
	return &Queue[T]{capacity: max(capacity, 1)}
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
	q.filled.wake(1)
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
	q.freed.wake(1)
	return v, nil
}

// line is who waits, in the order of arrival. The lock of the queue guards it.
type line struct{ waiting []chan struct{} }

// wake wakes the first n in line.
func (l *line) wake(n int) {
	for ; n > 0 && len(l.waiting) > 0; n-- {
		close(l.waiting[0])
		l.waiting = l.waiting[1:]
	}
}

func (l *line) leave(c chan struct{}) {
	l.waiting = slices.DeleteFunc(l.waiting, func(other chan struct{}) bool { return other == c })
}

// wait returns when ready reports true, the queue is closed or ctx has ended. The
// caller holds the lock.
func (q *Queue[T]) wait(ctx context.Context, l *line, ready func() bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for !q.closed && !ready() {
		woken := make(chan struct{})
		l.waiting = append(l.waiting, woken)
		q.mu.Unlock()
		select {
		case <-woken:
		case <-ctx.Done():
		}
		q.mu.Lock()
		if err := ctx.Err(); err != nil {
			l.leave(woken)
			return err
		}
	}
	return nil
}

// Close closes the queue and wakes everybody.
func (q *Queue[T]) Close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.filled.wake(len(q.filled.waiting))
	q.freed.wake(len(q.freed.waiting))
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
