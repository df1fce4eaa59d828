//go:build unix

package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDemoGrowsOnATerminal sees a demo's picture before the demo is over, and the whole of
// it afterwards, once, with the cursor back.
func TestDemoGrowsOnATerminal(t *testing.T) {
	s := sit(t, 80, 40, "demo", "pipeline")
	s.until("read  ", "store  ", "rests")
	require.NotContains(t, s.text(), "lines stored 12", "it is drawn while it runs")
	text := s.until("lines stored 12", "turn a knob")
	s.requireEnded(0)
	require.Equal(t, 1, strings.Count(text, "look up "), "drawn over, and not below:\n%s", text)
}

// TestDemoStopsOnATerminal interrupts a demo: it ends by itself, and what there was to
// see stays.
func TestDemoStopsOnATerminal(t *testing.T) {
	s := sit(t, 80, 40, "demo", "pipeline", "--items", "200")
	s.until("read  ", "store  ", "works")
	s.press("\x03")
	s.until("Stopped.", "goroutines left behind 0")
	s.requireEnded(3)
}

// TestDemoFitsAnyTerminal draws over itself also where the picture is higher than the
// terminal.
func TestDemoFitsAnyTerminal(t *testing.T) {
	s := sit(t, 60, 8, "demo", "pipeline", "--items", "3")
	s.until("turn a knob")
	s.requireEnded(0)
}
