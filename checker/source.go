package checker

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"concurrency-koans/checker/dump"
)

// own reports whether a frame stands in the learner's code: a file of the
// package's folder that is not a koan.
func (s *Session) own(f dump.Frame) bool {
	return s.inFolder(f) && !strings.HasSuffix(f.File, "_test.go")
}

// inKoan reports whether a frame stands in a koan. TestMain, which waits for
// all koans, is none.
func (s *Session) inKoan(f dump.Frame) bool {
	return s.inFolder(f) && strings.HasSuffix(f.File, "_test.go") && !strings.HasSuffix(f.Func, ".TestMain")
}

// inFolder compares the end of the path only: the folder may have been reached
// through a symbolic link, and texts of the overlay lie elsewhere.
func (s *Session) inFolder(f dump.Frame) bool {
	dir := path.Dir(filepath.ToSlash(f.File))
	return strings.HasSuffix("/"+dir, "/"+s.p.Dir) || dir == filepath.ToSlash(filepath.Join(s.scratch, "files"))
}

// firstOwn returns the innermost frame that stands in the learner's code.
func (s *Session) firstOwn(stack []dump.Frame) (dump.Frame, bool) {
	for _, f := range stack {
		if s.own(f) {
			return f, true
		}
	}
	return dump.Frame{}, false
}

// firstKoan returns the innermost frame that stands in a koan.
func (s *Session) firstKoan(stack []dump.Frame) (dump.Frame, bool) {
	for _, f := range stack {
		if s.inKoan(f) {
			return f, true
		}
	}
	return dump.Frame{}, false
}

// at makes a diagnosis point at a frame.
func (d *Diagnosis) at(s *Session, f dump.Frame) {
	d.File, d.Line = s.p.file(path.Base(filepath.ToSlash(f.File))), f.Line
}

// place is how a frame is written in a sentence: "pipeline.go:31".
func place(f dump.Frame) string {
	return fmt.Sprintf("%s:%d", path.Base(filepath.ToSlash(f.File)), f.Line)
}

// quote shows a frame's source line: "pipeline.go:31   out <- v".
func (s *Session) quote(f dump.Frame) string {
	line := s.sourceLine(f)
	if line == "" {
		return place(f)
	}
	return place(f) + "   " + line
}

// sourceLine returns the text of a frame's line without its indentation, or ""
// when it cannot be read.
func (s *Session) sourceLine(f dump.Frame) string {
	base := path.Base(filepath.ToSlash(f.File))
	text := s.p.Koans[base]
	if base == s.p.Answer {
		text, _ = s.p.answer() // without the text the place alone is shown
	} else if text == nil {
		text, _ = os.ReadFile(filepath.Join(s.p.folder(), base))
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		if n++; n == f.Line {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

// function returns the name that the learner gave to a frame's function:
// "Map" for "concurrency-koans/lessons/01-pipeline.Map[...].func1.2" and
// "Pool.Submit" for "….(*Pool[...]).Submit".
func function(f dump.Frame) string {
	name := f.Func
	name = strings.ReplaceAll(name, "[...]", "")
	name = name[strings.LastIndexByte(name, '/')+1:]
	_, name, _ = strings.Cut(name, ".")
	name = strings.NewReplacer("(*", "", "(", "", ")", "").Replace(name)
	parts := strings.Split(name, ".")
	for i, p := range parts {
		if i > 0 && (strings.HasPrefix(p, "func") || strings.HasPrefix(p, "gowrap") || strings.HasPrefix(p, "deferwrap") || p != "" && p[0] >= '0' && p[0] <= '9') {
			parts = parts[:i]
			break
		}
	}
	return strings.Join(parts, ".")
}
