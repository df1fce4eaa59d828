package main

import (
	"fmt"
	"slices"
	"strings"

	"concurrency-koans/lessons"
)

// A page is what stands between the head and the foot of the screen. The zero
// one is the verdict.
type page struct {
	kind pageKind
	text func(*app) // writes it; of all but menus and the verdict
	end  bool       // it is opened at its end, where the news is
	from *page      // where esc leads; nil is the verdict

	subject lessons.Lesson // of a question

	// Of a menu:
	title   string
	rows    []row
	lessons bool // and not pitfalls
	cursor  int  // among those shown
	only    int  // index of onlyWords
	query   string
	typing  bool
}

// A pageKind tells which keys a page answers.
type pageKind int

const (
	verdictPage pageKind = iota
	textPage
	menuPage
	askPage
)

// A row is a line of a menu.
type row struct {
	id, mark, name, words string
	passed                bool
}

// onlyWords name what a list of lessons is narrowed to.
var onlyWords = []string{"all", "to do", "passed"}

// shown are the rows that fit what is searched for.
func (p page) shown() (rows []row) {
	query := strings.ToLower(p.query)
	for _, r := range p.rows {
		if p.only == 1 && r.passed || p.only == 2 && !r.passed {
			continue
		}
		if strings.Contains(strings.ToLower(r.name+" "+r.id), query) {
			rows = append(rows, r)
		}
	}
	return rows
}

// stand has a list of lessons show where each of them stands.
func (p *page) stand(all []standing) {
	p.rows = slices.Clone(p.rows) // those of the page before stay as they were
	for i, s := range all {
		p.rows[i].mark, p.rows[i].words, p.rows[i].passed = s.mark, s.words, s.passed
	}
}

// open shows a page from its top, or from its end if that is where the news is.
func (w *watch) open(p page) {
	w.page = p
	w.visit++
	w.lay(true)
	if p.end {
		w.body.GotoBottom()
	}
}

func (w *watch) layMenu() {
	if w.page.kind == menuPage {
		w.lay(false)
	}
}

// sayMenu writes a menu; it returns the line that the cursor is on.
func (p page) sayMenu(a *app) (at int) {
	head := styleTitle.Render(p.title)
	if p.lessons && p.only > 0 {
		head += "  only: " + onlyWords[p.only]
	}
	if p.typing || p.query != "" {
		head += "  search: " + plain(p.query)
		if p.typing {
			head += "_"
		}
	}
	a.out.line("%s", head)
	a.out.line("")
	shown := p.shown()
	if len(shown) == 0 {
		a.out.line("  Nothing fits that.")
		return 0
	}
	most := 0
	for _, r := range shown {
		most = max(most, len(r.name))
	}
	for i, r := range shown {
		here := "  "
		name := fmt.Sprintf("%-*s", most, r.name)
		if i == p.cursor {
			here, name = styleTitle.Render("> "), styleTitle.Render(name)
			at = 2 + i
		}
		if r.mark != "" {
			here += r.mark + " "
		}
		line := here + name + "  " + r.words
		if i != p.cursor {
			a.out.clipped(line)
			continue
		}
		// The one that the cursor is on is shown in full.
		a.out.pairs(0, pair{here + name, r.words})
	}
	return at
}

// help is the page of all keys.
func (w *watch) help() page {
	return page{kind: textPage, text: func(a *app) {
		a.out.line("%s", styleTitle.Render("Save the file, and the verdict appears."))
		a.out.line("")
		for _, group := range [][]pair{
			{
				{"h", "the next hint for the koan that fails"},
				{"p", "the pitfalls: wrong answers that people write; run one"},
				{"e", "open the file at the line that is named, in $VISUAL or $EDITOR"},
				{"r", "run the koans again"},
				{"n", "go to the next lesson, after the pass"},
				{"d", "your answer beside the reference, after the pass"},
				{"l", "the lessons: search, jump, reset"},
			}, {
				{"up down", "scroll; also j and k, space, g and G"},
				{"esc", "back to the verdict"},
				{"ctrl+z", "suspend; fg brings it back"},
				{"q", "leave; a page is left first"},
			},
		} {
			for i := range group {
				group[i].key = styleType.Render(group[i].key) + strings.Repeat(" ", 7-len(group[i].key))
			}
			a.out.pairs(2, group...)
			a.out.line("")
		}
		a.out.text(0, "The explanation of the lesson is best read beside this, in another terminal: "+a.command("read", w.lesson.Number))
		if w.polled {
			a.out.line("")
			a.out.text(0, wordsPolled)
		}
	}}
}
