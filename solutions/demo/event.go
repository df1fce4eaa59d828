package demo

import (
	"fmt"
	"time"
)

// A Kind is what an event tells.
type Kind string

// The kinds of event.
const (
	Begins  Kind = "begins"  // the demo: About
	Appears Kind = "appears" // a lane or gauge: Who, for a lane Group, for a gauge Limit
	Changes Kind = "changes" // a lane's state: Who, State, Text
	Happens Kind = "happens" // something at a moment: Who, Mark, Text
	Counts  Kind = "counts"  // a gauge: Who, Value
	Results Kind = "results" // a result: Who, Value, Text
	Over    Kind = "over"    // the demo: Outcome, Text
)

// An Event is one line of a demo's record.
type Event struct {
	At      time.Duration `json:"at"` // since the demo began, in nanoseconds
	Kind    Kind          `json:"kind"`
	Who     string        `json:"who,omitempty"`   // the lane, the gauge or the result
	Group   string        `json:"group,omitempty"` // of lanes that belong together
	State   State         `json:"state,omitempty"`
	Mark    Mark          `json:"mark,omitempty"`
	Text    string        `json:"text,omitempty"` // what is worked on, what is waited for, what happened, the result as it is shown
	Value   float64       `json:"value"`          // of a duration, the nanoseconds
	Limit   float64       `json:"limit,omitempty"`
	Outcome Outcome       `json:"outcome,omitempty"`
	About   *About        `json:"about,omitempty"`
}

// About is how a demo was called, and what it offers.
type About struct {
	Seed   uint64   `json:"seed"`
	Fast   bool     `json:"fast"`
	Knobs  []Knob   `json:"knobs"` // with the values of this run
	Broken []Broken `json:"broken"`
}

// String is the event as a line of a log, without the line's end. It is empty if
// the event is of no interest there.
func (e Event) String() string {
	switch e.Kind {
	case Changes:
		return e.line(e.State.words(e.Text))
	case Happens:
		return e.line(e.Mark.words(e.Text))
	case Counts:
		return e.line(fmt.Sprintf("= %g", e.Value))
	case Results:
		return fmt.Sprintf("%9s  %s: %s", "", e.Who, e.Text)
	case Over:
		words := string(e.Outcome)
		if e.Text != "" {
			words += ": " + e.Text
		}
		return fmt.Sprintf("%9s  %s", Seconds(e.At), words)
	}
	return ""
}

func (e Event) line(words string) string {
	return fmt.Sprintf("%9s  %-14s %s", Seconds(e.At), e.Who, words)
}

// Seconds writes a time of a demo: "0.125s".
func Seconds(d time.Duration) string {
	return fmt.Sprintf("%.3fs", d.Seconds())
}

// words tell of a state in a log.
func (s State) words(text string) string {
	switch {
	case text == "":
		return string(s)
	case s == Working:
		return "works on " + text
	default:
		return string(s) + " for " + text
	}
}

// words tell of a mark in a log.
func (m Mark) words(text string) string {
	if m == "" || text == "" {
		return string(m) + text
	}
	return string(m) + ": " + text
}
