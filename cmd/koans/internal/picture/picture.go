// Package picture draws what a demo's record tells: a line for each lane, on which
// one sees when it worked and for what it waited, and the gauges below. On a terminal
// it is made of characters, and tells as much without color.
package picture

import (
	"slices"
	"time"

	"concurrency-koans/solutions/demo"
)

// A Picture is a record as far as it is known. It is for one goroutine.
type Picture struct {
	About   demo.About
	Results []demo.Event // of the kind demo.Results, in their order
	Outcome demo.Outcome // "" until the end
	Why     string       // behind the outcome

	lanes  []*lane
	gauges []*gauge
	last   time.Duration // of what is known
}

// A lane is a row: spans, each of which lasts until the next one begins.
type lane struct {
	name, group string
	spans       []span
	marks       []mark
}

type span struct {
	from  time.Duration
	state demo.State // "" before it appears
	text  string
}

type mark struct {
	at   time.Duration
	mark demo.Mark
	text string
}

// A gauge is a row: steps, each of which holds until the next one.
type gauge struct {
	name  string
	limit float64
	steps []step
}

type step struct {
	from  time.Duration
	value float64
}

// Add adds an event to the picture.
func (p *Picture) Add(e demo.Event) {
	switch {
	case e.Kind == demo.Results: // they come at the end, which may be long after the last thing that happened
	case e.Kind == demo.Over && e.Outcome == demo.Stuck:
		p.last += p.last / 10 // enough to see that nothing goes on
	default:
		p.last = max(p.last, e.At)
	}
	switch e.Kind {
	case demo.Begins:
		if e.About != nil {
			p.About = *e.About
		}
	case demo.Appears:
		p.appear(e)
	case demo.Changes:
		if l := p.lane(e.Who); l != nil {
			l.spans = append(l.spans, span{e.At, e.State, e.Text})
		}
	case demo.Happens:
		if l := p.lane(e.Who); l != nil {
			l.marks = append(l.marks, mark{e.At, e.Mark, e.Text})
		}
	case demo.Counts:
		if g := p.gauge(e.Who); g != nil {
			g.steps = append(g.steps, step{e.At, e.Value})
		}
	case demo.Results:
		p.Results = append(p.Results, e)
	case demo.Over:
		p.Outcome, p.Why = e.Outcome, e.Text
	}
}

// appear adds a row. A lane stands behind those of its group.
func (p *Picture) appear(e demo.Event) {
	if e.IsGauge() {
		p.gauges = append(p.gauges, &gauge{name: e.Who, limit: e.Limit, steps: []step{{e.At, 0}}})
		return
	}
	l := &lane{name: e.Who, group: e.Group, spans: []span{{e.At, demo.Resting, ""}}}
	at := len(p.lanes)
	if e.Group != "" {
		for i, other := range p.lanes {
			if other.group == e.Group {
				at = i + 1
			}
		}
	}
	p.lanes = slices.Insert(p.lanes, at, l)
}

func (p *Picture) lane(name string) *lane {
	for _, l := range p.lanes {
		if l.name == name {
			return l
		}
	}
	return nil
}

func (p *Picture) gauge(name string) *gauge {
	for _, g := range p.gauges {
		if g.name == name {
			return g
		}
	}
	return nil
}

// Result returns a result of the demo.
func (p *Picture) Result(name string) (value float64, ok bool) {
	for _, r := range p.Results {
		if r.Who == name {
			return r.Value, true
		}
	}
	return 0, false
}

// Span is how much time there is to draw.
func (p *Picture) Span() time.Duration { return p.last }

// Shows reports whether the picture, of a run on a pitfall, shows the sign that
// tells it from the right one.
func (p *Picture) Shows(s demo.Sign, right *Picture) bool {
	if s.End != "" {
		return p.Outcome == s.End && right.Outcome != s.End
	}
	here, ok := p.Result(s.Result)
	there, known := right.Result(s.Result)
	if !ok || !known {
		return false
	}
	if s.More {
		return here > there
	}
	return here < there
}

// most is the highest that a gauge has stood at.
func (g *gauge) most() (most float64) {
	for _, s := range g.steps {
		most = max(most, s.value)
	}
	return most
}
