package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"concurrency-koans/checker/journal"
	"concurrency-koans/lessons"
	"concurrency-koans/solutions"
)

func (a *app) solutionCommand() *cobra.Command {
	var reveal bool
	c := &cobra.Command{
		Use:   "solution LESSON [NAME]",
		Short: "The reference and other right designs, after the pass",
		Long: `Solution shows the reference answer to LESSON and what other designs there are,
once the lesson has passed. With the NAME of one of those it shows that.`,
		Args:              a.args(1, 2),
		ValidArgsFunction: a.completeLesson,
		RunE: func(_ *cobra.Command, args []string) error {
			l, err := a.lesson(args[0])
			if err != nil {
				return err
			}
			s, err := a.openSolution(l, "solution", reveal)
			if err != nil {
				return err
			}
			if len(args) == 2 {
				return a.sayAlternative(l, s, args[1])
			}
			a.saySolution(l, s)
			return nil
		},
	}
	c.Flags().BoolVar(&reveal, "reveal", false, "show it before the lesson has passed")
	return c
}

// openSolution returns the answers to a lesson, if they spoil nothing any more
// or the learner insists.
func (a *app) openSolution(l lessons.Lesson, command string, reveal bool) (solutions.Solution, error) {
	if passed, _ := a.hasPassed(l); !passed {
		if !reveal {
			return solutions.Solution{}, &exit{
				status:  exitNotYet,
				problem: fmt.Sprintf("Lesson %d, %s, has not passed yet. The reference is worth most beside an answer of your own.", l.Number, l.Title),
				remedy: "A hint:         " + a.command("hint", l.Number) +
					"\nCheck it:       " + a.command("check", l.Number) +
					"\nAll the same:   " + a.command(command, l.Number, "--reveal"),
			}
		}
		a.appendEntry(journal.Entry{Event: journal.Reveal, Lesson: l.ID})
	}
	return answersTo(l)
}

func (a *app) saySolution(l lessons.Lesson, s solutions.Solution) {
	a.saySource(s.Reference)
	a.out.line("")
	a.out.line("%s", styleTitle.Render("Other right designs"))
	for _, alt := range s.Alternatives {
		a.out.line("")
		a.out.line("%s", styleTitle.Render(alt.Name))
		a.out.text(2, alt.Title)
		a.out.text(2, alt.Text)
	}
	if len(s.Alternatives) > 0 {
		a.out.line("")
		a.out.line("Read one: %s", a.command("solution", l.Number, s.Alternatives[0].Name))
	}
}

func (a *app) sayAlternative(l lessons.Lesson, s solutions.Solution, query string) error {
	alt, err := a.alternative(l, s, query)
	if err != nil {
		return err
	}
	a.saySource(alt.Source)
	return nil
}

// saySource writes a Go file as it stands.
func (a *app) saySource(source []byte) {
	a.out.line("%s", strings.TrimRight(string(source), "\n"))
}
