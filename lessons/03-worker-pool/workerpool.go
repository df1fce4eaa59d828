// Package workerpool is the third lesson: a fixed crew of workers behind one
// bounded queue, so that no rush of jobs can take more than you chose to give.
// Replace each TODO with code, one step at a time, and give the two types the
// fields they need.
//
// Contexts passed in are not nil. Where ctx's error is returned, that is
// ctx.Err() or context.Cause(ctx).
package workerpool

import (
	"context"
	"errors"
	"fmt"
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
	// your fields here
}

// Ticket stands for the answer to one accepted job. Submit and TrySubmit make
// it: the zero Ticket is of no use.
type Ticket[R any] struct {
	// your fields here
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
	panic("TODO(1): start the workers; each takes one job after another and leaves the answer on its ticket")
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
	panic("TODO(1): hand the job to the workers, together with a new ticket, which you return")
}

// TrySubmit is Submit for those who cannot wait. It returns ErrQueueFull, and no
// ticket, if the queue has no room and no worker stands ready for the job; a
// worker that is only just starting, or between two jobs, need not count as
// ready. Once Shutdown has been called it returns ErrClosed, full or not.
func (p *Pool[J, R]) TrySubmit(j J) (*Ticket[R], error) {
	panic("TODO(2): as Submit, but without waiting")
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
	panic("TODO(1): tell the workers that no more jobs will come, and wait until they have gone")
}

// Wait returns the job's answer as soon as there is one, or a zero R and ctx's
// error if ctx ends before. An answer that is already there is returned even
// if ctx has ended.
//
// Wait may be called any number of times, from any goroutine, or never: the
// ticket keeps its answer, and no worker ever waits for somebody to take it.
// Giving up on a Wait does not touch the job.
func (t *Ticket[R]) Wait(ctx context.Context) (R, error) {
	panic("TODO(1): wait until the worker has left the answer, and return it")
}
