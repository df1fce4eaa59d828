package lessons

import (
	"go/ast"
	"go/token"
	"regexp"
	"strconv"
	"strings"
)

// module is what the lessons may not import: a learner's file uses the standard
// library alone.
const module = "concurrency-koans"

// A skeleton is what the koans can see of the file to fill in.
type skeleton struct {
	file  string
	pkg   string
	funcs map[string]int // step that first needs an exported function; 0 if it is ready made
	types map[string]int // the same of the methods of an exported type, the first of them
	todos []todo
}

// A todo is a function to write.
type todo struct{ line, step int }

var todoMessage = regexp.MustCompile(`^TODO\(([1-9]\d*)\): \S`)

// readSkeleton reads the file that the learner edits.
func readSkeleton(name string, src []byte, found *faults) skeleton {
	s := skeleton{
		file:  name,
		pkg:   strings.TrimSuffix(name, ".go"),
		funcs: map[string]int{},
		types: map[string]int{},
	}
	if src == nil {
		return s
	}
	fset := token.NewFileSet()
	f := parse(fset, name, src, found)
	if f == nil {
		return s
	}
	at := func(n ast.Node) int { return fset.Position(n.Pos()).Line }

	if f.Name.Name != s.pkg {
		found.add(name, at(f.Name), "package %s; the file's name says %s", f.Name.Name, s.pkg)
	}
	if f.Doc == nil {
		found.add(name, at(f.Name), "package %s has no doc comment", f.Name.Name)
	}
	for _, imp := range f.Imports {
		path, _ := strconv.Unquote(imp.Path.Value) // it has been parsed
		if root, _, _ := strings.Cut(path, "/"); root == module || path == "C" || strings.Contains(root, ".") {
			found.add(name, at(imp), "import %q is not of the standard library", path)
		}
	}
	for _, d := range f.Decls {
		for _, u := range undocumented(d) {
			found.add(name, at(u), "%s has no doc comment", u.Name)
		}
		fn, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		step := readTodo(fn)
		if step < 0 {
			found.add(name, at(fn), `%s is neither exactly one panic("TODO(1): what to do") nor free of TODOs`, fn.Name.Name)
			step = 1 // it is to be written, and lest each of its koans be blamed too
		}
		if step > 0 {
			s.todos = append(s.todos, todo{at(fn), step})
		}
		s.note(fn, step)
	}
	if len(s.todos) == 0 {
		found.add(name, 0, "nothing is left to write: no TODO")
	}
	return s
}

// note enters a function, or the type that it is a method of.
func (s *skeleton) note(fn *ast.FuncDecl, step int) {
	switch {
	case fn.Recv == nil:
		s.funcs[fn.Name.Name] = step
	case step > 0:
		recv := receiver(fn)
		if first, ok := s.types[recv]; !ok || step < first {
			s.types[recv] = step
		}
	}
}

// checkSteps finds fault with TODOs of steps that the koans do not have. It
// knows nothing if the koans could not be read.
func (s skeleton) checkSteps(steps int, found *faults) {
	for _, t := range s.todos {
		if steps > 0 && t.step > steps {
			found.add(s.file, t.line, "TODO(%d): the koans have %d steps", t.step, steps)
		}
	}
}

// readTodo returns the step of a function to write, 0 for a function that is
// ready made, and -1 for one that is neither.
func readTodo(fn *ast.FuncDecl) int {
	if fn.Body == nil {
		return 0
	}
	if len(fn.Body.List) == 1 {
		if stmt, ok := fn.Body.List[0].(*ast.ExprStmt); ok {
			if m := todoMessage.FindStringSubmatch(panicMessage(stmt.X)); m != nil {
				step, _ := strconv.Atoi(m[1]) // the pattern leaves digits only
				return step
			}
		}
	}
	step := 0
	ast.Inspect(fn.Body, func(n ast.Node) bool {
		if e, ok := n.(ast.Expr); ok && strings.HasPrefix(panicMessage(e), "TODO") {
			step = -1
		}
		return true
	})
	return step
}

// panicMessage returns the text of a call like panic("text"), or "".
func panicMessage(e ast.Expr) string {
	call, ok := e.(*ast.CallExpr)
	if !ok || len(call.Args) != 1 {
		return ""
	}
	fun, ok := call.Fun.(*ast.Ident)
	if !ok || fun.Name != "panic" {
		return ""
	}
	lit, ok := call.Args[0].(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return ""
	}
	text, _ := strconv.Unquote(lit.Value) // it has been parsed
	return text
}

// undocumented returns the exported names of a declaration that have no doc
// comment. Error and String need none: their contract is the interface's.
func undocumented(d ast.Decl) (names []*ast.Ident) {
	exported := func(doc *ast.CommentGroup, all ...*ast.Ident) {
		for _, n := range all {
			if doc == nil && n.IsExported() {
				names = append(names, n)
			}
		}
	}
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil || ast.IsExported(receiver(d)) && d.Name.Name != "Error" && d.Name.Name != "String" {
			exported(d.Doc, d.Name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				exported(first(spec.Doc, spec.Comment, d.Doc), spec.Name)
			case *ast.ValueSpec:
				exported(first(spec.Doc, spec.Comment, d.Doc), spec.Names...)
			}
		}
	}
	return names
}

func first(docs ...*ast.CommentGroup) *ast.CommentGroup {
	for _, doc := range docs {
		if doc != nil {
			return doc
		}
	}
	return nil
}
