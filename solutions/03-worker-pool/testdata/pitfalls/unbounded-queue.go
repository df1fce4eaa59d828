// want: assertion TestQueueHasExactlyItsRoom

// The queue is a slice that grows, and so nobody ever has to wait.
//
// It looks kind: each submitter gets in at once. But when jobs come faster than
// the crew can work, the queue is where they pile up. Memory grows, every answer
// comes later than the one before, and nobody upstream learns of it until the process
// is killed and all is lost. A bound turns that into an early no.
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
	crew   sync.WaitGroup
	gone   chan struct{}

	mu     sync.Mutex
	wake   *sync.Cond
	queue  []task[J, R]
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
		gone:   make(chan struct{}),
		queue:  make([]task[J, R], 0, max(queue, 0)),
	}
	p.wake = sync.NewCond(&p.mu)
	for range max(workers, 1) {
		p.crew.Go(p.work)
	}
	return p
}

func (p *Pool[J, R]) work() {
	for {
		p.mu.Lock()
		for len(p.queue) == 0 && !p.closed {
			p.wake.Wait()
		}
		if len(p.queue) == 0 {
			p.mu.Unlock()
			return
		}
		t := p.queue[0]
		p.queue = p.queue[1:]
		p.mu.Unlock()

		value, err := p.run(t.job)
		t.ticket.answer(value, err)
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

func (t *Ticket[R]) answer(value R, err error) {
	t.value, t.err = value, err
	close(t.done)
}

// Submit queues the job.
func (p *Pool[J, R]) Submit(ctx context.Context, j J) (*Ticket[R], error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return p.TrySubmit(j)
}

// TrySubmit queues the job.
func (p *Pool[J, R]) TrySubmit(j J) (*Ticket[R], error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, ErrClosed
	}
	ticket := &Ticket[R]{done: make(chan struct{})}
	p.queue = append(p.queue, task[J, R]{j, ticket})
	p.wake.Signal()
	return ticket, nil
}

// Shutdown closes the pool and waits for the crew, or forces the stop when ctx ends.
func (p *Pool[J, R]) Shutdown(ctx context.Context) error {
	p.mu.Lock()
	if !p.closed {
		p.closed = true
		p.wake.Broadcast()
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
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cancel()
	for _, t := range p.queue {
		t.ticket.answer(*new(R), ErrClosed)
	}
	p.queue = nil
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
