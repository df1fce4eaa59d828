package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"concurrency-koans/checker"
	"concurrency-koans/lessons"
)

// module is the module path of every workbook.
const module = "concurrency-koans"

// A workbook is the learner's folder, with the lessons that this program knows.
type workbook struct {
	root    string // absolute, by the path it was reached by
	base    string // absolute; the paths shown to the learner are relative to it
	lessons []lessons.Lesson
}

// openWorkbook finds the workbook that holds dir. The learner's current folder
// is current.
func openWorkbook(dir, current string) (*workbook, error) {
	all, err := lessons.Pristine()
	if err != nil {
		return nil, err
	}
	root, base, err := findRoot(dir)
	if err != nil {
		return nil, err
	}
	if dir != current {
		base = current
	}
	return &workbook{root: root, base: base, lessons: all}, nil
}

// errNoWorkbook says that no folder from here upwards is a workbook.
var errNoWorkbook = errors.New("finding the workbook: there is none here")

// findRoot walks up from dir to a workbook. It follows the path as it is
// written; only when that leads nowhere, and dir was reached through a symbolic
// link, it walks up from where dir really lies. The second result is dir as
// paths can be made relative to it.
func findRoot(dir string) (root, base string, err error) {
	if dir, err = filepath.Abs(dir); err != nil {
		return "", "", fmt.Errorf("finding the workbook: %w", err)
	}
	if root, ok := walkUp(dir); ok {
		return root, dir, nil
	}
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "", "", fmt.Errorf("finding the workbook: %w", err)
	}
	if root, ok := walkUp(real); ok {
		return root, real, nil
	}
	return "", "", errNoWorkbook
}

func walkUp(dir string) (root string, ok bool) {
	for {
		if isWorkbook(dir) {
			return dir, true
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", false
		}
		dir = parent
	}
}

// isWorkbook reports whether dir has lessons and is the workbook's module.
func isWorkbook(dir string) bool {
	if info, err := os.Stat(filepath.Join(dir, "lessons")); err != nil || !info.IsDir() {
		return false
	}
	mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(mod)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "module "); ok {
			return strings.Trim(strings.TrimSpace(name), `"`) == module
		}
	}
	return false
}

// folder is the slash-separated path of a lesson's folder from the root.
func folder(l lessons.Lesson) string { return "lessons/" + l.ID }

// path is the absolute path of a slash-separated one from the root.
func (w *workbook) path(name string) string { return filepath.Join(w.root, filepath.FromSlash(name)) }

// has reports whether a slash-separated path from the root is there.
func (w *workbook) has(name string) bool {
	_, err := os.Stat(w.path(name))
	return err == nil
}

// show is how a path from the root is written for the learner: relative to the
// current folder, unless that is a detour.
func (w *workbook) show(name string) string {
	absolute := w.path(name)
	relative, err := filepath.Rel(w.base, absolute)
	if err != nil || len(relative) > len(absolute) {
		return absolute
	}
	return relative
}

// answer reads the learner's file. A missing one is fs.ErrNotExist.
func (w *workbook) answer(l lessons.Lesson) ([]byte, error) {
	return os.ReadFile(w.path(folder(l) + "/" + l.Answer))
}

// sameText reports whether two files say the same. Line ends do not count: git
// may change them.
func sameText(a, b []byte) bool {
	unix := func(text []byte) []byte { return bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")) }
	return bytes.Equal(unix(a), unix(b))
}

// isUntouched reports whether the answer on disk is the skeleton as shipped.
func (w *workbook) isUntouched(l lessons.Lesson) bool {
	answer, err := w.answer(l)
	return err == nil && sameText(answer, l.Skeleton)
}

// subject is what the checker judges for a lesson.
func (w *workbook) subject(l lessons.Lesson) checker.Package {
	return checker.Package{
		Root:     w.root,
		Dir:      folder(l),
		Answer:   l.Answer,
		Skeleton: l.Skeleton,
		Koans:    l.Tests,
	}
}

// isMissing reports whether err says that a file is not there.
func isMissing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
