package checker

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"concurrency-koans/checker/assertion"
	"concurrency-koans/checker/dump"
	"concurrency-koans/checker/trap"
)

// diagnose explains why a koan failed, from what its run has left.
//
// Where several things are wrong, the cause goes before its effects: a race
// before the wrong value that it led to, a wrong value before the goroutines
// that were left when the koan gave up on it.
func (s *Session) diagnose(run *koanRun, sec *section) *Diagnosis {
	text := string(sec.text)
	crash, crashed := dump.FindCrash(sec.text)
	races := dump.Races(sec.text)
	failures := assertion.Parse(text)

	var d *Diagnosis
	switch {
	case crashed && strings.HasPrefix(crash.Message, "TODO("):
		d = s.diagnoseTodo(crash)
	case run.excess == overTime && sec == run.current:
		d = s.diagnoseStuck(dump.Goroutines(sec.text), s.c.limits(), run.usage)
	case run.excess != "" && sec == run.current:
		d = s.diagnoseExcess(run, sec, dump.Goroutines(sec.text))
	case forged(text, sec.test) || forged(string(run.preamble.text), ""):
		d = &Diagnosis{Kind: Crash, File: s.p.file(s.p.Answer), Line: s.forges(),
			Summary: "Your code prints lines that look like the output of go test.",
			Detail:  []string{"Such lines count for nothing: whether a koan has passed is told in another way. Take them out."}}
	case len(races) > 0:
		d = s.diagnoseRace(races)
	case crashed && isMapRace(crash):
		d = s.diagnoseMapRace(crash)
	case hasWords(failures):
		d = s.diagnoseAssertion(sec.test, text, failures)
	case strings.Contains(text, goleakReport):
		d = s.diagnoseLeak(sec.test, dump.Goroutines(sec.text))
	case crashed && strings.HasPrefix(crash.Message, "deadlock: main bubble goroutine has exited"):
		d = s.diagnoseLeak(sec.test, crash.Goroutines)
	case crashed && (strings.HasPrefix(crash.Message, "deadlock: ") || strings.HasPrefix(crash.Message, "all goroutines are asleep")):
		d = s.diagnoseDeadlock(crash.Goroutines)
	case crashed:
		d = s.diagnoseCrash(crash)
	case sec.failed > 0:
		d = s.diagnoseAssertion(sec.test, text, failures)
	default:
		d = s.diagnoseExit(run, sec)
	}
	if d.Line == 0 && d.Kind != Assertion {
		s.tellRaw(d, text)
	}
	if d.Line == 0 {
		d.File = s.p.file(s.p.Answer)
		d.Line = s.declaration(sec.test)
	}
	d.Raw = text
	return d
}

// tellRaw falls back to what the tools printed about the learner's file, where
// their words could not be understood: those of a later Go, for one.
func (s *Session) tellRaw(d *Diagnosis, text string) {
	place := regexp.MustCompile(`\b` + regexp.QuoteMeta(s.p.Answer) + `:(\d+)`)
	for line := range strings.Lines(text) {
		m := place.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		n, _ := strconv.Atoi(m[1])
		f := dump.Frame{File: s.p.file(s.p.Answer), Line: n}
		if d.Line == 0 {
			d.at(s, f)
		}
		if quote := s.quote(f); !slices.Contains(d.Detail, quote) {
			d.Detail = append(d.Detail, quote)
		}
		if len(d.Detail) >= 6 {
			break
		}
	}
}

// goleakReport are goleak's words for goroutines that are left.
const goleakReport = "found unexpected goroutines"

// hasWords reports whether a koan's own assertion has failed; goleak's report
// also comes as a failure.
func hasWords(failures []assertion.Failure) bool {
	for _, f := range failures {
		if !strings.Contains(f.Said, goleakReport) && !strings.Contains(f.Said, "race detected during execution") {
			return true
		}
	}
	return false
}

func (s *Session) diagnoseTodo(crash dump.Crash) *Diagnosis {
	d := &Diagnosis{Kind: Todo, Summary: "A function is not written yet."}
	_, todo, _ := strings.Cut(crash.Message, "): ")
	if f, ok := s.crashFrame(crash); ok {
		d.at(s, f)
		d.Summary = function(f) + " is not written yet."
	}
	if todo != "" {
		d.Detail = []string{sentence(todo)}
	}
	return d
}

// crashFrame is the frame of the learner's that a crash is to be blamed on: the
// innermost one of the goroutine that panicked, or else the go statement that
// started it.
func (s *Session) crashFrame(crash dump.Crash) (dump.Frame, bool) {
	if len(crash.Goroutines) == 0 {
		return dump.Frame{}, false
	}
	g := crash.Goroutines[0]
	frames := g.Frames
	switch {
	case strings.HasPrefix(crash.Message, "stack overflow"):
		if f, ok := s.repeated(frames); ok {
			return f, true
		}
	case strings.HasPrefix(crash.Message, "runtime error: range function continued iteration"):
		// The loop is innocent: it is the sequence that has called yield again.
		if i := slices.IndexFunc(frames, s.own); i >= 0 {
			if f, ok := s.firstOwn(frames[i+1:]); ok {
				return f, true
			}
		}
	}
	if f, ok := s.firstOwn(frames); ok {
		return f, true
	}
	return g.CreatedBy, s.own(g.CreatedBy)
}

// repeated returns the learner's frame that calls itself, by way of others or
// not: the one that a stack without end has most often in it.
func (s *Session) repeated(frames []dump.Frame) (most dump.Frame, ok bool) {
	count := map[dump.Frame]int{}
	for _, f := range frames {
		if f = (dump.Frame{Func: f.Func, File: f.File, Line: f.Line}); s.own(f) {
			if count[f]++; count[f] > count[most] {
				most = f
			}
		}
	}
	return most, count[most] > 1
}

// A lesson of the runtime: what a panic or a fatal error of concurrency means.
// Matched as a prefix of the message.
var crashLessons = []struct{ message, means string }{
	{"send on closed channel", "A goroutine sent on a channel that was closed already. Let only the sender close, after its last send; with several senders, the one who waits for them all."},
	{"close of closed channel", "A channel was closed twice. Give every channel one goroutine that closes it."},
	{"close of nil channel", "A channel was closed that was never made."},
	{"sync: negative WaitGroup counter", "Done was called more often than Add allowed. WaitGroup.Go calls it by itself."},
	{"sync: WaitGroup is reused before previous Wait has returned", "Add was called while Wait was still returning."},
	{"sync: WaitGroup misuse", "Add was called while Wait was already waiting. Add before you start the goroutine."},
	{"sync: unlock of unlocked mutex", "A mutex was unlocked that nobody had locked."},
	{"sync: Unlock of unlocked RWMutex", "A mutex was unlocked that nobody had locked."},
	{"sync: RUnlock of unlocked RWMutex", "A read lock was given back that nobody had taken."},
	{"assignment to entry in nil map", "A map was written to that was never made."},
	{"runtime error: invalid memory address or nil pointer dereference", "A nil pointer was followed."},
	{"test executed panic(nil) or runtime.Goexit", "The koan's goroutine was ended, by runtime.Goexit or panic(nil)."},
	{"unexpected call to os.Exit(0) during test", "Your code calls os.Exit. A function reports by its results; it does not end the program."},
	{"stack overflow", "A function calls itself without end."},
	{"race: limit on", "Your code starts goroutines without end; the race detector can follow some eight thousand at once."},
	{"out of memory", "Your code allocates without end."},
	{"runtime: out of memory", "Your code allocates without end."},
	{"too many address space collisions", "Your code allocates without end."}, // under the race detector
}

func (s *Session) diagnoseCrash(crash dump.Crash) *Diagnosis {
	d := &Diagnosis{Kind: Panic, Goroutines: crash.Goroutines}
	message := firstLine(crash.Message)
	word, happened := "panic", "your code panicked: "
	if crash.Kind != dump.Panic || strings.HasPrefix(message, "test executed panic(nil)") || strings.HasPrefix(message, "unexpected call to os.Exit") {
		d.Kind, word, happened = Crash, "fatal error", "the runtime ended the program: "
	}
	d.Summary = sentence(happened + clip(message))
	for _, l := range crashLessons {
		if strings.HasPrefix(message, l.message) {
			d.Summary = l.means
			d.Detail = append(d.Detail, word+": "+clip(message))
			if strings.Contains(message, "unlock of unlocked") && inCondWait(crash) {
				d.Detail = append(d.Detail, "Cond.Wait unlocks the Cond's own L: lock that one before you call it.")
			}
			break
		}
	}
	if f, ok := s.crashFrame(crash); ok {
		d.at(s, f)
		if d.Kind == Panic && s.panicsInCallback(crash) {
			d.Summary = sentence(fmt.Sprintf("the koan's function that is called at %s panicked, as it was meant to, and nothing on that goroutine recovers: %s", place(f), clip(message)))
		}
		d.Detail = append(d.Detail, s.quote(f))
		d.Detail = append(d.Detail, s.closedAt(f, message)...)
	}
	if t, ok := s.crashTrap(crash, message); ok {
		d.blame(s, t)
	}
	if len(crash.Goroutines) > 0 {
		if g := crash.Goroutines[0]; s.own(g.CreatedBy) {
			d.Detail = append(d.Detail, "in the goroutine started at "+s.quote(g.CreatedBy))
		}
	}
	return d
}

// crashTrap finds what in the source a panic or fatal error comes from.
func (s *Session) crashTrap(crash dump.Crash, message string) (trap.Trap, bool) {
	traps := s.traps()
	always := func(trap.Trap) bool { return true }
	f, _ := s.crashFrame(crash)
	x, known := s.site(f)
	switch {
	case strings.HasPrefix(message, "sync: negative WaitGroup counter"):
		return suspect(traps, always, trap.DoneInGo, trap.DoneTwice, trap.CopiedLock, trap.CountedOnce, trap.AddInside)
	case strings.Contains(message, "of unlocked"):
		return suspect(traps, always, trap.UnlockTwice, trap.CopiedLock)
	case strings.HasPrefix(message, "close of nil channel"):
		channel := ""
		if known {
			channel = x.closedHere()
		}
		if t, ok := suspect(traps, func(t trap.Trap) bool { return sameThing(t.On, channel) }, trap.NeverMade, trap.Shadowed); ok {
			return t, true
		}
		return suspect(traps, always, trap.NeverMade)
	case strings.HasSuffix(message, "nil pointer dereference"):
		return suspect(traps, always, trap.ValueWithoutCheck)
	case strings.HasSuffix(message, "closed channel"):
		return s.wrongClose(f, message)
	case crash.Kind == dump.Panic && !strings.HasPrefix(message, "runtime error: "):
		return suspect(traps, always, trap.RecoverTooDeep)
	}
	return trap.Trap{}, false
}

// wrongClose finds the close that is to blame when a goroutine has sent on, or
// closed, a closed channel: one in another function than the sends.
func (s *Session) wrongClose(f dump.Frame, message string) (trap.Trap, bool) {
	x, ok := s.site(f)
	if !ok {
		return trap.Trap{}, false
	}
	channel := x.closedHere()
	if strings.HasPrefix(message, "send") {
		if channel = x.sends(); channel == "" || x.decl == nil || !x.decl.Name.IsExported() {
			// A function sends for others: its caller knows the channel.
			if y, ok := s.callerOf(f); ok {
				x, channel = y, y.channelArgument()
			}
		}
	}
	if channel == "" {
		return trap.Trap{}, false
	}
	var ofReceivers []int
	for _, line := range x.closes(channel) {
		y, ok := s.site(dump.Frame{File: s.p.file(s.p.Answer), Line: line})
		switch {
		case !ok:
		case strings.HasPrefix(message, "close"):
			if !y.sendsOn(channel) && y.receivesIn(channel) {
				ofReceivers = append(ofReceivers, line)
			}
		case y.inLoopHere():
			return trap.Trap{Line: line, Says: fmt.Sprintf("This closes %s in a loop, and the next round sends on it.", quoted(channel))}, true
		case y.body == y.decl && !y.sendsOn(channel) && !strings.Contains(channel, "."):
			return trap.Trap{Line: line, Says: fmt.Sprintf("This closes %s when %s returns, and the goroutine that sends on it goes on.", quoted(channel), y.decl.Name.Name)}, true
		}
	}
	if len(ofReceivers) != 1 {
		return trap.Trap{}, false
	}
	return trap.Trap{Line: ofReceivers[0], Says: fmt.Sprintf("This closes %s in the function that receives from it. The sender knows when nothing more comes.", quoted(channel))}, true
}

// panicsInCallback reports whether a panic of the koan's own has come through
// the learner's code.
func (s *Session) panicsInCallback(crash dump.Crash) bool {
	return len(crash.Goroutines) > 0 && s.inCallback(crash.Goroutines[0]) && !strings.HasPrefix(crash.Message, "runtime error: ")
}

// inCondWait reports whether a crash happened inside of Cond.Wait.
func inCondWait(crash dump.Crash) bool {
	return len(crash.Goroutines) > 0 && slices.ContainsFunc(crash.Goroutines[0].Frames, func(f dump.Frame) bool {
		return strings.Contains(f.Func, "sync.(*Cond).Wait")
	})
}

// closedAt tells where the channel is closed that a line could not send on, or
// close again.
func (s *Session) closedAt(f dump.Frame, message string) (detail []string) {
	x, ok := s.site(f)
	if !ok || !strings.HasSuffix(message, "closed channel") {
		return nil
	}
	channel := x.sends()
	if channel == "" {
		channel = x.closedHere()
	}
	for _, line := range x.closes(channel) {
		if line != f.Line {
			detail = append(detail, "closed at "+s.quote(dump.Frame{File: f.File, Line: line}))
		}
	}
	return detail
}

// diagnoseExcess explains why the checker ended the process.
func (s *Session) diagnoseExcess(run *koanRun, sec *section, all []dump.Goroutine) *Diagnosis {
	limits := s.c.limits()
	d := &Diagnosis{Kind: Crash, Goroutines: all}
	groups := s.groups(all)
	switch run.excess {
	case overMemory:
		d.Summary = fmt.Sprintf("Your code used more than %s of memory, so it was stopped.", bytesSize(limits.Memory))
	case overOutput:
		d.Summary = fmt.Sprintf("Your code printed more than %s, so it was stopped.", bytesSize(limits.Output))
	case overProcesses:
		d.Summary = fmt.Sprintf("Your code started more than %d processes, so it was stopped.", limits.Processes)
	}
	for _, g := range groups {
		if g.count > 1000 {
			from := g.CreatedBy
			if !s.own(from) {
				from = s.bottomOwn(g.Goroutine) // WaitGroup.Go and the like
			}
			d.at(s, from)
			d.Summary = fmt.Sprintf("Your code starts goroutines without end: there were %d of them from %s when it was stopped for using more than %s of memory.",
				g.count, place(from), bytesSize(limits.Memory))
			if x, ok := s.site(from); ok && x.loopAround() > 0 {
				d.Line = x.loopAround()
				d.Detail = append(d.Detail, "the loop that starts them: "+s.quote(dump.Frame{File: from.File, Line: d.Line}))
			}
			return d
		}
	}
	if len(groups) > 0 && groups[0].own {
		d.at(s, groups[0].where)
		d.Detail = append(d.Detail, "when it was stopped: "+s.quote(groups[0].where))
	}
	if run.excess == overOutput {
		if t, ok := suspect(s.traps(), func(trap.Trap) bool { return true }, trap.PrintInLoop); ok {
			d.blame(s, t)
		}
		if out := lastLine(sec.text); out != "" {
			d.Detail = append(d.Detail, "it printed: "+brief(out))
		}
	}
	return d
}

// lastLine is the last whole line of what was printed.
func lastLine(text []byte) string {
	text = text[:bytes.LastIndexByte(text, '\n')+1]
	text = bytes.TrimRight(text, "\n")
	return string(text[bytes.LastIndexByte(text, '\n')+1:])
}

func bytesSize(n int64) string {
	if n >= 1<<30 && n%(1<<30) == 0 {
		return fmt.Sprintf("%d GiB", n>>30)
	}
	return fmt.Sprintf("%d MiB", n>>20)
}

// diagnoseExit explains a process that ended of itself in the midst of a koan,
// without a word of the runtime.
func (s *Session) diagnoseExit(run *koanRun, sec *section) *Diagnosis {
	d := &Diagnosis{Kind: Crash}
	when := "in the midst of a koan"
	if sec.begun == 0 {
		when = "before the first koan began: look at init functions and package variables"
	} else if sec.passed == sec.begun {
		when = "when the koans had ended"
	}
	if run.exit < 0 {
		d.Summary = fmt.Sprintf("The process was killed from outside %s.", when)
		return d
	}
	d.Summary = fmt.Sprintf("Your code ended the process with status %d %s.", run.exit, when)
	if sec.passed == sec.begun && sec.begun > 0 {
		d.Summary = fmt.Sprintf("The process ended with status %d %s.", run.exit, when)
	}
	d.Detail = []string{"os.Exit and log.Fatal end the program for everybody. A function reports by its results."}
	if lines := s.exits(); len(lines) == 1 {
		f := dump.Frame{File: s.p.file(s.p.Answer), Line: lines[0]}
		d.at(s, f)
		d.Detail = append(d.Detail, s.quote(f))
	}
	if out := firstLine(string(sec.text)); out != "" {
		d.Detail = append(d.Detail, "it printed: "+clip(out))
	}
	return d
}

// words makes a koan's words a sentence. They may begin with the name of a
// parameter, which is written as it is.
func (s *Session) words(said string) string {
	first, _, _ := strings.Cut(said, " ")
	if skeleton, err := parser.ParseFile(token.NewFileSet(), "", s.p.Skeleton, parser.SkipObjectResolution); err == nil {
		for n := range ast.Preorder(skeleton) {
			if f, ok := n.(*ast.Field); ok && slices.ContainsFunc(f.Names, func(id *ast.Ident) bool { return id.Name == first }) {
				return first + sentence(said)[len(first):]
			}
		}
	}
	return sentence(said)
}

// forgery matches lines that go test would print with -v, or about other
// tests than this one; the checker runs it without.
var forgery = regexp.MustCompile(`(?m)^\x16?(=== (RUN|PASS|PAUSE|CONT|NAME) |\s*--- (PASS|SKIP): |--- FAIL: (\w+)|ok  \t)`)

// forged reports whether the learner's code prints what looks like the output
// of go test.
func forged(text, test string) bool {
	for _, m := range forgery.FindAllStringSubmatch(text, -1) {
		if m[4] == "" || m[4] != test && strings.HasPrefix(m[4], "Test") {
			return true
		}
	}
	return false
}

// diagnoseAssertion puts the koan's words first and what testify found behind.
func (s *Session) diagnoseAssertion(test, text string, failures []assertion.Failure) *Diagnosis {
	d := &Diagnosis{Kind: Assertion, Summary: "The koan failed without a word."}
	for _, f := range failures {
		said := strings.TrimSpace(f.Said)
		if said == "" && strings.TrimSpace(strings.Join(f.Outcome, "")) == "" {
			continue
		}
		first, rest, _ := strings.Cut(said, "\n")
		d.Summary = s.words(clip(first))
		if said == "" {
			d.Summary = sentence(clip(strings.TrimSpace(strings.Join(f.Outcome, " "))))
		}
		for line := range strings.SplitSeq(rest, "\n") {
			if line = strings.TrimSpace(line); line != "" && len(d.Detail) < 6 {
				d.Detail = append(d.Detail, clip(line))
			}
		}
		d.Detail = append(d.Detail, f.Comparison()...)
		subject := s.subject(test, f)
		d.File, d.Line = s.p.file(s.p.Answer), s.declared(subject, test, f.Said)
		if t, ok := s.suspectOf(subject, strings.Join(append([]string{d.Summary}, d.Detail...), "\n")); ok {
			d.blame(s, t)
		}
		s.tellWaits(d, text)
		d.Detail = append(d.Detail, "the koan: "+brief(s.quote(dump.Frame{File: s.koanFile(test), Line: f.Line})))
		break
	}
	return d
}

// tellWaits adds, to a koan that has failed because something did not happen,
// who waits for what in the learner's code. The witness has printed it.
func (s *Session) tellWaits(d *Diagnosis, text string) {
	all := dump.Goroutines([]byte(text))
	groups := slices.DeleteFunc(s.groups(all), func(g group) bool { return !g.own || g.busy() })
	if len(groups) == 0 {
		return
	}
	d.Goroutines = all
	if strings.HasPrefix(strings.Join(d.Detail, ""), "look at ") {
		return // that is the nearer reason
	}
	for _, g := range groups {
		if c, ok := s.lockCause(g, groups, all); ok {
			d.blame(s, trap.Trap{Line: c.line, Says: c.says})
			return
		}
	}
	d.Detail = append(d.Detail, "meanwhile:")
	d.Detail = append(d.Detail, s.picture(groups[:min(len(groups), 2)])...)
}

func (s *Session) koanFile(test string) string {
	for _, k := range s.koans {
		if k.test == test {
			return k.file
		}
	}
	return ""
}

// clip shortens a line that would fill a screen.
func clip(line string) string { return shorten(line, 600) }

// brief shortens a line that tells where rather than what.
func brief(line string) string { return shorten(line, 62) }

// fit shortens a line of the detail to what a screen of 80 columns has room for.
func fit(line string) string { return shorten(line, 74) }

func shorten(line string, most int) string {
	if r := []rune(line); len(r) > most {
		return string(r[:most-2]) + " …"
	}
	return line
}

// funcLine matches the beginning of a function or method, and finds its name.
var funcLine = regexp.MustCompile(`(?m)^func (?:\([^)]*\) )?(\w+)`)

// functionLines returns the line of each function that the answer declares.
func (s *Session) functionLines() map[string]int {
	lines := map[string]int{}
	answer, err := s.p.answer()
	if err != nil {
		return lines
	}
	for _, m := range funcLine.FindAllSubmatchIndex(answer, -1) {
		name := string(answer[m[2]:m[3]])
		if lines[name] == 0 && name != "Error" && name != "Unwrap" { // in a koan's words they mean something else
			lines[name] = 1 + bytes.Count(answer[:m[0]], []byte("\n"))
		}
	}
	return lines
}

// declared returns the line on which the answer declares a function. Of methods
// that have the same name, it is the one whose type the words name, or else the
// koan. 0 if there is none.
func (s *Session) declared(function, test, words string) int {
	answer, err := s.p.answer()
	if err != nil || function == "" {
		return 0
	}
	var koan string
	for _, k := range s.koans {
		if k.test == test {
			koan = funcText(string(s.p.Koans[k.file]), test)
		}
	}
	best, line := -1, 0
	for _, m := range methodLine.FindAllSubmatchIndex(answer, -1) {
		if string(answer[m[4]:m[5]]) != function {
			continue
		}
		fits := 0
		if m[2] >= 0 {
			typ := string(answer[m[2]:m[3]])
			fits = 2*boolToInt(strings.Contains(words, typ)) + boolToInt(strings.Contains(koan, typ))
		}
		if fits > best {
			best, line = fits, 1+bytes.Count(answer[:m[0]], []byte("\n"))
		}
	}
	return line
}

// methodLine matches the beginning of a function or method, and finds the name
// of the receiver's type and its own.
var methodLine = regexp.MustCompile(`(?m)^func (?:\((?:\w+ )?\*?(\w+)[^)]*\) )?(\w+)`)

// funcText is the part of a source that begins with a function and ends before
// the next.
func funcText(source, function string) string {
	_, text, _ := strings.Cut(source, "\nfunc "+function+"(")
	text, _, _ = strings.Cut(text, "\nfunc ")
	return text
}

// subject returns the function of the answer that a failed assertion is about:
// the one that its words say must do something, or else the last that the koan
// has called before; "" if neither tells.
func (s *Session) subject(test string, f assertion.Failure) string {
	lines := s.functionLines()
	first := func(words string) string {
		for _, word := range exported.FindAllString(words, -1) {
			for _, name := range []string{word, strings.TrimSuffix(word, "s")} {
				if lines[name] > 0 {
					return name
				}
			}
		}
		return ""
	}
	// What comes after the last colon is what must be: "all room was taken:
	// TrySubmit must return ErrQueueFull".
	said := strings.Join(strings.Fields(f.Said), " ")
	if i := strings.LastIndex(said, ": "); i >= 0 {
		if name := first(said[i:]); name != "" && strings.Contains(said[i:], "must") {
			return name
		}
	}
	for _, m := range mustDo.FindAllStringSubmatch(said, -1) {
		if lines[m[1]] > 0 {
			return m[1]
		}
	}
	if name := first(said); name != "" {
		return name
	}
	if name := s.lastCalled(test, f.Line, lines); name != "" {
		return name
	}
	for _, k := range s.koans {
		if k.test == test {
			return k.subject
		}
	}
	return ""
}

var (
	exported = regexp.MustCompile(`\b[A-Z]\w*`)
	mustDo   = regexp.MustCompile(`\b([A-Z]\w*) must\b`)
)

// lastCalled returns the function of the answer that the koan's text calls last
// up to a line.
func (s *Session) lastCalled(test string, line int, lines map[string]int) (name string) {
	for _, k := range s.koans {
		if k.test != test {
			continue
		}
		text := strings.Split(string(s.p.Koans[k.file]), "\n")
		for n := min(line, len(text)) - 1; n >= 0; n-- {
			for _, m := range calledByKoan.FindAllStringSubmatch(text[n], -1) {
				if lines[m[1]] > 0 {
					name = m[1]
				}
			}
			if name != "" || strings.HasPrefix(text[n], "func ") {
				return name
			}
		}
	}
	return ""
}

// calledByKoan matches a call of a function of the answer: "fan.Merge(".
var calledByKoan = regexp.MustCompile(`\b(?:(?:t|time|context|errors|runtime|sync|synctest|assert|require)\.\w+|\w*\.([A-Z]\w*))(?:\[[^\]]*\])?\(`)

// declaration returns the line on which the answer declares what a koan is
// about: the place to look at when no line in particular is wrong. 0 if none.
func (s *Session) declaration(test string) int {
	for _, k := range s.koans {
		if k.test == test {
			return s.declared(k.subject, test, "")
		}
	}
	return 0
}
