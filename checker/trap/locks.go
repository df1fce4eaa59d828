package trap

import (
	"fmt"
	"go/ast"
	"go/token"
	"maps"
	"slices"
	"strings"
)

// held are the mutexes that are locked at a statement, each with the node that
// has locked it.
type held map[string]ast.Node

// locks finds returns and waits with a mutex locked, by following the
// statements of each function in their order.
func (f *finder) locks() {
	f.copied()
	each(f.decl, func(n ast.Node, _ []ast.Node) {
		switch n := n.(type) {
		case *ast.FuncDecl:
			f.follow(n.Body)
		case *ast.FuncLit:
			f.follow(n.Body)
		}
	})
}

// follow looks at one function, without the functions within it.
func (f *finder) follow(body *ast.BlockStmt) {
	deferred := map[string]bool{}
	after := map[string]token.Pos{} // behind the deferred unlock
	unlocks := map[string][]ast.Node{}
	locked := map[string]ast.Node{}
	count := map[string]int{}
	shallow(body, func(n ast.Node, around []ast.Node) {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return
		}
		switch x, sel := called(call); sel {
		case "Lock", "RLock":
			if locked[x] == nil {
				locked[x] = n
			}
			if after[x].IsValid() {
				count[x]++ // again
			}
		case "Unlock", "RUnlock":
			if isDeferred(around) {
				deferred[x], after[x] = true, n.End()
			} else {
				unlocks[x] = append(unlocks[x], n)
			}
		}
	})
	// A deferred literal unlocks too.
	each(body, func(n ast.Node, around []ast.Node) {
		if x, sel := called(n); sel == "Unlock" || sel == "RUnlock" {
			for _, a := range around {
				if _, ok := a.(*ast.DeferStmt); ok {
					deferred[x] = true
				}
			}
			locked[x] = nil // somebody does
		}
	})
	for x, lock := range locked {
		if lock != nil && !deferred[x] && len(unlocks[x]) == 0 && !f.passedOn(x) {
			f.add(NeverUnlocked, lock, x, fmt.Sprintf("%s is locked here, and no line of %s unlocks it.", quoted(x), f.decl.Name.Name))
		}
	}
	for x := range deferred {
		again := slices.DeleteFunc(slices.Clone(unlocks[x]), func(n ast.Node) bool { return n.Pos() < after[x] })
		if after[x].IsValid() && len(again) > count[x] {
			f.add(UnlockTwice, again[len(again)-1], x, fmt.Sprintf("%s is unlocked here, and again by the deferred Unlock.", quoted(x)))
		}
	}
	f.through(body.List, held{}, deferred)
}

// passedOn reports whether another function of the file unlocks the mutex
// without having locked it: then one takes it and the other gives it back.
func (f *finder) passedOn(mutex string) bool {
	for _, d := range f.file.Decls {
		locks, unlocks := false, false
		eachCall(d, func(_ *ast.CallExpr, x, sel string, _ []ast.Node) {
			if last(x) == last(mutex) {
				locks = locks || sel == "Lock" || sel == "RLock"
				unlocks = unlocks || sel == "Unlock" || sel == "RUnlock"
			}
		})
		if unlocks && !locks {
			return true
		}
	}
	return false
}

// shallow visits a function without the function literals in it.
func shallow(body ast.Node, visit func(n ast.Node, around []ast.Node)) {
	each(body, func(n ast.Node, around []ast.Node) {
		for _, a := range around {
			if _, ok := a.(*ast.FuncLit); ok {
				return
			}
		}
		visit(n, around)
	})
}

// through follows statements one after the other. It returns what is held
// behind them, and false if they do not come to their end.
func (f *finder) through(list []ast.Stmt, h held, deferred map[string]bool) (held, bool) {
	h = maps.Clone(h)
	for _, s := range list {
		var goesOn bool
		if h, goesOn = f.past(s, h, deferred); !goesOn {
			return h, false
		}
	}
	return h, true
}

// past follows one statement.
func (f *finder) past(s ast.Stmt, h held, deferred map[string]bool) (held, bool) {
	branches := func(lists ...[]ast.Stmt) (held, bool) {
		var all held
		for _, list := range lists {
			if after, goesOn := f.through(list, h, deferred); goesOn {
				if all == nil {
					all = after
				}
				// What one branch has unlocked may be unlocked.
				maps.DeleteFunc(all, func(x string, _ ast.Node) bool { return after[x] == nil })
			}
		}
		return all, all != nil
	}
	switch s := s.(type) {
	case *ast.ExprStmt:
		switch x, sel := called(s); sel {
		case "Lock", "RLock":
			h[x] = s
			return h, true
		case "Unlock", "RUnlock":
			delete(h, x)
			return h, true
		}
		if call, ok := s.X.(*ast.CallExpr); ok && text(call.Fun) == "panic" {
			return h, false
		}
	case *ast.ReturnStmt:
		for _, x := range slices.Sorted(maps.Keys(h)) {
			if !deferred[x] && f.unlocksSomewhere(x) {
				f.add(ReturnsLocked, s, x, fmt.Sprintf("This return leaves %s locked, which line %d has locked.", quoted(x), f.line(h[x])))
			}
		}
		f.waits(s, h)
		return h, false
	case *ast.BranchStmt:
		return h, s.Tok == token.FALLTHROUGH
	case *ast.BlockStmt:
		return f.through(s.List, h, deferred)
	case *ast.LabeledStmt:
		return f.past(s.Stmt, h, deferred)
	case *ast.IfStmt:
		if s.Init != nil {
			h, _ = f.past(s.Init, h, deferred)
		}
		var otherwise []ast.Stmt
		if s.Else != nil {
			otherwise = []ast.Stmt{s.Else}
		}
		return branches(s.Body.List, otherwise)
	case *ast.ForStmt:
		f.through(s.Body.List, h, deferred)
		return h, true
	case *ast.RangeStmt:
		f.through(s.Body.List, h, deferred)
		return h, true
	case *ast.SwitchStmt:
		return branches(append(clauses(s.Body), nil)...)
	case *ast.TypeSwitchStmt:
		return branches(append(clauses(s.Body), nil)...)
	case *ast.SelectStmt:
		if !hasDefault(s) {
			f.blocked(s, h)
		}
		return branches(clauses(s.Body)...)
	}
	f.waits(s, h)
	return h, true
}

func clauses(body *ast.BlockStmt) (lists [][]ast.Stmt) {
	for _, s := range body.List {
		switch c := s.(type) {
		case *ast.CommClause:
			lists = append(lists, c.Body)
		case *ast.CaseClause:
			lists = append(lists, c.Body)
		}
	}
	return lists
}

func hasDefault(s *ast.SelectStmt) bool {
	return slices.ContainsFunc(s.Body.List, func(s ast.Stmt) bool {
		c, ok := s.(*ast.CommClause)
		return ok && c.Comm == nil
	})
}

// waits finds what may block in a plain statement.
func (f *finder) waits(s ast.Stmt, h held) {
	switch s.(type) {
	case *ast.GoStmt, *ast.DeferStmt:
		return
	}
	shallow(s, func(n ast.Node, _ []ast.Node) {
		switch n := n.(type) {
		case *ast.SendStmt:
			if !f.isBuffered(text(n.Chan)) {
				f.blocked(n, h)
			}
		case *ast.UnaryExpr:
			if n.Op == token.ARROW && !f.isBuffered(text(n.X)) {
				f.blocked(n, h)
			}
		case *ast.CallExpr:
			x, sel := called(n)
			switch {
			case sel == "Wait" && f.isGroup(x), x == "time" && sel == "Sleep":
				f.blocked(n, h)
			case f.isCallback(text(n.Fun)):
				f.blocked(n, h)
			}
		}
	})
}

// isCallback reports whether a name is a parameter or a field that holds a
// function.
func (f *finder) isCallback(name string) bool {
	isFunc := func(e ast.Expr) bool {
		_, ok := e.(*ast.FuncType)
		return ok
	}
	if strings.Contains(name, ".") {
		typ := f.fieldType(last(name))
		return typ != nil && isFunc(typ)
	}
	return f.isParameter(name, nil, isFunc)
}

func (f *finder) blocked(at ast.Node, h held) {
	for _, x := range slices.Sorted(maps.Keys(h)) {
		f.add(HeldWhileWaiting, at, x, fmt.Sprintf("%s is locked, since line %d, while this line runs or waits.", quoted(x), f.line(h[x])))
	}
}

// unlocksSomewhere reports whether the declared function unlocks the mutex at
// all: one that never does hands the lock on.
func (f *finder) unlocksSomewhere(mutex string) (found bool) {
	eachCall(f.decl, func(_ *ast.CallExpr, x, sel string, _ []ast.Node) {
		found = found || x == mutex && (sel == "Unlock" || sel == "RUnlock")
	})
	return found
}

// mustNotBeCopied are the types that go vet calls locks.
var mustNotBeCopied = []string{"sync.Mutex", "sync.RWMutex", "sync.WaitGroup", "sync.Cond", "sync.Once", "sync.Map"}

// copied finds parameters and receivers that are copies of a lock.
func (f *finder) copied() {
	fields := slices.Clone(f.decl.Type.Params.List)
	if f.decl.Recv != nil {
		fields = append(fields, f.decl.Recv.List...)
	}
	f.copies(f.decl, f.decl.Name.Name, fields)
	each(f.decl.Body, func(n ast.Node, _ []ast.Node) {
		if lit, ok := n.(*ast.FuncLit); ok {
			f.copies(lit, "This function", lit.Type.Params.List)
		}
	})
}

func (f *finder) copies(at ast.Node, who string, fields []*ast.Field) {
	for _, p := range fields {
		typ := text(p.Type)
		lock := ""
		if slices.Contains(mustNotBeCopied, typ) {
			lock = typ
		} else if s := f.structType(plain(p.Type)); s != nil {
			for _, field := range s.Fields.List {
				if slices.Contains(mustNotBeCopied, text(field.Type)) {
					lock = text(field.Type)
				}
			}
		}
		if lock != "" && len(p.Names) > 0 {
			f.add(CopiedLock, at, p.Names[0].Name, fmt.Sprintf("%s gets a copy of a %s as %s, and a copy is another one. Pass a pointer.", who, lock, quoted(p.Names[0].Name)))
		}
	}
}

// plain is the name of a type without its type arguments, "" of a pointer.
func plain(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.IndexExpr:
		return plain(e.X)
	case *ast.IndexListExpr:
		return plain(e.X)
	}
	return ""
}
