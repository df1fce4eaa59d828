// A goroutine for each accepted job, held back by two semaphores.
//
// There is no crew that waits for work: accepting a job starts its goroutine,
// which waits for one of as many seats as there would be workers. The other
// semaphore bounds how many jobs are accepted, and so how many goroutines there
// are. It is the shortest design, an idle pool costs nothing, and a queued job can
// watch for the forced stop by itself. But each queued job holds a stack of its
// own, which tells with a long queue, and a pool that is always busy starts a
// goroutine per job where the reference starts none.
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

// Pool runs jobs on a limited number of goroutines.
type Pool[J, R any] struct {
	handle func(context.Context, J) (R, error)
	ctx    context.Context
	cancel context.CancelFunc
	places chan struct{} // taken by accepted jobs
	seats  chan struct{} // taken by running jobs

	mu       sync.Mutex     // makes looking at closing and growing accepted one step
	accepted sync.WaitGroup // grows only while closing is open
	closing  chan struct{}
	gone     chan struct{}
}

// New starts nothing.
func New[J, R any](workers, queue int, handle func(context.Context, J) (R, error)) *Pool[J, R] {
	if handle == nil {
		panic("workerpool: New was given a nil handle")
	}
	workers, queue = max(workers, 1), max(queue, 0)
	ctx, cancel := context.WithCancel(context.Background())
	return &Pool[J, R]{
		handle:  handle,
		ctx:     ctx,
		cancel:  cancel,
		places:  make(chan struct{}, workers+queue),
		seats:   make(chan struct{}, workers),
		closing: make(chan struct{}),
		gone:    make(chan struct{}),
	}
}

// Submit waits until there is a place, ctx ends or Shutdown is called.
func (p *Pool[J, R]) Submit(ctx context.Context, j J) (*Ticket[R], error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case p.places <- struct{}{}:
		return p.start(j)
	case <-p.closing:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// TrySubmit takes the place that is there, or none.
func (p *Pool[J, R]) TrySubmit(j J) (*Ticket[R], error) {
	select {
	case p.places <- struct{}{}:
		return p.start(j)
	case <-p.closing:
		return nil, ErrClosed
	default:
		return nil, ErrQueueFull
	}
}

// start gives a job that has its place a goroutine.
func (p *Pool[J, R]) start(j J) (*Ticket[R], error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.closing:
		<-p.places
		return nil, ErrClosed
	default:
	}
	ticket := newTicket[R]()
	p.accepted.Go(func() {
		value, err := p.run(j)
		<-p.places
		ticket.answer(value, err)
	})
	return ticket, nil
}

// run waits for a seat, calls handle and makes a panic the job's error.
func (p *Pool[J, R]) run(j J) (value R, err error) {
	select {
	case p.seats <- struct{}{}:
		defer func() { <-p.seats }()
	case <-p.ctx.Done():
	}
	if p.ctx.Err() != nil {
		return value, ErrClosed
	}
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return p.handle(p.ctx, j)
}

// Shutdown closes the pool and waits for the accepted jobs, which all end soon once
// ctx has.
func (p *Pool[J, R]) Shutdown(ctx context.Context) error {
	p.mu.Lock()
	select {
	case <-p.closing:
	default:
		close(p.closing)
		go func() {
			p.accepted.Wait()
			p.cancel()
			close(p.gone)
		}()
	}
	p.mu.Unlock()

	select {
	case <-p.gone:
		return nil
	case <-ctx.Done():
		p.cancel()
		return ctx.Err()
	}
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
