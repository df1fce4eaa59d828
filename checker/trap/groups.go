package trap

import (
	"fmt"
	"go/ast"
	"slices"
)

// groups finds what goes wrong with a sync.WaitGroup. A thing is taken for one
// when Wait and one of Add, Done and Go are called on it.
func (f *finder) groups() {
	type use struct {
		call   *ast.CallExpr
		around []ast.Node
	}
	uses := map[string]map[string][]use{} // group, method, calls
	var names []string
	eachCall(f.decl.Body, func(call *ast.CallExpr, x, sel string, around []ast.Node) {
		switch sel {
		case "Add", "Done", "Go", "Wait":
			if uses[x] == nil {
				uses[x] = map[string][]use{}
				names = append(names, x)
			}
			uses[x][sel] = append(uses[x][sel], use{call, slices.Clone(around)})
		}
	})
	for _, x := range names {
		u := uses[x]
		if !f.isGroup(x) {
			continue
		}
		for _, add := range u["Add"] {
			if lit := goroutine(add.around); lit != nil && !declares(lit, x) {
				f.add(AddInside, add.call, x, fmt.Sprintf("%s.Add is called in the goroutine that it counts, so Wait may come before it. Call Add before the go statement, or use %[1]s.Go.", x))
				continue
			}
			if text(add.call.Args[0]) == "1" && !inLoop(add.around) {
				for _, done := range u["Done"] {
					if lit := goroutine(done.around); lit != nil && inLoop(outside(done.around, lit)) && !contains(lit, add.call) && len(u["Add"]) == 1 {
						f.add(CountedOnce, add.call, x, fmt.Sprintf("%s.Add(1) counts one goroutine, and the loop starts several.", x))
						break
					}
				}
			}
		}
		for _, done := range u["Done"] {
			if lit := startedBy(done.around, x); lit != nil {
				f.add(DoneInGo, done.call, x, fmt.Sprintf("%s.Go calls Done by itself, so this is one Done too many.", x))
			}
			for _, other := range u["Done"] {
				if other.call != done.call && body(other.around) == body(done.around) && isDeferred(done.around) && !isDeferred(other.around) {
					f.add(DoneTwice, other.call, x, fmt.Sprintf("Done is called here and, deferred, on line %d: twice for one goroutine.", f.line(done.call)))
				}
			}
		}
		for _, wait := range u["Wait"] {
			counted := startedBy(wait.around, x) != nil
			for _, done := range u["Done"] {
				lit := goroutine(done.around)
				counted = counted || lit != nil && lit == goroutine(wait.around) && !declares(lit, x)
			}
			if counted {
				f.add(WaitsInOwnGroup, wait.call, x, fmt.Sprintf("This waits for %s in a goroutine that %s itself counts, and so for its own end.", quoted(x), quoted(x)))
			}
		}
		if len(u["Add"]) > 0 && !f.isCalled(x, "Done") {
			f.add(NeverDone, u["Add"][0].call, x, fmt.Sprintf("No line calls %s.Done, so the counter stays above zero.", x))
		}
	}
}

// isGroup reports whether a thing is used or declared as a WaitGroup.
func (f *finder) isGroup(x string) bool {
	if typ := f.fieldType(last(x)); typ != nil {
		return text(typ) == "sync.WaitGroup" || text(typ) == "*sync.WaitGroup"
	}
	return f.isCalled(x, "Wait") && (f.isCalled(x, "Done") || f.isCalled(x, "Add") || f.isCalled(x, "Go"))
}

// isCalled reports whether any line of the file calls the method on a thing of
// this name.
func (f *finder) isCalled(name, method string) (found bool) {
	eachCall(f.file, func(_ *ast.CallExpr, x, sel string, _ []ast.Node) {
		found = found || sel == method && last(x) == last(name)
	})
	return found
}

// declares reports whether a literal has a variable of this name of its own.
func declares(lit *ast.FuncLit, name string) (found bool) {
	ast.Inspect(lit, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok {
			for _, id := range spec.Names {
				found = found || id.Name == name
			}
		}
		return !found
	})
	return found
}

// outside are the nodes around a literal that is itself among them.
func outside(around []ast.Node, lit *ast.FuncLit) []ast.Node {
	return around[:slices.Index(around, ast.Node(lit))]
}

func contains(outer, inner ast.Node) bool {
	return outer.Pos() <= inner.Pos() && inner.End() <= outer.End()
}

// startedBy returns the innermost literal around that is given to x.Go.
func startedBy(around []ast.Node, x string) *ast.FuncLit {
	lit := goroutine(around)
	if lit == nil {
		return nil
	}
	out := outside(around, lit)
	if on, sel := called(out[len(out)-1]); sel == "Go" && on == x {
		return lit
	}
	return nil
}

// body returns the innermost function around.
func body(around []ast.Node) ast.Node {
	for i := len(around) - 1; i >= 0; i-- {
		if lit, ok := around[i].(*ast.FuncLit); ok {
			return lit
		}
	}
	return nil
}

func isDeferred(around []ast.Node) bool {
	if len(around) == 0 {
		return false
	}
	_, ok := around[len(around)-1].(*ast.DeferStmt)
	return ok
}
