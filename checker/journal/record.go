package journal

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// A Record is what a journal says about the lessons. The zero Record says that
// nothing has happened yet.
type Record struct {
	lessons map[string]*history

	// Notices are what the learner should know about the journal itself, one
	// sentence or two each.
	Notices []string
}

// A history is what happened to one lesson.
type history struct {
	verdicts   map[string]verdict // the latest of each hash
	attempts   int
	koan, kind string         // where the latest attempt failed
	hints      map[string]int // highest number shown for each koan
	revealed   bool
}

type verdict struct{ passed, raceChecked bool }

// Passed reports whether the lesson has passed with the answer that has this
// hash, and whether it was race-checked then. The latest verdict on an answer
// counts: one that passes, but not always, has not passed. A later pass without
// the race detector takes nothing away.
func (r Record) Passed(lesson, hash string) (passed, raceChecked bool) {
	v := r.of(lesson).verdicts[hash]
	return v.passed, v.raceChecked
}

// Attempts returns how many checks of the lesson came to a verdict.
func (r Record) Attempts(lesson string) int { return r.of(lesson).attempts }

// LastFailure returns the first koan that failed in the latest attempt at the
// lesson, and the kind of its diagnosis. Both are "" if there was no attempt, or
// if the latest one passed; the koan alone is if none could be run.
func (r Record) LastFailure(lesson string) (koan, kind string) {
	h := r.of(lesson)
	return h.koan, h.kind
}

// HintsShown returns how many hints have been shown for a koan.
func (r Record) HintsShown(lesson, koan string) int { return r.of(lesson).hints[koan] }

// Revealed reports whether the lesson's solution has been shown before its time.
func (r Record) Revealed(lesson string) bool { return r.of(lesson).revealed }

func (r Record) of(lesson string) *history {
	if h := r.lessons[lesson]; h != nil {
		return h
	}
	return &history{}
}

// read makes a record of a journal's content.
func read(data []byte) Record {
	r := Record{lessons: map[string]*history{}}
	var unreadable, newer skipped
	number := 0
	for line := range bytes.Lines(data) {
		number++
		if len(bytes.TrimSpace(line)) == 0 {
			continue // two processes have mended the same torn line
		}
		var e Entry
		err := json.Unmarshal(line, &e)
		switch {
		case err == nil && e.Version == version:
			r.add(e)
		case versionOf(line) > version:
			newer.add(number)
		default:
			unreadable.add(number)
		}
	}
	const name = folder + "/" + file
	if unreadable.lines > 0 {
		r.Notices = append(r.Notices, fmt.Sprintf("%s of %s cannot be read and does not count. "+
			"Everything else does; nothing has been removed.", unreadable, name))
	}
	if newer.lines > 0 {
		r.Notices = append(r.Notices, fmt.Sprintf("%s of %s was written by a newer koans and does not count here. "+
			"Nothing has been removed; the newer koans can read it.", newer, name))
	}
	return r
}

// add takes one entry into account.
func (r Record) add(e Entry) {
	h := r.lessons[e.Lesson]
	if h == nil {
		h = &history{verdicts: map[string]verdict{}, hints: map[string]int{}}
		r.lessons[e.Lesson] = h
	}
	switch e.Event {
	case Check:
		h.addCheck(e)
	case Hint:
		h.hints[e.Koan] = max(h.hints[e.Koan], e.Hint)
	case Reveal:
		h.revealed = true
	}
}

func (h *history) addCheck(e Entry) {
	switch e.Status {
	case Passed:
		h.koan, h.kind = "", ""
		before := h.verdicts[e.Hash]
		h.verdicts[e.Hash] = verdict{passed: true, raceChecked: e.RaceChecked || before.raceChecked}
	case Failed:
		h.koan, h.kind = e.Koan, e.Kind
		h.verdicts[e.Hash] = verdict{}
	default:
		return
	}
	h.attempts++
}

// versionOf returns the version of a line whose other fields may have changed
// since, or 0 if the line is none.
func versionOf(line []byte) int {
	var e struct {
		Version int `json:"v"`
	}
	if json.Unmarshal(line, &e) != nil {
		return 0
	}
	return e.Version
}

// skipped counts lines that were left out.
type skipped struct{ lines, first int }

func (s *skipped) add(number int) {
	if s.lines == 0 {
		s.first = number
	}
	s.lines++
}

// String begins a sentence in the singular.
func (s skipped) String() string {
	if s.lines == 1 {
		return fmt.Sprintf("Line %d", s.first)
	}
	return fmt.Sprintf("Each of %d lines, the first of them line %d,", s.lines, s.first)
}
