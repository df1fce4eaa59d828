package main

import (
	"fmt"
	"time"

	"charm.land/bubbles/v2/viewport"
	tea "charm.land/bubbletea/v2"

	"concurrency-koans/checker"
	"concurrency-koans/cmd/koans/internal/saves"
	"concurrency-koans/lessons"
)

// A watch is all that koans watch knows at a moment. It changes by events only,
// in next, and what shall be done in the world comes out of that as orders: so it
// can be tested without a terminal, a clock or a check.
type watch struct {
	ink     *app // draws; it is copied and never changed
	lessons []lessons.Lesson
	lesson  lessons.Lesson // the one that is watched

	round  int    // number of the check that was ordered last
	sum    string // of the file's content that it is about
	known  bool   // the file has been told of
	polled bool
	stage  stage
	// packages that the check still has to compile, and of how many; 0 of 0
	// where it is not known to be many
	compiled, packages int

	verdict   *verdict // nil until there is one on this lesson
	sofar     bool     // the verdict is the fast lane's, and not the last word
	likely    []string // the pitfalls that the failure looks like
	hintsLeft int      // for the koan that fails
	at        time.Time
	took      time.Duration
	standing  []standing // of the lessons, in order

	columns, lines int
	dark           bool // the terminal's background
	page           page
	body           viewport.Model
	visit          int    // number of the page: what comes for one that was left is not shown
	says           string // an answer to the last key; "" if it needed none

	orders []order // of the event under way
}

// A stage is how far the check of the last save is.
type stage int

const (
	waiting  stage = iota // for a save
	checking              // in both lanes
	racing                // the fast lane has done its part
)

// A standing is where a lesson stands.
type standing struct {
	mark, words string
	passed      bool
}

// The events, beside those of Bubble Tea.
type (
	// saved tells that a lesson's file has another content.
	saved struct {
		lesson string // its ID
		saves.State
	}
	// compiling tells how far the compiling of a round is, where that takes long.
	compiling struct{ round, done, total int }
	// fastJudged tells what the fast lane has found in a round.
	fastJudged struct {
		round  int
		report checker.Report
	}
	// judged is the end of a round.
	judged struct {
		round     int
		verdict   verdict
		likely    []string
		hintsLeft int
		at        time.Time
		took      time.Duration
		standing  []standing
		notice    string // what else the learner should know; "" if nothing
	}
	// opened is a page that was asked for on a visit.
	opened struct {
		visit     int
		page      page
		hintsLeft int // of the koan that fails; -1 if the page is not about hints
	}
	// answered is a line for the learner.
	answered struct{ words string }
)

// An order is something to be done in the world. What comes of it is an event.
type order interface{}

type (
	follow   struct{ lesson lessons.Lesson } // in place of the one before
	runKoans struct {
		round  int
		lesson lessons.Lesson
	}
	warm     struct{ lesson lessons.Lesson } // the build cache
	openHint struct {
		lesson    lessons.Lesson
		koan      lessons.Koan
		diagnosis *checker.Diagnosis
		visit     int
	}
	openDiff struct {
		lesson lessons.Lesson
		visit  int
	}
	openPitfalls struct {
		lesson lessons.Lesson
		likely []string
		visit  int
	}
	runPitfall struct {
		lesson lessons.Lesson
		name   string
		visit  int
	}
	openList struct {
		current string // ID of the lesson that the cursor begins at
		visit   int
	}
	reset struct {
		lesson lessons.Lesson
		visit  int
	}
	edit struct {
		file string // slash-separated, from the workbook's root
		line int
	}
	suspend struct{}
	quit    struct{}
)

// newWatch is the state before the first event.
func newWatch(ink *app, l lessons.Lesson) watch {
	body := viewport.New()
	body.FillHeight = true
	w := watch{ink: ink, lessons: ink.book.lessons, lesson: l, dark: true, body: body}
	w.body.KeyMap.HalfPageUp.SetKeys("ctrl+u")
	w.body.KeyMap.HalfPageDown.SetKeys("ctrl+d")
	w.body.KeyMap.PageDown.SetKeys("pgdown", "space")
	w.body.KeyMap.PageUp.SetKeys("pgup")
	w.body.KeyMap.Left.SetKeys()
	w.body.KeyMap.Right.SetKeys()
	w.columns, w.lines = usualWidth, 24
	w.lay(true)
	return w
}

// next is the state after an event, and what is to be done about it.
func (w watch) next(event any) (watch, []order) {
	w.orders = nil
	w.take(event)
	orders := w.orders
	w.orders = nil
	return w, orders
}

func (w *watch) order(o order) { w.orders = append(w.orders, o) }

func (w *watch) take(event any) {
	switch e := event.(type) {
	case tea.WindowSizeMsg:
		w.columns, w.lines = e.Width, e.Height
		w.lay(false)
	case tea.BackgroundColorMsg:
		w.dark = e.IsDark()
		w.lay(false)
	case tea.KeyPressMsg:
		w.says = ""
		w.press(e)
	case tea.ResumeMsg:
		if w.stage != waiting {
			w.check() // it was ended, so that nothing runs while nobody looks after it
		}
	case saved:
		w.save(e)
	case compiling:
		if e.round == w.round {
			w.compiled, w.packages = e.done, e.total
		}
	case fastJudged:
		if e.round == w.round {
			w.stage, w.sofar = racing, true
			w.judge(verdict{lesson: w.lesson, status: failed, report: e.report}, nil)
		}
	case judged:
		if e.round == w.round {
			w.settle(e)
		}
	case opened:
		if e.hintsLeft >= 0 {
			w.hintsLeft = e.hintsLeft
		}
		if e.visit != w.visit {
			return
		}
		if from := w.page; from.kind == menuPage && !from.lessons {
			e.page.from = &from
		}
		w.says = ""
		w.open(e.page)
	case answered:
		w.says = e.words
	}
}

// begin turns to a lesson. Its file is told of at once, and so is checked.
func (w *watch) begin(l lessons.Lesson) {
	w.lesson = l
	w.round++ // what is still to come is about the other lesson
	w.sum, w.known, w.verdict, w.likely, w.sofar = "", false, nil, nil, false
	w.stage = checking
	w.order(follow{l})
	w.open(page{})
}

func (w *watch) save(s saved) {
	if s.lesson != w.lesson.ID {
		return
	}
	if s.Polled && !w.polled {
		w.says = wordsPolled
	}
	w.polled = s.Polled
	if w.known && w.sum == s.Sum {
		return // only the way of finding out is another one
	}
	w.sum, w.known = s.Sum, true
	w.check()
}

// check orders a round. The verdict on the content before stays to be read.
func (w *watch) check() {
	w.round++
	w.stage = checking
	w.compiled, w.packages = 0, 0
	w.order(runKoans{w.round, w.lesson})
}

func (w *watch) settle(e judged) {
	w.stage, w.sofar = waiting, false
	w.likely, w.hintsLeft = e.likely, e.hintsLeft
	w.at, w.took, w.standing = e.at, e.took, e.standing
	if e.notice != "" {
		w.says = e.notice
	}
	w.judge(e.verdict, e.likely)
	if w.page.lessons {
		w.page.stand(e.standing)
		w.lay(false)
	}
	if e.verdict.status == untried {
		w.order(warm{w.lesson})
	}
}

// judge shows a verdict. Where the learner has scrolled to is left alone as long
// as it is the same koan that fails in the same way.
func (w *watch) judge(v verdict, likely []string) {
	same := w.verdict != nil && reason(*w.verdict) == reason(v)
	w.verdict, w.likely = &v, likely
	if w.page.kind == verdictPage {
		w.lay(!same)
	}
}

// reason tells apart verdicts that need to be read anew.
func reason(v verdict) string {
	o, _ := v.report.FirstFailure()
	return fmt.Sprint(v.status, o.Test, kindOf(o))
}

// passes reports whether the lesson has passed with what its file holds now.
func (w *watch) passes() bool {
	return w.verdict != nil && w.verdict.status == passed && w.stage == waiting
}

// failing is the koan that fails, if one could run.
func (w *watch) failing() (checker.Outcome, bool) {
	if w.verdict == nil {
		return checker.Outcome{}, false
	}
	o, ok := w.verdict.report.FirstFailure()
	return o, ok && !refused(o)
}

// upNext is the first lesson that has not passed; false if there is none.
func (w *watch) upNext() (lessons.Lesson, bool) {
	for i, l := range w.lessons {
		if i < len(w.standing) && !w.standing[i].passed {
			return l, true
		}
	}
	return lessons.Lesson{}, false
}

func (w *watch) passedCount() int {
	n := 0
	for _, s := range w.standing {
		if s.passed {
			n++
		}
	}
	return n
}
