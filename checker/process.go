package checker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// A process is one run of a command together with everything that it starts.
// Nothing of it is left when run returns.

// An excess is the limit that a process went over.
type excess string

const (
	overTime      excess = "time"
	overMemory    excess = "memory"
	overOutput    excess = "output"
	overProcesses excess = "processes"
)

// An ending is how a process came to its end.
type ending struct {
	exit   int    // exit status; -1 when a signal ended it
	excess excess // "" unless the checker ended it for going over a limit
	cut    bool   // the checker ended it after a koan that failed slowly
	usage  usage  // at the moment when the checker ended it
}

// usage is what a process and its children use.
type usage struct {
	cpu       time.Duration // user and system time
	memory    int64         // resident bytes
	processes int
}

const (
	// pollEvery is how often a process is measured against its limits.
	pollEvery = 25 * time.Millisecond
	// dumpGrace is how long a process that has been told to print its
	// goroutines may take to do so.
	dumpGrace = 2 * time.Second
	// pipeGrace is how long the output may stay open after the tree has been
	// killed: a child that has left the tree may have inherited it.
	pipeGrace = 2 * time.Second
)

// A listener takes what a process prints, and tells its watcher how it is doing.
type listener interface {
	io.Writer // never fails
	// flush is called when the process has printed all that it will.
	flush()
	// now tells since when the limits count, how much has been printed, and whether
	// there is nothing more to hear.
	now() (since time.Time, total int64, enough bool)
}

// run starts cmd in a process group of its own, watches its limits and waits
// for its end. When ctx ends or a limit is passed, the whole tree is killed; with a
// grace, the process is interrupted first when ctx ends, and has so long to end by itself.
// Zero limits are no limits. The error says that the command could not be run, or is ctx's.
func run(ctx context.Context, cmd *exec.Cmd, limits Limits, grace time.Duration, t listener) (ending, error) {
	// A pipe of our own is read to its end, however busy the machine is. exec's
	// would be closed some time after the process has ended, with output in it
	// that nobody has come round to reading yet.
	r, w, err := os.Pipe()
	if err != nil {
		return ending{}, fmt.Errorf("starting %s: %w", cmd.Path, err)
	}
	defer r.Close()
	cmd.Stdout, cmd.Stderr = w, w
	tree, err := startTree(cmd)
	w.Close() // the process has its own
	if err != nil {
		return ending{}, fmt.Errorf("starting %s: %w", cmd.Path, err)
	}
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		_, _ = io.Copy(t, r) // ends when nobody has the pipe open any more, or with r
	}()
	ended := make(chan struct{})
	watched := make(chan ending, 1)
	go func() { watched <- watch(ctx, tree, limits, grace, t, ended) }()
	err = cmd.Wait()
	close(ended)
	end := <-watched
	tree.kill() // what the koans have started and left running
	tree.close()
	select {
	case <-copied:
	case <-time.After(pipeGrace):
		r.Close()
		<-copied
	}
	t.flush()
	if ctx.Err() != nil {
		return ending{}, context.Cause(ctx)
	}
	end.exit = cmd.ProcessState.ExitCode()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return ending{}, fmt.Errorf("waiting for %s: %w", cmd.Path, err)
	}
	return end, nil
}

// watch ends the tree when ctx does or when a limit is passed, and returns when
// the process has ended.
func watch(ctx context.Context, tree *tree, limits Limits, grace time.Duration, t listener, ended <-chan struct{}) ending {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	if limits == (Limits{}) {
		tick.Stop()
	}
	var began time.Duration // processor time when the current koan began
	var koan time.Time
	for {
		select {
		case <-ended:
			return ending{}
		case <-ctx.Done():
			if grace > 0 && tree.interrupt() == nil {
				select {
				case <-ended:
				case <-time.After(grace):
				}
			}
			tree.kill()
			<-ended
			return ending{}
		case <-tick.C:
		}
		since, total, enough := t.now()
		if enough {
			tree.kill()
			<-ended
			return ending{cut: true}
		}
		use := tree.usage()
		if since != koan {
			koan, began = since, use.cpu
		}
		use.cpu -= began
		over := limits.over(use, time.Since(since), total)
		if over == "" {
			continue
		}
		// The goroutines' stacks are the diagnosis, so the process may print
		// them before it dies.
		if over != overOutput && tree.dump() == nil {
			select {
			case <-ended:
			case <-ctx.Done():
			case <-time.After(dumpGrace):
			}
		}
		tree.kill()
		<-ended
		return ending{excess: over, usage: use}
	}
}

// over returns the first limit that is passed, or "".
func (l Limits) over(use usage, elapsed time.Duration, printed int64) excess {
	switch {
	case printed > l.Output:
		return overOutput
	case use.processes > l.Processes:
		return overProcesses
	case use.memory > l.Memory:
		return overMemory
	case use.cpu > l.CPU || elapsed > l.Wall:
		return overTime
	}
	return ""
}
