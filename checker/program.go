package checker

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"
)

// A Program is what a module can be asked for beside its koans: a main package, or
// the benchmarks of a package. It is built and run with the same care.
type Program struct {
	// Root is the absolute path of the module.
	Root string
	// Target is what the go command is given, relative to Root: a package
	// ("./solutions/01-pipeline") or a file ("solutions/01-pipeline/demo.go").
	Target string
	// Files are built in place of those on disk, or beside them. Their names are
	// slash-separated and relative to Root.
	Files map[string][]byte
	// Module are the go.mod and go.sum to build with, those on disk when nil.
	Module map[string][]byte
	// Test builds the package's tests, and not the package.
	Test bool
	// Race builds with the race detector.
	Race bool
}

// A CompileError tells that the compiler objects to a program.
type CompileError struct {
	Output string // what the go command printed
}

func (e *CompileError) Error() string {
	for line := range strings.Lines(e.Output) {
		if !strings.HasPrefix(line, "#") { // that names the package
			return "compiling: " + strings.TrimSpace(line)
		}
	}
	return "compiling: " + firstLine(e.Output)
}

// A Built is a program that can be run. It is for one goroutine; Close it when done.
type Built struct {
	s *Session
}

// Build builds a program. An error that is no *CompileError means that it could not
// be tried, as of [Checker.Check].
func (c *Checker) Build(ctx context.Context, p Program) (*Built, error) {
	scratch, err := makeScratch()
	if err != nil {
		return nil, err
	}
	b := &Built{s: &Session{c: c, p: Package{Root: p.Root, Dir: p.Target}, scratch: scratch, overlay: filepath.Join(scratch, "overlay.json")}}
	if err := b.build(ctx, p); err != nil {
		_ = b.Close() // the first error is the one to tell
		return nil, err
	}
	return b, nil
}

// Close removes all that has been built.
func (b *Built) Close() error { return b.s.Close() }

func (b *Built) binary() string { return filepath.Join(b.s.scratch, executable("program")) }

func (b *Built) build(ctx context.Context, p Program) error {
	if err := writeOverlay(b.s.overlay, p.Root, filepath.Join(b.s.scratch, "files"), p.Files, nil); err != nil {
		return err
	}
	args := []string{"build"}
	if p.Test {
		args = []string{"test", "-c", "-vet=off"}
	}
	args = append(args, "-overlay="+b.s.overlay, "-o", b.binary())
	if p.Race {
		args = append(args, "-race")
	}
	if p.Module != nil {
		for name, text := range p.Module {
			if err := os.WriteFile(filepath.Join(b.s.scratch, name), text, 0o600); err != nil {
				return diskError(err)
			}
		}
		args = append(args, "-modfile="+filepath.Join(b.s.scratch, "go.mod"))
	}
	out, err := b.s.compile(ctx, p.Race, args, p.Target)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case !errors.Is(err, errGoCommand):
		return err
	}
	if p.Race {
		if reason := noRace(out); reason != "" {
			return &EnvironmentError{Problem: "the race detector cannot be used here", Remedy: reason, Raw: string(out)}
		}
	}
	if err := environmentFault(out); err != nil {
		return err
	}
	return &CompileError{Output: string(out)}
}

// A Run is how a program is run.
type Run struct {
	Args []string
	Env  []string // beside the checker's own
	Dir  string   // the folder it runs in, the module's root if empty
	// Line, when not nil, is told of each line that the program prints, to either
	// of its outputs, without the line's end. It is called by one goroutine, which
	// has ended when Run returns. It must not keep the slice.
	Line func(line []byte)
	// Limits of the whole run; zero limits are none.
	Limits Limits
	// Grace, when not 0, has the program interrupted when ctx ends, and killed only
	// if it is still there after so long.
	Grace time.Duration
}

// An Ending is how a run came to its end.
type Ending struct {
	Status int    // the exit status; -1 when a signal ended it
	Over   string // the limit that it went over: "time", "memory", "output" or "processes"; "" if none
}

// Run runs the program and everything that it starts; nothing of it is left when
// Run returns. The error is ctx's, or says that it could not be run.
func (b *Built) Run(ctx context.Context, r Run) (Ending, error) {
	cmd := exec.Command(b.binary(), r.Args...)
	cmd.Dir = r.Dir
	if cmd.Dir == "" {
		cmd.Dir = b.s.p.Root
	}
	cmd.Env = append(b.s.c.environ(), "PWD="+cmd.Dir)
	cmd.Env = append(cmd.Env, r.Env...)
	end, err := run(ctx, cmd, r.Limits, r.Grace, &lines{tell: r.Line, began: time.Now()})
	if err != nil {
		return Ending{}, err
	}
	return Ending{Status: end.exit, Over: string(end.excess)}, nil
}

// lines is a listener that passes on line after line. Only its count is read by
// another goroutine than the one that writes.
type lines struct {
	tell  func([]byte)
	began time.Time
	total atomic.Int64
	part  []byte
}

func (l *lines) Write(p []byte) (int, error) {
	n := len(p)
	l.total.Add(int64(n))
	for {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			l.part = append(l.part, p...)
			if len(l.part) > longLine {
				l.flush()
			}
			return n, nil
		}
		l.part = append(l.part, p[:i]...)
		p = p[i+1:]
		l.end()
	}
}

// end passes on the line that is complete.
func (l *lines) end() {
	if l.tell != nil {
		l.tell(l.part)
	}
	l.part = l.part[:0]
}

func (l *lines) flush() {
	if len(l.part) > 0 {
		l.end()
	}
}

func (l *lines) now() (time.Time, int64, bool) { return l.began, l.total.Load(), false }

// makeScratch makes the temporary folder of what is built.
func makeScratch() (string, error) {
	scratch, err := os.MkdirTemp("", "koans-")
	if err != nil {
		return "", &EnvironmentError{
			Problem: "no temporary folder can be made",
			Remedy:  "Make room on the disk, or set TMPDIR to a folder that can be written.",
			Err:     err,
		}
	}
	return scratch, nil
}
