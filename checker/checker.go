// Package checker builds a lesson, runs its koans and says what went wrong.
//
// It knows folders, packages and tests; it knows nothing of a curriculum. A
// check goes one way through the files of this package:
//
//	session   overlays the pristine koans on the learner's folder   (overlay, witness)
//	lane      builds them once, without and with the race detector  (build, vet)
//	process   runs the binary within limits                         (limits, transcript)
//	diagnose  turns what came out into a diagnosis in plain words   (source, words)
//	report    is what the caller gets
//
// A program, which is a demo or a benchmark on top of an answer, is built and run with
// the same care, and not judged.
//
// Reading the runtime's goroutine dumps and the race detector's reports is the
// work of package dump.
package checker

import (
	"context"
	"sync"
	"time"
)

// A Package is what a check judges: one folder with an answer in it, and the
// koans that judge the answer.
type Package struct {
	// Root is the absolute path of the module that holds the folder.
	Root string
	// Dir is the folder, slash-separated and relative to Root.
	Dir string
	// Answer is the base name of the file that the learner edits.
	Answer string
	// Skeleton is the answer as shipped. It tells which signatures the koans
	// need when the learner's do not compile with them.
	Skeleton []byte
	// Koans are the pristine test files by base name. Whatever _test.go files
	// the folder holds are hidden behind them.
	Koans map[string][]byte
	// Replace, when not nil, is judged in place of the answer on disk.
	Replace []byte
	// Reached is the koan that failed the last time. When the fast lane comes
	// further now, the race lane is heard about the koans before its failure, so
	// that a koan that races is not called passed on the way. When empty, a
	// failure of the fast lane is the verdict.
	Reached string
}

// Limits bound what a learner's code may do to the machine while one koan runs.
type Limits struct {
	Wall      time.Duration // elapsed time
	CPU       time.Duration // processor time, over all threads
	Memory    int64         // resident bytes, over the whole process tree
	Output    int64         // bytes printed, over all koans of one process
	Processes int           // processes in the tree, the koans' own included
}

// DefaultLimits are far above what a right answer needs, also on a loaded
// machine: a koan runs for milliseconds. CPU is the limit that ends a spin; it
// is counted in processor time so that a busy machine does not turn a slow
// answer into a stuck one.
var DefaultLimits = Limits{
	Wall:      10 * time.Second,
	CPU:       3 * time.Second,
	Memory:    1 << 30,
	Output:    16 << 20,
	Processes: 32,
}

// A Checker checks packages. Its fields must not change while a check runs; a
// Checker may be used by several goroutines at once.
type Checker struct {
	// Go is the go command, "go" when empty.
	Go string
	// Env is the environment of everything that the checker starts, the
	// process's own when nil.
	Env []string
	// Limits of each koan, DefaultLimits when zero.
	Limits Limits
	// Soak is how long an answer that passed is run again and again in search
	// of a failure that comes only sometimes. Zero means no soak.
	Soak time.Duration
	// NoRace leaves the race lane out: for an answer that cannot pass.
	NoRace bool
	// FastFirst starts the race lane only when the fast lane leaves the verdict
	// to it: less work for an answer that is known to fail, and a longer wait for
	// one that passes.
	FastFirst bool
	// Progress, when not nil, is told of work that takes long. It is called by
	// one goroutine at a time and must return at once.
	Progress func(Progress)
	// Fast, when not nil, is told what the fast lane has found if the race lane
	// has still to decide. A check calls it at most once, before it returns; it
	// must return at once.
	Fast func(Report)

	progressMu sync.Mutex // serializes Progress
}

// A Stage is what a check is doing.
type Stage string

const (
	// Compiling counts the packages that the build cache lacks.
	Compiling Stage = "compiling"
	// Soaking counts the runs of an answer that has passed once.
	Soaking Stage = "soaking"
)

// Progress tells how far a long stage has come.
type Progress struct {
	Dir         string // Package.Dir
	Stage       Stage
	Race        bool // the race lane, not the fast one
	Done, Total int  // Total is 0 where it is not known
}

func (c *Checker) progress(p Progress) {
	if c.Progress == nil {
		return
	}
	c.progressMu.Lock()
	defer c.progressMu.Unlock()
	c.Progress(p)
}

func (c *Checker) limits() Limits {
	if c.Limits == (Limits{}) {
		return DefaultLimits
	}
	return c.Limits
}

// Check judges one package: it opens a session, checks and closes.
//
// An error means that the checker could not check (no go command, no disk,
// ctx ended) and is usually an *EnvironmentError or ctx's own. A failing answer
// is no error: it is in the report.
func (c *Checker) Check(ctx context.Context, p Package) (Report, error) {
	s, err := c.Open(p)
	if err != nil {
		return Report{}, err
	}
	defer s.Close()
	return s.Check(ctx)
}
