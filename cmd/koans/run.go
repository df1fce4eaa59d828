package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"concurrency-koans/checker/journal"
	"concurrency-koans/lessons"
)

// An app is one run of the program.
type app struct {
	world    world
	out, err *screen
	dir      string          // -C
	color    string          // --color
	book     *workbook       // nil until opened
	read     *journal.Record // nil until read
	noticed  map[string]bool // the notices given
}

// run carries out the command that args are and returns the exit status.
func run(ctx context.Context, args []string, w world) int {
	a := &app{world: w, color: "auto"}
	a.screens() // for what is said before the flags are read
	root := a.rootCommand()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil && a.out.stream.err != nil {
		err = &exit{status: exitUnchecked, problem: wordsNoOutput, err: a.out.stream.err}
	}
	if err == nil {
		return exitPassed
	}
	e := atEdge(err)
	a.sayExit(e)
	return e.status
}

// screens makes the screens as the flags want them.
func (a *app) screens() {
	a.out = newScreen(a.world, a.world.stdout, a.color)
	a.err = newScreen(a.world, a.world.stderr, a.color)
}

// sayExit writes why the program ends with another status than 0.
func (a *app) sayExit(e *exit) {
	if e.problem == "" {
		return
	}
	a.err.text(0, a.typed(e.problem))
	if e.remedy != "" {
		a.err.line("")
		a.err.text(0, a.typed(e.remedy))
	}
	if e.err != nil {
		a.err.line("")
		a.err.text(0, styleFaint.Render(plain(e.err.Error())))
	}
}

// rootCommand is the command line. What a mistyped one is told stands in
// mistyped.go.
func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "koans",
		Short: "Learn concurrency patterns in Go, one koan at a time",
		Args:  a.noSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if a.hasScreen() {
				return a.watch(cmd.Context(), nil, false)
			}
			return a.next(cmd.Context())
		},
		PersistentPreRunE: func(*cobra.Command, []string) error {
			return a.settle()
		},
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       buildVersion(),
	}
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetVersionTemplate("koans {{.Version}}\n")
	root.SetFlagErrorFunc(a.badFlag)
	root.PersistentFlags().StringVarP(&a.dir, "directory", "C", "", "work as if started in `DIR`")
	root.PersistentFlags().StringVar(&a.color, "color", "auto", "when to use color: `auto`, always or never")
	root.AddGroup(
		&cobra.Group{ID: groupPath, Title: "The path"},
		&cobra.Group{ID: groupHelp, Title: "When you are stuck, and when you are done"},
		&cobra.Group{ID: groupBook, Title: "The workbook"},
		&cobra.Group{ID: groupQuiet, Title: "The program"},
	)
	for _, g := range []struct {
		id       string
		commands []*cobra.Command
	}{
		{groupPath, []*cobra.Command{a.nextCommand(), a.watchCommand(), a.checkCommand(), a.listCommand(), a.readCommand(), a.demoCommand()}},
		{groupHelp, []*cobra.Command{a.hintCommand(), a.pitfallsCommand(), a.solutionCommand(), a.diffCommand(), a.benchCommand(), a.stressCommand()}},
		{groupBook, []*cobra.Command{a.resetCommand(), a.initCommand(), a.doctorCommand(), a.devCommand()}},
	} {
		for _, c := range g.commands {
			c.GroupID = g.id
			root.AddCommand(c)
		}
	}
	root.SetCompletionCommandGroupID(groupQuiet)
	cobra.EnableCommandSorting = false // they are in the order of use
	a.help(root)
	return root
}

const (
	groupPath  = "path"
	groupHelp  = "help"
	groupBook  = "book"
	groupQuiet = "quiet" // not named in the help
)

// settle is done before every command, once the flags are read.
func (a *app) settle() error {
	switch a.color {
	case "auto", "always", "never":
	default:
		return usage(fmt.Sprintf("--color is auto, always or never, not %q.", a.color), "")
	}
	a.screens()
	return nil
}

// at is the folder that the command works in.
func (a *app) at(dir string) string {
	if filepath.IsAbs(dir) {
		return filepath.Clean(dir)
	}
	base := a.world.dir
	if filepath.IsAbs(a.dir) {
		base = a.dir
	} else {
		base = filepath.Join(base, a.dir)
	}
	return filepath.Join(base, dir)
}

// workbook opens the workbook, once.
func (a *app) workbook() (*workbook, error) {
	if a.book != nil {
		return a.book, nil
	}
	book, err := openWorkbook(a.at(""), a.world.dir)
	if errors.Is(err, errNoWorkbook) {
		return nil, usage(wordsNoWorkbook, remedyNoWorkbook)
	}
	if err != nil {
		return nil, err
	}
	a.book = book
	return book, nil
}

// lesson finds the lesson that a query names.
func (a *app) lesson(query string) (lessons.Lesson, error) {
	book, err := a.workbook()
	if err != nil {
		return lessons.Lesson{}, err
	}
	l, err := lessons.Find(book.lessons, query)
	if err != nil {
		return lessons.Lesson{}, a.noSuch(err)
	}
	return l, nil
}

// lessonOrCurrent is the lesson that the first argument names, or the current
// one without arguments.
func (a *app) lessonOrCurrent(args []string) (lessons.Lesson, error) {
	if len(args) > 0 {
		return a.lesson(args[0])
	}
	l, done, err := a.current()
	if err != nil {
		return lessons.Lesson{}, err
	}
	if done {
		return lessons.Lesson{}, usage(wordsAllPassed, remedyNameLesson)
	}
	return l, nil
}
