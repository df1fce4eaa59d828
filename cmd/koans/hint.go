package main

import (
	"context"
	"fmt"
	"path"

	"github.com/spf13/cobra"

	"concurrency-koans/checker"
	"concurrency-koans/checker/journal"
	"concurrency-koans/lessons"
)

func (a *app) hintCommand() *cobra.Command {
	var again bool
	c := &cobra.Command{
		Use:   "hint [LESSON]",
		Short: "The next hint for the koan that fails now",
		Long: `Hint shows the next hint for the koan of LESSON, or of the current lesson, that
fails now. Each call shows one more: first a question, then the idea, at last
nearly the code.`,
		Args:              a.args(0, 1),
		ValidArgsFunction: a.completeLesson,
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := a.lessonOrCurrent(args)
			if err != nil {
				return err
			}
			return a.hint(cmd.Context(), l, again)
		},
	}
	c.Flags().BoolVar(&again, "again", false, "show the hints once more that were shown already")
	return c
}

func (a *app) hint(ctx context.Context, l lessons.Lesson, again bool) error {
	k, d, err := a.failing(ctx, l)
	if err != nil || k.Test == "" {
		return err
	}
	_, n := koanOf(l, k.Test)
	a.out.text(0, styleTitle.Render(fmt.Sprintf("Lesson %d, koan %d of %d: %s", l.Number, n, len(l.Koans), k.Title)))
	shown := a.hintsShown(l, k)
	a.sayFailsAs(d, again && shown > 0 || shown < len(k.Hints))
	if again {
		for i := range shown {
			if err := a.sayHint(k, i+1); err != nil {
				return err
			}
		}
	}
	switch {
	case again && shown > 0:
	case shown < len(k.Hints):
		shown++
		a.appendEntry(journal.Entry{Event: journal.Hint, Lesson: l.ID, Koan: k.Test, Hint: shown})
		if err := a.sayHint(k, shown); err != nil {
			return err
		}
	default:
		a.out.line("")
		a.out.text(2, fmt.Sprintf("All %d hints for this koan have been shown.", len(k.Hints)))
	}
	a.out.line("")
	if shown < len(k.Hints) {
		a.out.line("%s: %s", leftToShow(len(k.Hints)-shown), a.command("hint", l.Number))
		return nil
	}
	a.out.pairs(0,
		pair{a.command("hint", l.Number, "--again"), "all the hints once more"},
		pair{a.command("read", l.Number, "--section", "pitfalls"), "the traps, and how to avoid them"},
		pair{a.command("solution", l.Number, "--reveal"), "the reference"},
	)
	return nil
}

func leftToShow(n int) string {
	if n == 1 {
		return "The last one"
	}
	return fmt.Sprintf("%d more", n)
}

func (a *app) sayHint(k lessons.Koan, number int) error {
	a.out.line("")
	a.out.line("%s", styleFaint.Render(fmt.Sprintf("Hint %d of %d", number, len(k.Hints))))
	return a.sayMarkdown(k.Hints[number-1])
}

// failsAs says in what way a koan fails for which its hints may not be meant:
// they are about what to build, and not about every way to go wrong there.
var failsAs = map[checker.Kind]string{
	checker.Race:     "fails as a data race",
	checker.Leak:     "fails as a leak",
	checker.Deadlock: "fails as a deadlock",
	checker.Stuck:    "is stuck",
	checker.Panic:    "fails as a panic",
	checker.Crash:    "fails as a crash",
}

// sayFailsAs points from the hints to a diagnosis that says more than they can,
// so that nobody looks into them for what it has told.
func (a *app) sayFailsAs(d *checker.Diagnosis, hints bool) {
	if d == nil || failsAs[d.Kind] == "" {
		return
	}
	words := "It " + failsAs[d.Kind]
	if d.Line > 0 {
		words += fmt.Sprintf(" at %s:%d", path.Base(d.File), d.Line)
	}
	if hints {
		words += "; the hints below are about the koan"
	}
	a.out.text(0, words+".")
}

// failing returns the koan of a lesson that fails now, and the diagnosis if the
// lesson has been begun. Where there is none it has said why, and the koan is
// the zero one.
func (a *app) failing(ctx context.Context, l lessons.Lesson) (lessons.Koan, *checker.Diagnosis, error) {
	none := lessons.Koan{}
	book, err := a.workbook()
	if err != nil {
		return none, nil, err
	}
	if book.isUntouched(l) {
		return l.Koans[0], nil, nil
	}
	if passed, _ := a.hasPassed(l); passed {
		a.sayNothingToHint(l)
		return none, nil, nil
	}
	verdicts, err := a.judge(ctx, l)
	if err != nil {
		return none, nil, err
	}
	v := verdicts[0]
	if v.status == unchecked {
		return none, nil, v.err
	}
	o, ok := v.report.FirstFailure()
	switch {
	case !ok:
		a.sayNothingToHint(l)
		return none, nil, nil
	case refused(o):
		a.sayFailure(v)
		return none, nil, errNotYet
	}
	k, _ := koanOf(l, o.Test)
	return k, o.Diagnosis, nil
}

func (a *app) sayNothingToHint(l lessons.Lesson) {
	a.out.text(0, fmt.Sprintf("Lesson %d, %s, passes: there is nothing to hint at.", l.Number, l.Title))
	a.out.line("")
	a.out.pairs(0,
		pair{a.command("next"), "go on"},
		pair{a.command("solution", l.Number), "the reference, and other right designs"},
	)
}
