package lessons

import (
	"go/ast"
	"go/token"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// How many koans a lesson has: enough for a path, few enough for one sitting.
const minKoans, maxKoans = 6, 12

// A koanReader goes through the test files of one lesson.
type koanReader struct {
	lesson  Lesson
	files   []*ast.File
	fset    *token.FileSet
	subject subjects
	found   *faults

	mains int // functions called TestMain
	steps []Step
	koans []Koan
}

// readKoans reads the koans and their steps, or none of them if any file is at
// fault with Go. The path goes through the files by name, and through each from
// top to bottom.
func readKoans(l Lesson, s skeleton, found *faults) ([]Step, []Koan) {
	r := &koanReader{lesson: l, fset: token.NewFileSet(), found: found}
	for _, name := range slices.Sorted(maps.Keys(l.Tests)) {
		if f := parse(r.fset, name, l.Tests[name], found); f != nil {
			r.files = append(r.files, f)
		}
	}
	if len(r.files) < len(l.Tests) || len(r.files) == 0 {
		return nil, nil
	}
	r.subject = newSubjects(s, r.files)
	for _, f := range r.files {
		r.readFile(f)
	}
	if r.mains != 1 {
		found.add("", 0, "%d functions called TestMain; one has to call goleak.VerifyTestMain(m)", r.mains)
	}
	if n := len(r.koans); n < minKoans || n > maxKoans {
		found.add("", 0, "%d koans; a lesson has %d to %d", n, minKoans, maxKoans)
	}
	for _, step := range r.steps {
		if !slices.ContainsFunc(r.koans, func(k Koan) bool { return k.Step == step.Number }) {
			found.add("", 0, "step %d has no koan", step.Number)
		}
	}
	return r.steps, r.koans
}

func (r *koanReader) position(n ast.Node) (file string, line int) {
	p := r.fset.Position(n.Pos())
	return p.Filename, p.Line
}

func (r *koanReader) fault(n ast.Node, format string, args ...any) {
	file, line := r.position(n)
	r.found.add(file, line, format, args...)
}

func (r *koanReader) readFile(f *ast.File) {
	if want := r.lesson.Package + "_test"; f.Name.Name != want {
		r.fault(f.Name, "package %s; the koans are of package %s", f.Name.Name, want)
	}
	r.checkImports(f)
	ast.Inspect(f, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok && isSelector(sel, "t", "Parallel") {
			r.fault(n, "t.Parallel: koans run one after another, in the order of the path")
		}
		return true
	})
	comments := f.Comments
	for _, d := range f.Decls {
		// The steps above a function have been read when it is; those that a
		// comment within it may count are its own.
		for len(comments) > 0 && comments[0].Pos() < d.End() {
			if comments[0].End() < d.Pos() {
				r.readStep(comments[0])
			}
			comments = comments[1:]
		}
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil {
			r.readFunc(fn)
		}
	}
}

// checkImports finds fault with the package of another lesson, which is what a
// copied file has, and with a name for it that the reader would not follow.
func (r *koanReader) checkImports(f *ast.File) {
	for _, imp := range f.Imports {
		path, _ := strconv.Unquote(imp.Path.Value) // it has been parsed
		_, id, ok := strings.Cut(path, "/lessons/")
		if !ok {
			continue
		}
		if id != r.lesson.ID {
			r.fault(imp, "import of lesson %s", id)
		}
		if imp.Name != nil && imp.Name.Name != r.lesson.Package {
			r.fault(imp, "the lesson's package is imported as %s, not as %s", imp.Name.Name, r.lesson.Package)
		}
	}
}

// stepComment matches a comment like
//
//	// Step 2: a stage between two channels
var stepComment = regexp.MustCompile(`^Step (\d+): (.+)\n`)

func (r *koanReader) readStep(c *ast.CommentGroup) {
	m := stepComment.FindStringSubmatch(c.Text())
	if m == nil {
		return
	}
	due := len(r.steps) + 1
	if m[1] != strconv.Itoa(due) {
		r.fault(c, "step %s stands where step %d is due", m[1], due)
	}
	r.steps = append(r.steps, Step{Number: due, Title: m[2]})
}

func (r *koanReader) readFunc(fn *ast.FuncDecl) {
	name := fn.Name.Name
	switch {
	case name == "TestMain":
		r.mains++
		if !calls(fn, "goleak", "VerifyTestMain") {
			r.fault(fn, "TestMain does not call goleak.VerifyTestMain(m)")
		}
	case isTest(name):
		r.readKoan(fn)
	}
}

func (r *koanReader) readKoan(fn *ast.FuncDecl) {
	k := Koan{Test: fn.Name.Name, Doc: strings.TrimSpace(fn.Doc.Text()), Step: len(r.steps)}
	k.File, k.Line = r.position(fn)
	if !takesT(fn) {
		r.fault(fn, "%s does not take exactly (t *testing.T)", k.Test)
	}
	if k.Step == 0 {
		r.fault(fn, `%s stands before the first comment like "// Step 1: a title"`, k.Test)
	}
	k.Title = firstSentence(k.Doc)
	switch initial, _ := utf8.DecodeRuneInString(k.Title); {
	case k.Doc == "":
		r.fault(fn, "%s has no doc comment to take its title from", k.Test)
	case strings.HasPrefix(k.Doc, "Step "):
		r.fault(fn, "%s: an empty line is due between its step and its doc comment", k.Test)
	case strings.HasPrefix(k.Doc, k.Test):
		r.fault(fn, "%s: its title begins with its name and not with what it teaches", k.Test)
	case k.Title == "":
		r.fault(fn, "%s: its title is no sentence: it has no end", k.Test)
	case !unicode.IsUpper(initial):
		r.fault(fn, "%s: its title is no sentence: it begins with %q", k.Test, initial)
	}
	if k.Subject = r.subject.of(fn); k.Subject == "" && r.subject.known() {
		r.fault(fn, "%s uses nothing that is to be written", k.Test)
	}
	r.koans = append(r.koans, k)
}

// isTest reports whether go test takes a function of this name for a test.
func isTest(name string) bool {
	rest, ok := strings.CutPrefix(name, "Test")
	next, _ := utf8.DecodeRuneInString(rest)
	return ok && !unicode.IsLower(next)
}

// takesT reports whether a function is exactly func(t *testing.T). The name
// counts: the checker has to find it.
func takesT(fn *ast.FuncDecl) bool {
	params := fn.Type.Params.List
	if fn.Type.Results != nil || fn.Type.TypeParams != nil || len(params) != 1 {
		return false
	}
	star, ok := params[0].Type.(*ast.StarExpr)
	return ok && isSelector(star.X, "testing", "T") &&
		len(params[0].Names) == 1 && params[0].Names[0].Name == "t"
}

// calls reports whether a function calls pkg.name.
func calls(fn *ast.FuncDecl, pkg, name string) bool {
	is := false
	ast.Inspect(fn, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok && isSelector(call.Fun, pkg, name) {
			is = true
		}
		return true
	})
	return is
}

var sentence = regexp.MustCompile(`^.*?[.?!](\s|$)`)

// firstSentence returns the first sentence of a comment on one line, or "" if
// its first paragraph has no end of a sentence.
func firstSentence(doc string) string {
	paragraph, _, _ := strings.Cut(doc, "\n\n")
	return strings.TrimSpace(sentence.FindString(strings.ReplaceAll(paragraph, "\n", " ")))
}
