// want: assertion TestShutdownRunsOutOfTime

// A forced stop sends the workers home, and the tickets of the queued jobs are never
// answered.
//
// The workers notice that ctx has ended, and leave: fast and clean. In the queue lie
// jobs, each with somebody who waits for its answer, perhaps without a limit,
// and nobody is left who could give one. Every way out of a pool, the hasty one
// included, has to answer every ticket it has given out.
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

	places chan struct{}   // one element for each job accepted and not yet ended
	queue  chan task[J, R] // has as many places

	mu      sync.Mutex
	closing chan struct{}
	crew    sync.WaitGroup
	gone    chan struct{}
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
	workers, queue = max(workers, 1), max(queue, 0)
	ctx, cancel := context.WithCancel(context.Background())
	p := &Pool[J, R]{
		handle:  handle,
		ctx:     ctx,
		cancel:  cancel,
		places:  make(chan struct{}, workers+queue),
		queue:   make(chan task[J, R], workers+queue),
		closing: make(chan struct{}),
		gone:    make(chan struct{}),
	}
	for range workers {
		p.crew.Go(p.work)
	}
	return p
}

func (p *Pool[J, R]) work() {
	for t := range p.queue {
		if p.ctx.Err() != nil {
			return
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
	<-p.places
	close(t.ticket.done)
}

// Submit waits until there is room, ctx ends or Shutdown is called.
func (p *Pool[J, R]) Submit(ctx context.Context, j J) (*Ticket[R], error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case p.places <- struct{}{}:
		return p.accept(j)
	case <-p.closing:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// accept queues a job that has its place.
func (p *Pool[J, R]) accept(j J) (*Ticket[R], error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed() {
		<-p.places
		return nil, ErrClosed
	}
	ticket := &Ticket[R]{done: make(chan struct{})}
	p.queue <- task[J, R]{j, ticket}
	return ticket, nil
}

func (p *Pool[J, R]) closed() bool {
	select {
	case <-p.closing:
		return true
	default:
		return false
	}
}

// TrySubmit takes the room that is there, or none.
func (p *Pool[J, R]) TrySubmit(j J) (*Ticket[R], error) {
	select {
	case p.places <- struct{}{}:
		return p.accept(j)
	default:
	}
	if p.closed() {
		return nil, ErrClosed
	}
	return nil, ErrQueueFull
}

// Shutdown closes the pool and waits for the crew, or forces the stop when ctx ends.
func (p *Pool[J, R]) Shutdown(ctx context.Context) error {
	p.mu.Lock()
	if !p.closed() {
		close(p.closing)
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
