package main

import (
	"bytes"
	"fmt"
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"concurrency-koans/checker"
)

// The smallest terminal that the screen is drawn on.
const (
	leastColumns = 60
	leastLines   = 15
)

// headLines and footLines are what stands above and below the page.
const (
	headLines = 3
	footLines = 3
)

func (w *watch) tooSmall() bool { return w.columns < leastColumns || w.lines < leastLines }

// width is that of a line of the screen. One column on each side stays free, and
// a wide terminal is not filled: no line is easy to read beyond a hundred columns.
func (w *watch) width() int { return min(w.columns, mostWidth) - 2 }

// written is what say writes on a page of the screen's width.
func (w *watch) written(say func(*app)) string {
	var text bytes.Buffer
	pen := *w.ink
	pen.out = w.ink.out.page(&text, w.width(), w.dark)
	pen.err, pen.read, pen.noticed = pen.out, nil, nil
	say(&pen)
	return text.String()
}

// lay sets the page anew, from its top or where the learner has scrolled to.
func (w *watch) lay(top bool) {
	if w.tooSmall() {
		return
	}
	w.body.SetWidth(w.width())
	w.body.SetHeight(w.lines - headLines - footLines)
	at := -1
	text := w.written(func(a *app) {
		switch w.page.kind {
		case verdictPage:
			w.sayBody(a)
		case menuPage:
			at = w.page.sayMenu(a)
		default:
			w.page.text(a)
		}
	})
	// What cannot be broken at spaces, such as a line of source, is broken
	// anywhere: the screen has no other way to show its end.
	text = strings.ReplaceAll(strings.TrimRight(text, "\n"), "\t", "    ")
	offset := w.body.YOffset()
	w.body.SetContent(ansi.Hardwrap(text, w.width(), true))
	w.body.SetYOffset(offset)
	if top {
		w.body.GotoTop()
	}
	if at >= 0 {
		w.body.EnsureVisible(at, 0, 0)
	}
}

// sayBody writes the verdict, or what is to be done before there is one.
func (w *watch) sayBody(a *app) {
	l := w.lesson
	if w.verdict == nil {
		a.out.text(0, l.Summary)
		a.out.line("")
		a.out.pairs(2,
			pair{"the file", a.out.place(a.book.show(folder(l)+"/"+l.Answer), a.book.path(folder(l)+"/"+l.Answer))},
			pair{"the lesson", a.command("read", l.Number)},
		)
		return
	}
	v := *w.verdict
	o, fails := v.report.FirstFailure()
	switch {
	case v.status == passed:
		w.celebrate(a, v)
	case v.status == unchecked:
		a.sayUnchecked(v)
	case fails:
		if !refused(o) {
			k, n := koanOf(l, o.Test)
			a.out.text(0, fmt.Sprintf("Koan %d of %d, step %d: %s", n, len(l.Koans), k.Step, stepTitle(l, k.Step)))
			a.out.text(2, styleTitle.Render(k.Title))
			a.out.line("")
		}
		a.sayDiagnosis(o)
		if o.Flaky != nil {
			a.out.line("")
			a.sayFlaky(l, o.Flaky)
		}
		if len(v.report.TestsEdited) > 0 {
			a.out.line("")
			a.sayEdited(v.report)
		}
		if rows := w.ways(); len(rows) > 0 {
			a.out.line("")
			a.out.pairs(0, rows...)
		}
	default:
		a.out.text(0, fmt.Sprintf("%s pass so far.", plural(len(v.report.Koans), "koan")))
		a.out.text(0, "The race detector is still looking; what it says is the verdict.")
	}
}

// ways are the keys that lead on from a failed koan, where they need more words
// than the foot has room for.
func (w *watch) ways() (rows []pair) {
	for i, name := range w.likely[:min(len(w.likely), mostLikenesses)] {
		label := "looks like"
		if i > 0 {
			label = "or like"
		}
		rows = append(rows, pair{label, name + "  " + styleFaint.Render("(p shows it)")})
	}
	return rows
}

// celebrate writes what a pass rests on, and where to go from it.
func (w *watch) celebrate(a *app, v verdict) {
	l, r := v.lesson, v.report
	words := plural(len(r.Koans), "koan")
	if r.RaceChecked {
		words += ", race-checked"
	}
	if r.SoakRuns > 0 {
		words += fmt.Sprintf(", and again in %s in shuffled order", plural(r.SoakRuns, "run"))
	}
	border := lipgloss.RoundedBorder()
	if a.out.marks == plainMarks {
		border = lipgloss.ASCIIBorder()
	}
	box := lipgloss.NewStyle().Border(border).BorderForeground(lipgloss.Green).Padding(0, 2)
	head := styleGood.Bold(true).Render(fmt.Sprintf("%s Lesson %d, %s, passes", a.out.marks.passed, l.Number, l.Title))
	inside := append([]string{head}, wrap(words+".", w.width()-10)...)
	for line := range strings.Lines(box.Render(strings.Join(inside, "\n"))) {
		a.out.line("  %s", strings.TrimRight(line, "\n"))
	}
	a.out.line("")
	a.sayEdited(r)
	if !r.RaceChecked && r.NoRace != "" {
		a.out.text(2, styleWarn.Render("Not race-checked.")+" "+r.NoRace)
		a.out.line("")
	}
	next, more := w.upNext()
	if !more {
		a.out.text(0, styleGood.Render(wordsAllPassed))
		a.out.line("")
		a.sayLearnt()
	}
	rows := []pair{
		{"d", "your answer beside the reference"},
		{"p", "the pitfalls of this lesson"},
	}
	if more {
		rows = append([]pair{{"n", fmt.Sprintf("lesson %d, %s: %s", next.Number, next.Title, next.Summary)}}, rows...)
	}
	for i := range rows {
		rows[i].key = styleType.Render(rows[i].key)
	}
	a.out.pairs(2, rows...)
}

// view is the whole screen.
func (w *watch) view() string {
	if w.tooSmall() {
		return strings.Join(wrap(fmt.Sprintf(wordsTooSmall, leastColumns, leastLines, w.columns, w.lines), w.columns), "\n")
	}
	rule := styleFaint.Render(strings.Repeat(w.ruleMark(), w.width()))
	lines := []string{w.head(), w.pathRow(), rule}
	lines = append(lines, strings.Split(w.body.View(), "\n")...)
	lines = append(lines, rule)
	lines = append(lines, w.foot()...)
	for i, line := range lines {
		lines[i] = " " + ansi.Truncate(line, w.width(), "")
	}
	return strings.Join(lines, "\n")
}

func (w *watch) ruleMark() string {
	if w.ink.out.marks == plainMarks {
		return "-"
	}
	return "─"
}

// spread puts text at both ends of a line; the right one is left out where there
// is no room for both.
func (w *watch) spread(left, right string) string {
	gap := w.width() - ansi.StringWidth(left) - ansi.StringWidth(right)
	if gap < 2 {
		return left
	}
	return left + strings.Repeat(" ", gap) + right
}

func (w *watch) head() string {
	title := styleTitle.Render(fmt.Sprintf("Lesson %d of %d: %s", w.lesson.Number, len(w.lessons), w.lesson.Title))
	done, total := w.passedCount(), len(w.lessons)
	words := fmt.Sprintf("%d of %d passed", done, total)
	bar := styleGood.Render(w.ink.out.marks.bar(done, total, 12)) + " " + words
	if line := w.spread(title, bar); strings.HasSuffix(line, words) {
		return line
	}
	return w.spread(title, words)
}

func (w *watch) pathRow() string {
	var report checker.Report
	if w.verdict != nil {
		report = w.verdict.report
	}
	if len(report.Koans) == 0 {
		for _, k := range w.lesson.Koans {
			report.Koans = append(report.Koans, checker.Outcome{Test: k.Test, Status: checker.NotReached})
		}
	}
	return w.ink.out.path(report)
}

// foot is the last two lines: what goes on, and what keys do. An answer that is
// too long for its line stands in the place of the keys until the next one.
func (w *watch) foot() []string {
	if said := wrap(w.says, w.width()); len(said) > 1 {
		return said[:2]
	}
	right := ""
	switch {
	case !w.body.AtBottom():
		right = "more below"
	case !w.body.AtTop():
		right = "more above"
	}
	if w.polled {
		right = strings.TrimPrefix(right+", polling", ", ")
	}
	right = styleFaint.Render(right)
	long, short := w.status()
	line := w.spread(long, right)
	if ansi.StringWidth(line) > w.width() || !strings.HasSuffix(line, right) {
		line = w.spread(short, right)
	}
	return []string{line, w.keysLine()}
}

// status says what goes on or how the last check ended, at length and for a line
// with less room.
func (w *watch) status() (long, short string) {
	switch {
	case w.says != "":
		return w.says, w.says
	case w.stage == checking && w.packages > 0:
		count := fmt.Sprintf("%d of %d packages", w.compiled, w.packages)
		return fmt.Sprintf("%s: %s %s", wordsCompiling, w.ink.out.marks.bar(w.compiled, w.packages, 12), count),
			"Compiling, once: " + count
	case w.stage == checking:
		return "Checking …", "Checking …"
	case w.stage == racing:
		words := styleWarn.Render("Waiting for the race detector …")
		return words, words
	case w.verdict == nil:
		return "", ""
	}
	gist := w.gist()
	return gist + styleFaint.Render(fmt.Sprintf("  %s, in %.1f s", w.at.Format("15:04:05"), w.took.Seconds())), gist
}

// gist is the verdict in a few words: it is seen beside pages too.
func (w *watch) gist() string {
	m := w.ink.out.marks
	o, fails := w.verdict.report.FirstFailure()
	switch {
	case w.verdict.status == passed:
		return styleGood.Render(fmt.Sprintf("%s Lesson %d passes", m.passed, w.lesson.Number))
	case w.verdict.status == unchecked || !fails:
		return styleWarn.Render("Could not be checked")
	case refused(o):
		return styleBad.Render(m.failed + " " + kindWord(o.Diagnosis.Kind))
	}
	_, n := koanOf(w.lesson, o.Test)
	return styleBad.Render(fmt.Sprintf("%s Koan %d: %s", m.failed, n, kindWord(o.Diagnosis.Kind)))
}

// keys are what the foot names, those first that are dear now.
func (w *watch) keys() []pair {
	switch w.page.kind {
	case menuPage:
		if w.page.typing {
			return []pair{{"enter", "done"}, {"esc", "all"}}
		}
		if w.page.lessons {
			return []pair{{"enter", "go there"}, {"/", "search"}, {"f", "filter"}, {"x", "reset"}, {"esc", "back"}}
		}
		return []pair{{"enter", "run it"}, {"/", "search"}, {"esc", "back"}}
	case askPage:
		return []pair{{"y", "put it back"}, {"esc", "leave it"}}
	}
	var keys []pair
	if _, ok := w.failing(); ok && !w.sofar {
		hint := "hint"
		if w.hintsLeft > 0 {
			hint = fmt.Sprintf("hint (%d left)", w.hintsLeft)
		}
		keys = append(keys, pair{"h", hint})
	}
	if w.passes() {
		if _, ok := w.upNext(); ok {
			keys = append(keys, pair{"n", "next"})
		}
		keys = append(keys, pair{"d", "diff"})
	}
	keys = append(keys, pair{"p", "pitfalls"}, pair{"l", "list"}, pair{"e", "edit"}, pair{"r", "run again"})
	if w.page.kind == textPage {
		return append(keys, pair{"esc", "back"})
	}
	return append(keys, pair{"?", "help"}, pair{"q", "quit"})
}

// keysLine names keys as far as there is room. The last ones lead out, and are
// always named.
func (w *watch) keysLine() string {
	keys := w.keys()
	for {
		var words []string
		for _, k := range keys {
			words = append(words, styleType.Render(k.key)+" "+k.value)
		}
		line := strings.Join(words, "   ")
		if ansi.StringWidth(line) <= w.width() || len(keys) <= 2 {
			return line
		}
		// The one before the ways out is the least dear.
		keys = append(keys[:len(keys)-3:len(keys)-3], keys[len(keys)-2:]...)
	}
}
