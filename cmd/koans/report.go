package main

import (
	"encoding/json"
	"io"

	"concurrency-koans/checker"
	"concurrency-koans/lessons"
)

// schema names the form of a Report. The number goes up when a field changes
// its meaning or goes away; a new field leaves it.
const schema = "koans.report/1"

// A Report is what "koans check --format json" writes: one object, in which
// everything stands that was found out.
type Report struct {
	Schema  string         `json:"schema"` // "koans.report/1"
	Lessons []LessonReport `json:"lessons"`
}

// A LessonReport is the verdict on one lesson.
type LessonReport struct {
	ID     string `json:"id"`     // the folder's name: "01-pipeline"
	Number int    `json:"number"` // 1
	Title  string `json:"title"`
	// Status is "passed", "failed", "untouched" (the answer is the skeleton) or
	// "unchecked" (the check could not be made: see Error).
	Status string `json:"status"`
	// RaceChecked tells that every koan ran under the race detector.
	RaceChecked bool `json:"race_checked"`
	// RaceUncheckedReason says why a lesson that passed was not race-checked.
	RaceUncheckedReason string `json:"race_unchecked_reason,omitempty"`
	// TestsEdited tells that the koans on disk are not the ones that judged.
	TestsEdited bool `json:"tests_edited"`
	// SoakRuns is how often all the koans ran again after they had passed.
	SoakRuns int `json:"soak_runs"`
	// Error is present if and only if Status is "unchecked".
	Error *ErrorReport `json:"error,omitempty"`
	// Koans are in the order of the path; none of an unchecked lesson.
	Koans []KoanReport `json:"koans"`
}

// An ErrorReport says why a lesson could not be checked, and what to do.
type ErrorReport struct {
	Problem string `json:"problem"`
	Remedy  string `json:"remedy,omitempty"`
	Raw     string `json:"raw,omitempty"` // with --raw only: what the tools printed
}

// A KoanReport is the outcome of one koan.
type KoanReport struct {
	Test   string `json:"test"`   // the test function's name
	Title  string `json:"title"`  // what the koan teaches, a sentence
	Step   int    `json:"step"`   // of the lesson, from 1
	Status string `json:"status"` // "passed", "failed" or "not_reached"
	// Flaky is present if the koan failed only in some runs.
	Flaky *FlakyReport `json:"flaky,omitempty"`
	// Diagnosis is present if and only if Status is "failed".
	Diagnosis *DiagnosisReport `json:"diagnosis,omitempty"`
}

// A FlakyReport tells how often a koan failed that also passed.
type FlakyReport struct {
	Failed int   `json:"failed"`
	Runs   int   `json:"runs"`
	Seed   int64 `json:"seed"` // for koans stress --seed; 0 if the order had no part in it
}

// A DiagnosisReport says why a koan failed.
type DiagnosisReport struct {
	// Kind is "todo", "build", "vet", "assertion", "race", "leak", "deadlock",
	// "stuck", "panic" or "crash".
	Kind    string   `json:"kind"`
	File    string   `json:"file,omitempty"` // slash-separated, from the workbook's root
	Line    int      `json:"line,omitempty"`
	Summary string   `json:"summary"`
	Detail  []string `json:"detail"`
	Raw     string   `json:"raw,omitempty"` // with --raw only: what the tools printed
	// Pitfalls name the wrong answers of the lesson that fail in the same way,
	// the one that is most like the learner's first.
	Pitfalls []string `json:"pitfalls"`
	// Goroutines are those that have to do with the lesson, in groups; the one
	// that the diagnosis points at comes first. They are absent where the
	// diagnosis is not about goroutines.
	Goroutines []GoroutineReport `json:"goroutines,omitempty"`
	// GroupsLeftOut counts the groups of goroutines beyond the fiftieth.
	GroupsLeftOut int `json:"groups_left_out,omitempty"`
	// Races are at most fifty, and absent from what is no data race. One that
	// the runtime has seen without the race detector has none.
	Races []RaceReport `json:"races,omitempty"`
}

// newReport makes the report on verdicts.
func (a *app) newReport(all []verdict, raw bool) Report {
	r := Report{Schema: schema, Lessons: []LessonReport{}}
	for _, v := range all {
		l := LessonReport{
			ID: v.lesson.ID, Number: v.lesson.Number, Title: v.lesson.Title,
			Status:      string(v.status),
			RaceChecked: v.report.RaceChecked,
			TestsEdited: len(v.report.TestsEdited) > 0,
			SoakRuns:    v.report.SoakRuns,
			Koans:       []KoanReport{},
		}
		if v.status == passed {
			l.RaceUncheckedReason = v.report.NoRace
		}
		if v.status == unchecked {
			e := atEdge(v.err)
			l.Error = &ErrorReport{Problem: e.problem, Remedy: a.typed(e.remedy)}
			if e.err != nil {
				l.Error.Problem += " (" + e.err.Error() + ")"
			}
			if raw {
				l.Error.Raw = v.raw()
			}
		}
		for _, o := range v.report.Koans {
			l.Koans = append(l.Koans, a.newKoanReport(v.lesson, o, raw))
		}
		r.Lessons = append(r.Lessons, l)
	}
	return r
}

func (a *app) newKoanReport(lesson lessons.Lesson, o checker.Outcome, raw bool) KoanReport {
	koan, _ := koanOf(lesson, o.Test)
	k := KoanReport{Test: o.Test, Title: koan.Title, Step: koan.Step, Status: string(o.Status)}
	if o.Flaky != nil {
		k.Flaky = &FlakyReport{Failed: o.Flaky.Failed, Runs: o.Flaky.Runs, Seed: o.Flaky.Seed}
	}
	if d := o.Diagnosis; d != nil {
		k.Diagnosis = &DiagnosisReport{
			Kind: string(d.Kind), File: d.File, Line: d.Line, Summary: d.Summary,
			Detail:   append([]string{}, d.Detail...),
			Pitfalls: append([]string{}, a.looksLike(lesson, o)...),
			Races:    races(lesson, d),
		}
		k.Diagnosis.Goroutines, k.Diagnosis.GroupsLeftOut = goroutines(lesson, d)
		if raw {
			k.Diagnosis.Raw = d.Raw
		}
	}
	return k
}

func writeJSON(w io.Writer, r Report) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(r)
}
