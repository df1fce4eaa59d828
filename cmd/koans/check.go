package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"concurrency-koans/lessons"
)

func (a *app) checkCommand() *cobra.Command {
	var all, raw bool
	var format string
	c := &cobra.Command{
		Use:   "check [LESSON...]",
		Short: "The verdicts; --all, --format text|json|junit",
		Long: `Check gives the verdict on each LESSON, or on the current one.

The formats json and junit go to machines; they hold every koan. They are
written in full whatever the verdicts are, and the exit status tells: 0 all
passed, 1 not yet, 3 some could not be checked.`,
		Args: func(_ *cobra.Command, args []string) error {
			if all && len(args) > 0 {
				return usage("--all and the name of a lesson do not go together.", "")
			}
			return nil
		},
		ValidArgsFunction: a.completeLesson,
		RunE: func(cmd *cobra.Command, args []string) error {
			write, ok := a.formats(raw)[format]
			if !ok {
				return usage(fmt.Sprintf("--format is text, json or junit, not %q.", format), "")
			}
			chosen, err := a.chosen(args, all)
			if err != nil {
				return err
			}
			verdicts, err := a.judge(cmd.Context(), chosen...)
			if err != nil {
				return err
			}
			if err := write(verdicts); err != nil {
				return err
			}
			return result(verdicts)
		},
	}
	c.Flags().BoolVar(&all, "all", false, "check every lesson")
	c.Flags().StringVar(&format, "format", "text", "`text`, json or junit")
	c.Flags().BoolVar(&raw, "raw", false, "show what the tools printed, untouched")
	return c
}

// formats are the renderers of verdicts.
func (a *app) formats(raw bool) map[string]func([]verdict) error {
	return map[string]func([]verdict) error{
		"text":  func(all []verdict) error { a.sayVerdicts(all, raw); return nil },
		"json":  func(all []verdict) error { return writeJSON(a.out.stream, a.newReport(all, raw)) },
		"junit": func(all []verdict) error { return writeJUnit(a.out.stream, a.newReport(all, raw)) },
	}
}

// chosen are the lessons that arguments name, each once, in order.
func (a *app) chosen(args []string, all bool) ([]lessons.Lesson, error) {
	book, err := a.workbook()
	if err != nil {
		return nil, err
	}
	if all {
		return book.lessons, nil
	}
	if len(args) == 0 {
		l, err := a.lessonOrCurrent(nil)
		return []lessons.Lesson{l}, err
	}
	named := map[string]bool{}
	for _, query := range args {
		l, err := a.lesson(query)
		if err != nil {
			return nil, err
		}
		named[l.ID] = true
	}
	var chosen []lessons.Lesson
	for _, l := range book.lessons {
		if named[l.ID] {
			chosen = append(chosen, l)
		}
	}
	return chosen, nil
}

// sayVerdicts writes verdicts for a reader.
func (a *app) sayVerdicts(all []verdict, raw bool) {
	for i, v := range all {
		if i > 0 {
			a.out.line("")
		}
		a.sayVerdict(v, raw)
	}
	if len(all) > 1 {
		a.out.line("")
		a.out.line("%s", tally(all))
	}
}

func (a *app) sayVerdict(v verdict, raw bool) {
	switch v.status {
	case passed:
		a.saySuccess(v)
	case unchecked:
		a.sayUnchecked(v)
		if printed := v.raw(); printed != "" && raw {
			a.out.line("")
			a.sayRaw(printed)
		}
	case failed, untried:
		a.sayPlace(v)
		a.out.line("")
		a.sayFailure(v)
		if raw {
			a.out.line("")
			a.sayRaw(v.raw())
		}
	}
}

// tally counts verdicts: "2 of 3 lessons pass; 1 untouched."
func tally(all []verdict) string {
	count := map[status]int{}
	for _, v := range all {
		count[v.status]++
	}
	words := fmt.Sprintf("%d of %s pass", count[passed], plural(len(all), "lesson"))
	for _, s := range []struct {
		status status
		word   string
	}{{failed, "not yet"}, {untried, "untouched"}, {unchecked, "could not be checked"}} {
		if n := count[s.status]; n > 0 {
			words += fmt.Sprintf("; %d %s", n, s.word)
		}
	}
	return words + "."
}
