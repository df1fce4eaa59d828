package main

import "context"

// A latest runs one job at a time, in the order in which they come; but a new
// one cancels the one that runs and takes the place of the one that waits. Its
// jobs come from a single goroutine.
type latest struct {
	jobs  chan func(context.Context) // holds the one that waits
	halts chan chan struct{}
}

func newLatest() *latest {
	return &latest{jobs: make(chan func(context.Context), 1), halts: make(chan chan struct{})}
}

// post hands a job over. It never waits.
func (l *latest) post(job func(context.Context)) {
	select {
	case <-l.jobs:
	default:
	}
	l.jobs <- job
}

// halt cancels the job that runs and returns when it has ended, or when ctx has.
func (l *latest) halt(ctx context.Context) {
	halted := make(chan struct{})
	select {
	case l.halts <- halted:
		<-halted
	case <-ctx.Done():
	}
}

// run runs the jobs until ctx ends, and returns when none is left.
func (l *latest) run(ctx context.Context) {
	var job func(context.Context)
	for {
		if job == nil {
			select {
			case <-ctx.Done():
				return
			case halted := <-l.halts:
				close(halted)
				continue
			case job = <-l.jobs:
			}
		}
		current := job
		job = nil
		turn, cancel := context.WithCancel(ctx)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			current(turn)
		}()
		var halted chan struct{}
		select {
		case <-ended:
		case <-ctx.Done():
		case job = <-l.jobs:
		case halted = <-l.halts:
		}
		cancel()
		<-ended
		if halted != nil {
			close(halted)
		}
	}
}
