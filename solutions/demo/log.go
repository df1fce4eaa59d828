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
	hold bool // keep all of it until the end, to print it in order
	held []Event
	over bool // the end has been told; whoever goes on is not heard any more
}

func (l *log) add(e Event) {
	if l.over {
		return
	}
	l.over = e.Kind == Over
	if l.hold {
		l.held = append(l.held, e)
		return
	}
	l.print(e)
}

// flush prints what was held.
func (l *log) flush() {
	for _, e := range InOrder(l.held) {
		l.print(e)
	}
	l.held = nil
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

// InOrder puts the record of a demo in virtual time in order, so that it is the same
// each time: much happens at the same moment there, and in which order it is recorded
// is chance.
//
// Events are ordered by time and, at the same moment, by who they are about. What
// lasted no time, a state or a count that was another one at the same moment, is left
// out; and what is then as it was before is no news. The slice is reused.
func InOrder(record []Event) []Event {
	rank := map[string]int{} // of who has appeared, in their order
	for _, e := range record {
		if e.Kind == Appears {
			rank[e.Who] = len(rank) + 1
		}
	}
	slices.SortStableFunc(record, func(a, b Event) int {
		return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.place(rank), b.place(rank)))
	})
	known := map[string]Event{} // of each lane and gauge
	kept := record[:0]
	for i, e := range record {
		if overtaken(e, record[i+1:]) {
			continue
		}
		if e.Kind == Changes || e.Kind == Counts {
			before := known[e.Who]
			if before.State == e.State && before.Text == e.Text && before.Value == e.Value {
				continue
			}
			known[e.Who] = e
		}
		kept = append(kept, e)
	}
	return kept
}

// place is where an event stands among those of the same moment.
func (e Event) place(rank map[string]int) int {
	switch e.Kind {
	case Begins:
		return -2
	case Appears:
		return -1
	case Results:
		return len(rank) + 1
	case Over:
		return len(rank) + 2
	}
	return rank[e.Who]
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
