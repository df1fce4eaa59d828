package picture

import (
	"charm.land/lipgloss/v2"

	"concurrency-koans/solutions/demo"
)

// An ink is how a character is drawn, where there is color.
type ink int

const (
	inkNone ink = iota
	inkWork
	inkWord // of what is worked on
	inkSend
	inkReceive
	inkWait
	inkFaint
	inkBad
	inkAgain
	inkMoment
)

var inks = [...]lipgloss.Style{
	inkNone:    lipgloss.NewStyle(),
	inkWork:    lipgloss.NewStyle().Foreground(lipgloss.Green),
	inkWord:    lipgloss.NewStyle().Foreground(lipgloss.Black).Background(lipgloss.Green),
	inkSend:    lipgloss.NewStyle().Foreground(lipgloss.Yellow),
	inkReceive: lipgloss.NewStyle().Foreground(lipgloss.Cyan),
	inkWait:    lipgloss.NewStyle().Foreground(lipgloss.Magenta),
	inkFaint:   lipgloss.NewStyle().Faint(true),
	inkBad:     lipgloss.NewStyle().Foreground(lipgloss.Red).Bold(true),
	inkAgain:   lipgloss.NewStyle().Foreground(lipgloss.Blue).Bold(true),
	inkMoment:  lipgloss.NewStyle().Bold(true),
}

// A sign is a character with its ink, and what it means.
type sign struct {
	fine, plain string
	ink         ink
	means       string
}

func (s sign) cell(v View) cell {
	if v.Unicode {
		return cell{s.fine, s.ink}
	}
	return cell{s.plain, s.ink}
}

// states are what lanes can be doing. Of two that share a column, the one that
// lasted longer is drawn, and at a tie the one that stands first here.
var states = []struct {
	state demo.State
	sign
}{
	{demo.Working, sign{"█", "#", inkWork, "works"}},
	{demo.Sending, sign{"→", ">", inkSend, "waits to send"}},
	{demo.Receiving, sign{"←", "<", inkReceive, "waits to receive"}},
	{demo.Waiting, sign{"~", "~", inkWait, "waits"}},
	{demo.Resting, sign{"·", ".", inkFaint, "rests"}},
}

// marks are what happens at a moment; each hides those behind it.
var marks = []struct {
	mark demo.Mark
	sign
}{
	{demo.Failure, sign{"!", "!", inkBad, "fails"}},
	{demo.Drop, sign{"×", "x", inkBad, "drops"}},
	{demo.Restart, sign{"↻", "@", inkAgain, "starts again"}},
	{demo.Moment, sign{"●", "o", inkMoment, "happens"}},
}
