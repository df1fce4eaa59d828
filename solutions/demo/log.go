package demo

import (
	"cmp"
	"encoding/json"
	"io"
	"slices"
)

// A log is where the record goes. It is guarded by the Demo's lock.
type log struct {
	out  io.Writer
	json bool
	hold bool // keep all of it until the end: at a moment of virtual time, the order of what happens is chance
	held []Event
	rank map[string]int // of who has appeared, in their order
	over bool           // the end has been told; whoever goes on is not heard any more
}

func (l *log) add(e Event) {
	if l.over {
		return
	}
	l.over = e.Kind == Over
	if !l.hold {
		l.print(e)
		return
	}
	if l.rank == nil {
		l.rank = map[string]int{}
	}
	if e.Kind == Appears {
		l.rank[e.Who] = len(l.rank) + 1
	}
	l.held = append(l.held, e)
}

// flush prints what was held, ordered by time and, at the same moment, by who it
// is about. What lasted no time, a state or a count that was another one at the same
// moment, is left out; and what is then as it was before is no news.
func (l *log) flush() {
	slices.SortStableFunc(l.held, func(a, b Event) int {
		return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(l.place(a), l.place(b)))
	})
	known := map[string]Event{} // of each lane and gauge
	for i, e := range l.held {
		if overtaken(e, l.held[i+1:]) {
			continue
		}
		if e.Kind == Changes || e.Kind == Counts {
			before := known[e.Who]
			if before.State == e.State && before.Text == e.Text && before.Value == e.Value {
				continue
			}
			known[e.Who] = e
		}
		l.print(e)
	}
	l.held = nil
}

// overtaken reports whether an event was overtaken at once by one of those behind it.
func overtaken(e Event, behind []Event) bool {
	if e.Kind != Changes && e.Kind != Counts {
		return false
	}
	for _, next := range behind {
		if next.At != e.At || next.Who != e.Who {
			return false
		}
		if next.Kind == e.Kind {
			return true
		}
	}
	return false
}

// place is where an event stands among those of the same moment.
func (l *log) place(e Event) int {
	switch e.Kind {
	case Begins:
		return -2
	case Appears:
		return -1
	case Results:
		return len(l.rank) + 1
	case Over:
		return len(l.rank) + 2
	}
	return l.rank[e.Who]
}

// print writes one event in one write, so that nothing else that the process
// prints stands within it. If nobody reads any more, there is nobody to tell.
func (l *log) print(e Event) {
	if l.json {
		line, err := json.Marshal(e)
		if err != nil {
			panic(err) // an event holds nothing that JSON cannot
		}
		_, _ = l.out.Write(append(line, '\n'))
		return
	}
	if line := e.String(); line != "" {
		_, _ = io.WriteString(l.out, line+"\n")
	}
}
