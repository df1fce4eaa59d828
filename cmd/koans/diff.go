package main

import (
	"fmt"
	"strings"

	"github.com/aymanbagabas/go-udiff"
	"github.com/spf13/cobra"

	"concurrency-koans/lessons"
)

func (a *app) diffCommand() *cobra.Command {
	var reveal bool
	c := &cobra.Command{
		Use:   "diff LESSON",
		Short: "Your answer beside the reference, after the pass",
		Long: `Diff shows what the reference does differently from your answer to LESSON, once
the lesson has passed: lines with - are yours, lines with + are the reference's.`,
		Args:              a.args(1, 1),
		ValidArgsFunction: a.completeLesson,
		RunE: func(_ *cobra.Command, args []string) error {
			l, err := a.lesson(args[0])
			if err != nil {
				return err
			}
			return a.diff(l, reveal)
		},
	}
	c.Flags().BoolVar(&reveal, "reveal", false, "show it before the lesson has passed")
	return c
}

func (a *app) diff(l lessons.Lesson, reveal bool) error {
	s, err := a.openSolution(l, "diff", reveal)
	if err != nil {
		return err
	}
	answer, err := a.book.answer(l)
	if err != nil {
		return a.noAnswer(l, err)
	}
	yours := strings.ReplaceAll(string(answer), "\r\n", "\n")
	text := udiff.Unified(a.book.show(folder(l)+"/"+l.Answer), "reference", yours, string(s.Reference))
	if text == "" {
		a.out.line("Your answer is the reference, letter for letter.")
		return nil
	}
	for line := range strings.Lines(text) {
		line = plain(strings.TrimRight(line, "\n"))
		switch {
		case strings.HasPrefix(line, "---"), strings.HasPrefix(line, "+++"):
			line = styleTitle.Render(line)
		case strings.HasPrefix(line, "@@"):
			line = styleFaint.Render(line)
		case strings.HasPrefix(line, "-"):
			line = styleBad.Render(line)
		case strings.HasPrefix(line, "+"):
			line = styleGood.Render(line)
		}
		a.out.line("%s", line)
	}
	return nil
}

// noAnswer says why a learner's file cannot be read.
func (a *app) noAnswer(l lessons.Lesson, err error) error {
	file := a.book.show(folder(l) + "/" + l.Answer)
	if isMissing(err) {
		return &exit{status: exitUnchecked, problem: fmt.Sprintf("The file %s is not there.", file),
			remedy: "Put the skeleton back with: " + a.command("reset", l.Number)}
	}
	return &exit{status: exitUnchecked, problem: fmt.Sprintf("The file %s cannot be read.", file), err: err}
}
