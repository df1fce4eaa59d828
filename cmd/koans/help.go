package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// Help of koans itself fits on one screen, so it is laid out here and not by
// cobra, which lays out the commands'.

const helpHead = `Learn concurrency patterns in Go. Without a command: watch, or next in a pipe.`

const helpFoot = `LESSON is a number, a name, a folder, or how a name begins: 1, pipeline, pip.
-C DIR works in DIR. --color is auto, always or never. --help tells more of a
command. Exit status: 0 passed or done, 1 not yet, 2 usage, 3 could not check.`

// help replaces the help of the root command, and the command of that name.
func (a *app) help(root *cobra.Command) {
	root.SetHelpCommand(&cobra.Command{
		Use:     "help [COMMAND]",
		Short:   "What a command does, and its flags",
		GroupID: groupQuiet,
		RunE: func(_ *cobra.Command, args []string) error {
			cmd, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return a.unknownCommand(root, strings.Join(args, " "))
			}
			return cmd.Help()
		},
	})
	others := root.HelpFunc()
	root.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		if cmd != root {
			others(cmd, args)
			return
		}
		a.out.line(helpHead)
		most := 0
		for _, c := range root.Commands() {
			most = max(most, len(c.Use))
		}
		for _, g := range root.Groups() {
			if g.ID == groupQuiet {
				continue
			}
			a.out.line("%s", styleTitle.Render(g.Title))
			for _, c := range root.Commands() {
				if c.GroupID == g.ID {
					a.out.pairs(2, pair{styleType.Render(fmt.Sprintf("%-*s", most, c.Use)), c.Short})
				}
			}
		}
		for line := range strings.Lines(helpFoot) {
			a.out.line("%s", strings.TrimSuffix(line, "\n"))
		}
	})
}
