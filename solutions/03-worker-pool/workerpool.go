// Package workerpool is the reference for the third lesson: a fixed crew of
// workers behind one bounded queue, so that no rush of jobs can take more than
// you chose to give.
//
// A job gets in in two moves. First its submitter waits for a place, with an eye
// on ctx and no lock in its hand. Then it hands over the job, which never waits,
// and so may be done under the lock that Shutdown needs too.
//
// Contexts passed in are not nil. Where ctx's error is returned, that is
// ctx.Err() or context.Cause(ctx).
package workerpool

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
)

var (
	// ErrClosed means that the job was not run and never will be, because
	// Shutdown had been called.
	ErrClosed = errors.New("workerpool: closed")

	// ErrQueueFull means that TrySubmit found no room for the job.
	ErrQueueFull = errors.New("workerpool: queue full")
)

// PanicError is the error of a job whose handle panicked.
type PanicError struct {
	Value any    // what handle panicked with
	Stack []byte // where it did so, as debug.Stack prints it
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("workerpool: job panicked: %v", e.Value)
}

// Unwrap returns Value if that is an error, so that errors.Is and errors.As
// see the cause.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// Pool passes jobs to a fixed number of workers. Make one with New: the zero
// Pool is of no use. All its methods may be called from any goroutine.
type Pool[J, R any] struct {
	handle func(context.Context, J) (R, error)
	ctx    context.Context // what handle gets
	cancel context.CancelFunc

	places chan struct{}   // one element for each job accepted and not yet ended
	queue  chan task[J, R] // has as many places, so sending never waits

	mu      sync.Mutex    // makes Shutdown and a submitter agree on who came first
	closing chan struct{} // closed by the first Shutdown
	crew    sync.WaitGroup
	gone    chan struct{} // closed when the whole crew has gone
}

// task is a job on its way to a worker, with the ticket for its answer.
type task[J, R any] struct {
	job    J
	ticket *Ticket[R]
}

// Ticket stands for the answer to one accepted job. Submit and TrySubmit make
// it: the zero Ticket is of no use.
type Ticket[R any] struct {
	done  chan struct{} // closed once value and err are there to stay
	value R
	err   error
}

// New makes a pool that runs up to workers jobs at the same time and lets up
// to queue more wait for their turn. Fewer than one worker counts as one, and a
// negative queue as none: a job then gets in when a worker is free to take it.
// New panics at once if handle is nil.
//
// handle is called once for each accepted job that Shutdown does not drop, from
// several goroutines at the same time. The order in which waiting jobs start is
// not promised. What handle returns, value and error, is the answer on the job's
// ticket. If it panics, the answer is a zero R and a *PanicError, and the pool
// goes on with all its workers. handle must not call runtime.Goexit, of which
// lesson 5 tells.
//
// The ctx that handle gets belongs to the pool. While handle runs, it ends only
// when a Shutdown runs out of time; the ctx that was given to Submit has no
// influence on it.
//
// Whoever calls New has to call Shutdown. Once that has returned nil, nothing
// of the pool is left running.
func New[J, R any](workers, queue int, handle func(context.Context, J) (R, error)) *Pool[J, R] {
	if handle == nil {
		// Found here, the mistake has the caller's line in its stack. Found by a
		// worker, it would be the error of every single job.
		panic("workerpool: New was given a nil handle")
	}
	workers, queue = max(workers, 1), max(queue, 0)
	// No parent: whatever ctx the caller has may end with a request or a test,
	// while the pool still owes answers.
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

// work is the life of a worker. It ends when the queue is closed and empty, so
// that a closed pool still runs all that it has accepted.
func (p *Pool[J, R]) work() {
	for t := range p.queue {
		if p.ctx.Err() != nil {
			p.answer(t, *new(R), ErrClosed) // came out of the queue too late
			continue
		}
		value, err := p.run(t.job)
		p.answer(t, value, err)
	}
}

// run is a function of its own so that recover ends one job. In work, it would
// end the loop, and every panic would cost the crew a worker.
func (p *Pool[J, R]) run(j J) (value R, err error) {
	defer func() {
		if v := recover(); v != nil {
			// The frames that panicked are still on the stack here, and only here.
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return p.handle(p.ctx, j)
}

// answer ends a job. Closing done is the signal that anybody can receive, any
// number of times, and that costs the worker no wait; it also makes the two
// fields written before it visible to all who receive it.
func (p *Pool[J, R]) answer(t task[J, R], value R, err error) {
	t.ticket.value, t.ticket.err = value, err
	<-p.places // before done: whoever has the answer finds the place free
	close(t.ticket.done)
}

// Submit hands j to the pool and returns the ticket for its answer. While the
// pool has no room, it waits: until there is some, ctx ends, or Shutdown is
// called.
//
// With an error there is no ticket, and j never runs. The error is ErrClosed
// once Shutdown has been called, also for a Submit that was waiting by then, or
// ctx's error if ctx ended first. A ctx that has ended before the call never
// submits, even if there is room.
//
// ctx bounds the wait for room and nothing else: what happens to it later does
// not touch the job. A Submit that waits holds up nobody else: other calls
// return as they would without it.
func (p *Pool[J, R]) Submit(ctx context.Context, j J) (*Ticket[R], error) {
	// Among cases that are ready, select takes any. It could find a place and
	// overlook that ctx has ended.
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

// accept queues a job whose submitter has got a place for it. Shutdown closes the
// pool under the same lock, so it comes before the question or after the send,
// and the send never meets a closed queue.
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

// TrySubmit is Submit for those who cannot wait. It returns ErrQueueFull, and no
// ticket, if the queue has no room and no worker stands ready for the job; a
// worker that is only just starting, or between two jobs, need not count as
// ready. Once Shutdown has been called it returns ErrClosed, full or not.
func (p *Pool[J, R]) TrySubmit(j J) (*Ticket[R], error) {
	select {
	case p.places <- struct{}{}:
		return p.accept(j)
	default:
	}
	// To a full pool one may come back, to a closed one not: so closed goes first.
	if p.closed() {
		return nil, ErrClosed
	}
	return nil, ErrQueueFull
}

// Shutdown closes the pool. From its first call on no job is accepted, and every
// Submit that waits for room returns ErrClosed. Shutdown then waits until all
// accepted jobs, running or queued, have been run and all workers are gone, and
// returns nil.
//
// If ctx ends first, Shutdown forces the stop and returns ctx's error at once. The
// ctx of every running job is cancelled. The jobs still queued never start: the
// answer on their tickets is ErrClosed, and it is there right away. Nothing of
// this waits for the running jobs, since one that ignores its ctx could take for
// ever.
//
// Shutdown may be called again and from many goroutines. Each call waits for the
// same end for as long as its own ctx allows, and the first ctx to end forces
// the stop. After a forced stop, a further call waits for the jobs that are still
// running: nil always means that nothing of the pool is left running.
func (p *Pool[J, R]) Shutdown(ctx context.Context) error {
	p.mu.Lock()
	if !p.closed() {
		close(p.closing)
		close(p.queue)
		go func() {
			p.crew.Wait()
			p.cancel() // nobody uses the ctx any more; this releases it
			close(p.gone)
		}()
	}
	p.mu.Unlock()

	// A WaitGroup cannot be waited for with a ctx, a channel can.
	select {
	case <-p.gone:
		return nil
	case <-ctx.Done():
	}
	p.cancel()
	// The workers may all be in jobs that ignore their ctx. So the queue, which is
	// closed, is emptied here; what a worker takes meanwhile, it drops as well.
	for t := range p.queue {
		p.answer(t, *new(R), ErrClosed)
	}
	return ctx.Err()
}

// Wait returns the job's answer as soon as there is one, or a zero R and ctx's
// error if ctx ends before. An answer that is already there is returned even
// if ctx has ended.
//
// Wait may be called any number of times, from any goroutine, or never: the
// ticket keeps its answer, and no worker ever waits for somebody to take it.
// Giving up on a Wait does not touch the job.
func (t *Ticket[R]) Wait(ctx context.Context) (R, error) {
	// The answer first: a select between both would leave it to chance.
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
