package picture

import (
	"strings"
	"time"
)

// A scale divides time among columns.
type scale struct {
	columns int
	per     time.Duration
}

// newScale takes the shortest round step that fits, so that a picture that grows
// is drawn anew only now and then.
func newScale(span time.Duration, columns int) scale {
	for unit := 10 * time.Microsecond; ; unit *= 10 {
		for _, tenths := range []time.Duration{10, 12, 15, 20, 25, 30, 40, 50, 60, 80} {
			if per := unit * tenths / 10; per*time.Duration(columns) >= span {
				return scale{columns, per}
			}
		}
	}
}

func (s scale) column(t time.Duration) int { return min(int(t/s.per), s.columns-1) }

// axis writes times above their columns.
func (s scale) axis() string {
	const apart = 12 // columns between two times
	step := s.tick(apart)
	line := ""
	for t := time.Duration(0); ; t += step {
		words := t.String()
		at := int(t / s.per)
		if at+len(words) > s.columns {
			return line
		}
		line += strings.Repeat(" ", at-len(line)) + words
	}
}

// tick is a round time that takes so many columns or more.
func (s scale) tick(columns int) time.Duration {
	for unit := 10 * time.Microsecond; ; unit *= 10 {
		for _, factor := range []time.Duration{1, 2, 5} {
			if unit*factor >= s.per*time.Duration(columns) {
				return unit * factor
			}
		}
	}
}
