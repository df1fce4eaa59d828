package trap

import (
	"fmt"
	"go/ast"
	"go/token"
	"strings"
)

// variables finds two variables where one is meant, and one where many are.
func (f *finder) variables() {
	outer := map[string]ast.Node{}
	if f.decl.Type.Results != nil {
		for _, r := range f.decl.Type.Results.List {
			for _, id := range r.Names {
				outer[id.Name] = id
			}
		}
	}
	each(f.decl.Body, func(n ast.Node, around []ast.Node) {
		switch n := n.(type) {
		case *ast.ValueSpec:
			for _, id := range n.Names {
				if len(n.Values) == 0 && outer[id.Name] == nil {
					outer[id.Name] = id
				}
			}
		case *ast.AssignStmt:
			if n.Tok != token.DEFINE {
				return
			}
			for _, l := range n.Lhs {
				name := text(l)
				if at := outer[name]; at != nil && name != "_" && name != "ok" && at.Pos() < n.Pos() && !f.assigned(name, f.decl) && f.usedAfter(name, n, around) {
					f.add(Shadowed, n, name, fmt.Sprintf("This := makes another %s; the one of line %d is never set.", quoted(name), f.line(at)))
				}
			}
		case *ast.RangeStmt:
			if n.Tok != token.ASSIGN {
				return
			}
			for _, e := range []ast.Expr{n.Key, n.Value} {
				if e == nil || text(e) == "_" {
					continue
				}
				each(n.Body, func(m ast.Node, inner []ast.Node) {
					if lit, ok := m.(*ast.FuncLit); ok && mentions(lit, text(e), nil) {
						f.add(SharedVariable, n, text(e), fmt.Sprintf("All goroutines share the one %s that this loop goes on changing; with := each round has its own.", quoted(text(e))))
					}
				})
			}
		}
	})
}

// isResult reports whether the declared function has a result of this name.
func (f *finder) isResult(name string) bool {
	if f.decl.Type.Results != nil {
		for _, r := range f.decl.Type.Results.List {
			for _, id := range r.Names {
				if id.Name == name {
					return true
				}
			}
		}
	}
	return false
}

// recovers reports whether an assignment takes what recover returns, which has a
// name of its own rightly.
func recovers(assignment ast.Node) bool {
	a, ok := assignment.(*ast.AssignStmt)
	return ok && len(a.Rhs) == 1 && text(a.Rhs[0]) == "recover()"
}

// usedAfter reports whether a variable is mentioned behind the block in which
// another one of its name is declared.
func (f *finder) usedAfter(name string, at ast.Node, around []ast.Node) (found bool) {
	if len(around) == 0 {
		return false
	}
	block := around[len(around)-1]
	for _, a := range around {
		if _, ok := a.(*ast.DeferStmt); ok && f.isResult(name) {
			return !recovers(at) // the function returns it after this
		}
	}
	if f.decl.Body == block {
		return false // the same block: it would not compile
	}
	var look func(n ast.Node) bool
	look = func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr: // a field may have the same name
			ast.Inspect(n.X, look)
			return false
		case *ast.Ident:
			found = found || n.Name == name && n.Pos() > block.End()
		case *ast.ReturnStmt:
			found = found || len(n.Results) == 0 && f.decl.Type.Results != nil && n.Pos() > block.End()
		}
		return !found
	}
	ast.Inspect(f.decl.Body, look)
	return found
}

// loops finds loops that go one round too far, that print, or that sleep.
func (f *finder) loops() {
	each(f.decl.Body, func(n ast.Node, around []ast.Node) {
		switch n := n.(type) {
		case *ast.ForStmt:
			cond, ok := n.Cond.(*ast.BinaryExpr)
			init, isAssign := n.Init.(*ast.AssignStmt)
			if !ok || !isAssign || cond.Op != token.LEQ || len(init.Rhs) != 1 || text(init.Rhs[0]) != "0" || text(init.Lhs[0]) != text(cond.X) {
				return
			}
			if _, ok := cond.Y.(*ast.BinaryExpr); !ok {
				f.add(OffByOne, n, text(cond.Y), fmt.Sprintf("From 0 as long as %s: that is %s and one more.", quoted(text(cond)), text(cond.Y)))
			}
		case *ast.CallExpr:
			x, sel := called(n)
			if inLoop(around) && (x == "fmt" && strings.HasPrefix(sel, "Print") || x == "log" && strings.HasPrefix(sel, "Print") || text(n.Fun) == "println" || text(n.Fun) == "print") {
				f.add(PrintInLoop, n, "", "This prints in every round of its loop.")
			}
			if x == "time" && sel == "Sleep" {
				f.add(Sleeps, n, "", "time.Sleep waits its time out, whatever happens meanwhile.")
			}
		case *ast.IfStmt:
			eachCall(n.Body, func(call *ast.CallExpr, x, sel string, inner []ast.Node) {
				if sel == "Wait" && f.isCond(x) && !inLoop(inner) {
					f.add(IfAroundWait, n, x, fmt.Sprintf("What %s.Wait was woken for may be gone again when it returns: ask in a for, not in an if.", x))
				}
			})
		}
	})
}

// isCond reports whether a thing is declared or made as a sync.Cond.
func (f *finder) isCond(x string) (found bool) {
	if typ := f.fieldType(last(x)); typ != nil && strings.TrimPrefix(text(typ), "*") == "sync.Cond" {
		return true
	}
	ast.Inspect(f.file, func(n ast.Node) bool {
		if a, ok := n.(*ast.AssignStmt); ok {
			for i, l := range a.Lhs {
				found = found || i < len(a.Rhs) && last(text(l)) == last(x) && strings.HasPrefix(text(a.Rhs[i]), "sync.NewCond")
			}
		}
		return !found
	})
	return found
}

// recovers finds recover where it does nothing: in a function that a deferred
// one calls; and where it ends more than it should: around a loop of jobs. And it
// finds runtime.Goexit, from which nothing recovers.
func (f *finder) recovers() {
	eachCall(f.decl.Body, func(call *ast.CallExpr, x, sel string, _ []ast.Node) {
		if x == "runtime" && sel == "Goexit" {
			f.add(EndsGoroutine, call, "", "runtime.Goexit ends the goroutine, with all that it was still to do.")
		}
	})
	each(f.decl, func(n ast.Node, _ []ast.Node) {
		switch n := n.(type) {
		case *ast.FuncDecl:
			f.recoverAroundLoop(n.Body)
		case *ast.FuncLit:
			f.recoverAroundLoop(n.Body)
		}
	})
	each(f.decl.Body, func(n ast.Node, around []ast.Node) {
		d, ok := n.(*ast.DeferStmt)
		if !ok {
			return
		}
		lit, ok := d.Call.Fun.(*ast.FuncLit)
		if !ok {
			return
		}
		each(lit.Body, func(m ast.Node, _ []ast.Node) {
			call, ok := m.(*ast.CallExpr)
			if !ok {
				return
			}
			if id, ok := call.Fun.(*ast.Ident); ok && f.callsRecover(id.Name) {
				f.add(RecoverTooDeep, call, id.Name, fmt.Sprintf("recover works only in the deferred function itself, and %s is called by it. Write defer %[1]s().", id.Name))
			}
		})
	})
}

// recoverAroundLoop finds a deferred recover in a function that goes through
// jobs in a loop: after a panic the function returns.
func (f *finder) recoverAroundLoop(body *ast.BlockStmt) {
	var deferred ast.Node
	for _, s := range body.List {
		switch s := s.(type) {
		case *ast.DeferStmt:
			recovers := false
			ast.Inspect(s, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if ok {
					id, isIdent := call.Fun.(*ast.Ident)
					recovers = recovers || text(call.Fun) == "recover" || isIdent && f.callsRecover(id.Name)
				}
				return !recovers
			})
			if recovers {
				deferred = s
			}
		case *ast.ForStmt, *ast.RangeStmt:
			calls := false
			shallow(s, func(n ast.Node, _ []ast.Node) {
				if call, ok := n.(*ast.CallExpr); ok {
					calls = calls || f.isCallback(text(call.Fun)) || f.callsBack(text(call.Fun))
				}
			})
			if deferred != nil && calls {
				f.add(RecoverAroundLoop, deferred, "", fmt.Sprintf("After a panic this recovers, and then the function is over, with the loop on line %d. Recover around one round of it.", f.line(s)))
			}
		}
	}
}

// callsBack reports whether a function or method of the file itself calls a
// function that it was given or that is kept in a field.
func (f *finder) callsBack(name string) (found bool) {
	for _, d := range f.file.Decls {
		decl, ok := d.(*ast.FuncDecl)
		if !ok || decl.Body == nil || decl.Name.Name != last(name) {
			continue
		}
		ast.Inspect(decl.Body, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				found = found || strings.Contains(text(call.Fun), ".") && f.isCallback(text(call.Fun))
			}
			return !found
		})
	}
	return found
}

// callsRecover reports whether a function or a local literal of this name has
// recover in it.
func (f *finder) callsRecover(name string) (found bool) {
	has := func(root ast.Node) {
		ast.Inspect(root, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			found = found || ok && text(call.Fun) == "recover"
			return !found
		})
	}
	ast.Inspect(f.file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Name.Name == name && n.Recv == nil && n.Body != nil {
				has(n.Body)
			}
		case *ast.AssignStmt:
			if len(n.Lhs) == 1 && text(n.Lhs[0]) == name {
				if lit, ok := n.Rhs[0].(*ast.FuncLit); ok {
					has(lit)
				}
			}
		}
		return !found
	})
	return found
}
