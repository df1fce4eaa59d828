package main

import (
	"context"
	"errors"
	"fmt"

	"concurrency-koans/checker"
)

// The exit statuses.
const (
	exitPassed    = 0 // passed, or done what was asked
	exitNotYet    = 1 // an answer does not pass yet
	exitUsage     = 2 // the command cannot be understood
	exitUnchecked = 3 // the machine kept the command from its work
)

// An exit is an error that knows its exit status, and how to say itself to the
// learner: the problem in a sentence, and what to do.
type exit struct {
	status  int
	problem string // "" when all has been said already
	remedy  string // may have several lines; may be ""
	err     error  // the cause, shown below the remedy; may be nil
}

func (e *exit) Error() string {
	if e.err != nil {
		return fmt.Sprintf("%s: %v", e.problem, e.err)
	}
	return e.problem
}

func (e *exit) Unwrap() error { return e.err }

// errNotYet ends a command that has said by itself what does not pass yet.
var errNotYet = &exit{status: exitNotYet}

// errUnchecked ends a command that has said by itself what kept it from its work.
var errUnchecked = &exit{status: exitUnchecked}

func usage(problem, remedy string) error {
	return &exit{status: exitUsage, problem: problem, remedy: remedy}
}

// atEdge turns any error into an exit.
func atEdge(err error) *exit {
	var e *exit
	var env *checker.EnvironmentError
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, context.Canceled):
		return &exit{status: exitUnchecked, problem: wordsStopped}
	case errors.As(err, &env):
		return &exit{status: exitUnchecked, problem: sentence(env.Problem), remedy: env.Remedy, err: env.Err}
	default:
		return &exit{status: exitUnchecked, problem: sentence(err.Error()), remedy: remedyDoctor}
	}
}
