package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"concurrency-koans/checker"
	"concurrency-koans/lessons"
	"concurrency-koans/solutions"
	"concurrency-koans/solutions/proof"
)

func (a *app) devCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "dev",
		Short: "For authors: new, check",
		Long:  `Dev is for those who write lessons. It works in a clone, where the solutions are.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return a.unknownCommand(cmd, args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(a.devNewCommand(), a.devCheckCommand())
	return c
}

func (a *app) devCheckCommand() *cobra.Command {
	var runs int
	c := &cobra.Command{
		Use:   "check [LESSON...]",
		Short: "Prove lessons: their form, and every claim of their answers",
		Long: `Check proves each LESSON as it is on disk, or all of them: the skeleton fails
every koan, every right answer passes in both lanes, every pitfall is rejected
for the reason it names, at the koan it names; and all of it every time.`,
		ValidArgsFunction: a.completeLesson,
		RunE: func(cmd *cobra.Command, args []string) error {
			if runs < 1 {
				return usage("--runs is 1 or more.", "")
			}
			plan, err := a.plan(args, runs)
			if err != nil {
				return err
			}
			return a.prove(cmd.Context(), plan)
		},
	}
	c.Flags().IntVar(&runs, "runs", 5, "prove each claim with this `number` of runs")
	return c
}

// plan reads what is to be proved from the disk: the lessons and solutions whose
// folders are named, or begin with what is named, or all.
func (a *app) plan(args []string, runs int) (proof.Plan, error) {
	book, err := a.workbook()
	if err != nil {
		return proof.Plan{}, err
	}
	plan := proof.Plan{Root: book.root, Runs: runs}
	taught, solved := os.DirFS(book.path("lessons")), os.DirFS(book.path("solutions"))
	if info, err := fs.Stat(solved, "."); err != nil || !info.IsDir() {
		return plan, usage("This workbook has no solutions, so there is nothing to prove.", "Run it in a clone of the project.")
	}
	folders := []string{""} // all
	if len(args) > 0 {
		if folders, err = a.authored(taught, args); err != nil {
			return plan, err
		}
	}
	var faults []error
	for _, id := range folders {
		read, answered := taught, solved
		if id != "" {
			read, answered = single{taught, id}, single{solved, id}
		}
		l, err := lessons.Load(read)
		faults = append(faults, err)
		s, err := solutions.Load(answered)
		faults = append(faults, err)
		plan.Lessons, plan.Solutions = append(plan.Lessons, l...), append(plan.Solutions, s...)
	}
	if err := errors.Join(faults...); err != nil {
		a.out.text(0, styleTitle.Render("The form is not right yet:"))
		for line := range strings.SplitSeq(err.Error(), "\n") {
			a.out.item(2, line)
		}
		return plan, errNotYet
	}
	return plan, nil
}

// authored finds the folders that an author names. What they hold may not load
// yet, so their names are all there is to go by.
func (a *app) authored(taught fs.FS, args []string) ([]string, error) {
	entries, err := fs.ReadDir(taught, ".")
	if err != nil {
		return nil, err
	}
	var known []lessons.Lesson
	for _, e := range entries {
		l := lessons.Lesson{ID: e.Name()}
		if n, err := fmt.Sscanf(e.Name(), "%d-%s", &l.Number, &l.Name); err == nil && n == 2 && e.IsDir() {
			known = append(known, l)
		}
	}
	var folders []string
	for _, query := range args {
		l, err := lessons.Find(known, query)
		if err != nil {
			return nil, a.noSuch(err)
		}
		folders = append(folders, l.ID)
	}
	return folders, nil
}

// prove proves a plan, with what does not hold on stdout as it comes.
func (a *app) prove(ctx context.Context, plan proof.Plan) error {
	p := newProgress(a.err, a.world.now)
	defer p.end()
	total, done, failed := len(plan.Claims()), 0, 0
	c := &checker.Checker{Env: a.world.env, Progress: p.report}
	err := proof.Prove(ctx, plan, c, func(r proof.Result) {
		done++
		if r.Fault != "" {
			failed++
			p.end()
			a.out.line("%s %s", styleBad.Render(a.out.marks.failed), styleTitle.Render(r.Claim.String()))
			for line := range strings.SplitSeq(r.Fault, "\n") {
				a.out.item(4, plain(line))
			}
		}
		p.count("Proving", done, total, "claims")
	})
	p.end()
	if err != nil {
		return err
	}
	if failed > 0 {
		a.out.line("")
		a.out.line("%d of %s do not hold.", failed, plural(total, "claim"))
		return errNotYet
	}
	a.out.text(0, styleGood.Render(fmt.Sprintf("%s %s hold, in %s each.", a.out.marks.passed, plural(total, "claim"), plural(plan.Runs, "run"))))
	return nil
}
