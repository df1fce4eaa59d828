package checker

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"concurrency-koans/checker/dump"
	"concurrency-koans/checker/trap"
)

// suspicion ranks a waiting goroutine by how likely it is where the deadlock
// comes from. Who waits for a mutex may hold another one; who cannot send lacks
// a reader; a worker without work waits to receive, as it should; and who waits
// for all others explains nothing.
func (s *Session) suspicion(g group) int {
	switch {
	case strings.HasSuffix(g.State, "Lock"), strings.Contains(g.State, "nil chan"), strings.Contains(g.State, "no cases"):
		return 4
	case g.State == "chan send":
		return 3
	case g.State == "select":
		if x, ok := s.site(g.where); ok && x.sends() == "" && x.listens() {
			return 1
		}
		return 2
	case g.State == "sync.WaitGroup.Wait":
		return 0
	}
	return 1
}

// A cause is what the source tells about why nothing can go on.
type cause struct {
	line int
	says string
}

// diagnoseDeadlock explains goroutines that all wait for one another.
func (s *Session) diagnoseDeadlock(all []dump.Goroutine) *Diagnosis {
	d := &Diagnosis{Kind: Deadlock, Goroutines: all}
	groups := s.groups(all)
	if len(groups) == 0 {
		d.Summary = "Every goroutine waits, and nothing can ever wake one of them."
		return d
	}
	// Of those who wait at several places for one mutex, the few hold it and the
	// many queue for it.
	slices.SortStableFunc(groups, func(a, b group) int {
		return cmp.Or(s.suspicion(b)-s.suspicion(a), b.rank(s)-a.rank(s), a.count-b.count)
	})
	if i := slices.IndexFunc(groups, s.holdsUpReader); i >= 0 {
		g := groups[i]
		d.at(s, g.where)
		x, _ := s.site(g.where)
		d.Summary = fmt.Sprintf("%s itself waits at %s, so it never returns its channel, and nobody can read from it.", x.decl.Name.Name, place(g.where))
		d.Detail = []string{s.quote(g.where), "Wait in a goroutine of its own, and return the channel at once."}
		return d
	}
	why, explained := s.causeOf(groups, all)
	if i := slices.IndexFunc(groups, func(g group) bool { return g.where.Line == why.line }); i > 0 {
		first := groups[i]
		groups = slices.Insert(slices.Delete(groups, i, i+1), 0, first)
	}
	first := groups[0]
	if first.rank(s) > 0 {
		d.at(s, s.vantage(first))
	}
	d.Summary = "Nothing can go on: every goroutine waits for another."
	if len(groups) == 1 {
		d.Summary = sentence(fmt.Sprintf("%s, %s", s.story(first, ""), hopeless(first.Goroutine)))
	} else if !explained {
		d.Summary = sentence("nothing can go on: " + s.story(first, ""))
	}
	d.Detail = s.picture(groups)
	if len(groups) == 1 {
		d.Detail = []string{s.quote(s.vantage(first))}
	}
	if explained {
		d.blame(s, trap.Trap{Line: why.line, Says: why.says})
	} else if x, ok := s.site(first.where); ok && strings.HasSuffix(first.State, "Lock") && !s.inCallback(first.Goroutine) {
		if why := x.whyLocked(first.State); why != "" {
			d.Detail = append(d.Detail, why)
		}
	}
	return d
}

// picture draws who waits for what, two lines for each group of goroutines: who
// it is, and what it holds and waits for.
//
//	the koan's goroutine
//	  waits to receive from `done`   pipeline.go:166   <-done
//	3 goroutines started in Run
//	  hold `mu`, wait to send on `errs`   pipeline.go:145   errs <- err
func (s *Session) picture(groups []group) (lines []string) {
	const most = 4
	for _, g := range groups[:min(len(groups), most)] {
		verb := s.doing(g)
		if s.inCallback(g.Goroutine) {
			verb = "is in the koan's function, which " + verb
		}
		if g.count > 1 {
			verb = plural(verb)
		}
		if held := s.holds(g); len(held) > 0 {
			has := "holds "
			if g.count > 1 {
				has = "hold "
			}
			verb = has + strings.Join(held, " and ") + ", " + verb
		}
		lines = append(lines, s.who(g), "  "+fit(verb+"   "+s.quote(s.vantage(g))))
	}
	switch left := len(groups) - most; {
	case left == 1:
		lines = append(lines, "and one more")
	case left > 1:
		lines = append(lines, fmt.Sprintf("and %d more", left))
	}
	return lines
}

// holds names the mutexes that a group has locked where it stands.
func (s *Session) holds(g group) (names []string) {
	if g.State == "sync.Cond.Wait" {
		return nil // it has given back the mutex that it is called with
	}
	waitsFor := ""
	if x, ok := s.site(g.where); ok {
		waitsFor = x.awaited(g.State)
	}
	for _, f := range g.Frames {
		if x, ok := s.site(f); ok {
			for _, name := range x.locks() {
				if name = quoted(name); name != quoted(waitsFor) && !slices.Contains(names, name) {
					names = append(names, name)
				}
			}
		}
	}
	return names
}

// causeOf looks in the source for what the waits have in common.
func (s *Session) causeOf(groups []group, all []dump.Goroutine) (cause, bool) {
	for _, look := range []func(group, []group, []dump.Goroutine) (cause, bool){
		s.lockCause, s.waitGroupCause, s.channelCause, s.contextCause,
	} {
		for _, g := range groups {
			if c, ok := look(g, groups, all); ok {
				return c, true
			}
		}
	}
	return cause{}, false
}

func (s *Session) trapCause(fits func(trap.Trap) bool, names ...trap.Name) (cause, bool) {
	t, ok := suspect(s.traps(), fits, names...)
	return cause{t.Line, t.Says}, ok
}

// lockCause tells who holds the mutex that a group waits for.
func (s *Session) lockCause(g group, _ []group, all []dump.Goroutine) (cause, bool) {
	x, ok := s.site(g.where)
	if !ok || !strings.HasSuffix(g.State, "Lock") || s.inCallback(g.Goroutine) {
		return cause{}, false
	}
	mutex := x.awaited(g.State)
	if mutex == "" {
		return cause{}, false
	}
	if x.heldSince(mutex) > 0 {
		return cause{g.where.Line, x.whyLocked(g.State)}, true
	}
	for _, other := range all {
		if strings.HasSuffix(other.State, "Lock") {
			continue
		}
		for _, f := range other.Frames {
			y, ok := s.site(f)
			if !ok {
				continue
			}
			if line := y.heldSinceAny(mutex); line > 0 {
				verb := does(other)
				if in, own := s.firstOwn(other.Frames); own && s.inCallback(other) {
					verb = fmt.Sprintf("runs the koan's function, which %s", verb)
				} else if own && in != f {
					verb = fmt.Sprintf("%s on line %d", verb, in.Line)
				}
				return cause{f.Line, fmt.Sprintf("The goroutine that has locked %s, on line %d, %s here and has not unlocked it.", quoted(mutex), line, verb)}, true
			}
		}
	}
	return s.trapCause(func(t trap.Trap) bool { return t.Name == trap.CopiedLock || sameThing(t.On, mutex) },
		trap.ReturnsLocked, trap.CopiedLock, trap.NeverUnlocked, trap.HeldWhileWaiting)
}

// waitGroupCause tells why the WaitGroup that a group waits for does not come
// to zero.
func (s *Session) waitGroupCause(g group, groups []group, _ []dump.Goroutine) (cause, bool) {
	x, ok := s.site(g.where)
	if !ok || g.State != "sync.WaitGroup.Wait" {
		return cause{}, false
	}
	counter := x.awaited(g.State)
	if c, ok := s.trapCause(func(t trap.Trap) bool { return sameThing(t.On, counter) },
		trap.WaitsInOwnGroup, trap.CopiedLock, trap.CountedOnce, trap.NeverDone, trap.AddInside); ok {
		return c, true
	}
	for _, other := range groups {
		y, ok := s.site(other.where)
		if !ok {
			continue
		}
		channel := y.awaited(other.State)
		if channel == "" {
			channel = y.rangedHere()
		}
		if strings.HasPrefix(other.State, "chan receive") && channel != "" {
			for _, line := range x.closes(channel) {
				if line > g.where.Line && x.inDecl(line) {
					return cause{g.where.Line, fmt.Sprintf("It waits for goroutines that end when %s is closed, and the close comes behind this, on line %d.", quoted(channel), line)}, true
				}
			}
		}
		sent := y.sends()
		if caller := s.vantage(other); caller != other.where {
			if z, ok := s.site(caller); ok {
				sent = z.channelArgument()
			}
		}
		if line := x.receivesAfter(""); line > 0 && x.body == x.decl && (other.State == "select" || other.State == "chan send") && y.sends() != "" {
			return cause{g.where.Line, fmt.Sprintf("It waits for goroutines that wait to send, and nobody receives before line %d.", line)}, true
		}
		if sent != "" {
			if line := x.receivesAfter(sent); line > 0 {
				return cause{g.where.Line, fmt.Sprintf("It waits for goroutines that wait to send on %s, and nobody receives from that before line %d.", quoted(sent), line)}, true
			}
		}
	}
	return cause{}, false
}

// channelCause tells why nobody sends on, receives from or closes the channel
// that a group waits for.
func (s *Session) channelCause(g group, _ []group, _ []dump.Goroutine) (cause, bool) {
	x, ok := s.site(g.where)
	if !ok {
		return cause{}, false
	}
	about := []string{x.awaited(g.State), x.rangedHere(), x.sends()}
	return s.trapCause(func(t trap.Trap) bool {
		for _, channel := range about {
			if channel != "" && sameThing(t.On, channel) {
				return true
			}
		}
		return false
	}, trap.NeverReceived, trap.NeverClosed, trap.Shadowed)
}

// contextCause tells why a group is not told that ctx has ended.
func (s *Session) contextCause(g group, _ []group, _ []dump.Goroutine) (cause, bool) {
	x, ok := s.site(s.vantage(g))
	if !ok || x.decl == nil || !(s.inCallback(g.Goroutine) || g.State == "select") {
		return cause{}, false
	}
	return s.trapCause(func(t trap.Trap) bool { return t.Func == x.decl.Name.Name }, trap.OwnContext, trap.CopiedLock)
}

// holdsUpReader reports whether a goroutine of the koan waits for a WaitGroup in
// a function that has a channel to return: what it waits for most often waits
// for a reader of that channel.
func (s *Session) holdsUpReader(g group) bool {
	if g.State != "sync.WaitGroup.Wait" || !g.own || s.startedByOwn(g.Goroutine) {
		return false
	}
	x, ok := s.site(g.where)
	if !ok || x.decl == nil || x.body != x.decl || x.decl.Type.Results == nil {
		return false
	}
	for _, r := range x.decl.Type.Results.List {
		if strings.Contains(printNode(r.Type), "chan ") {
			return true
		}
	}
	return false
}
