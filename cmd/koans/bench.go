package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/perf/benchfmt"

	"concurrency-koans/checker"
	"concurrency-koans/lessons"
	"concurrency-koans/solutions"
)

// How benchmarks are run without being told: each for so long, so many times. The
// median of three is not thrown off by one disturbance.
const (
	usualBenchTime  = 30 * time.Millisecond
	usualBenchCount = 3
)

// yours is the name of the learner's own answer among the contenders.
const yours = "yours"

// A measuring is how benchmarks are to be run.
type measuring struct {
	only  string // benchmark whose name contains this, "" for all
	time  time.Duration
	count int
	raw   bool
}

func (a *app) benchCommand() *cobra.Command {
	var m measuring
	c := &cobra.Command{
		Use:   "bench LESSON",
		Short: "What the pattern costs, with your answer",
		Long: `Bench measures what the pattern of LESSON costs on this machine: the reference, the
other right designs, your own answer, the plain way, and what people use in
production. All of them do the same work; the reference is 1, and shorter is
better.

Each figure is the median of several runs. Measure while the machine has nothing
else to do.`,
		Args:              a.args(1, 1),
		ValidArgsFunction: a.completeLesson,
		RunE: func(cmd *cobra.Command, args []string) error {
			if m.time <= 0 || m.count <= 0 {
				return usage("--time and --count are more than nothing.", "Like this: "+a.command("bench", args[0], "--time", "100ms", "--count", 10))
			}
			l, err := a.lesson(args[0])
			if err != nil {
				return err
			}
			s, err := answersTo(l)
			if err != nil {
				return err
			}
			return a.bench(cmd.Context(), l, s, m)
		},
	}
	c.Flags().StringVar(&m.only, "only", "", "the benchmark with this `word` in its name")
	c.Flags().DurationVar(&m.time, "time", usualBenchTime, "how `long` each run is")
	c.Flags().IntVar(&m.count, "count", usualBenchCount, "how many `runs` each figure is the median of")
	c.Flags().BoolVar(&m.raw, "raw", false, "what Go printed, for other tools")
	return c
}

// bench measures the contenders of a lesson, one after the other, and shows what has come
// of it.
func (a *app) bench(ctx context.Context, l lessons.Lesson, s solutions.Solution, m measuring) error {
	asked := askedFor(s.Benchmarks, m.only)
	if len(asked) == 0 {
		return usage(fmt.Sprintf("No benchmark of this lesson has %q in its name.", m.only),
			"They are: "+strings.Join(names(s.Benchmarks, func(b solutions.Benchmark) string { return b.Name }), ", "))
	}
	figures := newFigures(asked)
	b := &bencher{app: a, lesson: l, solution: s, measuring: m, figures: figures, progress: newProgress(a.err, a.world.now)}
	b.progress.last = a.world.now() // a log needs no line about a short measurement
	defer b.progress.end()
	if err := b.measureAll(ctx); err != nil {
		return err
	}
	b.progress.end()
	if m.raw {
		return b.failed
	}
	a.sayFigures(l, s, figures, m)
	return b.failed
}

// askedFor are the benchmarks that have the word in their names.
func askedFor(all []solutions.Benchmark, word string) (asked []solutions.Benchmark) {
	for _, b := range all {
		if strings.Contains(strings.ToLower(b.Name), strings.ToLower(word)) {
			asked = append(asked, b)
		}
	}
	return asked
}

// A bencher measures one contender after the other.
type bencher struct {
	app       *app
	lesson    lessons.Lesson
	solution  solutions.Solution
	measuring measuring
	figures   *figures
	progress  *progress
	done      int   // measurements
	failed    error // the learner's answer could not be measured
}

// measureAll measures the reference with everything that stands beside it, and then the
// answers that can take its place.
func (b *bencher) measureAll(ctx context.Context) error {
	if err := b.measure(ctx, referenceName, nil, b.figures.pattern()); err != nil {
		return fmt.Errorf("measuring the reference: %w", err)
	}
	patterns := b.figures.referencePatterns()
	if err := b.measureYours(ctx, patterns); err != nil {
		return err
	}
	for _, alt := range b.solution.Alternatives {
		if err := b.measure(ctx, alt.Name, alt.Source, patterns...); err != nil {
			return fmt.Errorf("measuring the alternative %s: %w", alt.Name, err)
		}
	}
	return nil
}

// measureYours measures the learner's answer, if there is one. What is wrong with it
// is told, and does not keep the others from being measured.
func (b *bencher) measureYours(ctx context.Context, patterns []string) error {
	book := b.app.book
	answer, err := book.answer(b.lesson)
	if isMissing(err) || book.isUntouched(b.lesson) {
		return nil
	}
	if err != nil {
		return err
	}
	err = b.measure(ctx, yours, answer, patterns...)
	why := ""
	if complaint := (*checker.CompileError)(nil); errors.As(err, &complaint) {
		why = "It does not compile"
	}
	if broken := (*brokenError)(nil); errors.As(err, &broken) {
		why = plain(broken.why)
	}
	if why == "" {
		return err
	}
	b.failed = &exit{
		status: exitNotYet, problem: "Your answer could not be measured. " + sentence(why),
		remedy: "What is wrong with it is told by: " + b.app.command("check", b.lesson.Number),
	}
	return nil
}

// A brokenError tells that a benchmark did not come to its end.
type brokenError struct{ why string }

func (e *brokenError) Error() string { return e.why }

// measure builds the benchmarks with an answer, nil for the reference as it stands, and runs those that
// the patterns select.
func (b *bencher) measure(ctx context.Context, who string, answer []byte, patterns ...string) error {
	c, end := b.app.checker()
	defer end()
	program, err := b.app.programOn(b.lesson, b.solution, "./solutions/"+b.lesson.ID, answer)
	if err != nil {
		return err
	}
	program.Test = true
	if !b.app.book.has("solutions/" + b.lesson.ID + "/bench_test.go") {
		program.Module = solutions.Module() // what production uses is not in a learner's go.mod
	}
	built, err := c.Build(ctx, program)
	end()
	if err != nil {
		return err
	}
	defer built.Close()
	for _, pattern := range patterns {
		if err := b.run(ctx, built, who, pattern); err != nil {
			return err
		}
	}
	return nil
}

// run runs the benchmarks that a pattern selects and keeps their figures.
func (b *bencher) run(ctx context.Context, built *checker.Built, who, pattern string) error {
	m := b.measuring
	var printed bytes.Buffer
	end, err := built.Run(ctx, checker.Run{
		Args: []string{
			"-test.run=^$", "-test.bench=" + pattern, "-test.benchmem", "-test.paniconexit0",
			fmt.Sprintf("-test.benchtime=%s", m.time), fmt.Sprintf("-test.count=%d", m.count),
		},
		Dir: b.app.book.root,
		Line: func(line []byte) {
			printed.Write(line)
			printed.WriteByte('\n')
			if bytes.HasPrefix(line, []byte("Benchmark")) && bytes.Contains(line, []byte("ns/op")) {
				b.done++
				b.progress.count(fmt.Sprintf("Measuring lesson %d: %s", b.lesson.Number, who), b.done, 0, "figures")
			}
		},
		Limits: checker.Limits{
			Wall:   2*time.Minute + time.Duration(m.count)*m.time*1000, // 200 figures, each with its attempts
			CPU:    time.Hour,
			Memory: 4 << 30, Output: 64 << 20, Processes: 32,
		},
	})
	if err != nil {
		return err
	}
	if m.raw {
		b.progress.end()
		b.app.out.line("# %s", who)
		b.app.out.line("%s", strings.TrimSpace(plain(printed.String())))
	}
	switch {
	case end.Over != "":
		return &brokenError{wordsExcess[end.Over]}
	case end.Status != 0:
		return &brokenError{crashOf(strings.Split(printed.String(), "\n"), end.Status)}
	}
	r := benchfmt.NewReader(&printed, who)
	for r.Scan() {
		if result, ok := r.Result().(*benchfmt.Result); ok {
			b.figures.add(who, result)
		}
	}
	return r.Err()
}
