// The channel is the queue, and the senders are counted.
//
// This is the classic shape: one channel with room for the queue, and workers
// that range over it. A channel may be closed only when nobody sends any more, so
// every Submit is counted in and out, and Shutdown closes the queue behind the
// last one. Against the reference it saves a channel operation on every job, and
// pays with a second WaitGroup and a shutdown in two phases, which is where people
// go wrong. A job that comes while the workers are still starting, or between two
// jobs, finds less room than the numbers promise.
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

	mu         sync.Mutex // guards closed, and that submitting grows only before it is set
	closed     bool
	closing    chan struct{} // closed with it, to wake whoever waits for room
	submitting sync.WaitGroup
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
	ctx, cancel := context.WithCancel(context.Background())
	p := &Pool[J, R]{
		handle:  handle,
		ctx:     ctx,
		cancel:  cancel,
		queue:   make(chan task[J, R], max(queue, 0)),
		closing: make(chan struct{}),
		gone:    make(chan struct{}),
	}
	for range max(workers, 1) {
		p.crew.Go(p.work)
	}
	return p
}

func (p *Pool[J, R]) work() {
	for t := range p.queue {
		if p.ctx.Err() != nil {
			t.ticket.answer(*new(R), ErrClosed)
			continue
		}
		t.ticket.answer(p.run(t.job))
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

// Submit waits until the channel has room, ctx ends or Shutdown is called.
func (p *Pool[J, R]) Submit(ctx context.Context, j J) (*Ticket[R], error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !p.enter() {
		return nil, ErrClosed
	}
	defer p.submitting.Done()
	ticket := newTicket[R]()
	select {
	case p.queue <- task[J, R]{j, ticket}:
		return ticket, nil
	case <-p.closing:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// TrySubmit takes the room that is there, or none.
func (p *Pool[J, R]) TrySubmit(j J) (*Ticket[R], error) {
	if !p.enter() {
		return nil, ErrClosed
	}
	defer p.submitting.Done()
	ticket := newTicket[R]()
	select {
	case p.queue <- task[J, R]{j, ticket}:
		return ticket, nil
	default:
		return nil, ErrQueueFull
	}
}

// enter counts a submitter in, unless the pool is closed. Asking and counting are
// one step: between two, Shutdown could find nobody and close the queue.
func (p *Pool[J, R]) enter() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.submitting.Add(1)
	return true
}

// Shutdown closes the pool and waits for the crew, or drops the queue when ctx ends.
func (p *Pool[J, R]) Shutdown(ctx context.Context) error {
	p.mu.Lock()
	if !p.closed {
		p.closed = true
		close(p.closing)
		go p.drain()
	}
	p.mu.Unlock()

	select {
	case <-p.gone:
		return nil
	case <-ctx.Done():
	}
	p.cancel()
	for t := range p.queue { // drain closes it at any moment now
		t.ticket.answer(*new(R), ErrClosed)
	}
	return ctx.Err()
}

// drain sees the pool out. Those who were waiting for room have been woken, so
// the first Wait is short.
func (p *Pool[J, R]) drain() {
	p.submitting.Wait()
	close(p.queue)
	p.crew.Wait()
	p.cancel()
	close(p.gone)
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
