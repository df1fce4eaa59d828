package checker

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"concurrency-koans/checker/assertion"
	"concurrency-koans/checker/dump"
	"concurrency-koans/checker/trap"
)

// waits says what a goroutine in a wait state does, after "it" or "still", and
// why that has no end. Example state: "chan send".
var waits = map[string]struct{ does, hopeless string }{
	"chan send":               {"waits to send", "and nobody will ever receive"},
	"chan receive":            {"waits to receive", "and nobody will ever send or close"},
	"chan send (nil chan)":    {"sends on a nil channel", "which waits for ever"},
	"chan receive (nil chan)": {"receives from a nil channel", "which waits for ever"},
	"select":                  {"waits in a select", "and none of its cases will ever be ready"},
	"select (no cases)":       {"waits in an empty select", "which waits for ever"},
	"sync.Mutex.Lock":         {"waits for a mutex", "and nobody will ever unlock it"},
	"sync.RWMutex.Lock":       {"waits for a mutex", "and nobody will ever unlock it"},
	"sync.RWMutex.RLock":      {"waits for a read lock", "and nobody will ever unlock the mutex"},
	"sync.WaitGroup.Wait":     {"waits for a WaitGroup", "and its counter will never be zero"},
	"sync.Cond.Wait":          {"waits for a Cond", "and nobody will ever signal it"},
	"semacquire":              {"waits for a lock", "and nobody will ever release it"},
	"sleep":                   {"sleeps", "longer than the koan lasts"},
	"IO wait":                 {"waits for input or output", "which does not come"},
	"running":                 {"runs", "and does not come to an end"},
	"runnable":                {"runs", "and does not come to an end"},
}

func does(g dump.Goroutine) string {
	if w, ok := waits[g.State]; ok {
		return w.does
	}
	return "is in state " + g.State
}

func hopeless(g dump.Goroutine) string { return waits[g.State].hopeless }

// A group is several goroutines that were started and now wait at the same
// lines: to a learner, one thing that happened count times.
type group struct {
	dump.Goroutine
	where dump.Frame // innermost own frame, or the koan's
	own   bool       // where is in the learner's code
	count int
}

// groups sorts the goroutines that concern the learner: those that stand in the
// learner's code first, then those that the learner started, then the koan's.
func (s *Session) groups(all []dump.Goroutine) []group {
	var list []group
	for _, g := range all {
		if waitsForBubble(g) || g.State == "synctest.Wait" {
			continue // it only looks on
		}
		where, own := s.firstOwn(g.Frames)
		if own {
			where = s.located(where)
		} else {
			var ok bool
			if where, ok = s.firstKoan(g.Frames); !ok {
				if !s.own(g.CreatedBy) {
					continue
				}
				where = g.CreatedBy
			}
		}
		i := slices.IndexFunc(list, func(h group) bool {
			return h.where == where && h.State == g.State && h.CreatedBy == g.CreatedBy
		})
		if i >= 0 {
			list[i].count++
			continue
		}
		list = append(list, group{Goroutine: g, where: where, own: own, count: 1})
	}
	// The runtime prints goroutines in no order that means anything, and the
	// learner should be shown the same place each time.
	slices.SortStableFunc(list, func(a, b group) int {
		return cmp.Or(b.rank(s)-a.rank(s), a.where.Line-b.where.Line)
	})
	return list
}

// waitsForBubble reports whether a goroutine is the one that has called
// synctest.Test, and so has no part in what happens in the bubble.
func waitsForBubble(g dump.Goroutine) bool {
	return slices.ContainsFunc(g.Frames, func(f dump.Frame) bool { return f.Func == "internal/synctest.Run" })
}

func (g group) rank(s *Session) int {
	switch {
	case g.own && s.startedByOwn(g.Goroutine):
		return 3
	case g.own:
		return 2
	case s.own(g.CreatedBy):
		return 1
	}
	return 0
}

// startedByOwn reports whether the learner's code started a goroutine: by a go
// statement, or by way of sync.WaitGroup.Go and the like. Then the go statement
// is in the standard library, and the stack begins in the learner's code.
func (s *Session) startedByOwn(g dump.Goroutine) bool {
	if s.own(g.CreatedBy) {
		return true
	}
	if s.inKoan(g.CreatedBy) || strings.HasPrefix(g.CreatedBy.Func, "testing") {
		return false
	}
	for _, f := range slices.Backward(g.Frames) {
		if s.inFolder(f) {
			return s.own(f)
		}
	}
	return false
}

// vantage is the line of the learner's from which a wait is best understood:
// where a select that would also end with its ctx stands in a function of its
// own, used from everywhere, it is the line that has called that.
func (s *Session) vantage(g group) dump.Frame {
	if !g.own || s.inCallback(g.Goroutine) {
		return g.where
	}
	x, ok := s.site(g.where)
	if !ok || x.decl == nil || x.decl.Name.IsExported() || !x.listens() {
		return g.where
	}
	for _, f := range g.Frames {
		if y, ok := s.site(f); ok && y.decl != nil && y.decl.Name.Name != x.decl.Name.Name {
			return f
		}
	}
	return g.where
}

// bottomOwn returns the learner's frame in which a goroutine began.
func (s *Session) bottomOwn(g dump.Goroutine) dump.Frame {
	for _, f := range slices.Backward(g.Frames) {
		if s.own(f) {
			return f
		}
	}
	return g.CreatedBy
}

// startOf returns the line of the function literal in which a goroutine's
// bottom frame stands: where WaitGroup.Go was given it, for one.
func (s *Session) startOf(bottom dump.Frame) (dump.Frame, bool) {
	x, ok := s.site(bottom)
	if !ok || x.body == x.decl {
		return dump.Frame{}, false
	}
	return dump.Frame{File: bottom.File, Line: x.lineOf(x.body)}, true
}

// inCallback reports whether a goroutine waits in a function of the koan's that
// the learner's code has called.
func (s *Session) inCallback(g dump.Goroutine) bool {
	for _, f := range g.Frames {
		if s.inFolder(f) {
			return s.inKoan(f)
		}
	}
	return false
}

// who names the goroutines of a group: "the goroutine started at pipeline.go:31".
func (s *Session) who(g group) string {
	if s.own(g.CreatedBy) {
		if g.count > 1 {
			return fmt.Sprintf("%d goroutines started at %s", g.count, place(g.CreatedBy))
		}
		return "the goroutine started at " + place(g.CreatedBy)
	}
	if g.own && s.startedByOwn(g.Goroutine) {
		bottom := s.bottomOwn(g.Goroutine)
		if start, ok := s.startOf(bottom); ok && g.count > 1 {
			return fmt.Sprintf("%d goroutines started at %s", g.count, place(start))
		} else if ok {
			return "the goroutine started at " + place(start)
		}
		in := function(bottom)
		if g.count > 1 {
			return fmt.Sprintf("%d goroutines started in %s", g.count, in)
		}
		return "a goroutine started in " + in
	}
	if g.count > 1 {
		return fmt.Sprintf("%d goroutines of the koan", g.count)
	}
	return "the koan's goroutine"
}

// story is a sentence about a group, without its full stop: "the goroutine
// started at pipeline.go:31 still waits to send on line 34".
func (s *Session) story(g group, still string) string {
	if g.own && s.inCallback(g.Goroutine) {
		verb := does(g.Goroutine)
		if strings.Contains(g.State, "nil chan") {
			verb = "waits for the end of a ctx that cannot end"
		}
		return fmt.Sprintf("the koan's function that is called at %s %s%s", place(g.where), still, verb)
	}
	verb := s.doing(g)
	if g.count > 1 {
		verb = plural(verb)
	}
	at := "at " + place(g.where)
	if g.own && s.own(g.CreatedBy) {
		at = fmt.Sprintf("on line %d", g.where.Line)
	}
	if from := s.vantage(g); from != g.where {
		if x, ok := s.site(g.where); ok {
			at = fmt.Sprintf("in %s, called at %s", x.decl.Name.Name, place(from))
			if s.own(g.CreatedBy) {
				at = fmt.Sprintf("in %s, called on line %d", x.decl.Name.Name, from.Line)
			}
		}
	}
	return fmt.Sprintf("%s %s%s %s", s.who(g), still, verb, at)
}

// plural is a verb for several: "wait to send" of "waits to send".
func plural(verb string) string {
	first, rest, _ := strings.Cut(verb, " ")
	if first == "is" {
		first = "are"
	}
	return strings.TrimSpace(strings.TrimSuffix(first, "s") + " " + rest)
}

// doing is what a group does, by the name that the source has for what it waits
// for: "waits to send on `out`".
func (s *Session) doing(g group) string {
	verb := does(g.Goroutine)
	x, ok := s.site(g.where)
	if !ok || s.inCallback(g.Goroutine) {
		return verb
	}
	what := x.awaited(g.State)
	switch {
	case g.State == "select" && s.vantage(g) == g.where:
		return cmp.Or(x.choice(), verb)
	case what == "":
		return verb
	case g.State == "chan send":
		return verb + " on " + quoted(what)
	case g.State == "chan receive":
		return verb + " from " + quoted(what)
	case strings.HasPrefix(g.State, "sync."):
		return "waits for " + quoted(what)
	}
	return verb
}

// diagnoseLeak explains goroutines that are left when a koan has ended.
func (s *Session) diagnoseLeak(test string, all []dump.Goroutine) *Diagnosis {
	d := &Diagnosis{Kind: Leak, Goroutines: all}
	groups := s.groups(all)
	groups = slices.DeleteFunc(groups, func(g group) bool { return g.rank(s) == 0 })
	if len(groups) == 0 {
		d.Summary = "A goroutine is left behind when the koan has ended."
		if t, ok := suspect(s.traps(), func(trap.Trap) bool { return true }, trap.PullWithoutStop); ok {
			d.blame(s, t)
		}
		return d
	}
	first := groups[0]
	d.at(s, s.vantage(first))
	d.Summary = sentence(fmt.Sprintf("%s, %s", s.story(first, "still "), hopeless(first.Goroutine)))
	if x, ok := s.site(first.where); ok {
		if why := x.whyLeft(first.Goroutine); why != "" {
			d.Detail = append(d.Detail, why)
		}
	}
	for _, g := range groups {
		if line := s.quote(s.vantage(g)); !slices.Contains(d.Detail, line) {
			d.Detail = append(d.Detail, line)
		}
		if s.own(g.CreatedBy) && g.CreatedBy.Line != g.where.Line {
			d.Detail = append(d.Detail, "started at "+s.quote(g.CreatedBy))
		}
		if len(d.Detail) >= 6 {
			break
		}
	}
	if t, ok := s.leakCause(test, first); ok {
		d.blame(s, t)
	}
	if len(groups) > 1 {
		d.Detail = append(d.Detail, fmt.Sprintf("%d kinds of goroutine are left behind; the first is told above.", len(groups)))
	}
	return d
}

// leakCause finds why nobody ends the ctx that a goroutine listens to.
func (s *Session) leakCause(test string, g group) (trap.Trap, bool) {
	x, ok := s.site(s.vantage(g))
	if !ok || x.decl == nil {
		return trap.Trap{}, false
	}
	if t, ok := suspect(s.traps(), func(t trap.Trap) bool { return t.Func == x.decl.Name.Name }, trap.OwnContext, trap.LostCancel); ok && g.State == "select" {
		return t, true
	}
	subject := s.subject(test, assertion.Failure{})
	return suspect(s.traps(), func(t trap.Trap) bool { return t.Func == subject }, trap.NeverMentioned)
}

// diagnoseStuck explains a koan that ran out of time.
func (s *Session) diagnoseStuck(all []dump.Goroutine, limits Limits, use usage) *Diagnosis {
	d := &Diagnosis{Kind: Stuck, Goroutines: all}
	groups := s.groups(all)
	// What runs explains a spin, what waits explains a wait.
	runs := func(g group) bool { return g.own && g.busy() && !s.inCallback(g.Goroutine) }
	spins := use.cpu > limits.CPU || slices.ContainsFunc(groups, runs)
	slices.SortStableFunc(groups, func(a, b group) int {
		return boolToInt(spins == b.busy()) - boolToInt(spins == a.busy())
	})
	after := fmt.Sprintf("the koan did not end within %v", limits.Wall)
	if spins {
		after = "the koan did not end: something spins"
	}
	if len(groups) == 0 {
		d.Summary = sentence(after)
		return d
	}
	first := groups[0]
	if first.rank(s) > 0 {
		d.at(s, first.where)
	}
	if !spins {
		// What sleeps by itself is nearer to the cause than what waits for it.
		asleep := func(g group) bool { return g.own && g.State == "sleep" && !s.inCallback(g.Goroutine) }
		if i := slices.IndexFunc(groups, asleep); i >= 0 {
			first = groups[i]
			d.at(s, first.where)
		}
	}
	if spins && first.own {
		in := function(s.bottomOwn(first.Goroutine))
		d.Summary = sentence(fmt.Sprintf("%s in %s, on or near line %d", after, in, first.where.Line))
		if x, ok := s.site(first.where); ok && x.loop() > 0 {
			// The line where a spin is met is chance; the loop is not.
			d.Line = x.loop()
			d.Summary = sentence(fmt.Sprintf("%s in the loop on line %d", after, d.Line))
			inLoop := func(t trap.Trap) bool { return t.Func == x.decl.Name.Name && t.Line >= d.Line }
			if t, ok := suspect(s.traps(), inLoop, trap.BreakInSelect, trap.DefaultInLoop, trap.ValueWithoutCheck); ok {
				d.blame(s, t)
			}
		}
	} else {
		d.Summary = sentence(fmt.Sprintf("%s: %s", after, s.story(first, "")))
	}
	for _, g := range groups[:min(len(groups), 4)] {
		d.Detail = append(d.Detail, s.quote(g.where)+"   ("+does(g.Goroutine)+")")
	}
	if !spins {
		for _, g := range groups {
			if why, ok := s.lockCause(g, groups, all); ok {
				d.blame(s, trap.Trap{Line: why.line, Says: why.says})
				break
			}
		}
	}
	return d
}

// busy reports whether the goroutine was running rather than waiting.
func (g group) busy() bool { return g.State == "running" || g.State == "runnable" }

func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// sentence makes words a sentence: a capital at the front, unless they begin
// with the name of a variable, and a full stop behind.
func sentence(s string) string {
	if s == "" {
		return s
	}
	word, _, _ := strings.Cut(s, " ")
	word = strings.TrimRight(word, ",;:.")
	if word == "a" || word != "ctx" && len(word) > 1 && !strings.Contains(word, ".") {
		s = strings.ToUpper(s[:1]) + s[1:]
	}
	if !strings.HasSuffix(s, ".") && !strings.HasSuffix(s, "!") && !strings.HasSuffix(s, "?") {
		s += "."
	}
	return s
}
