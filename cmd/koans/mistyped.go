package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"concurrency-koans/lessons"
)

// noSuchCommand is the root command's judge of arguments: what it gets is no
// command.
func (a *app) noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if l, err := a.lesson(args[0]); err == nil {
		return usage(fmt.Sprintf("%q is a lesson and not a command.", args[0]),
			"Check it with: "+a.command("check", l.Number)+"\nRead it with:  "+a.command("read", l.Number))
	}
	return a.unknownCommand(cmd, args[0])
}

func (a *app) unknownCommand(cmd *cobra.Command, word string) error {
	var all []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			all = append(all, c.Name())
		}
	}
	return usage(fmt.Sprintf("There is no command %q.", strings.TrimSpace(strings.TrimPrefix(cmd.CommandPath(), "koans")+" "+word)),
		nearest(word, all, "The commands are: "+strings.Join(all, ", ")))
}

// badFlag puts cobra's words about a flag into ours.
func (a *app) badFlag(cmd *cobra.Command, err error) error {
	return usage(sentence(err.Error()), "The flags are listed by: "+a.command(append(anys(strings.Fields(cmd.CommandPath())[1:]), "--help")...))
}

func anys(words []string) []any {
	list := make([]any, len(words))
	for i, w := range words {
		list[i] = w
	}
	return list
}

// noSuch says which lesson or section was meant.
func (a *app) noSuch(err error) error {
	var q *lessons.QueryError
	if !errors.As(err, &q) {
		return err
	}
	switch {
	case len(q.Fits) > 0:
		return usage(fmt.Sprintf("%q fits more than one %s: %s.", q.Query, q.Noun, or(q.Fits)), "")
	case len(q.Near) > 0:
		return usage(fmt.Sprintf("There is no %s %q.", q.Noun, q.Query), "Did you mean "+or(q.Near)+"?")
	default:
		return usage(fmt.Sprintf("There is no %s %q.", q.Noun, q.Query), "There is:\n  "+strings.Join(q.All, "\n  "))
	}
}

// nearest proposes the names that look like word, or else says something else.
func nearest(word string, names []string, otherwise string) string {
	var near []string
	for _, n := range names {
		if d := distance(strings.ToLower(word), n); d <= 2 && d < len(n) || len(word) > 1 && strings.HasPrefix(n, word) {
			near = append(near, n)
		}
	}
	if len(near) == 0 {
		return otherwise
	}
	slices.SortStableFunc(near, func(x, y string) int { return distance(word, x) - distance(word, y) })
	return "Did you mean " + or(near) + "?"
}

// distance is the number of letters to change, insert or take out to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(diagonal+cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}

// noArgs is the judge of arguments of a command that takes none.
func (a *app) noArgs(cmd *cobra.Command, args []string) error { return a.args(0, 0)(cmd, args) }

// args is the judge of arguments of a command that takes least to most.
func (a *app) args(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		how := "Like this: " + a.call() + strings.TrimSuffix(strings.TrimPrefix(cmd.UseLine(), "koans"), " [flags]")
		switch {
		case len(args) < least:
			return usage(fmt.Sprintf("%s needs to know more.", sentence(cmd.Name())[:len(cmd.Name())]), how)
		case len(args) > most:
			return usage(fmt.Sprintf("%q is one word too many.", args[most]), how)
		}
		return nil
	}
}

// completeLesson proposes the names of lessons to a shell.
func (a *app) completeLesson(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	all, err := lessons.Pristine()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var list []string
	for _, l := range all {
		if strings.HasPrefix(l.Name, typed) {
			list = append(list, cobra.CompletionWithDesc(l.Name, l.Title))
		}
	}
	return list, cobra.ShellCompDirectiveNoFileComp
}
