// One goroutine owns the items, and the others talk to it.
//
// The queue is a plain slice in a goroutine. It offers to receive while there is
// room and to send while there is an item, by switching the cases of one select on
// and off; no lock, no count, nothing shared. Rules that look at all items, such as
// priorities or dropping what has become stale, are plain code in one place. It
// costs a goroutine that somebody has to end, which is what Close does here, and
// two switches of goroutine for each item, where the reference mostly needs none.
package prodcon

import (
	"context"
	"errors"
	"sync"
	"time"
)

var ErrClosed = errors.New("prodcon: closed")

// Queue is a set of channels to and from the owner.
type Queue[T any] struct {
	in      chan T
	out     chan T
	length  chan int
	close   func()
	closing chan struct{}
	gone    chan struct{} // closed when the owner has left the rest behind
	rest    chan T        // closed, with what was left in its buffer
}

// NewQueue starts the owner.
func NewQueue[T any](capacity int) *Queue[T] {
	q := &Queue[T]{
		in:      make(chan T),
		out:     make(chan T),
		length:  make(chan int),
		closing: make(chan struct{}),
		gone:    make(chan struct{}),
	}
	q.close = sync.OnceFunc(func() { close(q.closing) })
	go q.own(max(capacity, 1))
	return q
}

// own ends when the queue is closed, even if nobody ever takes what is left.
func (q *Queue[T]) own(capacity int) {
	var items []T
	for {
		// A nil channel is never ready: no room, nothing to receive; no item,
		// nothing to send.
		var in, out chan T
		var first T
		if len(items) < capacity {
			in = q.in
		}
		if len(items) > 0 {
			out, first = q.out, items[0]
		}
		select {
		case v := <-in:
			items = append(items, v)
		case out <- first:
			items[0] = *new(T)
			items = items[1:]
		case q.length <- len(items):
		case <-q.closing:
			q.rest = make(chan T, len(items))
			for _, v := range items {
				q.rest <- v
			}
			close(q.rest)
			close(q.gone)
			return
		}
	}
}

// Put offers v to the owner.
func (q *Queue[T]) Put(ctx context.Context, v T) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-q.closing:
		return ErrClosed // the owner might not have looked yet
	default:
	}
	select {
	case q.in <- v:
		return nil
	case <-q.closing:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Take asks the owner, or takes from what it has left behind.
func (q *Queue[T]) Take(ctx context.Context) (T, error) {
	var none T
	if err := ctx.Err(); err != nil {
		return none, err
	}
	select {
	case v := <-q.out:
		return v, nil
	case <-q.gone:
		if v, ok := <-q.rest; ok {
			return v, nil
		}
		return none, ErrClosed
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

// Close sends the owner home.
func (q *Queue[T]) Close() { q.close() }

// Len asks the owner.
func (q *Queue[T]) Len() int {
	select {
	case n := <-q.length:
		return n
	case <-q.gone:
		return len(q.rest)
	}
}

// Producer makes items for Run.
type Producer[T any] func(ctx context.Context, put func(T) error) error

// Run collects how everybody ended in one channel, and decides in one place.
func Run[T any](parent context.Context, capacity, consumers int, consume func(context.Context, T) error, producers ...Producer[T]) error {
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	q := NewQueue[T](capacity)
	defer q.Close()
	consumers = max(consumers, 1)

	made, used := make(chan error), make(chan error)
	for _, produce := range producers {
		go func() { made <- produce(ctx, func(v T) error { return q.Put(ctx, v) }) }()
	}
	for range consumers {
		go func() {
			for {
				v, err := q.Take(ctx)
				if err == nil {
					if err = consume(ctx, v); err != nil {
						used <- err
						return
					}
					continue
				}
				used <- nil
				return
			}
		}()
	}

	var first error
	note := func(err error) {
		if cause := parent.Err(); cause != nil {
			err = cause // who was stopped by the caller may say what he likes
		}
		if err != nil && first == nil {
			first = err
			cancel()
		}
	}
	for left, using := len(producers), consumers; ; {
		if left == 0 {
			q.Close()
		}
		if left+using == 0 {
			return first
		}
		select {
		case err := <-made:
			left--
			note(err)
		case err := <-used:
			using--
			note(err)
		}
	}
}

// Batch counts the time that is left until the batch is old.
func Batch[T any](ctx context.Context, q *Queue[T], size int, age time.Duration, flush func(context.Context, []T) error) error {
	var batch []T
	var due time.Time
	for {
		waiting, cancel := ctx, context.CancelFunc(func() {})
		if len(batch) > 0 {
			waiting, cancel = context.WithDeadline(ctx, due)
		}
		v, err := q.Take(waiting)
		cancel()
		stopped := ctx.Err()
		if err == nil {
			if len(batch) == 0 {
				due = time.Now().Add(age)
			}
			batch = append(batch, v)
			if len(batch) < size && stopped == nil {
				continue
			}
		}
		if len(batch) > 0 {
			with := ctx
			if stopped != nil {
				with = context.WithoutCancel(ctx)
			}
			if err := flush(with, batch); err != nil {
				return errors.Join(stopped, err)
			}
			batch = nil
		}
		if stopped != nil || errors.Is(err, ErrClosed) {
			return stopped
		}
	}
}
