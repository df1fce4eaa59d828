// A mutex and two Conds over a slice.
//
// All state is in plain fields under one lock, and every rule of the pool is a
// line of Go that one can read and change: another order, priorities, a limit
// that moves. Nothing is accepted or refused by accident of scheduling. The price
// is that a Cond knows nothing of ctx: an AfterFunc has to wake the waiters, and
// since it cannot wake the right one, it wakes all. With many waiting submitters
// the reference does less work.
package workerpool

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
)

var (
	ErrClosed    = errors.New("workerpool: closed")
	ErrQueueFull = errors.New("workerpool: queue full")
)

// PanicError is the error of a job whose handle panicked.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("workerpool: job panicked: %v", e.Value)
}

func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// Pool passes jobs to a fixed number of workers.
type Pool[J, R any] struct {
	handle func(context.Context, J) (R, error)
	ctx    context.Context
	cancel context.CancelFunc
	places int // for running and queued jobs together
	crew   sync.WaitGroup
	gone   chan struct{}

	mu     sync.Mutex // guards all below
	room   sync.Cond  // there may be room, or closed or some ctx has changed
	work   sync.Cond  // there is a job to take, or closed has changed
	queue  []task[J, R]
	busy   int
	closed bool
}

type task[J, R any] struct {
	job    J
	ticket *Ticket[R]
}

// New starts the workers.
func New[J, R any](workers, queue int, handle func(context.Context, J) (R, error)) *Pool[J, R] {
	if handle == nil {
		panic("workerpool: New was given a nil handle")
	}
	workers, queue = max(workers, 1), max(queue, 0)
	ctx, cancel := context.WithCancel(context.Background())
	p := &Pool[J, R]{handle: handle, ctx: ctx, cancel: cancel, places: workers + queue, gone: make(chan struct{})}
	p.room.L, p.work.L = &p.mu, &p.mu
	for range workers {
		p.crew.Go(p.worker)
	}
	return p
}

func (p *Pool[J, R]) worker() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		// A loop, not an if: another worker may have been quicker.
		for len(p.queue) == 0 && !p.closed {
			p.work.Wait()
		}
		if len(p.queue) == 0 {
			return
		}
		t := p.queue[0]
		p.queue = p.queue[1:]
		p.busy++

		p.mu.Unlock()
		value, err := p.run(t.job)
		p.mu.Lock()

		p.busy--
		p.room.Broadcast()
		t.ticket.answer(value, err)
	}
}

// run calls handle and makes a panic the job's error.
func (p *Pool[J, R]) run(j J) (value R, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return p.handle(p.ctx, j)
}

// Submit waits until there is room, ctx ends or Shutdown is called.
func (p *Pool[J, R]) Submit(ctx context.Context, j J) (*Ticket[R], error) {
	// The lock makes sure that the wake-up does not fall between a submitter's
	// look at ctx and its Wait.
	stop := context.AfterFunc(ctx, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.room.Broadcast()
	})
	defer stop()

	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		ticket, err := p.accept(j)
		if err != ErrQueueFull {
			return ticket, err
		}
		p.room.Wait()
	}
}

// TrySubmit takes the room that is there, or none.
func (p *Pool[J, R]) TrySubmit(j J) (*Ticket[R], error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.accept(j)
}

// accept queues j if it can. The caller holds the lock.
func (p *Pool[J, R]) accept(j J) (*Ticket[R], error) {
	if p.closed {
		return nil, ErrClosed
	}
	if p.busy+len(p.queue) >= p.places {
		return nil, ErrQueueFull
	}
	ticket := newTicket[R]()
	p.queue = append(p.queue, task[J, R]{j, ticket})
	p.work.Signal()
	return ticket, nil
}

// Shutdown closes the pool and waits for the crew, or drops the queue when ctx ends.
func (p *Pool[J, R]) Shutdown(ctx context.Context) error {
	p.mu.Lock()
	if !p.closed {
		p.closed = true
		p.room.Broadcast()
		p.work.Broadcast()
		go func() {
			p.crew.Wait()
			p.cancel()
			close(p.gone)
		}()
	}
	p.mu.Unlock()

	select {
	case <-p.gone:
		return nil
	case <-ctx.Done():
	}
	// Both under one lock: a worker that a cancelled job sets free must find the
	// queue empty.
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cancel()
	for _, t := range p.queue {
		t.ticket.answer(*new(R), ErrClosed)
	}
	p.queue = nil
	return ctx.Err()
}

// Ticket stands for the answer to one accepted job.
type Ticket[R any] struct {
	done  chan struct{}
	value R
	err   error
}

func newTicket[R any]() *Ticket[R] { return &Ticket[R]{done: make(chan struct{})} }

func (t *Ticket[R]) answer(value R, err error) {
	t.value, t.err = value, err
	close(t.done)
}

// Wait returns the answer, which wins over a ctx that has ended.
func (t *Ticket[R]) Wait(ctx context.Context) (R, error) {
	select {
	case <-t.done:
		return t.value, t.err
	default:
	}
	select {
	case <-t.done:
		return t.value, t.err
	case <-ctx.Done():
		return *new(R), ctx.Err()
	}
}
