package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/spf13/cobra"

	"concurrency-koans/checker"
	"concurrency-koans/lessons"
)

// usualStress is how long koans stress runs without being told.
const usualStress = 10 * time.Second

func (a *app) stressCommand() *cobra.Command {
	var length time.Duration
	var rounds int
	var seed int64
	c := &cobra.Command{
		Use:   "stress LESSON",
		Short: "Run the koans again and again",
		Long: `Stress runs the koans of LESSON again and again, with and without the race
detector, in a shuffled order and on 1, 2 and 4 processors. The same seed tries
the same orders again.`,
		Args:              a.args(1, 1),
		ValidArgsFunction: a.completeLesson,
		RunE: func(cmd *cobra.Command, args []string) error {
			if length <= 0 || rounds < 0 {
				return usage("--for and --rounds are more than nothing.", "Like this: "+a.command("stress", args[0], "--for", "1m"))
			}
			l, err := a.lesson(args[0])
			if err != nil {
				return err
			}
			if !cmd.Flags().Changed("seed") {
				seed = rand.Int64N(1<<31-1) + 1
			}
			if rounds > 0 && !cmd.Flags().Changed("for") {
				length = 0
			}
			return a.stress(cmd.Context(), l, length, seed, rounds)
		},
	}
	c.Flags().DurationVar(&length, "for", usualStress, "how `long`: 30s, 5m")
	c.Flags().IntVar(&rounds, "rounds", 0, "stop after this many `rounds`")
	c.Flags().Int64Var(&seed, "seed", 0, "`number` that the orders are made from")
	return c
}

// stress soaks an answer for a while; 0 is until the rounds are made.
func (a *app) stress(ctx context.Context, l lessons.Lesson, length time.Duration, seed int64, rounds int) error {
	c, end := a.checker()
	defer end()
	begun := a.world.now()
	compiling := c.Progress
	soaking := newProgress(a.err, a.world.now)
	soaking.last = begun // a log needs no line about a short soak
	defer soaking.end()
	c.Progress = func(work checker.Progress) {
		compiling(work)
		if work.Stage != checker.Soaking {
			return
		}
		end()
		what := fmt.Sprintf("Lesson %d", l.Number)
		if length > 0 {
			left := length - a.world.now().Sub(begun)
			what += fmt.Sprintf(", %s to go", max(0, left.Round(time.Second)))
		}
		soaking.count(what, work.Done, work.Total, "runs")
	}
	session, err := c.Open(a.book.subject(l))
	if err != nil {
		return err
	}
	defer session.Close()
	soak, cancel := ctx, context.CancelFunc(func() {})
	if length > 0 {
		soak, cancel = context.WithTimeout(ctx, length)
	}
	defer cancel()
	report, err := session.Soak(soak, seed, rounds)
	end()
	soaking.end()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, context.DeadlineExceeded):
		return &exit{status: exitUnchecked, problem: "The time was over before the koans were built.", remedy: "Try once more, now that much of it is compiled, or give it longer: " + a.command("stress", l.Number, "--for", "2m")}
	case err != nil:
		return err
	}
	return a.saySoak(l, report, seed, a.world.now().Sub(begun))
}

// saySoak writes what a soak found.
func (a *app) saySoak(l lessons.Lesson, r checker.Report, seed int64, took time.Duration) error {
	if r.SoakRuns == 0 {
		// No run was made: the answer does not compile.
		a.sayFailure(verdict{lesson: l, report: r})
		return errNotYet
	}
	runs := fmt.Sprintf("%s in %s", plural(r.SoakRuns, "run"), took.Round(100*time.Millisecond))
	a.sayEdited(r)
	if r.Passed() {
		a.out.text(0, styleGood.Render(fmt.Sprintf("%s Lesson %d, %s: %s, and not one failed.", a.out.marks.passed, l.Number, l.Title, runs)))
		a.sayNoRace(r)
		return nil
	}
	a.out.text(0, styleTitle.Render(fmt.Sprintf("Lesson %d, %s: %s", l.Number, l.Title, runs)))
	a.sayNoRace(r)
	said := map[string]bool{}
	for _, o := range r.Koans {
		if o.Status != checker.Failed {
			continue
		}
		k, n := koanOf(l, o.Test)
		a.out.line("")
		a.out.line("%s koan %d of %d: %s", styleBad.Render(a.out.marks.failed), n, len(l.Koans), k.Title)
		if o.Flaky != nil {
			a.out.text(2, fmt.Sprintf("failed first in %d of %s", o.Flaky.Failed, plural(o.Flaky.Runs, "run")))
		}
		if said[o.Diagnosis.Summary] {
			a.out.text(2, "for the same reason")
			continue
		}
		said[o.Diagnosis.Summary] = true
		a.out.line("")
		a.sayDiagnosis(o)
	}
	a.out.line("")
	a.out.line("The same orders again: %s", a.command("stress", l.Number, "--seed", seed))
	return errNotYet
}

func (a *app) sayNoRace(r checker.Report) {
	if !r.RaceChecked && r.NoRace != "" {
		a.out.text(2, styleWarn.Render("Not race-checked.")+" "+r.NoRace)
	}
}
