package lessons

import "go/ast"

// subjects tells what a koan is about.
type subjects struct {
	skeleton skeleton
	helpers  map[string]*ast.FuncDecl // functions and methods of the test files
}

func newSubjects(s skeleton, files []*ast.File) subjects {
	helpers := map[string]*ast.FuncDecl{}
	for _, f := range files {
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Body != nil {
				helpers[fn.Name.Name] = fn
			}
		}
	}
	return subjects{s, helpers}
}

// known reports whether there is anything that a koan could be about.
func (s subjects) known() bool { return len(s.skeleton.todos) > 0 }

// of returns what a koan is about: of all that it uses of the lesson's package,
// itself or through helpers, the function that is to be written last, since what
// comes earlier on the path serves it. Of several it is the first that is used.
// A type stands in for its methods where there is no function that makes it. It
// is "" if the koan uses nothing that is to be written.
func (s subjects) of(koan *ast.FuncDecl) string {
	used := s.uses(koan)
	for _, steps := range []map[string]int{s.skeleton.funcs, s.skeleton.types} {
		subject, last := "", 0
		for _, name := range used {
			if step := steps[name]; step > last {
				subject, last = name, step
			}
		}
		if subject != "" {
			return subject
		}
	}
	return ""
}

// uses returns the names of the lesson's package that a function refers to, in
// the order of the source.
func (s subjects) uses(fn *ast.FuncDecl) (names []string) {
	seen := map[*ast.FuncDecl]bool{}
	var follow func(fn *ast.FuncDecl)
	follow = func(fn *ast.FuncDecl) {
		if fn == nil || seen[fn] {
			return
		}
		seen[fn] = true
		ast.Inspect(fn.Body, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				if isSelector(n, s.skeleton.pkg, n.Sel.Name) {
					names = append(names, n.Sel.Name)
					return false
				}
			case *ast.Ident:
				follow(s.helpers[n.Name])
			}
			return true
		})
	}
	follow(fn)
	return names
}
