package checker

import (
	"fmt"
	"slices"
	"strings"

	"concurrency-koans/checker/dump"
)

// diagnoseRace explains the first report that the learner has to do with; the
// others are most often of the same cause.
func (s *Session) diagnoseRace(races []dump.Race) *Diagnosis {
	d := &Diagnosis{Kind: Race, Races: races}
	race := races[0]
	for _, r := range races {
		if s.touches(r) {
			race = r
			break
		}
	}
	var places [2]dump.Frame
	var does [2]string
	for i, a := range race.Accesses {
		f, ok := s.firstOwn(a.Stack)
		if !ok {
			f, _ = s.firstKoan(a.Stack)
		}
		places[i], does[i] = f, verb(a)
	}
	if i := s.likelier(places, race.Accesses); i >= 0 {
		d.at(s, places[i])
	}
	what := s.shared(places)
	d.Summary = fmt.Sprintf("Two goroutines use %s, and nothing orders them: one %s it at %s, the other %s it at %s.",
		what, does[0], place(places[0]), does[1], place(places[1]))
	if places[0] == places[1] {
		d.Summary = fmt.Sprintf("Two goroutines use %s at %s, and nothing orders them.", what, place(places[0]))
	}
	if places[0].File == "" && places[1].File == "" {
		d.Summary = "Two goroutines use the same thing of the standard library in a way that nothing orders: an Add that may come while Wait is waiting already, for one."
		return d
	}
	if d.Line == 0 {
		// Both accesses are in the koan's own function: what matters is the
		// learner's line that called it from two goroutines.
		for _, a := range race.Accesses {
			if f, ok := s.firstOwn(a.CreatedAt); ok {
				d.at(s, f)
				break
			}
		}
	}
	for i, a := range race.Accesses {
		d.Detail = append(d.Detail, fmt.Sprintf("%s: %s", does[i], s.quote(places[i])))
		d.Detail = append(d.Detail, "  "+s.goroutineOf(a))
	}
	d.Detail = append(d.Detail, "A channel, a mutex or waiting for the goroutine's end would order them.")
	return d
}

// likelier returns the access that is likelier the mistake, -1 if neither is in
// the learner's code: the one without the lock that the other has, the send and
// not the close, or else the write.
func (s *Session) likelier(places [2]dump.Frame, accesses [2]dump.Access) int {
	first, second := s.own(places[0]), s.own(places[1])
	switch {
	case !first && !second:
		return -1
	case first != second:
		return boolToInt(second)
	}
	a, okA := s.site(places[0])
	b, okB := s.site(places[1])
	if okA && okB {
		if lockedA, lockedB := a.lockedAnything(), b.lockedAnything(); lockedA != lockedB {
			return boolToInt(lockedA)
		}
		if a.closedHere() != "" && b.sends() != "" {
			return 1
		}
		if b.closedHere() != "" && a.sends() != "" {
			return 0
		}
	}
	if okA && okB && a.decl != nil && b.decl != nil && a.decl.Name.Name == b.decl.Name.Name {
		return boolToInt(places[1].Line < places[0].Line) // to look and then to act is one mistake
	}
	return boolToInt(!accesses[0].Write && accesses[1].Write)
}

// shared names what two lines have in common, if one of them writes to it.
func (s *Session) shared(places [2]dump.Frame) string {
	a, okA := s.site(places[0])
	b, okB := s.site(places[1])
	if okA && okB {
		for _, pair := range [][2]site{{a, b}, {b, a}} {
			if what := pair[0].written(); what != "" && pair[1].mentions(what) {
				return quoted(what)
			}
		}
	}
	return "the same memory"
}

// goroutineOf says in which goroutine an access was made. The stack of the go
// statement may lack the learner's frame: it does when WaitGroup.Go has started
// the goroutine. Then the bottom of the access's own stack tells the function.
func (s *Session) goroutineOf(a dump.Access) string {
	if f, ok := s.firstOwn(a.CreatedAt); ok {
		return "in the goroutine started at " + s.quote(f)
	}
	for _, f := range slices.Backward(a.Stack) {
		if s.own(f) {
			if start, ok := s.startOf(f); ok {
				return "in the goroutine started at " + s.quote(start)
			}
			return "in a goroutine started in " + function(f)
		}
		if s.inKoan(f) {
			break
		}
	}
	return "in a goroutine of the koan"
}

func verb(a dump.Access) string {
	if a.Write {
		return "writes"
	}
	return "reads"
}

// touches reports whether a race has a frame of the learner's.
func (s *Session) touches(r dump.Race) bool {
	for _, a := range r.Accesses {
		if _, ok := s.firstOwn(a.Stack); ok {
			return true
		}
	}
	return false
}

// isMapRace reports whether the runtime itself has caught two goroutines in
// one map. It looks only now and then; the race detector would have seen it.
func isMapRace(crash dump.Crash) bool {
	return crash.Kind == dump.FatalError && strings.HasPrefix(crash.Message, "concurrent map")
}

func (s *Session) diagnoseMapRace(crash dump.Crash) *Diagnosis {
	d := &Diagnosis{Kind: Race, Goroutines: crash.Goroutines}
	d.Summary = "Two goroutines use the same map, and nothing orders them (" + firstLine(crash.Message) + ")."
	if f, ok := s.crashFrame(crash); ok {
		d.at(s, f)
		d.Detail = append(d.Detail, s.quote(f))
	}
	d.Detail = append(d.Detail, "A map is safe for many readers, or for one goroutine. Guard it with a mutex or give it one owner.")
	return d
}
