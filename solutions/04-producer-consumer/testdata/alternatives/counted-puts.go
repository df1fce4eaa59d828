// A buffered channel, and a count of those who may still send on it.
//
// The channel does all the waiting, and a select gives ctx for nothing: Take and
// the loop of Batch cannot be shorter. What a channel does not have is a Close that
// others may call while somebody sends. So each Put signs in and out, Close turns
// away who comes later, and the last one out closes the channel. This is the one to
// write in production, where a channel is what everybody knows. The reference has
// one lock instead of a channel, a lock, a count and a signal, and it is the easier
// one to add a rule to.
package prodcon

import (
	"context"
	"errors"
	"sync"
	"time"
)

var ErrClosed = errors.New("prodcon: closed")

// Queue is a channel that may be closed at any time.
type Queue[T any] struct {
	items   chan T
	closing chan struct{} // closed by Close, to wake each Put that waits

	mu     sync.Mutex
	inside int // calls of Put under way; as long as the queue is open, one more
}

// NewQueue makes a channel with a buffer.
func NewQueue[T any](capacity int) *Queue[T] {
	return &Queue[T]{items: make(chan T, max(capacity, 1)), closing: make(chan struct{}), inside: 1}
}

// Put sends.
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

// leave closes the channel behind the last one, after whom nobody can send.
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

// Take receives. The channel gives out what is left, and then says that it is
// closed: all as the contract has it.
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

// Close turns away who comes later, wakes who waits, and takes back the one that
// stood for the open queue.
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

// Len asks the channel.
func (q *Queue[T]) Len() int { return len(q.items) }

// Producer makes items for Run.
type Producer[T any] func(ctx context.Context, put func(T) error) error

// Run needs no Queue: whoever starts all producers knows when the last one has gone,
// and closes the channel then.
func Run[T any](ctx context.Context, capacity, consumers int, consume func(context.Context, T) error, producers ...Producer[T]) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	items := make(chan T, max(capacity, 1))
	put := func(v T) error {
		select {
		case items <- v:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}

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
			for v := range items {
				if ctx.Err() != nil {
					continue // nobody is to wait for room; the rest is dropped
				}
				if err := consume(ctx, v); err != nil {
					fail(err)
				}
			}
		})
	}
	makers.Wait()
	close(items)
	users.Wait()
	return context.Cause(ctx)
}

// Batch is one select over all that can happen next.
func Batch[T any](ctx context.Context, q *Queue[T], size int, age time.Duration, flush func(context.Context, []T) error) error {
	var batch []T
	var old <-chan time.Time // nil, and so never ready, while there is no batch
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
			if open = more; !more {
				break
			}
			if batch = append(batch, v); len(batch) == 1 {
				old = time.After(age)
			}
			full = len(batch) >= max(size, 1)
		case <-old:
			full = true
		case <-ctx.Done():
			continue
		}
		if len(batch) > 0 && (full || !open) {
			if err := flush(ctx, batch); err != nil {
				return err
			}
			batch, old = nil, nil
		}
		if !open {
			return nil
		}
	}
}
