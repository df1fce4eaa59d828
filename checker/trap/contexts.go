package trap

import (
	"fmt"
	"go/ast"
	"go/token"
	"strings"
)

// contexts finds contexts that nobody can end, or that end too early.
func (f *finder) contexts() {
	each(f.decl.Body, func(n ast.Node, around []ast.Node) {
		switch n := n.(type) {
		case *ast.CallExpr:
			x, sel := called(n)
			if x != "context" || sel != "Background" && sel != "TODO" || !f.takesContext(around) {
				return
			}
			words := "%s never ends: what works under it does not hear that ctx has ended."
			if x, sel := called(around[len(around)-1]); x == "context" && !strings.HasPrefix(sel, "WithCancel") {
				words = "%s does not hear that ctx has ended, and has none of the values of ctx. A context that shall outlive ctx and keep its values is made by context.WithoutCancel."
			}
			f.add(OwnContext, n, "", fmt.Sprintf(words, quoted(text(n))))
		case *ast.KeyValueExpr:
			typ := f.fieldType(text(n.Key))
			given := f.isParameter(text(n.Value), around, func(e ast.Expr) bool { return text(e) == "context.Context" })
			if given && typ != nil && text(typ) == "context.Context" {
				f.add(KeptContext, n, text(n.Key), fmt.Sprintf("%s belongs to this call of %s, and ends with what the caller does; here it is kept for later.", quoted(text(n.Value)), f.decl.Name.Name))
			}
		case *ast.AssignStmt:
			if len(n.Lhs) != 2 || len(n.Rhs) != 1 {
				return
			}
			x, sel := called(n.Rhs[0])
			cancel := text(n.Lhs[1])
			switch {
			case x == "context" && strings.HasPrefix(sel, "With") && cancel == "_":
				f.add(LostCancel, n, "", fmt.Sprintf("The cancel function of context.%s is thrown away, so only its parent ends this context.", sel))
			case x == "context" && strings.HasPrefix(sel, "With") && body(around) == nil:
				f.deferredCancel(cancel)
			case x == "iter" && strings.HasPrefix(sel, "Pull") && (cancel == "_" || !mentions(f.decl.Body, cancel, n)):
				f.add(PullWithoutStop, n, "", "iter.Pull starts the sequence on a coroutine of its own, and nobody calls its stop.")
			}
		}
	})
	for _, p := range f.decl.Type.Params.List {
		_, isFunc := p.Type.(*ast.FuncType)
		if !isFunc && text(p.Type) != "context.CancelFunc" && text(p.Type) != "context.CancelCauseFunc" {
			continue
		}
		for _, id := range p.Names {
			if id.Name != "_" && !mentions(f.decl.Body, id.Name, nil) {
				f.add(NeverMentioned, f.decl, id.Name, fmt.Sprintf("%s is given %s and never calls it.", f.decl.Name.Name, quoted(id.Name)))
			}
		}
	}
}

// mentions reports whether a name occurs below root, outside the node except.
func mentions(root ast.Node, name string, except ast.Node) (found bool) {
	ast.Inspect(root, func(n ast.Node) bool {
		if n != nil && n == except {
			return false
		}
		id, ok := n.(*ast.Ident)
		found = found || ok && id.Name == name
		return !found
	})
	return found
}

// deferredCancel finds a context that ends with the function, while goroutines
// go on that the function has started and does not wait for.
func (f *finder) deferredCancel(cancel string) {
	starts, waits := false, false
	var deferred ast.Node
	each(f.decl.Body, func(n ast.Node, around []ast.Node) {
		switch n := n.(type) {
		case *ast.GoStmt:
			starts = true
		case *ast.CallExpr:
			_, sel := called(n)
			starts = starts || sel == "Go"
			waits = waits || sel == "Wait" && body(around) == nil
		case *ast.UnaryExpr:
			waits = waits || body(around) == nil && n.Op == token.ARROW
		case *ast.SelectStmt:
			waits = waits || body(around) == nil && !hasDefault(n)
		case *ast.RangeStmt:
			waits = waits || body(around) == nil && !mayEndAtOnce(n)
		case *ast.DeferStmt:
			if body(around) == nil && text(n.Call.Fun) == cancel {
				deferred = n
			}
		}
	})
	if starts && !waits && deferred != nil {
		f.add(DeferredCancel, deferred, cancel, fmt.Sprintf("%s is called when %s returns, and the goroutines that it has started are cancelled before they have worked.", cancel, f.decl.Name.Name))
	}
}

// mayEndAtOnce reports whether a range is over what is not a channel, as far as
// its words tell: a number, a slice of parameters, or starting goroutines.
func mayEndAtOnce(r *ast.RangeStmt) bool {
	ends := false
	ast.Inspect(r.Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			ends = true
		case *ast.CallExpr:
			_, sel := called(n)
			ends = ends || sel == "Go"
		}
		return !ends
	})
	return ends
}
