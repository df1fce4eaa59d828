// Package solutions finds the answers to the lessons: for each the reference, a
// demo of it, alternatives of another design, and pitfalls, the wrong answers that
// the lesson's koans must reject. As in the lessons, the folders are the list, so
// the reader is the linter too.
package solutions

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
)

// A Solution is one folder of answers.
type Solution struct {
	Lesson       string // the folder's name, which is the lesson's: "01-pipeline"
	File         string // base name of the answer: "pipeline.go"
	Reference    []byte
	Demo         Demo
	Benchmarks   []Benchmark   // in the order of the file
	Alternatives []Alternative // by name
	Pitfalls     []Pitfall     // by name
}

// A Demo is a small program on top of the reference, in the file demo.go.
type Demo struct {
	Title  string // the first sentence of the package comment: what the program is
	Text   string // the rest of it: what there is to see. Plain text, one line for each paragraph
	Source []byte
}

// An Alternative is a right answer of another design than the reference.
type Alternative struct {
	Name   string // the file's name without .go: "promise-per-value"
	Title  string // the first sentence of the package comment: it names the design
	Text   string // the rest of it: what the design gains and costs. Plain text, one line for each paragraph
	Source []byte
}

// A Pitfall is a wrong answer that people really write.
type Pitfall struct {
	Name   string // the file's name without .go: "bare-send"
	Kind   string // how it fails, one of the kinds of diagnosis: "leak"
	Koan   string // the first koan on the path that rejects it
	Title  string // the first sentence of the package comment: the trap
	Text   string // the rest of it: why people fall into it and how to avoid it. Plain text, one line for each paragraph
	Source []byte
}

// folders is the pattern of the solutions' names, here and in the directive below.
const folders = "[0-9][0-9]-*"

//go:embed [0-9][0-9]-* demo
var embedded embed.FS

// Embedded returns the solutions as they were when the program was built, with all
// that their demos and benchmarks are made of.
func Embedded() fs.FS { return embedded }

// Load reads every solution of fsys, which is the solutions folder, in order.
// What is not named like a lesson is ignored.
//
// Load finds fault with all that is not as CONTRIBUTING.md says. Its error
// joins every fault of every solution, each with its file, and no solution is
// returned then.
func Load(fsys fs.FS) ([]Solution, error) {
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, fmt.Errorf("reading solutions: %w", err)
	}
	var all []Solution
	var errs []error
	for _, e := range entries {
		if ok, _ := path.Match(folders, e.Name()); !ok || !e.IsDir() { // the pattern is well-formed
			continue
		}
		found := &faults{lesson: e.Name()}
		all = append(all, readFolder(fsys, e.Name(), found))
		errs = append(errs, found.errs...)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return all, nil
}

// faults are what is wrong with one solution.
type faults struct {
	lesson string
	errs   []error
}

// add notes a fault. The file is "" for a fault of the folder. The args may
// hold an error to wrap.
func (f *faults) add(file, format string, args ...any) {
	at := "reading solution " + f.lesson + ": "
	if file != "" {
		at += file + ": "
	}
	f.errs = append(f.errs, fmt.Errorf(at+format, args...))
}
