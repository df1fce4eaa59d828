package solutions

import (
	"go/ast"
	"go/doc"
	"io/fs"
	"path"
	"strings"
)

// A Benchmark is one of those in the file bench_test.go, which measures what the
// pattern costs.
type Benchmark struct {
	Name  string // "HandOver"
	Title string // the first sentence of its doc comment: what is asked
}

// benchFile is the file with the benchmarks.
const benchFile = "bench_test.go"

// readBenchmarks reads what the benchmarks of a lesson ask.
func readBenchmarks(fsys fs.FS, lesson string, found *faults) (all []Benchmark) {
	f := readSource(fsys, path.Join(lesson, benchFile), benchFile, found)
	if f.syntax == nil {
		return nil
	}
	for _, d := range f.syntax.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Recv != nil {
			continue
		}
		name, ok := strings.CutPrefix(fn.Name.Name, "Benchmark")
		if !ok {
			continue
		}
		title := question(new(doc.Package).Synopsis(fn.Doc.Text()))
		if title == "" {
			found.add(benchFile, "%s has no doc comment: its first sentence is the heading of its figures", fn.Name.Name)
		}
		all = append(all, Benchmark{Name: name, Title: title})
	}
	if len(all) == 0 {
		found.add(benchFile, "no benchmark")
	}
	return all
}

// question is a text as far as its first question mark, which go/doc does not take
// for the end of a sentence.
func question(s string) string {
	if before, _, ok := strings.Cut(s, "? "); ok {
		return before + "?"
	}
	return s
}
