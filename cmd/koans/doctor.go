package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/version"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"concurrency-koans/checker"
	"concurrency-koans/checker/journal"
	"concurrency-koans/lessons"
)

func (a *app) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "What this machine can check, what to install",
		Long: `Doctor looks at all that a check needs, in the order in which it needs it, and
builds a lesson's koans with and without the race detector. That also fills the
build cache, so that the first check does not have to. Exit status 0 means that
lessons can be checked, if need be without the race detector.`,
		Args: a.noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.doctor(cmd.Context()) },
	}
}

// A finding is what the doctor says of one thing.
type finding struct {
	health health
	words  string
	remedy string
}

// A health says how a thing is.
type health int

const (
	well    health = iota
	lacking        // lessons can be checked without it
	broken         // they cannot
)

// An examination goes on where the one before it has ended.
type examination struct {
	*app
	root   string // of a workbook; a temporary one outside
	lesson lessons.Lesson
	lanes  checker.Report
	goEnv  map[string]string
}

func (a *app) doctor(ctx context.Context) error {
	all, err := lessons.Pristine()
	if err != nil {
		return err
	}
	x := &examination{app: a, lesson: all[0]}
	worst := well
	say := func(name string, f finding) {
		worst = max(worst, f.health)
		mark := []string{
			styleGood.Render(a.out.marks.passed), styleWarn.Render(a.out.marks.pending), styleBad.Render(a.out.marks.failed),
		}[f.health]
		rows := []pair{{mark + " " + fmt.Sprintf("%-12s", name), f.words}}
		if f.remedy != "" {
			rows = append(rows, pair{"", a.typed(f.remedy)})
		}
		a.out.pairs(0, rows...)
	}
	say("workbook", x.workbook())
	if x.root == "" {
		temp, err := temporaryWorkbook()
		if err != nil {
			say("temp folder", finding{broken, sentence(err.Error()), "Make room on the disk, or set TMPDIR to a folder that can be written."})
			return errUnchecked
		}
		defer os.RemoveAll(temp)
		x.root = temp
	} else {
		say("journal", x.journal())
	}
	for _, step := range []struct {
		name    string
		examine func(context.Context) finding
	}{
		{"go", x.goCommand}, {"build cache", x.buildCache}, {"temp folder", x.tempFolder}, {"modules", x.modules}, {"fast lane", x.fastLane}, {"race lane", x.raceLane},
	} {
		f := step.examine(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		say(step.name, f)
		if f.health == broken {
			break // what comes next needs it
		}
	}
	say("terminal", x.terminal())
	a.out.line("")
	switch worst {
	case well:
		a.out.text(0, "This machine can check everything.")
	case lacking:
		a.out.text(0, "This machine can check lessons. What it lacks is said above.")
	case broken:
		a.out.text(0, "This machine cannot check lessons yet.")
		return errUnchecked
	}
	return nil
}

func (x *examination) workbook() finding {
	book, err := x.app.workbook()
	if err != nil {
		return finding{lacking, "none here", atEdge(err).remedy}
	}
	x.root = book.root
	return finding{well, book.root, ""}
}

func (x *examination) journal() finding {
	r, err := journal.Open(x.root).Read()
	if err != nil {
		return finding{lacking, "cannot be read: " + err.Error(), "Look at the owner and the mode of the folder .koans."}
	}
	if len(r.Notices) > 0 {
		return finding{lacking, strings.Join(r.Notices, " "), ""}
	}
	return finding{well, "readable", ""}
}

// run runs the go command in the workbook.
func (x *examination) run(ctx context.Context, args ...string) (string, error) {
	path, err := exec.LookPath("go")
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = x.root
	cmd.Env = append(x.world.env, "PWD="+x.root, "GOWORK=off")
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return "", errors.New(strings.TrimSpace(string(exit.Stderr)))
	}
	return string(out), err
}

func (x *examination) goCommand(ctx context.Context) finding {
	const install = "Install Go from https://go.dev/dl and open a new terminal."
	out, err := x.run(ctx, "env", "-json", "GOVERSION", "GOCACHE")
	if errors.Is(err, exec.ErrNotFound) {
		return finding{broken, "not on the PATH", install}
	}
	if err == nil {
		err = json.Unmarshal([]byte(out), &x.goEnv)
	}
	if err != nil {
		return finding{broken, plain(err.Error()), install}
	}
	have := x.goEnv["GOVERSION"]
	need, err := x.run(ctx, "list", "-m", "-f", "go{{.GoVersion}}")
	need = strings.TrimSpace(need)
	if err != nil {
		return finding{broken, plain(err.Error()), install}
	}
	if version.IsValid(have) && version.Compare(have, need) < 0 {
		return finding{broken, fmt.Sprintf("%s, and the workbook needs %s", have, need), install}
	}
	return finding{well, fmt.Sprintf("%s; the workbook needs %s", have, need), ""}
}

func (x *examination) buildCache(context.Context) finding {
	dir := x.goEnv["GOCACHE"]
	if err := canWrite(dir); err != nil {
		return finding{broken, plain(err.Error()), "Set GOCACHE to a folder that can be written, on a disk with room."}
	}
	return finding{well, dir, ""}
}

func (x *examination) tempFolder(context.Context) finding {
	dir := os.TempDir()
	if err := canWrite(dir); err != nil {
		return finding{broken, plain(err.Error()), "Make room on the disk, or set TMPDIR to a folder that can be written."}
	}
	return finding{well, dir, ""}
}

// canWrite writes to dir, some more than an empty disk quota would take.
func canWrite(dir string) (err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "koans-doctor-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	return writeAll(f, make([]byte, 1<<16))
}

func (x *examination) modules(ctx context.Context) finding {
	if _, err := x.run(ctx, "list", "-deps", "-test", "./"+folder(x.lesson)); err != nil {
		first, _, _ := strings.Cut(err.Error(), "\n")
		return finding{broken, plain(first), "Connect to the network once and run: go mod download"}
	}
	return finding{well, "all that the koans import is there", ""}
}

// fastLane builds and runs the koans of a skeleton, in both lanes at once.
func (x *examination) fastLane(ctx context.Context) finding {
	c, end := x.checker()
	defer end()
	begun := x.world.now()
	session, err := c.Open(checker.Package{
		Root: x.root, Dir: folder(x.lesson), Answer: x.lesson.Answer,
		Skeleton: x.lesson.Skeleton, Koans: x.lesson.Tests, Replace: x.lesson.Skeleton,
	})
	if err == nil {
		defer session.Close()
		x.lanes, err = session.Soak(ctx, 1, 1)
	}
	if err != nil {
		e := atEdge(err)
		words := e.problem
		if e.err != nil {
			words += " " + plain(e.err.Error())
		}
		return finding{broken, words, e.remedy}
	}
	return finding{well, fmt.Sprintf("builds and runs the koans (%s for both lanes)", x.world.now().Sub(begun).Round(100*time.Millisecond)), ""}
}

func (x *examination) raceLane(context.Context) finding {
	if !x.lanes.RaceChecked {
		return finding{lacking, "lessons can be checked, but not for data races", x.lanes.NoRace}
	}
	return finding{well, "builds and runs the koans under the race detector", ""}
}

func (x *examination) terminal() finding {
	if x.out.file == nil {
		return finding{well, "none: the output is plain text", ""}
	}
	return finding{well, fmt.Sprintf("%d columns, %s", x.out.full, strings.ToLower(x.out.colors.Profile.String())), ""}
}

// temporaryWorkbook writes a workbook for the doctor to build in.
func temporaryWorkbook() (dir string, err error) {
	book, err := lessons.Workbook()
	if err != nil {
		return "", err
	}
	if dir, err = os.MkdirTemp("", "koans-doctor-"); err != nil {
		return "", err
	}
	if dir, err = filepath.EvalSymlinks(dir); err == nil {
		err = writeInto(dir, book)
	}
	if err != nil {
		return "", errors.Join(err, os.RemoveAll(dir))
	}
	return dir, nil
}
