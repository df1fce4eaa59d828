// want: assertion TestShutdownWakesWaitingSubmits

// Submit waits for room under a read lock, and Shutdown waits for Submit.
//
// With a sync.RWMutex the submitters do not hinder each other, and close cannot cross
// a send: Shutdown takes the write lock first. But a write lock has to wait until the
// last reader has left, and these readers leave when a job ends and makes room. So the
// pool cannot even begin to shut down while it is full, which is when one most wants
// it to, and the ctx that should bound Shutdown goes unheard. Worse, a writer that
// waits keeps out new readers: TrySubmit blocks too.
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

	mu     sync.RWMutex // Submit reads closed and sends, Shutdown sets it and closes
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
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.closed {
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

// TrySubmit takes the room that is there, or none.
func (p *Pool[J, R]) TrySubmit(j J) (*Ticket[R], error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.closed {
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
