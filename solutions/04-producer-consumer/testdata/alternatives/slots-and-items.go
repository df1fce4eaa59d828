// A ring, and two semaphores that count its free places and its items.
//
// Dijkstra's bounded buffer of 1965. To put is to take a free place and to give an
// item, to take is the other way round; two buffered channels count both, and who
// finds nothing to count waits. The lock is held for a moment only, while the ring
// is touched. It comes close to the reference in size, and unlike a Cond a channel
// hears ctx without help. The price is that the state is in three places, and that
// each way out has to give back what it has taken.
package prodcon

import (
	"context"
	"errors"
	"sync"
	"time"
)

var ErrClosed = errors.New("prodcon: closed")

// Queue is a ring with two semaphores.
type Queue[T any] struct {
	places  chan struct{} // one element for each place that is taken
	items   chan struct{} // one element for each item in the ring
	closing chan struct{} // closed by the first Close

	mu          sync.Mutex
	ring        []T
	first, last int // count on without end; the ring's length wraps them
	closed      bool
}

// NewQueue makes the ring and its two counts.
func NewQueue[T any](capacity int) *Queue[T] {
	capacity = max(capacity, 1)
	return &Queue[T]{
		places:  make(chan struct{}, capacity),
		items:   make(chan struct{}, capacity),
		closing: make(chan struct{}),
		ring:    make([]T, capacity),
	}
}

// Put takes a place and gives an item.
func (q *Queue[T]) Put(ctx context.Context, v T) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case q.places <- struct{}{}:
	case <-q.closing:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		<-q.places
		return ErrClosed
	}
	q.ring[q.last%len(q.ring)] = v
	q.last++
	q.items <- struct{}{} // has room for as many as there are places
	return nil
}

// Take takes an item and gives back its place.
func (q *Queue[T]) Take(ctx context.Context) (T, error) {
	var none T
	if err := ctx.Err(); err != nil {
		return none, err
	}
	select {
	case <-q.items:
	case <-ctx.Done():
		return none, ctx.Err()
	case <-q.closing:
		// Closed under the lock that puts need, so all that will ever be in the
		// ring has been counted.
		select {
		case <-q.items:
		default:
			return none, ErrClosed
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	v := q.ring[q.first%len(q.ring)]
	q.ring[q.first%len(q.ring)] = none
	q.first++
	<-q.places
	return v, nil
}

// Close stops the puts, and tells all who wait.
func (q *Queue[T]) Close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed {
		q.closed = true
		close(q.closing)
	}
}

// Len counts what is in the ring.
func (q *Queue[T]) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.last - q.first
}

// Producer makes items for Run.
type Producer[T any] func(ctx context.Context, put func(T) error) error

// Run keeps the first error with a Once, and ends the work with a plain cancel.
func Run[T any](parent context.Context, capacity, consumers int, consume func(context.Context, T) error, producers ...Producer[T]) error {
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	q := NewQueue[T](capacity)
	var once sync.Once
	var first error
	// Whoever fails when the caller's ctx has ended must not be the first to say
	// why.
	stop := func(err error) {
		if err == nil {
			return
		}
		if cause := parent.Err(); cause != nil {
			err = cause
		}
		once.Do(func() { first = err; cancel() })
	}
	defer context.AfterFunc(parent, func() { stop(parent.Err()) })()

	var makers, users sync.WaitGroup
	for _, produce := range producers {
		makers.Go(func() {
			err := produce(ctx, func(v T) error { return q.Put(ctx, v) })
			if cause := parent.Err(); cause != nil {
				err = cause
			}
			stop(err)
		})
	}
	for range max(consumers, 1) {
		users.Go(func() {
			for {
				v, err := q.Take(ctx)
				if err != nil {
					return
				}
				stop(consume(ctx, v))
			}
		})
	}
	makers.Wait()
	q.Close()
	users.Wait()
	stop(parent.Err())
	once.Do(func() {}) // from here on, first stays as it is
	return first
}

// Batch gives each batch a ctx that a timer ends.
func Batch[T any](ctx context.Context, q *Queue[T], size int, age time.Duration, flush func(context.Context, []T) error) error {
	for over := false; !over; {
		batch, err := next(ctx, q, max(size, 1), age)
		over = errors.Is(err, ErrClosed)
		if stopped := ctx.Err(); stopped != nil {
			if len(batch) == 0 {
				return stopped
			}
			return errors.Join(stopped, flush(context.WithoutCancel(ctx), batch))
		}
		if len(batch) == 0 {
			continue
		}
		if err := flush(ctx, batch); err != nil {
			return err
		}
	}
	return nil
}

func next[T any](ctx context.Context, q *Queue[T], size int, age time.Duration) ([]T, error) {
	v, err := q.Take(ctx)
	if err != nil {
		return nil, err
	}
	batch := make([]T, 1, min(size, len(q.ring)))
	batch[0] = v

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer time.AfterFunc(age, cancel).Stop()
	for len(batch) < size {
		v, err := q.Take(ctx)
		if err != nil {
			return batch, err
		}
		batch = append(batch, v)
	}
	return batch, nil
}
