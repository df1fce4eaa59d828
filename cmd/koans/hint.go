package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

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
	k, ok, err := a.failing(ctx, l)
	if err != nil || !ok {
		return err
	}
	_, n := koanOf(l, k.Test)
	a.out.text(0, styleTitle.Render(fmt.Sprintf("Lesson %d, koan %d of %d: %s", l.Number, n, len(l.Koans), k.Title)))
	shown := a.hintsShown(l, k)
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

// failing returns the koan of a lesson that fails now. Where there is none it
// has said why.
func (a *app) failing(ctx context.Context, l lessons.Lesson) (lessons.Koan, bool, error) {
	book, err := a.workbook()
	if err != nil {
		return lessons.Koan{}, false, err
	}
	if book.isUntouched(l) {
		return l.Koans[0], true, nil
	}
	if passed, _ := a.hasPassed(l); passed {
		a.sayNothingToHint(l)
		return lessons.Koan{}, false, nil
	}
	verdicts, err := a.judge(ctx, l)
	if err != nil {
		return lessons.Koan{}, false, err
	}
	v := verdicts[0]
	if v.status == unchecked {
		return lessons.Koan{}, false, v.err
	}
	o, ok := v.report.FirstFailure()
	switch {
	case !ok:
		a.sayNothingToHint(l)
		return lessons.Koan{}, false, nil
	case refused(o):
		a.sayFailure(v)
		return lessons.Koan{}, false, errNotYet
	}
	k, _ := koanOf(l, o.Test)
	return k, true, nil
}

func (a *app) sayNothingToHint(l lessons.Lesson) {
	a.out.text(0, fmt.Sprintf("Lesson %d, %s, passes: there is nothing to hint at.", l.Number, l.Title))
	a.out.line("")
	a.out.pairs(0,
		pair{a.command("next"), "go on"},
		pair{a.command("solution", l.Number), "the reference, and other right designs"},
	)
}
