package main

import (
	"crypto/sha256"
	"encoding/hex"

	"concurrency-koans/checker"
	"concurrency-koans/checker/journal"
	"concurrency-koans/lessons"
)

// record returns what the journal says, and tells the learner once what is
// wrong with the journal itself. Without a readable journal nothing has
// happened yet: the answers are there all the same, and a check finds out.
func (a *app) record() journal.Record {
	if a.read != nil {
		return *a.read
	}
	r, err := journal.Open(a.book.root).Read()
	if err != nil {
		a.notice("Your progress cannot be read, so every lesson counts as not passed: " + err.Error() + ".")
	}
	for _, n := range r.Notices {
		a.notice(n)
	}
	a.read = &r
	return r
}

// appendEntry adds an entry to the journal. Progress that cannot be written is
// no reason to keep a verdict from the learner.
func (a *app) appendEntry(e journal.Entry) {
	e.Time = a.world.now()
	a.read = nil // it does not know of the entry
	if err := journal.Open(a.book.root).Append(e); err != nil {
		a.notice("Your progress could not be written: " + err.Error() + ".")
	}
}

// notice tells of what is no reason to stop, once in a run.
func (a *app) notice(words string) {
	if a.noticed[words] {
		return
	}
	if a.noticed == nil {
		a.noticed = map[string]bool{}
	}
	a.noticed[words] = true
	a.err.item(0, styleWarn.Render("Notice:")+" "+words)
}

// hash names the content of an answer in the journal.
func hash(answer []byte) string {
	sum := sha256.Sum256(answer)
	return hex.EncodeToString(sum[:])
}

// hashOf is the hash of the answer on disk, "" if it cannot be read.
func (w *workbook) hashOf(l lessons.Lesson) string {
	answer, err := w.answer(l)
	if err != nil {
		return ""
	}
	return hash(answer)
}

// hasPassed reports whether the answer on disk is one that passed.
func (a *app) hasPassed(l lessons.Lesson) (passed, raceChecked bool) {
	h := a.book.hashOf(l)
	if h == "" {
		return false, false
	}
	return a.record().Passed(l.ID, h)
}

// current returns the first lesson that has not passed; done tells that there
// is none.
func (a *app) current() (l lessons.Lesson, done bool, err error) {
	book, err := a.workbook()
	if err != nil {
		return lessons.Lesson{}, false, err
	}
	for _, l := range book.lessons {
		if passed, _ := a.hasPassed(l); !passed {
			return l, false, nil
		}
	}
	return lessons.Lesson{}, true, nil
}

// note writes a verdict on the answer with the given hash to the journal. What
// was edited during the check has no verdict: nobody knows which version the
// compiler saw.
func (a *app) note(v verdict, before string, elapsed int64) {
	if v.status == unchecked || before == "" || before != a.book.hashOf(v.lesson) {
		return
	}
	e := journal.Entry{
		Event: journal.Check, Lesson: v.lesson.ID, Hash: before, Status: string(v.status),
		RaceChecked: v.report.RaceChecked, ElapsedMS: elapsed,
	}
	if o, ok := v.report.FirstFailure(); ok {
		e.Kind = kindOf(o)
		if !refused(o) {
			e.Koan = o.Test
		}
	}
	a.appendEntry(e)
}

func kindOf(o checker.Outcome) string {
	if o.Diagnosis == nil {
		return ""
	}
	return string(o.Diagnosis.Kind)
}

// hintsShown returns how many of a koan's hints have been shown.
func (a *app) hintsShown(l lessons.Lesson, k lessons.Koan) int {
	return min(len(k.Hints), a.record().HintsShown(l.ID, k.Test))
}
