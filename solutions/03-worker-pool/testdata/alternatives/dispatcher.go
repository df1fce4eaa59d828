// One goroutine owns the queue and decides, and nobody locks.
//
// The dispatcher takes jobs from submitters, starts them while fewer than the
// allowed number run, and hears from each when it has ended. Its state is local
// variables. Whether there is room is said by the channel it listens on: a nil
// channel is one that nobody can send on. Rules that look at the whole queue, such
// as priorities or a fair share per customer, are easy to add here. The price is
// one goroutine that every job passes twice, so it does not scale with the number
// of cores as far as the others do.
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

// Pool passes jobs to a limited number of goroutines.
type Pool[J, R any] struct {
	handle func(context.Context, J) (R, error)
	ctx    context.Context
	cancel context.CancelFunc

	submit chan task[J, R]  // received from only while there is room
	try    chan trial[J, R] // received from always
	ended  chan struct{}    // one element for each job that has ended

	close   sync.Once
	closing chan struct{}
	gone    chan struct{}
}

type task[J, R any] struct {
	job    J
	ticket *Ticket[R]
}

// trial is a job that goes away again if there is no room for it.
type trial[J, R any] struct {
	task[J, R]
	accepted chan<- bool
}

// New starts the dispatcher.
func New[J, R any](workers, queue int, handle func(context.Context, J) (R, error)) *Pool[J, R] {
	if handle == nil {
		panic("workerpool: New was given a nil handle")
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &Pool[J, R]{
		handle:  handle,
		ctx:     ctx,
		cancel:  cancel,
		submit:  make(chan task[J, R]),
		try:     make(chan trial[J, R]),
		ended:   make(chan struct{}),
		closing: make(chan struct{}),
		gone:    make(chan struct{}),
	}
	go p.dispatch(max(workers, 1), max(queue, 0))
	return p
}

func (p *Pool[J, R]) dispatch(workers, room int) {
	defer close(p.gone)
	defer p.cancel()
	var (
		queue   []task[J, R]
		running int
		try     = p.try
		closing = p.closing
		forced  = p.ctx.Done()
	)
	for closing != nil || running > 0 || len(queue) > 0 {
		submit := p.submit
		if closing == nil || running+len(queue) >= workers+room {
			submit = nil
		}
		select {
		case t := <-submit:
			queue = append(queue, t)
		case t := <-try:
			ok := running+len(queue) < workers+room
			if ok {
				queue = append(queue, t.task)
			}
			t.accepted <- ok
		case <-p.ended:
			running--
		case <-closing:
			closing, try = nil, nil
		case <-forced:
			forced = nil
		}

		// Forced and ended may have come in one moment, so ctx decides here.
		if p.ctx.Err() != nil {
			for _, t := range queue {
				t.ticket.answer(*new(R), ErrClosed)
			}
			queue = nil
		}
		for running < workers && len(queue) > 0 {
			t := queue[0]
			queue = queue[1:]
			running++
			go func() {
				t.ticket.answer(p.run(t.job))
				p.ended <- struct{}{} // last: it lets the dispatcher go
			}()
		}
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

// Submit offers the job until the dispatcher takes it, ctx ends or Shutdown is called.
func (p *Pool[J, R]) Submit(ctx context.Context, j J) (*Ticket[R], error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if p.closed() {
		return nil, ErrClosed
	}
	ticket := newTicket[R]()
	select {
	case p.submit <- task[J, R]{j, ticket}:
		return ticket, nil
	case <-p.closing:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// TrySubmit asks the dispatcher.
func (p *Pool[J, R]) TrySubmit(j J) (*Ticket[R], error) {
	if p.closed() {
		return nil, ErrClosed
	}
	ticket, accepted := newTicket[R](), make(chan bool, 1)
	select {
	case p.try <- trial[J, R]{task[J, R]{j, ticket}, accepted}:
	case <-p.closing:
		return nil, ErrClosed
	}
	if !<-accepted {
		return nil, ErrQueueFull
	}
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

// Shutdown tells the dispatcher to end, and to hurry when ctx ends.
func (p *Pool[J, R]) Shutdown(ctx context.Context) error {
	p.close.Do(func() { close(p.closing) })
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
