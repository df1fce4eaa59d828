package checker

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"slices"
	"strings"
)

// A koan is one test function of the pristine files.
type koan struct {
	test    string // function name
	file    string // base name of its file
	subject string // the first exported name of the answer's package that it uses; "" if none
}

// parseKoans reads the koans from the pristine files, in the order of the files
// and of the functions in them, together with copies of the files in which every
// koan bears a witness.
func parseKoans(files map[string][]byte) (koans []koan, witnessed map[string][]byte, err error) {
	witnessed = map[string][]byte{}
	pkg := ""
	for _, name := range slices.Sorted(maps.Keys(files)) {
		src := files[name]
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, name, src, parser.SkipObjectResolution)
		if err != nil {
			return nil, nil, fmt.Errorf("parsing koans: %w", err)
		}
		pkg = f.Name.Name
		var bodies []int // offsets just behind each koan's opening brace
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || !isKoan(fn) {
				continue
			}
			bodies = append(bodies, fset.Position(fn.Body.Lbrace).Offset+1)
			koans = append(koans, koan{
				test:    fn.Name.Name,
				file:    name,
				subject: subject(fn, strings.TrimSuffix(pkg, "_test")),
			})
		}
		witnessed[name] = insertWitness(src, bodies)
	}
	if len(koans) == 0 {
		return nil, nil, fmt.Errorf("parsing koans: no test function in %d files", len(files))
	}
	witnessed[witnessFile] = witnessSource(pkg)
	return koans, witnessed, nil
}

// isKoan reports whether fn is a test as go test sees it, with its parameter
// named t: func TestXxx(t *testing.T).
func isKoan(fn *ast.FuncDecl) bool {
	if fn.Recv != nil || fn.Body == nil || !strings.HasPrefix(fn.Name.Name, "Test") {
		return false
	}
	params := fn.Type.Params.List
	if len(params) != 1 || len(params[0].Names) != 1 || params[0].Names[0].Name != "t" {
		return false
	}
	star, ok := params[0].Type.(*ast.StarExpr)
	if !ok {
		return false
	}
	sel, ok := star.X.(*ast.SelectorExpr)
	return ok && sel.Sel.Name == "T"
}

// subject returns the first name that fn selects from package pkg.
func subject(fn *ast.FuncDecl, pkg string) (name string) {
	ast.Inspect(fn.Body, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok || name != "" {
			return name == ""
		}
		if x, ok := sel.X.(*ast.Ident); ok && x.Name == pkg {
			name = sel.Sel.Name
		}
		return true
	})
	return name
}

// insertWitness puts a call of witness behind each offset. It stays on the line
// of the brace, so every line of the file keeps its number.
func insertWitness(src []byte, offsets []int) []byte {
	var b bytes.Buffer
	last := 0
	for _, o := range offsets {
		b.Write(src[last:o])
		b.WriteString(" witness(t); ")
		last = o
	}
	b.Write(src[last:])
	return b.Bytes()
}
