// want: panic TestShutdownWakesWaitingSubmits

// Shutdown closes the queue while a Submit waits to send on it.
//
// Closing the queue is the right way to send the workers home, and Submit even asks
// under a lock whether the pool is closed. But it has asked before it began to wait.
// A goroutine that is blocked in a send panics when the channel is closed, and
// panics nobody's job but the process. The one who closes must know that nobody
// sends: count the senders out, or give them another channel to wait on.
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
	queue  chan task[J, R]
	crew   sync.WaitGroup
	gone   chan struct{}

	mu     sync.Mutex
	closed bool
}

type task[J, R any] struct {
	job    J
	ticket *Ticket[R]
}

// Ticket stands for the answer to one accepted job.
type Ticket[R any] struct {
	done  chan struct{}
	value R
	err   error
}

// New starts the workers.
func New[J, R any](workers, queue int, handle func(context.Context, J) (R, error)) *Pool[J, R] {
	if handle == nil {
		panic("workerpool: New was given a nil handle")
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &Pool[J, R]{
		handle: handle,
		ctx:    ctx,
		cancel: cancel,
		queue:  make(chan task[J, R], max(queue, 0)),
		gone:   make(chan struct{}),
	}
	for range max(workers, 1) {
		p.crew.Go(p.work)
	}
	return p
}

func (p *Pool[J, R]) work() {
	for t := range p.queue {
		if p.ctx.Err() != nil {
			p.answer(t, *new(R), ErrClosed)
			continue
		}
		value, err := p.run(t.job)
		p.answer(t, value, err)
	}
}

func (p *Pool[J, R]) run(j J) (value R, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return p.handle(p.ctx, j)
}

func (p *Pool[J, R]) answer(t task[J, R], value R, err error) {
	t.ticket.value, t.ticket.err = value, err
	close(t.ticket.done)
}

// Submit waits until there is room, ctx ends or Shutdown is called.
func (p *Pool[J, R]) Submit(ctx context.Context, j J) (*Ticket[R], error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if p.isClosed() {
		return nil, ErrClosed
	}
	ticket := &Ticket[R]{done: make(chan struct{})}
	select {
	case p.queue <- task[J, R]{j, ticket}:
		return ticket, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *Pool[J, R]) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// TrySubmit takes the room that is there, or none.
func (p *Pool[J, R]) TrySubmit(j J) (*Ticket[R], error) {
	if p.isClosed() {
		return nil, ErrClosed
	}
	ticket := &Ticket[R]{done: make(chan struct{})}
	select {
	case p.queue <- task[J, R]{j, ticket}:
		return ticket, nil
	default:
		return nil, ErrQueueFull
	}
}

// Shutdown closes the pool and waits for the crew, or forces the stop when ctx ends.
func (p *Pool[J, R]) Shutdown(ctx context.Context) error {
	p.mu.Lock()
	if !p.closed {
		p.closed = true
		close(p.queue)
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
	p.cancel()
	for t := range p.queue {
		p.answer(t, *new(R), ErrClosed)
	}
	return ctx.Err()
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
