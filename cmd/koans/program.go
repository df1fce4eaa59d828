package main

import (
	"io/fs"
	"path"
	"strings"

	"concurrency-koans/checker"
	"concurrency-koans/lessons"
	"concurrency-koans/solutions"
)

// A demo and a benchmark are programs on top of an answer, the reference or another
// one. They are built in the workbook's module, from its own files where it has the
// solutions, so that a change to them counts, and from those of this program where
// it has not.

// programOn is the program that target is, on an answer in place of the reference;
// on the reference as it stands if answer is nil.
func (a *app) programOn(l lessons.Lesson, s solutions.Solution, target string, answer []byte) (checker.Program, error) {
	files, err := a.book.shipped("solutions/"+l.ID, "solutions/demo")
	if err != nil {
		return checker.Program{}, err
	}
	if answer != nil {
		files["solutions/"+l.ID+"/"+s.File] = answer
	}
	return checker.Program{Root: a.book.root, Target: target, Files: files}, nil
}

// shipped returns the Go files of folders of the solutions, as they were shipped, that
// the workbook does not have on disk. Of what is in deeper folders, it returns nothing.
func (w *workbook) shipped(folders ...string) (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, folder := range folders {
		inside := strings.TrimPrefix(folder, "solutions/")
		entries, err := fs.ReadDir(solutions.Embedded(), inside)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			name := folder + "/" + e.Name()
			if e.IsDir() || path.Ext(name) != ".go" || w.has(name) {
				continue
			}
			text, err := fs.ReadFile(solutions.Embedded(), inside+"/"+e.Name())
			if err != nil {
				return nil, err
			}
			files[name] = text
		}
	}
	return files, nil
}
