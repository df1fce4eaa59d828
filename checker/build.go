package checker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// slowBuild is when a build is no longer that of one edited file: the build
// cache lacks packages, and the learner is told how many.
const slowBuild = 1500 * time.Millisecond

// perEdit is about how many packages every edit makes stale: the lesson, its
// koans, their main. Fewer are not worth a word.
const perEdit = 8

// build compiles the lane's binary.
func (l *lane) build(ctx context.Context) laneResult {
	s := l.session
	args := []string{
		"test", "-c", "-vet=off", "-overlay=" + s.overlay, "-o", l.binary(),
		"-gcflags=-dwarf=false", "-ldflags=-s -w", // nobody will debug it; without, it takes three quarters of the time
	}
	if l.race {
		args = append(args, "-race")
	}
	out, err := s.compile(ctx, l.race, args, s.target())
	switch {
	case err == nil:
		return laneResult{}
	case ctx.Err() != nil:
		return laneResult{err: context.Cause(ctx)}
	}
	if l.race {
		if reason := noRace(out); reason != "" {
			return laneResult{unavailable: reason}
		}
	}
	d, err := s.diagnoseBuild(out, err)
	return laneResult{refusal: d, err: err}
}

// compile runs the go command with args on the target, and tells of its progress.
func (s *Session) compile(ctx context.Context, race bool, args []string, target string) (out []byte, err error) {
	done := make(chan struct{})
	counted := make(chan struct{})
	go func() {
		defer close(counted)
		s.countPackages(ctx, race, target, done)
	}()
	out, err = s.goCommand(ctx, race, append(args, target)...)
	close(done)
	<-counted
	return out, err
}

// Warm compiles what a check of the package needs, in all lanes, and runs none of
// it: after it, the build cache lacks nothing but the next edit. What cannot be
// compiled is left to a check to tell. Warm ends early when ctx does.
func (c *Checker) Warm(ctx context.Context, p Package) error {
	s, err := c.Open(p)
	if err != nil {
		return err
	}
	defer s.Close()
	for _, l := range []*lane{s.fast, s.race} {
		if r := l.build(ctx); r.err != nil {
			return r.err
		}
	}
	return s.vet(ctx).err
}

// target is the package's argument for the go command.
func (s *Session) target() string { return "./" + s.p.Dir }

// goCommand runs the go command in the module's root. The fast lane's needs no
// C compiler, the race lane's does.
func (s *Session) goCommand(ctx context.Context, cgo bool, args ...string) (out []byte, err error) {
	name := s.c.Go
	if name == "" {
		name = "go"
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return nil, &EnvironmentError{
			Problem: "the go command is not on the PATH",
			Remedy:  "Install Go from https://go.dev/dl and open a new terminal.",
			Err:     err,
		}
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = s.p.Root
	cmd.Env = append(s.c.environ(),
		"PWD="+s.p.Root,
		"GOTMPDIR="+s.scratch,           // so that what a killed build leaves is removed with the rest
		"GOFLAGS=",                      // -cover would discard the overlay, for one
		"GOWORK=off",                    // the workbook is a module of its own wherever it lies
		"GOGC=off", "GOMEMLIMIT=512MiB", // building an edit is short: without collections it takes two thirds of the time
	)
	if !cgo {
		cmd.Env = append(cmd.Env, "CGO_ENABLED=0")
	}
	t := newTranscript(newWitnessWord(), 4<<20)
	end, err := run(ctx, cmd, Limits{}, 0, t)
	if err != nil {
		return nil, err
	}
	if end.exit != 0 {
		return t.preamble.text, errGoCommand
	}
	return t.preamble.text, nil
}

// errGoCommand says that the go command ran and was not content; what it
// printed tells why.
var errGoCommand = errors.New("the go command reported an error")

// countPackages tells, while a build takes long, how many packages it still
// lacks: the go command itself compiles in silence.
func (s *Session) countPackages(ctx context.Context, race bool, target string, done <-chan struct{}) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	tick := time.NewTimer(slowBuild)
	defer tick.Stop()
	total := 0
	for {
		select {
		case <-done:
			if total > perEdit {
				s.c.progress(Progress{Dir: s.p.Dir, Stage: Compiling, Race: race, Done: total, Total: total})
			}
			return
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		args := []string{"list", "-deps", "-test", "-overlay=" + s.overlay, "-f", "{{if .Stale}}{{.ImportPath}}{{end}}"}
		if race {
			args = append(args, "-race")
		}
		out, err := s.goCommand(ctx, race, append(args, target)...)
		stale := bytes.Count(out, []byte("\n"))
		if err == nil && total == 0 {
			total = stale
		}
		if err == nil && total > perEdit {
			s.c.progress(Progress{Dir: s.p.Dir, Stage: Compiling, Race: race, Done: max(0, total-stale), Total: total})
		}
		tick.Reset(time.Second)
	}
}

// noRace says why the go command cannot build with the race detector here, or
// "" if it can.
func noRace(out []byte) string {
	text := string(out)
	switch {
	case strings.Contains(text, "-race requires cgo"):
		return "The race detector needs cgo, and cgo is off (CGO_ENABLED=0, or no C compiler on the PATH). Install a C compiler such as gcc or clang, and leave CGO_ENABLED unset."
	case strings.Contains(text, "C compiler"), strings.Contains(text, "runtime/cgo"):
		return "The race detector needs a C compiler, and none works here. Install gcc or clang (Debian: apt install gcc; macOS: xcode-select --install; Windows: MinGW-w64)."
	case strings.Contains(text, "-race is not supported"), strings.Contains(text, "-race is only supported"):
		return "Go has no race detector for this platform."
	}
	return ""
}

// environmentFaults are words of the go command that are not about the
// learner's answer, with what to do.
var environmentFaults = []struct{ words, problem, remedy string }{
	{"no space left on device", "the disk is full", "Make room on the disk; go clean -cache frees the build cache."},
	{"disk quota exceeded", "the disk quota is used up", "Make room on the disk; go clean -cache frees the build cache."},
	{"read-only file system", "a folder that Go writes to is read-only", "Set GOCACHE and TMPDIR to folders that can be written."},
	{"permission denied", "a folder or file may not be read or written", "Look at the owner and the mode of the file named below, or set GOCACHE and TMPDIR to folders that can be written."},
	{"dial tcp", "modules are missing and the network does not answer", "Connect to the network once and run: go mod download"},
	{"module lookup disabled", "modules are missing and may not be downloaded (GOPROXY=off)", "Unset GOPROXY once and run: go mod download"},
	{"missing go.sum entry", "go.sum does not fit go.mod", "Restore both files, for instance with: git checkout go.mod go.sum"},
	{"go.mod requires go >=", "this Go is too old for the workbook", "Install a newer Go from https://go.dev/dl."},
	{"requires go >= ", "this Go is too old for the workbook", "Install a newer Go from https://go.dev/dl."},
	{"go.mod file not found", "this folder is not in a Go module", "Run koans inside a workbook: a clone, or a folder made by koans init."},
	{"signal: killed", "a build process was killed, probably for want of memory", "Close other programs and try again."},
}

// environmentFault returns what hinders the go command here, or nil if its
// words are about the learner's answer.
func environmentFault(out []byte) error {
	for _, f := range environmentFaults {
		if bytes.Contains(out, []byte(f.words)) {
			return &EnvironmentError{Problem: f.problem, Remedy: f.remedy, Raw: string(out)}
		}
	}
	return nil
}

// unexplained is the error for words of the go command that nobody foresaw.
func unexplained(out []byte) error {
	return &EnvironmentError{
		Problem: "the go command failed",
		Remedy:  "Run koans doctor; what Go printed stands below.",
		Err:     fmt.Errorf("%s", firstLine(string(out))),
		Raw:     string(out),
	}
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}
