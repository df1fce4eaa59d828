package main

import (
	"fmt"
	"io"
	"strings"

	"concurrency-koans/checker"
	"concurrency-koans/lessons"
)

// koanOf returns the koan of a test, with its place on the path from 1.
func koanOf(l lessons.Lesson, test string) (lessons.Koan, int) {
	for i, k := range l.Koans {
		if k.Test == test {
			return k, i + 1
		}
	}
	return lessons.Koan{Test: test}, 0
}

// path draws the koans of a lesson as a row of marks. A koan that waits for code
// that is not written is ahead, not wrong.
func (s *screen) path(r checker.Report) string {
	marks := make([]string, len(r.Koans))
	first, failing := r.FirstFailure()
	for i, k := range r.Koans {
		switch {
		case k.Status == checker.Passed:
			marks[i] = styleGood.Render(s.marks.passed)
		case failing && k.Test == first.Test, k.Status == checker.Failed && !isTodo(k):
			marks[i] = styleBad.Render(s.marks.failed)
		default:
			marks[i] = styleFaint.Render(s.marks.pending)
		}
	}
	return strings.Join(marks, " ")
}

func isTodo(o checker.Outcome) bool { return o.Diagnosis != nil && o.Diagnosis.Kind == checker.Todo }

// refused reports whether no koan could run, so that the first one only carries
// the reason.
func refused(o checker.Outcome) bool {
	return o.Diagnosis != nil && (o.Diagnosis.Kind == checker.Build || o.Diagnosis.Kind == checker.Vet)
}

// place is where a diagnosis points, as the learner can open it; "" if nowhere.
func (w *workbook) place(d *checker.Diagnosis) string {
	switch {
	case d.File == "":
		return ""
	case d.Line == 0:
		return w.show(d.File)
	default:
		return fmt.Sprintf("%s:%d", w.show(d.File), d.Line)
	}
}

// sayDiagnosis writes why a koan failed.
func (a *app) sayDiagnosis(o checker.Outcome) {
	d := o.Diagnosis
	head := styleBad.Render(strings.ToUpper(kindWord(d.Kind)[:1]) + kindWord(d.Kind)[1:])
	if place := a.book.place(d); place != "" {
		head += "  " + a.out.place(place, a.book.path(d.File))
	}
	a.out.line("%s", head)
	a.out.text(2, plain(d.Summary))
	if len(d.Detail) > 0 {
		a.out.line("")
		for _, line := range d.Detail {
			a.out.item(4, a.typed(plain(line)))
		}
	}
}

// sayFlaky writes how often a koan failed that also passed.
func (a *app) sayFlaky(l lessons.Lesson, f *checker.Flaky) {
	words := fmt.Sprintf("It passes, but not always: it failed in %d of %s.", f.Failed, plural(f.Runs, "run"))
	a.out.text(0, styleWarn.Render(words))
	again := []any{"stress", l.Number}
	if f.Seed != 0 {
		again = append(again, "--seed", f.Seed)
	}
	a.out.line("See it again: %s", a.command(again...))
}

// sayRaw writes what the tools printed, untouched.
func (a *app) sayRaw(raw string) {
	a.out.line("%s", styleFaint.Render("--- output ---"))
	io.WriteString(a.out.stream, raw) // not a.out: it may hold anything
	if raw != "" && !strings.HasSuffix(raw, "\n") {
		a.out.line("")
	}
	a.out.line("%s", styleFaint.Render("--- end ---"))
}

// sayEdited says that koan files were edited. The journal holds no such thing,
// so it is said with each check, in one line.
func (a *app) sayEdited(r checker.Report) {
	if len(r.TestsEdited) > 0 {
		a.out.text(0, fmt.Sprintf("The koans in %s were edited; judged by the pristine ones.", strings.Join(r.TestsEdited, ", ")))
	}
}

// saySuccess tells what a pass rests on.
func (a *app) saySuccess(v verdict) {
	l, r := v.lesson, v.report
	words := fmt.Sprintf("%s Lesson %d, %s, passes: %s", a.out.marks.passed, l.Number, l.Title, plural(len(r.Koans), "koan"))
	if r.RaceChecked {
		words += ", race-checked"
	}
	if r.SoakRuns > 0 {
		words += fmt.Sprintf(", and all of them again in %s in shuffled order", plural(r.SoakRuns, "run"))
	}
	a.out.text(0, styleGood.Render(words+"."))
	a.sayEdited(r)
	if !r.RaceChecked && r.NoRace != "" {
		a.out.text(2, styleWarn.Render("Not race-checked.")+" "+r.NoRace)
	}
}

// sayUnchecked tells why a lesson could not be checked.
func (a *app) sayUnchecked(v verdict) {
	e := atEdge(v.err)
	if e.problem == wordsStopped {
		return
	}
	a.out.text(0, styleWarn.Render(fmt.Sprintf("Lesson %d, %s, could not be checked.", v.lesson.Number, v.lesson.Title))+" "+a.typed(sentence(e.problem)))
	if e.remedy != "" {
		a.out.text(2, a.typed(e.remedy))
	}
	if e.err != nil {
		a.out.text(2, styleFaint.Render(plain(e.err.Error())))
	}
}
