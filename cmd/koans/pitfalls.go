package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"concurrency-koans/checker"
	"concurrency-koans/lessons"
	"concurrency-koans/solutions"
)

func (a *app) pitfallsCommand() *cobra.Command {
	var source bool
	c := &cobra.Command{
		Use:   "pitfalls LESSON [NAME]",
		Short: "Wrong answers that people write; run one",
		Long: `Pitfalls lists the wrong answers to LESSON that people really write. With a NAME
it explains that one, runs it in place of your answer and shows its diagnosis.
Your file is not touched, and no right answer is shown.`,
		Args:              a.args(1, 2),
		ValidArgsFunction: a.completeLesson,
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := a.lesson(args[0])
			if err != nil {
				return err
			}
			s, err := answersTo(l)
			if err != nil {
				return err
			}
			if len(args) == 1 {
				a.sayPitfalls(l, s)
				return nil
			}
			p, err := a.pitfall(l, s, args[1])
			if err != nil {
				return err
			}
			if source {
				a.saySource(p.Source)
				return nil
			}
			return a.runPitfall(cmd.Context(), l, p)
		},
	}
	c.Flags().BoolVar(&source, "source", false, "show its source and do not run it")
	return c
}

// sayPitfalls lists the pitfalls in the order in which the path meets them.
func (a *app) sayPitfalls(l lessons.Lesson, s solutions.Solution) {
	a.out.line("%s", styleTitle.Render(fmt.Sprintf("Lesson %d, %s: %s", l.Number, l.Title, plural(len(s.Pitfalls), "pitfall"))))
	a.out.line("")
	var rows []pair
	for _, k := range l.Koans {
		for _, p := range s.Pitfalls {
			if p.Koan == k.Test {
				kind := styleFaint.Render("(" + kindWord(checker.Kind(p.Kind)) + ")")
				rows = append(rows, pair{styleType.Render(p.Name), p.Title + " " + kind})
			}
		}
	}
	a.out.pairs(2, rows...)
	if len(s.Pitfalls) > 0 {
		a.out.line("")
		a.out.line("Run one: %s", a.command("pitfalls", l.Number, s.Pitfalls[0].Name))
	}
}

// runPitfall explains a pitfall and shows what the checker says to it.
func (a *app) runPitfall(ctx context.Context, l lessons.Lesson, p solutions.Pitfall) error {
	a.explainPitfall(p)
	c, end := a.checker()
	defer end()
	v, err := a.judgePitfall(ctx, c, l, p)
	end()
	if err != nil {
		return err
	}
	a.sayRejected(v, p)
	return nil
}

// explainPitfall writes what a pitfall is.
func (a *app) explainPitfall(p solutions.Pitfall) {
	a.out.text(0, styleTitle.Render(p.Title))
	a.out.line("")
	for i, paragraph := range strings.Split(p.Text, "\n\n") {
		if i > 0 {
			a.out.line("")
		}
		a.out.text(0, paragraph)
	}
	a.out.line("")
}

// judgePitfall checks a pitfall in place of the learner's answer. The verdict is
// that it failed.
func (a *app) judgePitfall(ctx context.Context, c *checker.Checker, l lessons.Lesson, p solutions.Pitfall) (verdict, error) {
	subject := a.book.subject(l)
	subject.Replace = p.Source
	report, err := c.Check(ctx, subject)
	if err != nil {
		return verdict{}, err
	}
	if _, ok := report.FirstFailure(); !ok {
		return verdict{}, &exit{status: exitUnchecked, problem: "The koans did not reject it this time.", remedy: remedyDoctor}
	}
	return verdict{lesson: l, status: failed, report: report}, nil
}

// sayRejected writes the diagnosis of a pitfall.
func (a *app) sayRejected(v verdict, p solutions.Pitfall) {
	o, _ := v.report.FirstFailure()
	a.out.line("%s", styleFaint.Render("In place of your answer, it gets:"))
	a.sayKoan(v)
	a.out.line("")
	a.sayDiagnosis(o)
	a.out.line("")
	a.out.line("Its source, where those lines stand: %s", a.command("pitfalls", v.lesson.Number, p.Name, "--source"))
}
