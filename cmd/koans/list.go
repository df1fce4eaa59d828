package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"concurrency-koans/checker"
	"concurrency-koans/lessons"
)

func (a *app) listCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "The lessons and where each one stands",
		Long: `List shows where each lesson stands. It reads the journal and checks nothing: a
lesson counts as passed while its file is the one that passed.`,
		Args: a.noArgs,
		RunE: func(*cobra.Command, []string) error { return a.list() },
	}
}

func (a *app) list() error {
	book, err := a.workbook()
	if err != nil {
		return err
	}
	current, done, err := a.current()
	if err != nil {
		return err
	}
	most, count := 0, 0
	for _, l := range book.lessons {
		most = max(most, len(l.Title))
	}
	for _, l := range book.lessons {
		mark, state, ok := a.state(l)
		if ok {
			count++
		}
		here := "  "
		if !done && l.ID == current.ID {
			here = styleTitle.Render("> ")
		}
		a.out.pairs(0, pair{fmt.Sprintf("%s%s %2d  %-*s", here, mark, l.Number, most, l.Title), state})
	}
	a.out.line("")
	const width = 24
	total := len(book.lessons)
	a.out.line("%s %d of %d", styleGood.Render(a.out.marks.bar(count, total, width)), count, total)
	if done {
		return nil
	}
	a.out.line("")
	a.out.line("Go on with: %s", a.command("next"))
	return nil
}

// state is where a lesson stands, in a mark and in words.
func (a *app) state(l lessons.Lesson) (mark, words string, ok bool) {
	m := a.out.marks
	if ok, raceChecked := a.hasPassed(l); ok {
		words = "passed"
		if !raceChecked {
			words = "passed, not race-checked"
		}
		return styleGood.Render(m.passed), words, true
	}
	if a.book.isUntouched(l) {
		return styleFaint.Render(m.pending), styleFaint.Render("untouched"), false
	}
	words = "in progress"
	if _, err := a.book.answer(l); isMissing(err) {
		words = "its file is missing; " + a.command("reset", l.Number) + " puts it back"
	} else if koan, kind := a.record().LastFailure(l.ID); koan != "" {
		k, _ := koanOf(l, koan)
		words += ": " + k.Title
	} else if kind != "" {
		words += ": " + kindWord(checker.Kind(kind))
	}
	return styleWarn.Render(m.failed), words, false
}
