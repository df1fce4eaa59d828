package main

import (
	"github.com/spf13/cobra"
)

func (a *app) readCommand() *cobra.Command {
	var section string
	c := &cobra.Command{
		Use:   "read [LESSON]",
		Short: "The lesson: the pattern, its contract, its costs",
		Long: `Read shows the README of LESSON, or of the current one. Into a pipe it goes as
plain Markdown.`,
		Args:              a.args(0, 1),
		ValidArgsFunction: a.completeLesson,
		RunE: func(_ *cobra.Command, args []string) error {
			l, err := a.lessonOrCurrent(args)
			if err != nil {
				return err
			}
			if section == "" {
				return a.sayMarkdown(string(l.Readme))
			}
			s, err := l.Section(section)
			if err != nil {
				return a.noSuch(err)
			}
			return a.sayMarkdown("## " + s.Title + "\n\n" + s.Body)
		},
	}
	c.Flags().StringVar(&section, "section", "", "show only the section of this `name`, or of a word of it: pitfalls")
	return c
}
