package main

import (
	"context"
	"fmt"

	"github.com/charmbracelet/x/ansi"
	"github.com/spf13/cobra"

	"concurrency-koans/checker"
	"concurrency-koans/lessons"
)

func (a *app) nextCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "next",
		Short: "Check the current lesson; what to do next",
		Long: `Next checks the current lesson, which is the first one that has not passed, and
says what to do next. When the lesson passes, it moves on to the one after it.`,
		Args: a.noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.next(cmd.Context()) },
	}
}

// next checks the current lesson and shows the way from there.
func (a *app) next(ctx context.Context) error {
	l, done, err := a.current()
	if err != nil {
		return err
	}
	if done {
		a.sayAllPassed()
		return nil
	}
	verdicts, err := a.judge(ctx, l)
	if err != nil {
		return err
	}
	v := verdicts[0]
	switch v.status {
	case unchecked:
		return v.err
	case passed:
		a.saySuccess(v)
		a.out.line("")
		return a.moveOn(l)
	}
	a.sayPlace(v)
	a.out.line("")
	a.sayFailure(v)
	return errNotYet
}

// moveOn shows what there is to see of a lesson that has passed, and the one that
// is current now.
func (a *app) moveOn(from lessons.Lesson) error {
	l, done, err := a.current()
	if err != nil {
		return err
	}
	if done {
		a.sayAllPassed()
		return nil
	}
	a.out.pairs(2,
		pair{a.command("diff", from.Number), "your answer beside the reference"},
		pair{a.command("solution", from.Number), "other right designs, and what each costs"},
		pair{a.command("demo", from.Number, "--mine"), "your answer at work, drawn"},
		pair{a.command("bench", from.Number), "how fast it is, beside the others"},
		pair{a.command("read", from.Number, "--section", "pitfalls"), "what goes wrong, and why"},
	)
	a.out.line("")
	a.out.line("%s", styleTitle.Render(fmt.Sprintf("Next: lesson %d of %d, %s", l.Number, len(a.book.lessons), l.Title)))
	a.out.text(2, l.Summary)
	a.out.line("")
	first := l.Koans[0]
	a.out.pairs(2,
		pair{"the file", styleTitle.Render(a.book.show(folder(l) + "/" + l.Answer))},
		pair{"the first koan", first.Title},
	)
	a.out.line("")
	a.out.pairs(2,
		pair{a.command("read", l.Number), "the pattern, with a diagram"},
		pair{a.command("demo", l.Number), "the pattern at work"},
		pair{a.command("next"), "the next small step"},
	)
	return nil
}

// sayAllPassed is the end of the path.
func (a *app) sayAllPassed() {
	a.out.text(0, styleGood.Render(a.out.marks.passed+" "+wordsAllPassed))
	a.out.line("")
	a.sayLearnt()
	last := a.book.lessons[len(a.book.lessons)-1].Number
	a.out.pairs(2,
		pair{a.command("diff", last), "your answer beside the reference"},
		pair{a.command("solution", last), "other right designs, and what each costs"},
		pair{a.command("read", last, "--section", "production"), "what to use at work, and when not to"},
		pair{a.command("read", last, "--section", "interview"), "questions, with answers"},
		pair{a.command("stress", last), "a long soak"},
	)
	a.out.line("")
	a.out.text(0, "The same goes for every lesson.")
}

// sayLearnt writes what the lessons have in common.
func (a *app) sayLearnt() {
	a.out.text(0, "What came back again and again:")
	for _, rule := range learnt {
		a.out.item(2, "- "+rule)
	}
	a.out.line("")
}

// sayPlace writes where on the path the learner is.
func (a *app) sayPlace(v verdict) {
	l := v.lesson
	a.out.line("%s", styleTitle.Render(fmt.Sprintf("Lesson %d of %d: %s", l.Number, len(a.book.lessons), l.Title)))
	a.sayKoan(v)
}

// sayKoan writes where on the lesson's path its first failure is.
func (a *app) sayKoan(v verdict) {
	l := v.lesson
	o, ok := v.report.FirstFailure()
	if !ok || refused(o) {
		return
	}
	k, n := koanOf(l, o.Test)
	row := a.out.path(v.report)
	words := fmt.Sprintf("koan %d of %d, step %d: %s", n, len(l.Koans), k.Step, stepTitle(l, k.Step))
	if line := row + "   " + words; ansi.StringWidth(line) <= a.out.width {
		a.out.line("%s", line)
	} else {
		a.out.line("%s", row)
		a.out.text(0, words)
	}
	a.out.line("")
	a.out.text(2, styleTitle.Render(k.Title))
}

func stepTitle(l lessons.Lesson, step int) string {
	for _, s := range l.Steps {
		if s.Number == step {
			return s.Title
		}
	}
	return ""
}

// sayFailure writes why a lesson fails, and where to look next.
func (a *app) sayFailure(v verdict) {
	o, ok := v.report.FirstFailure()
	if !ok {
		return
	}
	a.sayDiagnosis(o)
	if o.Flaky != nil {
		a.out.line("")
		a.sayFlaky(v.lesson, o.Flaky)
	}
	if len(v.report.TestsEdited) > 0 {
		a.out.line("")
		a.sayEdited(v.report)
	}
	a.out.line("")
	a.out.pairs(0, a.ways(v.lesson, o)...)
}

// mostLikenesses is how many pitfalls are named after a failure. More would be
// a list to read, and no help.
const mostLikenesses = 2

// ways are the commands that lead on from a failed koan.
func (a *app) ways(l lessons.Lesson, o checker.Outcome) []pair {
	var rows []pair
	for i, name := range a.looksLike(l, o) {
		label := "looks like"
		if i > 0 {
			label = "or like"
		}
		if i == mostLikenesses {
			break
		}
		rows = append(rows, pair{label, a.command("pitfalls", l.Number, name)})
	}
	if refused(o) {
		return append(rows, pair{"the contract", a.command("read", l.Number, "--section", "contract")})
	}
	k, _ := koanOf(l, o.Test)
	left := len(k.Hints) - a.hintsShown(l, k)
	switch {
	case left <= 0:
		rows = append(rows, pair{"the pitfalls", a.command("read", l.Number, "--section", "pitfalls")})
	default:
		rows = append(rows, pair{"a hint", fmt.Sprintf("%s  (%d left)", a.command("hint"), left)})
	}
	return append(rows, pair{"the lesson", a.command("read", l.Number)})
}
