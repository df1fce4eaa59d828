// Koans walks a learner through the workbook's lessons: it checks the answers,
// says in plain words what is wrong and where, and knows what comes next.
//
// Each command has a file of its own, named after it. What they share:
//
//	run        arguments to exit status: the one way in, for main and for tests
//	world      streams, environment, folder and clock: all that comes from outside
//	workbook   the learner's folder: its root, its answers, its progress
//	judge      answers to verdicts
//	program    what is built on top of an answer: demos (perform) and benchmarks (figures)
//	words      what is said to the learner
//	screen     how it is laid out on a terminal
//	watch      a state that events change (watchstate, watchkeys, watchpages), how it
//	           looks (watchview), and who carries out what it orders (watchdesk)
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ends := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // as it is below nohup
		// The terminal was closed. What a check has started does not hear of it.
		ends = append(ends, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), ends...)
	// The first signal ends what runs, in order. With the handler gone, a second
	// one ends the program at once.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], outside()))
}
