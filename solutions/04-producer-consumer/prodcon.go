// Package prodcon is the reference for the fourth lesson: a bounded queue between
// those who make something and those who use it, so that either side may be the
// faster one for a while.
//
// The queue is the bounded buffer of the textbooks: plain fields, one lock, and a
// condition variable for each of the two things that somebody may wait for. It is
// what a buffered channel is inside, with the two things that a channel lacks: it
// may be closed while others put, and Close tells everybody.
//
// Contexts, queues and functions passed in are not nil. Where ctx's error is
// returned, that is ctx.Err() or context.Cause(ctx), and it may be wrapped.
package prodcon

import (
	"context"
	"errors"
	"sync"
	"time"
)

// ErrClosed means that the queue has been closed: nothing more can be put in, or
// nothing is left to be taken out.
var ErrClosed = errors.New("prodcon: closed")

// Queue passes items from those who put them in to those who take them out, in
// the order in which they were put. Where two calls of Put overlap, either may
// come first. Make a queue with NewQueue: the zero Queue is of no use. All its
// methods may be called from any goroutine.
//
// A call that waits holds up nobody else: other calls return as they would
// without it. Which of several waiting calls goes on first is not promised.
type Queue[T any] struct {
	mu     sync.Mutex // guards all below
	filled sync.Cond  // an item has come, or closed has changed
	freed  sync.Cond  // an item has gone, or closed has changed
	ring   []T        // as long as the capacity; behind the last place comes the first
	first  int        // where in the ring the first item is
	count  int        // how many items there are, from there on
	closed bool
}

// NewQueue makes a queue with room for capacity items. A capacity below 1 counts
// as 1.
//
// Every queue has to be closed in the end. When it is closed, and all that was
// left in it has been taken, nothing of it is left running.
func NewQueue[T any](capacity int) *Queue[T] {
	q := &Queue[T]{ring: make([]T, max(capacity, 1))}
	q.filled.L, q.freed.L = &q.mu, &q.mu
	return q
}

// Put adds v to the queue. While the queue is full, it waits: until there is
// room, ctx ends, or Close is called.
//
// With a nil error v is in the queue, and one Take will return it. With any
// other, v is not in the queue and never will be. The error is ErrClosed if the
// queue has been closed, be it before the call or while it waited, and ctx's
// error if ctx has ended; if both have happened, it is either. A ctx that has
// ended before the call puts nothing, even if there is room.
func (q *Queue[T]) Put(ctx context.Context, v T) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.wait(ctx, &q.freed, func() bool { return q.count < len(q.ring) }); err != nil {
		return err
	}
	if q.closed {
		return ErrClosed
	}
	q.ring[(q.first+q.count)%len(q.ring)] = v
	q.count++
	// One item is something to do for one Take. Only takers wait on filled, so
	// there is no need to wake them all to make sure that it is one of them.
	q.filled.Signal()
	return nil
}

// Take removes the first item from the queue and returns it. While the queue is
// empty, it waits: until there is an item, ctx ends, or Close is called.
//
// A closed queue gives out what is left in it, in order. When nothing is left,
// Take returns ErrClosed, and from then on always: no item can come after it.
//
// With a nil error the item is the caller's, and nobody else will get it. With
// any other, the item returned is a zero T and nothing has been taken: what is in
// the queue is there for the next Take. The error is ErrClosed if the queue is
// closed and empty, and ctx's error if ctx has ended; if both have happened, it
// is either. A ctx that has ended before the call takes nothing, even if there is
// an item.
func (q *Queue[T]) Take(ctx context.Context) (T, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	var none T
	if err := q.wait(ctx, &q.filled, func() bool { return q.count > 0 }); err != nil {
		return none, err
	}
	if q.count == 0 {
		return none, ErrClosed
	}
	v := q.ring[q.first]
	q.ring[q.first] = none // what v refers to is no longer the queue's to keep alive
	q.first = (q.first + 1) % len(q.ring)
	q.count--
	q.freed.Signal()
	return v, nil
}

// wait returns nil when ready reports true or the queue is closed, and ctx's error
// if ctx has ended before. The caller holds the lock, and holds it again when wait
// returns; while it waits, Cond.Wait leaves the lock to others. So what ready has
// seen still holds when the caller acts on it.
func (q *Queue[T]) wait(ctx context.Context, c *sync.Cond, ready func() bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if q.closed || ready() {
		return nil
	}
	// A Cond knows nothing of ctx, so the end of ctx has to wake this waiter. It
	// cannot choose whom it wakes: it wakes all, and the others look again and go
	// back to sleep. The lock keeps the call out of the moment between our look at
	// ctx and our Wait, where it would wake nobody.
	stop := context.AfterFunc(ctx, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		c.Broadcast()
	})
	defer stop()
	// A loop, because to be woken is a hint: somebody else may have been quicker.
	for !q.closed && !ready() {
		// Asked only when there is nothing to be had. Who was woken for an item and
		// left because of ctx would have taken the wake-up away from the others.
		if err := ctx.Err(); err != nil {
			return err
		}
		c.Wait()
	}
	return nil
}

// Close closes the queue: from then on nothing can be put in. Every Put that
// waits returns ErrClosed, and so does every Take that waits, since the queue it
// waits for is empty. What is in the queue stays there to be taken, and Close
// does not wait for that: it returns at once.
//
// Close may be called again and from many goroutines. Only the first call counts.
func (q *Queue[T]) Close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.filled.Broadcast()
	q.freed.Broadcast()
}

// Len returns how many items are in the queue. It never waits. By the time the
// caller looks at the number, it may have changed.
func (q *Queue[T]) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.count
}

// Producer makes items for [Run]. It calls put for each item, and returns nil
// when it has no more, or an error, which ends all the work.
//
// put waits while the queue is full. It returns nil if the item is in the queue,
// and any other error if the work has been ended: the producer should then
// return. ctx ends at that moment too; a producer that waits for something else
// than put has to watch it. put may be called from several goroutines, but not
// after the producer has returned.
type Producer[T any] func(ctx context.Context, put func(T) error) error

// Run passes every item that the producers put to consume, through a queue of
// the given capacity. It returns nil when every producer has returned nil and
// every item has been consumed. Without producers, that is at once.
//
// Each producer runs in a goroutine of its own. consume is called once for each
// item, in the order in which they were put; up to consumers calls run at the same
// time, and no fewer while there are items. Fewer than one consumer counts as one.
// At most capacity items (a capacity below 1 counts as 1) have been put without
// consume having begun on them, and put does not wait while there are fewer.
//
// The first error that a producer or consume returns ends the work. The context
// that they all were given, which is derived from ctx, ends; so does every put
// that waits; no further call of consume begins, and what is still in the queue
// is dropped. Run returns that error, wrapped or as it is, and never what
// another of them returned later. If ctx ends before everything has been
// consumed, the work ends in the same way, and Run returns ctx's error, whatever
// the producers and consume return. If it ends when everything has been consumed
// and Run has still to return, it is either.
//
// Run waits. When it returns, on whichever path, every producer and every call
// of consume have returned, and no goroutine is left.
func Run[T any](ctx context.Context, capacity, consumers int, consume func(context.Context, T) error, producers ...Producer[T]) error {
	// Whoever fails first leaves the cause here; what comes later does not replace
	// it. All waits listen to this ctx, so that nobody has to be told one by one.
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
					return // nothing is left, or ctx knows why
				}
				if err := consume(ctx, v); err != nil {
					fail(err)
					return
				}
			}
		})
	}
	// No producer knows whether it is the last. Here, all of them are known to have
	// gone, and consumers may take an empty queue for the end.
	makers.Wait()
	q.Close()
	users.Wait()
	return context.Cause(ctx)
}

// Batch takes items from q and hands them to flush, several at a time, in order,
// until q is closed and empty. Then it returns nil. It does not close q.
//
// A batch is flushed as soon as it holds size items, or when age has passed since
// its first item was taken, whichever comes first; and when q is closed and
// empty, or ctx ends, there is nothing more to wait for. A size below 1 counts as
// 1. With an age of zero or less, a batch does not wait for further items; those
// that are there already may be in it. No batch is empty.
//
// flush is called for one batch at a time. The slice is flush's to keep and to
// change: Batch does not touch it again. The context that flush is given has
// ctx's values, and ends when ctx does.
//
// An error of flush ends Batch, which returns it, wrapped or as it is. When ctx
// ends, Batch flushes what it has in hand, if anything, for the last time and
// with a context that has ctx's values but has not ended, and returns ctx's
// error. If that last flush fails, it returns both errors, as errors.Join does.
//
// Nothing gets lost: on every path, each item that Batch has taken from q has been
// handed to flush, once. What it has not taken is still in q.
func Batch[T any](ctx context.Context, q *Queue[T], size int, age time.Duration, flush func(context.Context, []T) error) error {
	for {
		batch, more := collect(ctx, q, max(size, 1), age)
		stopped := ctx.Err() // asked once, so that all that follows agrees
		if len(batch) > 0 {
			flushing := ctx
			if stopped != nil {
				// Nobody but us has these items any more. Who is to save them needs a
				// ctx that has not ended.
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

// collect takes the items of one batch, in a slice of its own. It reports whether
// more may come.
func collect[T any](ctx context.Context, q *Queue[T], size int, age time.Duration) (batch []T, more bool) {
	v, err := q.Take(ctx)
	if err != nil {
		return nil, !errors.Is(err, ErrClosed)
	}
	batch = append(batch, v)
	// One deadline for the whole batch, counted from its first item. A Take that
	// runs into it has taken nothing, so no item falls between two batches.
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
