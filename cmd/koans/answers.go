package main

import (
	"io/fs"
	"strings"

	"concurrency-koans/checker"
	"concurrency-koans/lessons"
	"concurrency-koans/solutions"
)

// answersTo returns the solution of a lesson.
func answersTo(l lessons.Lesson) (solutions.Solution, error) {
	all, err := solutions.Load(single{solutions.Embedded(), l.ID})
	if err != nil {
		return solutions.Solution{}, err
	}
	return solutions.Find(all, l.ID)
}

// A single is a file system in whose root only one folder is seen: reading the
// answers to all lessons takes longer than a check does.
type single struct {
	fs.FS
	folder string
}

// ReadDir implements [fs.ReadDirFS].
func (s single) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(s.FS, name)
	if name != "." {
		return entries, err
	}
	for _, e := range entries {
		if e.Name() == s.folder {
			return []fs.DirEntry{e}, err
		}
	}
	return nil, err
}

// looksLike names the pitfalls of the lesson that fail at the same koan for a
// reason of the same kind and resemble the answer, the one that does most first.
// What is not written or does not compile looks like none.
func (a *app) looksLike(l lessons.Lesson, o checker.Outcome) []string {
	if o.Diagnosis == nil {
		return nil
	}
	switch o.Diagnosis.Kind {
	case checker.Todo, checker.Build, checker.Environment:
		return nil
	}
	s, err := answersTo(l)
	if err != nil {
		return nil // a lesson without a solution; its verdict stands all the same
	}
	var near []solutions.Pitfall
	for _, p := range s.Pitfalls {
		if p.Koan == o.Test && p.Kind == string(o.Diagnosis.Kind) {
			near = append(near, p)
		}
	}
	answer, err := a.book.answer(l)
	if err != nil {
		return nil
	}
	line := 0
	if o.Diagnosis.File == folder(l)+"/"+l.Answer {
		line = o.Diagnosis.Line
	}
	return names(resembling(near, s.Reference, answer, line), func(p solutions.Pitfall) string { return p.Name })
}

// pitfall finds a pitfall by its name or the beginning of it.
func (a *app) pitfall(l lessons.Lesson, s solutions.Solution, query string) (solutions.Pitfall, error) {
	name, err := pickName("pitfall", query, names(s.Pitfalls, func(p solutions.Pitfall) string { return p.Name }),
		"All of them: "+a.command("pitfalls", l.Number))
	if err != nil {
		return solutions.Pitfall{}, err
	}
	return s.Pitfall(name)
}

// alternative finds an alternative by its name or the beginning of it.
func (a *app) alternative(l lessons.Lesson, s solutions.Solution, query string) (solutions.Alternative, error) {
	name, err := pickName("alternative", query, names(s.Alternatives, func(p solutions.Alternative) string { return p.Name }),
		"All of them: "+a.command("solution", l.Number))
	if err != nil {
		return solutions.Alternative{}, err
	}
	return s.Alternative(name)
}

func names[T any](all []T, name func(T) string) []string {
	list := make([]string, len(all))
	for i, x := range all {
		list[i] = name(x)
	}
	return list
}

// pickName returns the one of names that query is, or is the beginning of.
func pickName(noun, query string, names []string, otherwise string) (string, error) {
	q := strings.ToLower(strings.TrimSuffix(query, ".go"))
	var fits []string
	for _, n := range names {
		if n == q {
			return n, nil
		}
		if q != "" && strings.HasPrefix(n, q) {
			fits = append(fits, n)
		}
	}
	switch {
	case len(fits) == 1:
		return fits[0], nil
	case len(fits) > 1:
		return "", usage("More than one "+noun+" begins with \""+query+"\": "+or(fits)+".", "")
	}
	return "", usage("No "+noun+" is called \""+query+"\".", nearest(query, names, otherwise))
}
