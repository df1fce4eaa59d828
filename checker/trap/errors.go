package trap

import (
	"fmt"
	"go/ast"
	"go/token"
	"slices"
	"strconv"
	"strings"
)

// errors finds errors that get lost.
func (f *finder) errors() {
	each(f.decl.Body, func(n ast.Node, around []ast.Node) {
		switch n := n.(type) {
		case *ast.CallExpr:
			if x, sel := called(n); x == "fmt" && sel == "Errorf" && len(n.Args) > 1 {
				f.inText(n)
			}
		case *ast.ExprStmt:
			if call, ok := n.X.(*ast.CallExpr); ok && f.returnsError(text(call.Fun), around) {
				f.add(DroppedError, n, text(call.Fun), fmt.Sprintf("The error that %s returns is not looked at.", quoted(text(call.Fun))))
			}
		case *ast.AssignStmt:
			if len(n.Rhs) != 1 || text(n.Lhs[len(n.Lhs)-1]) != "_" || inDeferred(around) {
				return // what comes last has nobody to tell
			}
			if call, ok := n.Rhs[0].(*ast.CallExpr); ok && f.returnsError(text(call.Fun), around) {
				f.add(DroppedError, n, text(call.Fun), fmt.Sprintf("The error that %s returns is thrown away.", quoted(text(call.Fun))))
			}
		case *ast.BinaryExpr:
			if (n.Op == token.EQL || n.Op == token.NEQ) && (isError(n.X) && isSentinel(n.Y) || isError(n.Y) && isSentinel(n.X)) {
				f.add(ComparedError, n, "", fmt.Sprintf("%s does not see an error that is wrapped in another one; errors.Is does.", quoted(n.Op.String())))
			}
		}
	})
}

// inText finds an error that fmt.Errorf puts into words only.
func (f *finder) inText(call *ast.CallExpr) {
	lit, ok := call.Args[0].(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return
	}
	format, err := strconv.Unquote(lit.Value)
	if err != nil {
		return
	}
	verbs := strings.Count(strings.ReplaceAll(format, "%%", ""), "%")
	for i, arg := range call.Args[1:] {
		if _, sel := called(arg); !isError(arg) && sel != "Err" {
			continue
		}
		switch {
		case !strings.Contains(format, "%w"):
			f.add(ErrorInText, call, text(arg), fmt.Sprintf("fmt.Errorf without %%w keeps the words of %s, and errors.Is does not find the error any more.", quoted(text(arg))))
		case verbs != len(call.Args)-1:
			f.add(ErrorInText, call, text(arg), fmt.Sprintf("The format has %d verbs for %d values, so %%w does not get %s.", verbs, len(call.Args)-1, quoted(text(call.Args[1+i]))))
		}
		return
	}
}

// inDeferred reports whether something is in a function that is deferred.
func inDeferred(around []ast.Node) bool {
	return slices.ContainsFunc(around, func(n ast.Node) bool {
		_, ok := n.(*ast.DeferStmt)
		return ok
	})
}

// isError reports whether an expression is an error by its name. What a
// context's Err returns is never wrapped.
func isError(e ast.Expr) bool {
	if call, ok := e.(*ast.CallExpr); ok {
		_, sel := called(call)
		return sel == "Cause"
	}
	name := last(text(e))
	return name == "err" || strings.HasSuffix(name, "Err") || strings.HasSuffix(name, "err") || name == "cause"
}

// isSentinel reports whether an expression is an error to compare with.
func isSentinel(e ast.Expr) bool {
	name := text(e)
	return strings.HasPrefix(last(name), "Err") || name == "context.Canceled" || name == "context.DeadlineExceeded" || name == "io.EOF"
}

// returnsError reports whether a callback's last result is an error.
func (f *finder) returnsError(name string, around []ast.Node) bool {
	ends := func(e ast.Expr) bool {
		typ, ok := e.(*ast.FuncType)
		if !ok || typ.Results == nil {
			return false
		}
		list := typ.Results.List
		return text(list[len(list)-1].Type) == "error"
	}
	if strings.Contains(name, ".") {
		typ := f.fieldType(last(name))
		return typ != nil && ends(typ)
	}
	return f.isParameter(name, around, ends)
}
