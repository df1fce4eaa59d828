package lessons

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
)

// receiver returns the name of the type that a method belongs to.
func receiver(fn *ast.FuncDecl) string {
	t := fn.Recv.List[0].Type
	for {
		switch e := t.(type) {
		case *ast.StarExpr:
			t = e.X
		case *ast.ParenExpr:
			t = e.X
		case *ast.IndexExpr:
			t = e.X
		case *ast.IndexListExpr:
			t = e.X
		case *ast.Ident:
			return e.Name
		default:
			return ""
		}
	}
}

// parse reads a Go file. It returns nil, and has found fault, if there is any
// error of syntax.
func parse(fset *token.FileSet, name string, src []byte, found *faults) *ast.File {
	f, err := parser.ParseFile(fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
	if err == nil {
		return f
	}
	var list scanner.ErrorList
	if !errors.As(err, &list) {
		found.add(name, 0, "%w", err)
	}
	for _, e := range list {
		found.add(name, e.Pos.Line, "%s", e.Msg)
	}
	return nil
}

// isSelector reports whether an expression is x.name.
func isSelector(e ast.Expr, x, name string) bool {
	sel, ok := e.(*ast.SelectorExpr)
	if !ok || sel.Sel.Name != name {
		return false
	}
	id, ok := sel.X.(*ast.Ident)
	return ok && id.Name == x
}
