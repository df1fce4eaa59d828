package solutions

import (
	"bytes"
	"errors"
	"io/fs"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// How many a solution has at least.
const (
	minAlternatives = 3
	minPitfalls     = 6
)

// demoFile is the one file beside the reference and the tests.
const demoFile = "demo.go"

// readFolder reads the solution in one folder, as far as its faults allow.
func readFolder(fsys fs.FS, lesson string, found *faults) Solution {
	s := Solution{Lesson: lesson}
	pkg := readReference(fsys, &s, found)
	s.Demo = readDemo(fsys, lesson, found)
	s.Benchmarks = readBenchmarks(fsys, lesson, found)
	for _, f := range readSources(fsys, lesson, "alternatives", minAlternatives, pkg, found) {
		title, text := f.explanation(found)
		s.Alternatives = append(s.Alternatives, Alternative{f.name, title, text, f.text})
	}
	for _, f := range readSources(fsys, lesson, "pitfalls", minPitfalls, pkg, found) {
		kind, koan := f.want(found)
		title, text := f.explanation(found)
		s.Pitfalls = append(s.Pitfalls, Pitfall{f.name, kind, koan, title, text, f.text})
	}
	return s
}

// readReference reads the answer that stands in the folder itself, and returns
// the name of its package; "" if there is none.
func readReference(fsys fs.FS, s *Solution, found *faults) (pkg string) {
	for _, e := range readDir(fsys, s.Lesson, found) {
		name := e.Name()
		switch {
		case e.IsDir():
			if name != "testdata" {
				found.add(name, "stray folder")
			}
		case name == demoFile, strings.HasSuffix(name, "_test.go"):
		case !strings.HasSuffix(name, ".go"):
			found.add(name, "stray file")
		case s.File != "":
			found.add(name, "a second reference, beside %s", s.File)
		default:
			s.File = name
			f := readSource(fsys, path.Join(s.Lesson, name), name, found)
			s.Reference = f.text
			if f.syntax != nil {
				pkg = f.syntax.Name.Name
			}
		}
	}
	if s.File == "" {
		found.add("", "no reference: a .go file that is neither %s nor a test", demoFile)
	}
	return pkg
}

// readDemo reads the program on top of the reference. It builds upon nothing but
// that, and what demos share.
func readDemo(fsys fs.FS, lesson string, found *faults) Demo {
	f := readSource(fsys, path.Join(lesson, demoFile), demoFile, found)
	if f.syntax == nil {
		return Demo{}
	}
	if f.syntax.Name.Name != "main" || !bytes.HasPrefix(f.text, []byte("//go:build ignore\n")) {
		found.add(demoFile, "not a program of its own: package main, behind //go:build ignore")
	}
	for _, spec := range f.syntax.Imports {
		imported, _ := strconv.Unquote(spec.Path.Value) // it has been parsed
		first, rest, _ := strings.Cut(imported, "/")
		own := first == "concurrency-koans" && (rest == "solutions/demo" || rest == "solutions/"+lesson)
		if !own && (first == "concurrency-koans" || strings.Contains(first, ".")) {
			found.add(demoFile, "it imports %s; a demo uses its reference, what demos share, and the standard library", imported)
		}
	}
	title, text := f.explanation(found)
	return Demo{title, text, f.text}
}

var kebab = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// readSources reads the answers in a folder below testdata. They stand in for
// the reference one at a time, so they are of its package.
func readSources(fsys fs.FS, lesson, folder string, least int, pkg string, found *faults) (files []source) {
	dir := path.Join(lesson, "testdata", folder)
	for _, e := range readDir(fsys, dir, found) {
		at := path.Join(folder, e.Name())
		name, ok := strings.CutSuffix(e.Name(), ".go")
		switch {
		case e.IsDir():
			found.add(at, "stray folder")
			continue
		case !ok:
			found.add(at, "stray file")
			continue
		case !kebab.MatchString(name):
			found.add(at, "the name is not in kebab case")
		}
		f := readSource(fsys, path.Join(dir, e.Name()), at, found)
		f.name = name
		if f.syntax != nil && pkg != "" && f.syntax.Name.Name != pkg {
			found.add(at, "package %s, where the reference is package %s", f.syntax.Name.Name, pkg)
		}
		files = append(files, f)
	}
	if len(files) < least {
		found.add(folder, "%d files, and there should be %d or more", len(files), least)
	}
	return files
}

// readDir lists a folder. One that is missing is empty: what it should hold is
// missed elsewhere.
func readDir(fsys fs.FS, dir string, found *faults) []fs.DirEntry {
	entries, err := fs.ReadDir(fsys, dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		found.add("", "%w", err)
	}
	return entries
}
