// Package lessons reads the workbook's lessons. The folders are the curriculum:
// what a lesson is called, what it teaches and in which order stands in its
// files and nowhere else. That makes their form matter, so the reader is the
// linter too.
package lessons

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
)

// A Lesson is one folder of the curriculum.
type Lesson struct {
	ID      string // the folder's name: "01-pipeline"
	Number  int    // 1
	Name    string // "pipeline"
	Title   string // the README's heading
	Summary string // the README's first paragraph, on one line
	Package string // Go package of the skeleton
	Answer  string // base name of the one file that the learner edits

	Skeleton []byte            // that file as shipped
	Tests    map[string][]byte // the koans' files by base name
	Readme   []byte
	Sections []Section // of the README, in order
	Steps    []Step    // from 1, without a gap
	Koans    []Koan    // in the order of the path
}

// A Section is what stands under one second-level heading of a README.
type Section struct {
	Title string
	Body  string // Markdown, without the heading
}

// A Step is a stretch of the path; every koan belongs to one.
type Step struct {
	Number int
	Title  string
}

// A Koan is one test of a lesson.
type Koan struct {
	Test    string // "TestSourceSendsThenCloses"
	Title   string // the first sentence of Doc, with its full stop
	Doc     string // the whole doc comment
	Step    int
	Subject string // what the koan is about, by its name in the lesson's package: "Source"
	File    string // base name of the test file
	Line    int    // of the function, in File
	Hints   []string
}

var (
	numbered   = regexp.MustCompile(`^\d`)
	folderName = regexp.MustCompile(`^(\d\d)-([a-z][a-z0-9]*(?:-[a-z0-9]+)*)$`)
)

// Load reads every lesson of fsys, which is the lessons folder, in order. What
// is neither a folder nor begins with a digit is no lesson and is ignored.
//
// If any lesson is not in the form that all of them share, Load returns none, and
// an error that joins every fault of every lesson, each with its file. A solved
// lesson is at fault too, since its skeleton has nothing left to write: to read
// the lessons of a learner, use [Pristine].
func Load(fsys fs.FS) ([]Lesson, error) {
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, fmt.Errorf("reading lessons: %w", err)
	}
	var lessons []Lesson
	var all []error
	for _, e := range entries {
		if !e.IsDir() || !numbered.MatchString(e.Name()) {
			continue
		}
		found := &faults{lesson: e.Name()}
		lesson := readFolder(fsys, e.Name(), found)
		if n := len(lessons); n > 0 && lesson.Number == lessons[n-1].Number {
			found.add("", 0, "number %d is taken by %s", lesson.Number, lessons[n-1].ID)
		}
		lessons = append(lessons, lesson)
		all = append(all, found.errs...)
	}
	if len(all) > 0 {
		return nil, errors.Join(all...)
	}
	return lessons, nil
}

// readFolder reads the lesson in one folder, as far as its faults allow.
func readFolder(fsys fs.FS, id string, found *faults) Lesson {
	l := Lesson{ID: id, Tests: map[string][]byte{}}
	name := folderName.FindStringSubmatch(id)
	if name == nil {
		found.add("", 0, "the folder's name is not two digits, a hyphen and a name in kebab case")
		return l
	}
	l.Number, _ = strconv.Atoi(name[1]) // the pattern leaves digits only
	l.Name = name[2]

	files := readFiles(fsys, id, found)
	l.Readme = files.readme
	l.Title, l.Summary, l.Sections = readReadme(files.readme, found)

	l.Answer, l.Skeleton = files.answer, files.skeleton
	skeleton := readSkeleton(l.Answer, l.Skeleton, found)
	l.Package = skeleton.pkg

	l.Tests = files.tests
	l.Steps, l.Koans = readKoans(l, skeleton, found)
	skeleton.checkSteps(len(l.Steps), found)

	for i, hints := range readHints(files.hints, l.Koans, found) {
		l.Koans[i].Hints = hints
	}
	return l
}

// faults are what is wrong with one lesson.
type faults struct {
	lesson string
	errs   []error
}

// add notes a fault. The file is "" for a fault of the folder, and the line 0
// where no line is to blame.
func (f *faults) add(file string, line int, format string, args ...any) {
	at := f.lesson
	if file != "" {
		at += ": " + file
	}
	if line > 0 {
		at += ":" + strconv.Itoa(line)
	}
	f.errs = append(f.errs, fmt.Errorf("reading lesson %s: %w", at, fmt.Errorf(format, args...)))
}
