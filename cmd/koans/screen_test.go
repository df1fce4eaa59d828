package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWrapBreaksAtSpacesOnly(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string
	}{
		{"", []string{""}},
		{"short", []string{"short"}},
		{"twenty columns are here and more", []string{"twenty columns are", "here and more"}},
		{"see lessons/01-pipeline/pipeline.go", []string{"see", "lessons/01-pipeline/pipeline.go"}},
		{styleBad.Render("red and red and red") + " again", []string{styleBad.Render("red and red and red"), "again"}},
	} {
		require.Equal(t, c.want, wrap(c.text, 20), "%q", c.text)
	}
}

// A learner's code may print anything; what it prints must not run the terminal.
func TestPlainTakesControlAway(t *testing.T) {
	require.Equal(t, "red\tand\nloud", plain("\x1b[31mred\x1b[0m\tand\n\x07loud\r\x1b]0;title\x07"))
}

func TestColorIsForTerminalsOnly(t *testing.T) {
	for _, c := range []struct {
		color string
		want  bool
	}{{"auto", false}, {"never", false}, {"always", true}} {
		var out strings.Builder
		s := newScreen(world{env: []string{"TERM=xterm-256color", "COLORTERM=truecolor"}}, &out, c.color)
		s.line("%s", styleBad.Render("red"))
		require.Equal(t, c.want, strings.Contains(out.String(), "\x1b["), "--color %s into a pipe", c.color)
	}
}
