package main

import (
	"strings"

	"charm.land/glamour/v2"
	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/colorprofile"
)

// sayMarkdown writes Markdown: rendered on a terminal, as it stands elsewhere.
func (a *app) sayMarkdown(source string) error {
	if a.out.file == nil {
		a.out.line("%s", strings.TrimSpace(source))
		return nil
	}
	renderer, err := glamour.NewTermRenderer(
		glamour.WithStylePath(a.markdownStyle()),
		glamour.WithWordWrap(a.out.width),
	)
	if err != nil {
		return err
	}
	text, err := renderer.Render(source)
	if err != nil {
		return err
	}
	a.out.line("%s", strings.Trim(text, "\n"))
	return nil
}

// markdownStyle chooses among glamour's styles: no color, or one that can be
// read on the terminal's background.
func (a *app) markdownStyle() string {
	if a.out.colors.Profile <= colorprofile.ASCII {
		return "notty"
	}
	if a.out.dark != nil {
		if *a.out.dark {
			return "dark"
		}
		return "light"
	}
	if in, ok := a.world.terminalOf(a.world.stdin); ok && !lipgloss.HasDarkBackground(in, a.out.file) {
		return "light"
	}
	return "dark"
}
