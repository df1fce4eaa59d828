package proof

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"strings"
)

// A promise is one exported declaration of an answer.
type promise struct {
	name      string // a method's with its type: "Pool.Submit"
	doc       string
	signature string // on one line, without unexported fields
}

// contract lists what an answer exports, in the order of the file.
func contract(src []byte) ([]promise, error) {
	f, err := parser.ParseFile(token.NewFileSet(), "", src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("parsing the answer: %w", err)
	}
	ast.FileExports(f)
	var all []promise
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			name := d.Name.Name
			if d.Recv != nil {
				recv := receiver(d)
				if !ast.IsExported(recv) {
					continue
				}
				name = recv + "." + name
			}
			all = append(all, promise{name, d.Doc.Text(), printed(&ast.FuncDecl{Recv: d.Recv, Name: d.Name, Type: d.Type})})
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				all = append(all, specPromises(d, spec)...)
			}
		}
	}
	return all, nil
}

// specPromises lists what one type, or one line of constants or variables,
// exports.
func specPromises(d *ast.GenDecl, spec ast.Spec) (all []promise) {
	docOf := func(own *ast.CommentGroup) string {
		if own == nil {
			own = d.Doc
		}
		return own.Text()
	}
	switch spec := spec.(type) {
	case *ast.TypeSpec:
		bare := *spec
		bare.Doc, bare.Comment = nil, nil
		all = append(all, promise{spec.Name.Name, docOf(spec.Doc), "type " + printed(&bare)})
	case *ast.ValueSpec:
		bare := *spec
		bare.Doc, bare.Comment = nil, nil
		for _, name := range spec.Names {
			all = append(all, promise{name.Name, docOf(spec.Doc), d.Tok.String() + " " + printed(&bare)})
		}
	}
	return all
}

func receiver(fn *ast.FuncDecl) (name string) {
	ast.Inspect(fn.Recv.List[0].Type, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && name == "" {
			name = id.Name
		}
		return name == ""
	})
	return name
}

// printed returns a declaration on one line. The empty file set makes the
// layout depend on the syntax alone, and the mark of left-out fields is taken
// off: a skeleton's type may have none yet.
func printed(n ast.Node) string {
	ast.Inspect(n, func(n ast.Node) bool {
		switch t := n.(type) {
		case *ast.StructType:
			t.Incomplete = false
		case *ast.InterfaceType:
			t.Incomplete = false
		}
		return true
	})
	var b strings.Builder
	if err := printer.Fprint(&b, token.NewFileSet(), n); err != nil {
		return fmt.Sprintf("(printing: %v)", err)
	}
	return strings.Join(strings.Fields(b.String()), " ")
}
