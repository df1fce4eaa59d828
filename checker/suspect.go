package checker

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strings"
	"sync"

	"concurrency-koans/checker/dump"
	"concurrency-koans/checker/trap"
)

// traps finds what in the answer is likely not meant. None if it is not Go.
func (s *Session) traps() []trap.Trap {
	fset, file := s.source()
	if file == nil {
		return nil
	}
	return trap.Find(fset, file)
}

// source parses the answer; file is nil if that cannot be done.
func (s *Session) source() (*token.FileSet, *ast.File) {
	answer, err := s.p.answer()
	if err != nil {
		return nil, nil
	}
	s.parsed.mu.Lock()
	defer s.parsed.mu.Unlock()
	if s.parsed.fset == nil || !bytes.Equal(s.parsed.answer, answer) {
		s.parsed.answer, s.parsed.fset = answer, token.NewFileSet()
		s.parsed.file, err = parser.ParseFile(s.parsed.fset, s.p.Answer, answer, parser.SkipObjectResolution)
		if err != nil {
			s.parsed.file = nil // half a file would tell half the truth
		}
	}
	return s.parsed.fset, s.parsed.file
}

// parsed is the answer's syntax tree, which a diagnosis looks at many times.
type parsed struct {
	mu     sync.Mutex // both lanes diagnose; guards all below
	answer []byte
	fset   *token.FileSet
	file   *ast.File
}

// suspect returns the trap that a failure can be put down to: of the names in
// the order given, the first that fits.
func suspect(traps []trap.Trap, fits func(trap.Trap) bool, names ...trap.Name) (trap.Trap, bool) {
	for _, name := range names {
		for _, t := range traps {
			if t.Name == name && fits(t) {
				return t, true
			}
		}
	}
	return trap.Trap{}, false
}

// sameThing reports whether two names can be of one thing: the receiver of a
// method may be called otherwise in another.
func sameThing(a, b string) bool {
	return a != "" && a[strings.LastIndexByte(a, '.')+1:] == b[strings.LastIndexByte(b, '.')+1:]
}

// blame makes a diagnosis point at a trap and say what it is.
func (d *Diagnosis) blame(s *Session, t trap.Trap) {
	f := dump.Frame{File: s.p.file(s.p.Answer), Line: t.Line}
	d.at(s, f)
	d.Detail = append([]string{"look at " + s.quote(f), "  " + t.Says}, d.Detail...)
}

// A clue connects a trap with the words of a wrong answer.
type clue struct {
	name trap.Name
	when *regexp.Regexp // of the koan's words and what was expected and got; nil for always
}

var (
	ofContext  = regexp.MustCompile(`\bctx|[Cc]ancel|deadline`)
	ofClosing  = regexp.MustCompile(`clos|\bend|nothing`)
	ofErrors   = regexp.MustCompile(`[Ee]rror`)
	ofNothing  = regexp.MustCompile(`nothing happened`)
	ofBounds   = regexp.MustCompile(`at most|less than|room|ahead`)
	ofTimes    = regexp.MustCompile(`(?m)^got  .*\d(h|m|s|ms|µs|ns)\b`)
	ofPanics   = regexp.MustCompile(`panic`)
	ofTooMany  = regexp.MustCompile(`(?m)^got  .*\d|^extra `)
	ofTooFew   = regexp.MustCompile(`(?m)^missing |^got  +(nothing|\[|\d|true|false)`)
	ofWakening = regexp.MustCompile(`nothing|wait|twice`)
)

// clues are what wrong answers come from, the surest first.
var clues = []clue{
	{trap.WaitsInOwnGroup, nil},
	{trap.CountedOnce, nil},
	{trap.AddInside, nil},
	{trap.DoneTwice, nil},
	{trap.Shadowed, nil},
	{trap.SharedVariable, nil},
	{trap.NeverMade, nil},
	{trap.NeverMentioned, nil},
	{trap.ReturnsLocked, ofNothing},
	{trap.NeverUnlocked, ofNothing},
	{trap.HeldWhileWaiting, ofNothing},
	{trap.CopiedLock, nil},
	{trap.ErrorInText, ofErrors},
	{trap.DroppedError, ofErrors},
	{trap.ComparedError, ofErrors},
	{trap.EndsGoroutine, nil},
	{trap.RecoverTooDeep, ofPanics},
	{trap.RecoverAroundLoop, ofPanics},
	{trap.DeferredCancel, nil},
	{trap.OwnContext, ofContext},
	{trap.KeptContext, ofContext},
	{trap.BreakInSelect, nil},
	{trap.ValueWithoutCheck, ofClosing},
	{trap.CloseOnOnePath, ofClosing},
	{trap.BareReceive, ofContext},
	{trap.BareSend, ofContext},
	{trap.LiteralTimeout, nil},
	{trap.BigBuffer, ofBounds},
	{trap.OffByOne, ofTooMany},
	{trap.DefaultOnSend, ofTooFew},
	{trap.IfAroundWait, ofWakening},
	{trap.NeverClosed, ofClosing},
	{trap.NeverDone, ofClosing},
	{trap.Sleeps, ofTimes},
}

// suspectOf returns the trap that a wrong answer may come from: one in the
// function that the koan's words name, or else in those of the answer that it
// calls.
func (s *Session) suspectOf(subject, words string) (trap.Trap, bool) {
	traps := s.traps()
	if len(traps) == 0 || subject == "" {
		return trap.Trap{}, false
	}
	var names []trap.Name
	for _, c := range clues {
		if c.when == nil || c.when.MatchString(words) {
			names = append(names, c.name)
		}
	}
	for _, in := range s.callees(subject) {
		if t, ok := suspect(traps, func(t trap.Trap) bool { return t.Func == in }, names...); ok {
			return t, true
		}
	}
	// What is wrong anywhere may show everywhere.
	return suspect(traps, func(trap.Trap) bool { return true }, slices.DeleteFunc(names, func(n trap.Name) bool {
		return !slices.Contains(farReaching, n)
	})...)
}

// farReaching are traps by which one function spoils what others do.
var farReaching = []trap.Name{
	trap.AddInside, trap.CopiedLock, trap.CountedOnce, trap.DeferredCancel, trap.EndsGoroutine, trap.HeldWhileWaiting,
	trap.KeptContext, trap.NeverMade, trap.NeverUnlocked, trap.RecoverAroundLoop, trap.RecoverTooDeep, trap.ReturnsLocked, trap.Shadowed, trap.WaitsInOwnGroup,
}

// callees returns a function of the answer and those that it calls, nearest
// first, by their names alone. Exported ones are only in it if asked for: they
// have koans of their own.
func (s *Session) callees(function string) []string {
	_, file := s.source()
	if file == nil {
		return nil
	}
	bodies := map[string][]ast.Node{}
	for _, d := range file.Decls {
		if decl, ok := d.(*ast.FuncDecl); ok && decl.Body != nil {
			bodies[decl.Name.Name] = append(bodies[decl.Name.Name], decl.Body)
		}
	}
	order := []string{function}
	for i := 0; i < len(order); i++ {
		for _, body := range bodies[order[i]] {
			ast.Inspect(body, func(n ast.Node) bool {
				id, ok := n.(*ast.Ident)
				if ok && len(bodies[id.Name]) > 0 && !id.IsExported() && !slices.Contains(order, id.Name) {
					order = append(order, id.Name)
				}
				return true
			})
		}
	}
	return order
}
