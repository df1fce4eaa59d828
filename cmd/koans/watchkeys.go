package main

import (
	"fmt"

	tea "charm.land/bubbletea/v2"
)

// press answers a key.
func (w *watch) press(key tea.KeyPressMsg) {
	switch key.String() {
	case "ctrl+c":
		w.order(quit{})
		return
	case "ctrl+z":
		w.order(suspend{})
		return
	}
	if w.tooSmall() {
		if key.String() == "q" {
			w.order(quit{})
		}
		return
	}
	if w.page.kind == menuPage && w.page.typing {
		w.typed(key)
		return
	}
	switch key.String() {
	case "q", "esc":
		if w.page.kind != verdictPage {
			w.back()
		} else if key.String() == "q" {
			w.order(quit{})
		}
	case "home", "g":
		w.body.GotoTop()
		w.page.cursor = 0
		w.layMenu()
	case "end", "G":
		w.body.GotoBottom()
		w.page.cursor = max(0, len(w.page.shown())-1)
		w.layMenu()
	default:
		switch w.page.kind {
		case menuPage:
			w.pressInMenu(key)
		case askPage:
			w.pressInAsk(key)
		default:
			w.pressInText(key)
		}
	}
}

// back leaves a page for the one it was opened from.
func (w *watch) back() {
	if w.page.from != nil {
		w.open(*w.page.from)
		return
	}
	w.open(page{})
}

// pressInText answers a key on the verdict and on pages of text.
func (w *watch) pressInText(key tea.KeyPressMsg) {
	switch key.String() {
	case "h":
		w.hint()
	case "n":
		w.goOn()
	case "d":
		if !w.passes() {
			w.says = wordsDiffLater
			return
		}
		w.order(openDiff{w.lesson, w.visit})
	case "p":
		w.order(openPitfalls{w.lesson, w.likely, w.visit})
	case "l":
		w.order(openList{w.lesson.ID, w.visit})
	case "r":
		w.check()
	case "e":
		w.edit()
	case "?":
		w.open(w.help())
	default:
		w.body, _ = w.body.Update(key)
	}
}

func (w *watch) hint() {
	o, ok := w.failing()
	switch {
	case ok && !w.sofar:
		k, _ := koanOf(w.lesson, o.Test)
		w.order(openHint{w.lesson, k, o.Diagnosis, w.visit})
	case w.verdict == nil || w.sofar:
		w.says = wordsNoVerdictYet
	case w.verdict.status == passed:
		w.says = "It passes: there is nothing to hint at."
	case w.verdict.status == unchecked:
		w.says = wordsNoVerdictYet
	default:
		w.says = "The hints are about the koans, and none could run yet: mend the line that is named first."
	}
}

// goOn moves to the next lesson.
func (w *watch) goOn() {
	if !w.passes() {
		w.says = wordsNextLater
		return
	}
	l, ok := w.upNext()
	if !ok {
		w.says = wordsAllPassed
		return
	}
	w.begin(l)
}

// edit opens the file at the line that is to blame, or at the first one.
func (w *watch) edit() {
	e := edit{file: folder(w.lesson) + "/" + w.lesson.Answer}
	if w.verdict != nil {
		if o, ok := w.verdict.report.FirstFailure(); ok && o.Diagnosis != nil && o.Diagnosis.File == e.file {
			e.line = o.Diagnosis.Line
		}
	}
	w.order(e)
}

// pressInMenu answers a key on a menu.
func (w *watch) pressInMenu(key tea.KeyPressMsg) {
	m := &w.page
	shown := m.shown()
	switch key.String() {
	case "up", "k":
		m.cursor = max(0, m.cursor-1)
	case "down", "j":
		m.cursor = max(0, min(len(shown)-1, m.cursor+1))
	case "pgup":
		m.cursor = max(0, m.cursor-w.body.Height())
	case "pgdown", "space":
		m.cursor = max(0, min(len(shown)-1, m.cursor+w.body.Height()))
	case "/":
		m.typing = true
	case "f":
		if m.lessons {
			m.only = (m.only + 1) % len(onlyWords)
			m.cursor = 0
		}
	case "l":
		if m.lessons {
			w.back()
			return
		}
	case "x":
		if m.lessons && len(shown) > 0 {
			w.ask(shown[m.cursor])
			return
		}
	case "enter":
		if len(shown) > 0 {
			w.choose(shown[m.cursor])
			return
		}
	}
	w.layMenu()
}

// typed answers a key while the learner types what to search for.
func (w *watch) typed(key tea.KeyPressMsg) {
	m := &w.page
	switch key.String() {
	case "enter":
		m.typing = false
		if shown := m.shown(); len(shown) == 1 {
			w.choose(shown[0])
			return
		}
	case "esc":
		m.typing, m.query = false, ""
	case "backspace":
		if letters := []rune(m.query); len(letters) > 0 {
			m.query = string(letters[:len(letters)-1])
		}
	case "up", "down":
		m.typing = false
		w.pressInMenu(key)
		return
	default:
		m.query += key.Text
	}
	m.cursor = 0
	w.layMenu()
}

// choose does what a row of a menu is for.
func (w *watch) choose(r row) {
	if !w.page.lessons {
		w.says = "Running it in place of your answer …"
		w.order(runPitfall{w.lesson, r.id, w.visit})
		return
	}
	for _, l := range w.lessons {
		if l.ID == r.id {
			w.begin(l)
		}
	}
}

// ask asks before a lesson is reset.
func (w *watch) ask(r row) {
	from := w.page
	for _, l := range w.lessons {
		if l.ID != r.id {
			continue
		}
		w.open(page{kind: askPage, from: &from, subject: l, text: func(a *app) {
			a.out.line("%s", styleTitle.Render(fmt.Sprintf("Put the skeleton of lesson %d, %s, back?", l.Number, l.Title)))
			a.out.line("")
			a.out.text(2, "Your file is kept beside it, and where is said.")
			a.out.line("")
			a.out.pairs(2, pair{styleType.Render("y"), "put it back"}, pair{styleType.Render("esc"), "leave it as it is"})
		}})
	}
}

func (w *watch) pressInAsk(key tea.KeyPressMsg) {
	switch key.String() {
	case "y":
		w.order(reset{w.page.subject, w.visit})
	case "n":
		w.back()
	}
}
