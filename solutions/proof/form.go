package proof

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"concurrency-koans/lessons"
	"concurrency-koans/solutions"
)

// form says in how far a lesson and its solution do not fit each other. What is
// wrong with either alone is found when they are loaded.
func (p Plan) form(id string) string {
	l, ok := p.lesson(id)
	if !ok {
		return "the solution has no lesson"
	}
	s, err := solutions.Find(p.Solutions, id)
	if err != nil {
		return "the lesson has no solution"
	}
	var faults []string
	if s.File != l.Answer {
		faults = append(faults, fmt.Sprintf("the reference is %s, the skeleton %s", s.File, l.Answer))
	}
	faults = append(faults, pitfallsNamed(l, s)...)
	faults = append(faults, koansNamed(l, s)...)
	faults = append(faults, sameContract(l.Skeleton, s.Reference)...)
	faults = append(faults, foreignImports(l, s)...)
	faults = append(faults, unwritten(l, s)...)
	return strings.Join(faults, "\n")
}

var pitfallHeading = regexp.MustCompile("(?m)^### `(.+)`$")

// pitfallsNamed compares the README's headings with the files.
func pitfallsNamed(l lessons.Lesson, s solutions.Solution) (faults []string) {
	var headings, files []string
	for _, section := range l.Sections {
		if section.Title != "Pitfalls and how to avoid them" {
			continue
		}
		for _, m := range pitfallHeading.FindAllStringSubmatch(section.Body, -1) {
			headings = append(headings, m[1])
		}
	}
	for _, f := range s.Pitfalls {
		files = append(files, f.Name)
		if !slices.Contains(headings, f.Name) {
			faults = append(faults, fmt.Sprintf("README.md: no heading for the pitfall %s", f.Name))
		}
	}
	for _, h := range headings {
		if !slices.Contains(files, h) {
			faults = append(faults, fmt.Sprintf("README.md: the pitfall %s has no file", h))
		}
	}
	return faults
}

// koansNamed finds pitfalls that name no koan of the lesson.
func koansNamed(l lessons.Lesson, s solutions.Solution) (faults []string) {
	for _, f := range s.Pitfalls {
		if !slices.ContainsFunc(l.Koans, func(k lessons.Koan) bool { return k.Test == f.Koan }) {
			faults = append(faults, fmt.Sprintf("pitfalls/%s.go: %s is no koan of the lesson", f.Name, f.Koan))
		}
	}
	return faults
}

// unwritten finds what the template of a new lesson has left to write: texts that
// still begin with TODO and a colon. A skeleton's own begin with TODO(step).
func unwritten(l lessons.Lesson, s solutions.Solution) (faults []string) {
	check := func(where, text string) {
		if strings.Contains(text, "TODO: ") {
			faults = append(faults, fmt.Sprintf("%s is not written yet: it still has a TODO", where))
		}
	}
	check(path.Join("lessons", l.ID, l.Answer), string(l.Skeleton))
	check("README.md: the line below the title", l.Summary)
	for _, section := range l.Sections {
		check("README.md: "+section.Title, section.Body)
	}
	for _, k := range l.Koans {
		check("hints.md: "+k.Test, strings.Join(k.Hints, "\n"))
	}
	check("demo.go", s.Demo.Title+"\n"+s.Demo.Text)
	return faults
}

// sameContract compares what the skeleton and the reference export: they make
// the same promises in the same words.
func sameContract(skeleton, reference []byte) (faults []string) {
	want, wantErr := contract(skeleton)
	have, haveErr := contract(reference)
	for _, err := range []error{wantErr, haveErr} {
		if err != nil {
			return []string{err.Error()}
		}
	}
	for _, d := range want {
		i := slices.IndexFunc(have, func(h promise) bool { return h.name == d.name })
		switch {
		case i < 0:
			faults = append(faults, fmt.Sprintf("the reference does not declare %s", d.name))
		case have[i].signature != d.signature:
			faults = append(faults, fmt.Sprintf("the reference declares %s, the skeleton %s", have[i].signature, d.signature))
		case have[i].doc != d.doc:
			faults = append(faults, fmt.Sprintf("the doc comments of %s differ between skeleton and reference", d.name))
		}
	}
	for _, h := range have {
		if !slices.ContainsFunc(want, func(d promise) bool { return d.name == h.name }) {
			faults = append(faults, fmt.Sprintf("the reference declares %s, which the skeleton does not", h.name))
		}
	}
	return faults
}

// foreignImports finds imports beyond the standard library.
func foreignImports(l lessons.Lesson, s solutions.Solution) (faults []string) {
	check := func(file string, src []byte) {
		f, err := parser.ParseFile(token.NewFileSet(), file, src, parser.ImportsOnly)
		if err != nil {
			faults = append(faults, err.Error())
			return
		}
		for _, spec := range f.Imports {
			if imported := importPath(spec); !standard(imported) {
				faults = append(faults, fmt.Sprintf("%s: import %q is not of the standard library", file, imported))
			}
		}
	}
	check(path.Join("lessons", l.ID, l.Answer), l.Skeleton)
	check(path.Join("solutions", s.Lesson, s.File), s.Reference)
	for _, a := range s.Alternatives {
		check(path.Join("alternatives", a.Name+".go"), a.Source)
	}
	for _, f := range s.Pitfalls {
		check(path.Join("pitfalls", f.Name+".go"), f.Source)
	}
	return faults
}

func importPath(spec *ast.ImportSpec) string {
	unquoted, _ := strconv.Unquote(spec.Path.Value) // it has been parsed
	return unquoted
}

// standard reports whether a package is of the standard library, by the rule
// that keeps other modules out of its names: their first element is a domain's,
// with a dot. The workbook's own module is the exception.
func standard(importPath string) bool {
	root, _, _ := strings.Cut(importPath, "/")
	return root != "concurrency-koans" && root != "C" && !strings.Contains(root, ".")
}
