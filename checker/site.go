package checker

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"concurrency-koans/checker/dump"
)

// A site is what the source says about a line at which a goroutine waits, or at
// which something went wrong: the names that a stack does not know.
type site struct {
	file *ast.File
	fset *token.FileSet
	line int
	body ast.Node // the innermost function around the line
	decl *ast.FuncDecl
}

// site reads the source around a frame. It reports false when the frame is not
// in the learner's file or the file cannot be read.
func (s *Session) site(f dump.Frame) (site, bool) {
	if !s.own(f) || path.Base(filepath.ToSlash(f.File)) != s.p.Answer {
		return site{}, false
	}
	x := site{line: f.Line}
	if x.fset, x.file = s.source(); x.file == nil {
		return site{}, false
	}
	ast.Inspect(x.file, func(n ast.Node) bool {
		if n == nil || x.lineOf(n) > x.line || x.fset.Position(n.End()).Line < x.line {
			return false
		}
		switch n := n.(type) {
		case *ast.FuncDecl:
			x.decl, x.body = n, n
		case *ast.FuncLit:
			x.body = n
		}
		return true
	})
	return x, x.body != nil
}

// located puts a frame's line into its function. A few instructions have no line: what
// the compiler leaves where it has inlined a function, for one. A goroutine that is
// met there, as one that spins may be, seems to be on line 1. Then the first loop
// of the function is the place, or its beginning.
func (s *Session) located(f dump.Frame) dump.Frame {
	if _, ok := s.site(f); ok || path.Base(filepath.ToSlash(f.File)) != s.p.Answer {
		return f
	}
	x := site{}
	if x.fset, x.file = s.source(); x.file == nil {
		return f
	}
	named := function(f)
	named = named[strings.LastIndexByte(named, '.')+1:] // the receiver is left out
	for _, d := range x.file.Decls {
		decl, ok := d.(*ast.FuncDecl)
		if !ok || decl.Name.Name != named {
			continue
		}
		f.Line = x.lineOf(decl)
		loop := 0
		ast.Inspect(decl, func(n ast.Node) bool {
			switch n.(type) {
			case *ast.ForStmt, *ast.RangeStmt:
				if loop == 0 {
					loop = x.lineOf(n)
				}
			}
			return loop == 0
		})
		if loop > 0 {
			f.Line = loop
		}
		return f
	}
	return f
}

func (x site) lineOf(n ast.Node) int { return x.fset.Position(n.Pos()).Line }

// name prints an expression as the learner wrote it: "out", "p.mu".
func name(e ast.Expr) string {
	if u, ok := e.(*ast.UnaryExpr); ok && u.Op == token.AND {
		e = u.X
	}
	return printNode(e)
}

// onLine collects what find makes of the nodes that begin on the line.
func (x site) onLine(find func(ast.Node) string) string {
	found := ""
	ast.Inspect(x.body, func(n ast.Node) bool {
		if n != nil && found == "" && x.lineOf(n) == x.line {
			found = find(n)
		}
		return found == ""
	})
	return found
}

// awaited names what a goroutine in the given state waits for on the line, or
// returns "" where the source does not tell.
func (x site) awaited(state string) string {
	switch {
	case strings.HasPrefix(state, "chan send"):
		return x.onLine(func(n ast.Node) string {
			if send, ok := n.(*ast.SendStmt); ok {
				return name(send.Chan)
			}
			return ""
		})
	case strings.HasPrefix(state, "chan receive"):
		return x.onLine(func(n ast.Node) string {
			switch n := n.(type) {
			case *ast.UnaryExpr:
				if n.Op == token.ARROW {
					return name(n.X)
				}
			case *ast.RangeStmt:
				return name(n.X)
			}
			return ""
		})
	case strings.HasPrefix(state, "sync."):
		return x.onLine(func(n ast.Node) string { return receiverOf(n, "Lock", "RLock", "Wait") })
	}
	return ""
}

// receiverOf names the receiver of a call of one of the methods: "p.mu" of
// p.mu.Lock(). It is "" for all else.
func receiverOf(n ast.Node, methods ...string) string {
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return ""
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || !slices.Contains(methods, sel.Sel.Name) {
		return ""
	}
	return name(sel.X)
}

// heldSince returns the line on which the function around the line has locked
// the mutex and not unlocked it before the line, as far as its own statements
// tell, without those of functions within it; 0 if it has not.
func (x site) heldSince(mutex string) int {
	return x.lockedBy(func(name string) bool { return name == mutex })
}

// lockedAnything reports whether any mutex is held at the line.
func (x site) lockedAnything() bool {
	return x.lockedBy(func(name string) bool { return name != "" }) > 0
}

// locks names the mutexes that are held at the line.
func (x site) locks() (names []string) {
	var all []string
	x.lockedBy(func(name string) bool {
		if name != "" && !slices.Contains(all, name) {
			all = append(all, name)
		}
		return false
	})
	for _, name := range all {
		if x.heldSince(name) > 0 {
			names = append(names, name)
		}
	}
	return names
}

// heldSinceAny is heldSince for a mutex that another function calls by this
// name: its receiver may be called otherwise here.
func (x site) heldSinceAny(mutex string) int {
	return x.lockedBy(func(name string) bool { return sameThing(name, mutex) })
}

func (x site) lockedBy(is func(string) bool) (line int) {
	ast.Inspect(x.body, func(n ast.Node) bool {
		switch n.(type) {
		case nil:
			return false
		case *ast.DeferStmt:
			return false // it runs at the end
		case *ast.FuncLit:
			if n != x.body {
				return false
			}
		}
		if x.lineOf(n) >= x.line {
			return n == x.body || !isStatement(n)
		}
		switch {
		case is(receiverOf(n, "Lock", "RLock")):
			line = x.lineOf(n)
		case is(receiverOf(n, "Unlock", "RUnlock")):
			line = 0
		}
		return true
	})
	return line
}

func isStatement(n ast.Node) bool {
	_, ok := n.(ast.Stmt)
	return ok
}

// unlocks reports whether the declared function around the line unlocks the
// mutex anywhere.
func (x site) unlocks(mutex string) bool {
	found := false
	ast.Inspect(x.decl, func(n ast.Node) bool {
		found = found || receiverOf(n, "Unlock", "RUnlock") == mutex
		return !found
	})
	return found
}

// closes returns the lines on which a channel of this name is closed: of the
// whole file for a field, of the same function for a variable.
func (x site) closes(channel string) (lines []int) {
	var root ast.Node = x.file
	if x.decl != nil && !strings.Contains(channel, ".") {
		root = x.decl
	}
	ast.Inspect(root, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) != 1 {
			return true
		}
		if fun, ok := call.Fun.(*ast.Ident); ok && fun.Name == "close" && name(call.Args[0]) == channel {
			lines = append(lines, x.lineOf(call))
		}
		return true
	})
	return lines
}

// sends names the channel that the line sends on, also as a case of the select
// statement that begins there.
func (x site) sends() string {
	if what := x.awaited("chan send"); what != "" {
		return what
	}
	return x.onLine(func(n ast.Node) string {
		sel, ok := n.(*ast.SelectStmt)
		if !ok {
			return ""
		}
		for _, stmt := range sel.Body.List {
			if send, ok := stmt.(*ast.CommClause).Comm.(*ast.SendStmt); ok {
				return name(send.Chan)
			}
		}
		return ""
	})
}

// closedHere names the channel that the line closes, "" if it closes none.
func (x site) closedHere() string {
	return x.onLine(func(n ast.Node) string {
		if call, ok := n.(*ast.CallExpr); ok && len(call.Args) == 1 && name(call.Fun) == "close" {
			return name(call.Args[0])
		}
		return ""
	})
}

// rangedHere names what the loop that begins on the line ranges over.
func (x site) rangedHere() string {
	return x.onLine(func(n ast.Node) string {
		if r, ok := n.(*ast.RangeStmt); ok {
			return name(r.X)
		}
		return ""
	})
}

// channelArgument names the channel that the line gives to a function which
// sends for it, as send(ctx, out, v) does: the second of several arguments.
func (x site) channelArgument() string {
	return x.onLine(func(n ast.Node) string {
		if call, ok := n.(*ast.CallExpr); ok && len(call.Args) == 3 {
			return name(call.Args[1])
		}
		return ""
	})
}

// sendsOn reports whether the innermost function around the line sends on the
// channel, or gives it to a function that may.
func (x site) sendsOn(channel string) (found bool) {
	ast.Inspect(x.body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			return n == x.body
		case *ast.SendStmt:
			found = found || name(n.Chan) == channel
		case *ast.CallExpr:
			for _, arg := range n.Args {
				found = found || name(n.Fun) != "close" && name(arg) == channel
			}
		}
		return !found
	})
	return found
}

// receivesIn reports whether the innermost function around the line receives
// from the channel, or ranges over it.
func (x site) receivesIn(channel string) (found bool) {
	ast.Inspect(x.body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.UnaryExpr:
			found = found || n.Op == token.ARROW && name(n.X) == channel
		case *ast.RangeStmt:
			found = found || strings.Contains(name(n.X), channel)
		}
		return !found
	})
	return found
}

// inLoopHere reports whether the line stands in a loop of its function, so that
// it may come again; a deferred call does not count.
func (x site) inLoopHere() bool {
	deferred := x.onLine(func(n ast.Node) string {
		if _, ok := n.(*ast.DeferStmt); ok {
			return "defer"
		}
		return ""
	})
	return deferred == "" && x.loop() > 0
}

// loopAround returns the line of the loop that starts the goroutine in whose
// function the line stands; 0 if there is none.
func (x site) loopAround() (line int) {
	lit, ok := x.body.(*ast.FuncLit)
	if !ok || x.decl == nil {
		return 0
	}
	x.body, x.line = x.decl, x.lineOf(lit)
	return x.loopBefore()
}

// inDecl reports whether a line is in the declared function around this one.
func (x site) inDecl(line int) bool {
	return x.decl != nil && x.lineOf(x.decl) <= line && line <= x.fset.Position(x.decl.End()).Line
}

// receivesAfter returns the first line behind this one, in the declared
// function around it, that receives from the channel, or from any if that has no
// name; 0 if none does, or if one before it does.
func (x site) receivesAfter(channel string) (line int) {
	if x.decl == nil {
		return 0
	}
	before := false
	ast.Inspect(x.decl, func(n ast.Node) bool {
		from := ""
		switch n := n.(type) {
		case *ast.FuncLit:
			return channel != ""
		case *ast.UnaryExpr:
			if n.Op == token.ARROW {
				from = name(n.X)
			}
		case *ast.RangeStmt:
			from = name(n.X)
			if call, ok := n.X.(*ast.CallExpr); ok && len(call.Args) == 2 {
				from = name(call.Args[1]) // each(ctx, in)
			}
		}
		if from == "" || channel != "" && from != channel {
			return true
		}
		_, ranges := n.(*ast.RangeStmt)
		if at := x.lineOf(n); at > x.line && line == 0 {
			line = at
		} else if at < x.line && (channel != "" || !ranges) { // a range may be over anything
			before = true
		}
		return true
	})
	if before {
		return 0
	}
	return line
}

// listens reports whether the select on the line has a case for the end of a ctx.
func (x site) listens() bool {
	cases, _ := x.selects()
	return slices.ContainsFunc(cases, func(c string) bool { return strings.Contains(c, ".Done()") })
}

// loop returns the line of the innermost loop around the line, 0 if there is
// none in its function.
func (x site) loop() (line int) {
	ast.Inspect(x.body, func(n ast.Node) bool {
		if n == nil || x.lineOf(n) > x.line || x.fset.Position(n.End()).Line < x.line {
			return false
		}
		switch n.(type) {
		case *ast.ForStmt, *ast.RangeStmt:
			line = x.lineOf(n)
		}
		return true
	})
	if line == 0 && x.decl != nil && x.body != x.decl && x.lineOf(x.body) == x.line {
		// The line starts a goroutine: it is the loop around that which spins.
		x.body = x.decl
		return x.loopBefore()
	}
	return line
}

// loopBefore is loop for a line on which a function literal begins.
func (x site) loopBefore() (line int) {
	ast.Inspect(x.body, func(n ast.Node) bool {
		if n == nil || x.lineOf(n) > x.line || x.fset.Position(n.End()).Line < x.line {
			return false
		}
		if _, ok := n.(*ast.FuncLit); ok && x.lineOf(n) == x.line {
			return false
		}
		switch n.(type) {
		case *ast.ForStmt, *ast.RangeStmt:
			line = x.lineOf(n)
		}
		return true
	})
	return line
}

// exits returns the lines of the answer that end the program.
func (s *Session) exits() []int {
	return s.find(func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		return ok && slices.Contains([]string{"os.Exit", "syscall.Exit", "log.Fatal", "log.Fatalf", "log.Fatalln"}, name(call.Fun))
	})
}

// forges returns the first line of the answer with a text like go test's; 0 if
// there is none.
func (s *Session) forges() int {
	lines := s.find(func(n ast.Node) bool {
		lit, ok := n.(*ast.BasicLit)
		return ok && lit.Kind == token.STRING && (strings.Contains(lit.Value, "--- ") || strings.Contains(lit.Value, "=== "))
	})
	if len(lines) == 0 {
		return 0
	}
	return lines[0]
}

// find returns the lines of the answer on which something begins that is wanted.
func (s *Session) find(wanted func(ast.Node) bool) (lines []int) {
	fset, file := s.source()
	if file == nil {
		return nil
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if n != nil && wanted(n) {
			lines = append(lines, fset.Position(n.Pos()).Line)
		}
		return true
	})
	return lines
}

// selects returns the cases of the select statement on the line.
func (x site) selects() (cases []string, ok bool) {
	ast.Inspect(x.body, func(n ast.Node) bool {
		sel, is := n.(*ast.SelectStmt)
		if !is || ok || x.lineOf(sel) > x.line || x.fset.Position(sel.End()).Line < x.line {
			return true
		}
		ok = true
		for _, stmt := range sel.Body.List {
			if c, is := stmt.(*ast.CommClause); is && c.Comm != nil {
				cases = append(cases, printNode(c.Comm))
			}
		}
		return true
	})
	return cases, ok
}

// choice says what the select on the line waits for: "waits to send on `out` or
// for ctx.Done()"; "" where that would take too many words.
func (x site) choice() string {
	var all []string
	ast.Inspect(x.body, func(n ast.Node) bool {
		sel, is := n.(*ast.SelectStmt)
		if !is || all != nil || x.lineOf(sel) > x.line || x.fset.Position(sel.End()).Line < x.line {
			return true
		}
		for _, stmt := range sel.Body.List {
			switch c := stmt.(*ast.CommClause).Comm.(type) {
			case *ast.SendStmt:
				all = append(all, "to send on "+quoted(name(c.Chan)))
			case *ast.ExprStmt:
				all = append(all, received(c.X))
			case *ast.AssignStmt:
				all = append(all, received(c.Rhs[0]))
			}
		}
		return true
	})
	if len(all) == 0 || len(all) > 3 {
		return ""
	}
	return "waits " + strings.Join(all, " or ")
}

// received says what a receive waits for.
func received(e ast.Expr) string {
	u, ok := e.(*ast.UnaryExpr)
	if !ok {
		return "to receive"
	}
	from := name(u.X)
	if strings.HasSuffix(from, ".Done()") {
		return "for the end of " + strings.TrimSuffix(from, ".Done()")
	}
	return "to receive from " + quoted(from)
}

// sendsOnce reports whether the line sends on a channel that the declared
// function has made without room, in a goroutine that does not send in a loop:
// one result for one receiver.
func (x site) sendsOnce(channel string) bool {
	if x.decl == nil || x.body == x.decl || x.loop() > 0 {
		return false
	}
	made, returned := false, false
	ast.Inspect(x.decl, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			if len(n.Lhs) == 1 && len(n.Rhs) == 1 && name(n.Lhs[0]) == channel {
				call, ok := n.Rhs[0].(*ast.CallExpr)
				made = made || ok && name(call.Fun) == "make" && len(call.Args) == 1
			}
		case *ast.ReturnStmt:
			for _, r := range n.Results {
				returned = returned || name(r) == channel
			}
		}
		return true
	})
	return made && !returned
}

// hasContext reports whether the function around the line is given a context.
func (x site) hasContext() bool {
	if x.decl == nil {
		return false
	}
	for _, p := range x.decl.Type.Params.List {
		if printNode(p.Type) == "context.Context" {
			return true
		}
	}
	return false
}

// whyLeft says why a goroutine that waits at the line was not released, as far
// as the source tells; "" if it does not.
func (x site) whyLeft(g dump.Goroutine) string {
	what := x.awaited(g.State)
	switch {
	case g.State == "select":
		cases, ok := x.selects()
		if !ok {
			return ""
		}
		if slices.ContainsFunc(cases, func(c string) bool { return strings.Contains(c, ".Done()") }) {
			return "The select would end with its ctx, but nobody has ended that."
		}
		if x.hasContext() {
			return "The select has no case for <-ctx.Done(), so the end of ctx does not end it."
		}
	case strings.Contains(g.State, "nil chan") && strings.HasSuffix(what, ".Done()"):
		return fmt.Sprintf("%s never comes: this ctx cannot end, as context.Background cannot.", quoted(what))
	case strings.Contains(g.State, "nil chan"):
		return fmt.Sprintf("The channel %s was never made.", quoted(what))
	case what == "":
		return ""
	case g.State == "chan receive" && (strings.HasSuffix(what, ".C") || strings.HasPrefix(what, "time.Tick(")):
		return "A ticker's channel is never closed, so a loop over it has no end of its own."
	case g.State == "chan send" && x.sendsOnce(what):
		return fmt.Sprintf("Whoever was to receive from %s has left. With room for one value in the channel, the sender can leave too.", quoted(what))
	case g.State == "chan send" && x.hasContext():
		return fmt.Sprintf("The send on %s is not in a select with <-ctx.Done(), so the end of ctx does not end it.", quoted(what))
	case g.State == "chan receive" && len(x.closes(what)) == 0 && x.hasContext():
		return fmt.Sprintf("The receive from %s is not in a select with <-ctx.Done(), so only a value or a close ends it, and no line here closes %[1]s.", quoted(what))
	case g.State == "chan receive" && len(x.closes(what)) == 0:
		return fmt.Sprintf("No line here closes %s.", quoted(what))
	}
	return ""
}

// whyLocked says why the lock that is waited for at the line is not free, as
// far as the function around it tells; "" if it does not.
func (x site) whyLocked(state string) string {
	mutex := x.awaited(state)
	if mutex == "" || x.decl == nil {
		return ""
	}
	switch line := x.heldSince(mutex); {
	case line > 0:
		return fmt.Sprintf("This goroutine has locked %s before, on line %d, and a mutex cannot be locked twice.", quoted(mutex), line)
	case !x.unlocks(mutex):
		return fmt.Sprintf("%s locks %s, and no line of it unlocks it.", x.decl.Name.Name, quoted(mutex))
	}
	return ""
}

// written names what the line writes to: "total" of total++ and
// "results[i]" of results[i] = v; "" if it writes to nothing that has a name.
func (x site) written() string {
	return x.onLine(func(n ast.Node) string {
		switch n := n.(type) {
		case *ast.IncDecStmt:
			return name(n.X)
		case *ast.AssignStmt:
			if n.Tok != token.DEFINE && len(n.Lhs) == 1 { // of several, nobody knows which
				return name(n.Lhs[0])
			}
		}
		return ""
	})
}

// mentions reports whether the line has the given expression in it.
func (x site) mentions(what string) bool {
	return x.onLine(func(n ast.Node) string {
		if e, ok := n.(ast.Expr); ok && name(e) == what {
			return what
		}
		return ""
	}) != ""
}

// quoted marks a name of the learner's in a sentence.
func quoted(name string) string { return "`" + name + "`" }

// callerOf returns the site that has called the function in which a frame
// stands: the first line of the answer that does.
func (s *Session) callerOf(f dump.Frame) (site, bool) {
	x, ok := s.site(f)
	if !ok || x.decl == nil {
		return site{}, false
	}
	called := x.decl.Name.Name
	for _, line := range s.find(func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return false
		}
		id, ok := call.Fun.(*ast.Ident)
		return ok && id.Name == called
	}) {
		return s.site(dump.Frame{File: f.File, Line: line})
	}
	return site{}, false
}
