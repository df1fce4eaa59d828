package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"concurrency-koans/lessons"
	"concurrency-koans/solutions"
)

// The benchmarks of this file hold the speed of koans against that of plain
// go test -race, in one run on one machine, since a machine's own speed drifts:
//
//	go test ./cmd/koans -run='^$' -bench=Budget -benchtime=6x
//
// Each iteration makes one edit for each side and takes both times; the metric
// "ratio" is the median of the quotients. In brackets stands the budget.

// A bench is a workbook with all lessons solved, and a koans program.
type bench struct {
	koans string
	root  string
	env   []string
	edits int
}

func newBench(b *testing.B) *bench {
	b.Helper()
	dir := b.TempDir()
	w := &bench{koans: filepath.Join(dir, "koans"), root: filepath.Join(dir, "workbook"), env: plainEnv()}
	out, err := exec.Command("go", "build", "-o", w.koans, ".").CombinedOutput()
	require.NoError(b, err, "%s", out)
	book, err := lessons.Workbook()
	require.NoError(b, err)
	require.NoError(b, os.CopyFS(w.root, book))
	for _, s := range w.solutions(b) {
		w.write(b, s.Lesson, s.File, s.Reference)
	}
	return w
}

// plainEnv is the environment without what the tests of this package set for
// the programs that they start: plain go test sleeps a second at its exit.
func plainEnv() []string {
	return slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, "GORACE=") })
}

func (w *bench) solutions(b *testing.B) []solutions.Solution {
	b.Helper()
	all, err := solutions.Load(solutions.Embedded())
	require.NoError(b, err)
	return all
}

func (w *bench) write(b *testing.B, lesson, file string, text []byte) {
	b.Helper()
	w.edits++
	// Code that is reached, so that the linked binary differs: go test would take
	// the result of an equal one from its cache.
	text = fmt.Appendf(slices.Clone(text), "\nvar edit string\n\nfunc init() { edit = \"%d of %d\" }\n", w.edits, time.Now().UnixNano())
	require.NoError(b, os.WriteFile(filepath.Join(w.root, "lessons", lesson, file), text, 0o644))
}

// time runs a command in the workbook and returns how long it took. The exit
// status must be the one wanted, or the figure would be that of something else.
func (w *bench) time(b *testing.B, exit int, name string, args ...string) time.Duration {
	b.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = w.root, w.env
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	start := time.Now()
	_ = cmd.Run() // the exit status is looked at below
	took := time.Since(start)
	require.Equal(b, exit, cmd.ProcessState.ExitCode(), "%s %s\n%s", name, strings.Join(args, " "), out.String())
	return took
}

// compare times koans against go test, an edit before each.
func (w *bench) compare(b *testing.B, budget float64, edit func(), koans, plain func() time.Duration) {
	b.Helper()
	edit()
	koans()
	plain() // warm caches
	var ratios, ours, theirs []float64
	for b.Loop() {
		edit()
		k := koans()
		edit()
		p := plain()
		ratios = append(ratios, k.Seconds()/p.Seconds())
		ours, theirs = append(ours, k.Seconds()), append(theirs, p.Seconds())
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(ratios), fmt.Sprintf("ratio[%.1f]", budget))
	b.ReportMetric(median(ours), "koans-s")
	b.ReportMetric(median(theirs), "gotest-s")
}

func median(x []float64) float64 {
	slices.Sort(x)
	return x[len(x)/2]
}

const first = "./lessons/01-pipeline"

func BenchmarkBudgetGreen(b *testing.B) {
	w := newBench(b)
	s := w.solutions(b)[0]
	w.compare(b, 0.5, func() { w.write(b, s.Lesson, s.File, s.Reference) },
		func() time.Duration { return w.time(b, 0, w.koans, "check", "1") },
		func() time.Duration { return w.time(b, 0, "go", "test", "-race", first) })
}

func BenchmarkBudgetRed(b *testing.B) {
	w := newBench(b)
	s := w.solutions(b)[0]
	wrong := bytes.Replace(s.Reference, []byte("if n--; n == 0 {"), []byte("if n--; n <= 1 {"), 1)
	require.NotEqual(b, s.Reference, wrong)
	w.compare(b, 1.0, func() { w.write(b, s.Lesson, s.File, wrong) },
		func() time.Duration { return w.time(b, 1, w.koans, "check", "1") },
		func() time.Duration { return w.time(b, 1, "go", "test", "-race", first) })
}

func BenchmarkBudgetDeadlock(b *testing.B) {
	w := newBench(b)
	s := w.solutions(b)[0]
	wrong := bytes.Replace(s.Reference, []byte("\t\tif n <= 0 {\n"), []byte("\t\tvar mu sync.Mutex\n\t\tmu.Lock()\n\t\tmu.Lock()\n\t\tif n <= 0 {\n"), 1)
	require.NotEqual(b, s.Reference, wrong)
	w.compare(b, 0.1, func() { w.write(b, s.Lesson, s.File, wrong) },
		func() time.Duration { return w.time(b, 1, w.koans, "check", "1") },
		func() time.Duration { return w.time(b, 1, "go", "test", "-race", "-timeout", "10s", first) })
}

func BenchmarkBudgetAll(b *testing.B) {
	w := newBench(b)
	w.compare(b, 0.5, func() {
		for _, s := range w.solutions(b) {
			w.write(b, s.Lesson, s.File, s.Reference)
		}
	},
		func() time.Duration { return w.time(b, 0, w.koans, "check", "--all") },
		func() time.Duration { return w.time(b, 0, "go", "test", "-race", "-count=1", "./lessons/...") })
}

// BenchmarkBudgetCold takes a minute for each iteration: run it with
// -benchtime=1x. It runs the program from the repository as a learner would.
func BenchmarkBudgetCold(b *testing.B) {
	w := newBench(b)
	w.root = filepath.Join("..", "..")
	fresh := func() {
		cache := b.TempDir()
		w.env = append(plainEnv(), "GOCACHE="+cache, "GOTMPDIR="+cache)
	}
	var ratios, ours, theirs []float64
	for b.Loop() {
		fresh()
		k := w.time(b, 1, "go", "run", "./cmd/koans", "next")
		fresh()
		p := w.time(b, 1, "go", "test", "-race", first)
		ratios = append(ratios, k.Seconds()/p.Seconds())
		ours, theirs = append(ours, k.Seconds()), append(theirs, p.Seconds())
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(ratios), "ratio[1.2]")
	b.ReportMetric(median(ours), "koans-s")
	b.ReportMetric(median(theirs), "gotest-s")
}

// BenchmarkBudgetRun times one run of each lesson's koans under the race
// detector, without the building. The budget is half a second.
func BenchmarkBudgetRun(b *testing.B) {
	w := newBench(b)
	w.env = append(w.env, "GORACE=atexit_sleep_ms=0")
	for _, s := range w.solutions(b) {
		b.Run(s.Lesson, func(b *testing.B) {
			binary := filepath.Join(b.TempDir(), "race.test")
			w.time(b, 0, "go", "test", "-race", "-c", "-o", binary, "./lessons/"+s.Lesson)
			for b.Loop() {
				w.time(b, 0, binary)
			}
		})
	}
}
