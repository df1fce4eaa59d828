package checker

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A koan is one test function of the pristine files.
type koan struct {
	test    string // function name
	file    string // base name of its file
	subject string // the function of the answer that it is about; "" if none
}

// parseKoans reads the koans from the pristine files, in the order of the files
// and of the functions in them, together with copies of the files in which every
// koan bears a witness.
func parseKoans(files map[string][]byte, skeleton []byte) (koans []koan, witnessed map[string][]byte, err error) {
	witnessed = map[string][]byte{}
	steps := todoSteps(skeleton)
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
				subject: subject(fn, strings.TrimSuffix(pkg, "_test"), steps),
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

// subject returns the function of package pkg that the koan fn is about: of
// those that it uses, the one that the skeleton leaves to the latest step.
func subject(fn *ast.FuncDecl, pkg string, steps map[string]int) (name string) {
	ast.Inspect(fn.Body, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == pkg && (name == "" || steps[sel.Sel.Name] > steps[name]) {
				name = sel.Sel.Name
			}
		}
		return true
	})
	return name
}

// todoMark is how the body of an unwritten function begins: panic("TODO(2): …").
var todoMark = regexp.MustCompile(`^"TODO\((\d+)\)`)

// todoSteps returns the step of each function that the skeleton leaves to write.
func todoSteps(skeleton []byte) map[string]int {
	steps := map[string]int{}
	f, err := parser.ParseFile(token.NewFileSet(), "", skeleton, parser.SkipObjectResolution)
	if err != nil {
		return steps // without steps, the first function that a koan uses is its subject
	}
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Body == nil {
			continue
		}
		ast.Inspect(fn.Body, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok {
				if m := todoMark.FindStringSubmatch(lit.Value); m != nil {
					steps[fn.Name.Name], _ = strconv.Atoi(m[1])
				}
			}
			return true
		})
	}
	return steps
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
