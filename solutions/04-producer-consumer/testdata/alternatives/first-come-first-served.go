// Everybody who waits has a place in a line, and is served by name.
//
// Two lists hold who waits, in the order of arrival, each with a channel of its own.
// Whoever makes room, or brings an item, serves the first in line: the item goes from
// hand to hand, and exactly one goroutine is woken, who need not look again. So
// nobody is overtaken and nobody is woken in vain, however many wait; with hundreds
// of waiters whose ctx may end, this is better than the reference. The price is the
// moment when ctx ends while one is being served: who leaves the line has to look
// whether it has not been served already.
package prodcon

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"time"
)

var ErrClosed = errors.New("prodcon: closed")

// Queue is a list of items and two lines of people.
type Queue[T any] struct {
	mu       sync.Mutex
	capacity int
	items    []T
	putters  list.List // of *putter[T]; only while the queue is full
	takers   list.List // of *taker[T]; only while it is empty
	closed   bool
}

type putter[T any] struct {
	v      T
	served chan error // has room for one
}

type taker[T any] struct {
	served chan T // has room for one; closed if there will be nothing
}

// NewQueue makes a queue without items and without lines.
func NewQueue[T any](capacity int) *Queue[T] { return &Queue[T]{capacity: max(capacity, 1)} }

// Put serves the first taker in line, or adds to the items, or joins the line.
func (q *Queue[T]) Put(ctx context.Context, v T) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	q.mu.Lock()
	switch {
	case q.closed:
		q.mu.Unlock()
		return ErrClosed
	case q.takers.Len() > 0:
		q.takers.Remove(q.takers.Front()).(*taker[T]).served <- v
		q.mu.Unlock()
		return nil
	case len(q.items) < q.capacity:
		q.items = append(q.items, v)
		q.mu.Unlock()
		return nil
	}
	p := &putter[T]{v, make(chan error, 1)}
	place := q.putters.PushBack(p)
	q.mu.Unlock()

	select {
	case err := <-p.served:
		return err
	case <-ctx.Done():
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	select {
	case err := <-p.served:
		return err
	default:
		q.putters.Remove(place)
		return ctx.Err()
	}
}

// Take takes the first item and lets the first putter in line have its room, or
// joins the line.
func (q *Queue[T]) Take(ctx context.Context) (T, error) {
	var none T
	if err := ctx.Err(); err != nil {
		return none, err
	}
	q.mu.Lock()
	if len(q.items) > 0 {
		v := q.items[0]
		q.items[0] = none
		q.items = q.items[1:]
		if q.putters.Len() > 0 {
			p := q.putters.Remove(q.putters.Front()).(*putter[T])
			q.items = append(q.items, p.v)
			p.served <- nil
		}
		q.mu.Unlock()
		return v, nil
	}
	if q.closed {
		q.mu.Unlock()
		return none, ErrClosed
	}
	w := &taker[T]{make(chan T, 1)}
	place := q.takers.PushBack(w)
	q.mu.Unlock()

	select {
	case v, ok := <-w.served:
		return v, w.err(ok)
	case <-ctx.Done():
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	select {
	case v, ok := <-w.served:
		return v, w.err(ok)
	default:
		q.takers.Remove(place)
		return none, ctx.Err()
	}
}

func (w *taker[T]) err(ok bool) error {
	if ok {
		return nil
	}
	return ErrClosed
}

// Close sends both lines home.
func (q *Queue[T]) Close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	for q.putters.Len() > 0 {
		q.putters.Remove(q.putters.Front()).(*putter[T]).served <- ErrClosed
	}
	for q.takers.Len() > 0 {
		close(q.takers.Remove(q.takers.Front()).(*taker[T]).served)
	}
}

// Len counts the items, and not those who wait with one.
func (q *Queue[T]) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.items)
}

// Producer makes items for Run.
type Producer[T any] func(ctx context.Context, put func(T) error) error

// Run lets a goroutine of its own wait for the producers, so that it can itself be
// the first consumer.
func Run[T any](ctx context.Context, capacity, consumers int, consume func(context.Context, T) error, producers ...Producer[T]) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	q := NewQueue[T](capacity)

	var makers, all sync.WaitGroup
	for _, produce := range producers {
		makers.Go(func() {
			if err := produce(ctx, func(v T) error { return q.Put(ctx, v) }); err != nil {
				fail(err)
			}
		})
	}
	all.Go(func() {
		makers.Wait()
		q.Close()
	})
	work := func() {
		for {
			v, err := q.Take(ctx)
			if err != nil {
				return
			}
			if err := consume(ctx, v); err != nil {
				fail(err)
			}
		}
	}
	for range consumers - 1 {
		all.Go(work)
	}
	work()
	all.Wait()
	return context.Cause(ctx)
}

// Batch asks the clock as well as the ctx, and so knows why it has stopped waiting.
func Batch[T any](ctx context.Context, q *Queue[T], size int, age time.Duration, flush func(context.Context, []T) error) error {
	var batch []T
	leave := func(why error) error {
		if len(batch) == 0 {
			return why
		}
		return errors.Join(why, flush(context.WithoutCancel(ctx), batch))
	}
	for {
		v, err := q.Take(ctx)
		switch {
		case errors.Is(err, ErrClosed):
			return nil
		case err != nil:
			return leave(err)
		}
		batch = append(batch, v)
		due, cancel := context.WithTimeout(ctx, age)
		for err == nil && len(batch) < size {
			if v, err = q.Take(due); err == nil {
				batch = append(batch, v)
			}
		}
		cancel()
		if stopped := ctx.Err(); stopped != nil {
			return leave(stopped)
		}
		if err := flush(ctx, batch); err != nil {
			return err
		}
		batch = nil
	}
}
