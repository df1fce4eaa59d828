//go:build ignore

// Command record runs the programs under testdata/programs, each in the ways
// that the table says, and writes what they print to testdata/*.txt. Run it on
// linux/amd64, with a C compiler, whenever Go changes what it prints.
//
// The names of the recordings are PROGRAM-ARGUMENT.BUILD.TRACEBACK.txt, where
// BUILD is plain (no cgo, no race detector) or race, and TRACEBACK is the value
// of GOTRACEBACK, if any.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// A recording says how to run one program, and so what to call its output.
type recording struct {
	program   string
	arg       string
	build     string
	traceback string
}

func recordings() []recording {
	var all []recording
	for _, build := range []string{"plain", "race"} {
		for _, traceback := range []string{"", "all", "crash"} {
			all = append(all,
				recording{"waits", "", build, traceback},
				recording{"sigquit", "", build, traceback},
			)
		}
		for _, arg := range []string{"overflow", "unlock", "map", "memory"} {
			all = append(all, recording{"fatal", arg, build, ""})
		}
	}
	all = append(all,
		// Built with the detector, or just cgo, these two wait for ever.
		recording{"fatal", "deadlock", "plain", ""},
		recording{"fatal", "goexit", "plain", ""},
		recording{"minutes", "", "plain", "all"},
	)
	for _, arg := range []string{
		"todo", "multiline", "error", "failure", "struct", "string", "nil", "deref",
		"index", "closed", "waitgroup", "nested", "recovered", "repanicked", "fatal",
		"survived", "unfinished", "goroutine",
	} {
		all = append(all, recording{"panics", arg, "plain", ""})
	}
	for _, arg := range []string{
		"main", "workers", "atomic", "map", "slice", "printing",
	} {
		all = append(all, recording{"races", arg, "race", ""})
	}
	for _, test := range []string{
		"Todo", "Leak", "LeakRequired", "Logged", "Timeout",
		"BubbleDeadlock", "BubbleLeak", "BubbleMutex",
	} {
		all = append(all, recording{"koans", test, "plain", ""})
	}
	for _, test := range []string{"Race", "Timeout", "Leak", "BubbleDeadlock"} {
		all = append(all, recording{"koans", test, "race", ""})
	}
	return all
}

func main() {
	log.SetFlags(0)
	if err := record(); err != nil {
		log.Fatal(err)
	}
}

// record runs all the recordings, two at a time, since a few of them mostly wait.
func record() error {
	bin, err := os.MkdirTemp("", "record")
	if err != nil {
		return err
	}
	defer os.RemoveAll(bin)

	tidy, err := newTidier()
	if err != nil {
		return err
	}
	if err := build(bin); err != nil {
		return err
	}

	var (
		wg      sync.WaitGroup
		tickets = make(chan struct{}, 2)
		all     = recordings()
		errs    = make([]error, len(all))
	)
	for i, r := range all {
		wg.Go(func() {
			tickets <- struct{}{}
			defer func() { <-tickets }()
			if errs[i] = r.run(bin, tidy); errs[i] != nil {
				errs[i] = fmt.Errorf("recording %s: %w", r.name(), errs[i])
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// build builds each program both ways into bin.
func build(bin string) error {
	dirs, err := filepath.Glob("testdata/programs/*")
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		for _, how := range []string{"plain", "race"} {
			args := []string{"build"}
			if tests, _ := filepath.Glob(dir + "/*_test.go"); len(tests) > 0 {
				args = []string{"test", "-c", "-vet=off"}
			}
			cgo := "CGO_ENABLED=0"
			if how == "race" {
				args = append(args, "-race")
				cgo = "CGO_ENABLED=1"
			}
			args = append(args, "-o", filepath.Join(bin, filepath.Base(dir)+"."+how), "./"+dir)
			cmd := exec.Command("go", args...)
			cmd.Env = append(os.Environ(), cgo)
			if out, err := cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("building %s: %w\n%s", dir, err, out)
			}
		}
	}
	return nil
}

func (r recording) name() string {
	name := r.program
	if r.arg != "" {
		name += "-" + r.arg
	}
	name += "." + r.build
	if r.traceback != "" {
		name += "." + r.traceback
	}
	return name
}

// run writes down what the program prints, to both streams, as it comes. Programs that crash are what this is
// about, so that a status is no error; running out of time is.
func (r recording) run(bin string, tidy *strings.Replacer) error {
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(bin, r.program+"."+r.build))
	if r.arg != "" {
		cmd.Args = append(cmd.Args, r.arg)
	}
	if r.program == "koans" {
		cmd.Args = []string{cmd.Args[0], "-test.run=^Test" + r.arg + "$", "-test.timeout=1s"}
		if r.arg == "BubbleMutex" {
			cmd.Args[2] = "-test.timeout=0"
		}
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.Dir = bin // where a core dump does no harm
	cmd.Env = append(os.Environ(),
		"GOTRACEBACK="+r.traceback, "GORACE=atexit_sleep_ms=0", "GOMAXPROCS=2")
	if r.program == "sigquit" {
		// Otherwise the runtime can stop a busy goroutine, and print its stack.
		cmd.Env = append(cmd.Env, "GODEBUG=asyncpreemptoff=1")
	}

	err := cmd.Run()
	if ctx.Err() != nil {
		return fmt.Errorf("out of time, having printed:\n%s", out.Bytes())
	}
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return err
	}
	file := filepath.Join("testdata", r.name()+".txt")
	return os.WriteFile(file, []byte(tidy.Replace(out.String())), 0o644)
}

// newTidier replaces the paths of this machine by the names of what they are.
func newTidier() (*strings.Replacer, error) {
	out, err := exec.Command("go", "env", "GOROOT", "GOMODCACHE").Output()
	if err != nil {
		return nil, fmt.Errorf("running go env: %w", err)
	}
	paths := strings.Fields(string(out))
	if len(paths) != 2 {
		return nil, fmt.Errorf("running go env: unexpected output %q", out)
	}
	dir, err := filepath.Abs(".")
	if err != nil {
		return nil, err
	}
	return strings.NewReplacer(
		paths[1], "$GOMODCACHE", // may be inside GOROOT's parent, so first
		paths[0], "$GOROOT",
		dir, "$DIR",
	), nil
}
