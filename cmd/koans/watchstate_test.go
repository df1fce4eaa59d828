package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/stretchr/testify/require"

	"concurrency-koans/checker"
	"concurrency-koans/cmd/koans/internal/saves"
	"concurrency-koans/lessons"
)

var updateScreens = flag.Bool("update", false, "write the golden screens anew")

// made are lessons for the tests of the screen, which so do not change when a
// lesson's words do.
func made() []lessons.Lesson {
	titles := []string{
		"Pipeline", "Fan-out, fan-in", "Worker pool", "Producer-consumer", "Supervisor", "Pub/sub",
		"Timeouts and cancellation", "Rate limiting", "MapReduce", "Singleflight", "Event loop", "Resource pool",
	}
	var all []lessons.Lesson
	for i, title := range titles {
		l := lessons.Lesson{
			ID: fmt.Sprintf("%02d-%s", i+1, strings.ToLower(strings.Trim(strings.Fields(title)[0], ","))), Number: i + 1, Title: title, Answer: "answer.go",
			Summary: "A pattern that somebody needs, in a sentence that says what it is good for and for whom.",
			Steps:   []lessons.Step{{Number: 1, Title: "it begins"}, {Number: 2, Title: "it ends"}},
		}
		for n := range 8 {
			l.Koans = append(l.Koans, lessons.Koan{
				Test: fmt.Sprintf("Test%d", n+1), Step: n/4 + 1, Hints: []string{"Who waits for whom?", "Nobody reads any more.", "Select on ctx.Done() too."},
				Title: fmt.Sprintf("What has begun ends in the end, also when nobody is there to see it, in case %d.", n+1),
			})
		}
		all = append(all, l)
	}
	return all
}

// A player plays a watch: it feeds events in and takes the orders out.
type player struct {
	t *testing.T
	watch
	ordered []order
}

func play(t *testing.T, columns, lines int) *player {
	t.Helper()
	a := appIn("/book", "koans", io.Discard)
	a.world.env = []string{"LANG=C.UTF-8"}
	a.screens()
	a.book = &workbook{root: "/book", base: "/book", lessons: made()}
	p := &player{t: t, watch: newWatch(a, a.book.lessons[1])}
	p.begin(p.lesson)
	p.ordered, p.orders = p.orders, nil
	p.on(tea.WindowSizeMsg{Width: columns, Height: lines})
	return p
}

func (p *player) on(event any) {
	p.t.Helper()
	var orders []order
	p.watch, orders = p.next(event)
	p.ordered = append(p.ordered, orders...)
	if p.tooSmall() {
		return
	}
	screen := strings.Split(p.view(), "\n")
	require.Len(p.t, screen, p.lines, "lines after %T", event)
	for _, line := range screen {
		require.LessOrEqual(p.t, ansi.StringWidth(line), p.columns, "after %T: %q", event, line)
	}
}

func (p *player) key(key string) {
	p.t.Helper()
	special := map[string]rune{"esc": tea.KeyEscape, "enter": tea.KeyEnter, "down": tea.KeyDown, "up": tea.KeyUp, "backspace": tea.KeyBackspace, "end": tea.KeyEnd}
	if code, ok := special[key]; ok {
		p.on(tea.KeyPressMsg{Code: code})
		return
	}
	if letter, ok := strings.CutPrefix(key, "ctrl+"); ok {
		p.on(tea.KeyPressMsg{Code: rune(letter[0]), Mod: tea.ModCtrl})
		return
	}
	p.on(tea.KeyPressMsg{Code: rune(key[0]), Text: key})
}

func (p *player) save(text string) {
	p.t.Helper()
	p.on(saved{p.lesson.ID, saves.State{Sum: text}})
}

// taken are the orders since the last call.
func (p *player) taken() []order {
	orders := p.ordered
	p.ordered = nil
	return orders
}

// verdict ends the round under way; passing is how many of the koans pass.
func (p *player) judged(passing int, failure *checker.Diagnosis) {
	p.t.Helper()
	p.on(p.end(passing, failure))
}

func (p *player) end(passing int, failure *checker.Diagnosis) judged {
	e := judged{
		round: p.round, at: time.Date(2026, 3, 14, 15, 9, 26, 0, time.UTC), took: 420 * time.Millisecond,
		verdict: verdict{lesson: p.lesson, status: failed, report: p.report(passing, failure)},
	}
	if failure != nil {
		e.likely, e.hintsLeft = []string{"bare-send", "forgotten-close"}, 2
	} else {
		e.verdict.status = passed
		e.verdict.report.RaceChecked, e.verdict.report.SoakRuns = true, 6
	}
	for i := range p.lessons {
		s := standing{mark: "·", words: "untouched"}
		if i == 0 || e.verdict.status == passed && i < p.lesson.Number {
			s = standing{mark: "✓", words: "passed", passed: true}
		}
		e.standing = append(e.standing, s)
	}
	return e
}

func (p *player) report(passing int, failure *checker.Diagnosis) (r checker.Report) {
	for i, k := range p.lesson.Koans {
		o := checker.Outcome{Test: k.Test, Status: checker.Passed}
		switch {
		case i == passing:
			o.Status, o.Diagnosis = checker.Failed, failure
		case i > passing:
			o.Status = checker.NotReached
		}
		r.Koans = append(r.Koans, o)
	}
	return r
}

var leak = &checker.Diagnosis{
	Kind: checker.Leak, File: "lessons/02-fan-out/answer.go", Line: 34,
	Summary: "The goroutine started at answer.go:31 still waits to send on line 34, and nobody will ever receive.",
	Detail:  []string{"answer.go:34   out <- v", "started at answer.go:31   go func() {", "Let a send give up when ctx ends: select on the send and on ctx.Done()."},
}

// golden holds the screen against the one in testdata/watch. The paths in it are
// those of Unix.
func (p *player) golden(name string) {
	p.t.Helper()
	file := filepath.Join("testdata", "watch", name+".txt")
	var got strings.Builder
	for line := range strings.Lines(ansi.Strip(p.view()) + "\n") {
		got.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	if *updateScreens {
		require.NoError(p.t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(p.t, os.WriteFile(file, []byte(got.String()), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(p.t, err)
	require.Equal(p.t, strings.ReplaceAll(string(want), "\r\n", "\n"), strings.ReplaceAll(got.String(), `\`, "/"))
}

// TestScreens holds what is seen, at the sizes that people have. After a change
// that is meant, run it with -update and look at what git shows.
func TestScreens(t *testing.T) {
	sizes := []struct{ columns, lines int }{{80, 24}, {120, 40}, {60, 15}}
	for _, size := range sizes {
		for name, act := range map[string]func(*player){
			"begin":     func(*player) {},
			"compiling": func(p *player) { p.save("1"); p.on(compiling{p.round, 30, 120}) },
			"failed":    func(p *player) { p.save("1"); p.judged(3, leak) },
			"flaky": func(p *player) {
				p.save("1")
				e := p.end(3, leak)
				e.verdict.report.Koans[3].Flaky = &checker.Flaky{Failed: 2, Runs: 9, Seed: 7}
				e.verdict.report.TestsEdited = []string{"answer_test.go"}
				p.on(e)
			},
			"again":   func(p *player) { p.save("1"); p.judged(3, leak); p.save("2") },
			"so-far":  func(p *player) { p.save("1"); p.on(fastJudged{p.round, p.report(8, nil)}) },
			"passed":  func(p *player) { p.save("1"); p.judged(8, nil) },
			"no-race": func(p *player) { p.save("1"); e := p.end(8, nil); noRace(&e); p.on(e) },
			"all": func(p *player) {
				p.save("1")
				e := p.end(8, nil)
				for i := range e.standing {
					e.standing[i].passed = true
				}
				p.on(e)
			},
			"build": func(p *player) {
				p.save("1")
				p.judged(0, &checker.Diagnosis{Kind: checker.Build, File: "lessons/02-fan-out/answer.go", Line: 22, Summary: "undefined: vaules"})
			},
			"unchecked": func(p *player) {
				p.save("1")
				e := p.end(0, nil)
				e.verdict = verdict{lesson: p.lesson, status: unchecked, err: &checker.EnvironmentError{Problem: "the disk is full", Remedy: "Make room on the disk; go clean -cache frees the build cache."}}
				p.on(e)
			},
			"polled": func(p *player) { p.on(saved{p.lesson.ID, saves.State{Sum: "1", Polled: true}}); p.judged(3, leak) },
			"help":   func(p *player) { p.save("1"); p.judged(3, leak); p.key("?") },
			"ask":    func(p *player) { p.save("1"); p.judged(3, leak); p.list(); p.key("x") },
			"list":   func(p *player) { p.save("1"); p.judged(3, leak); p.list() },
			"search": func(p *player) {
				p.save("1")
				p.judged(3, leak)
				p.list()
				for _, letter := range "/PoX" {
					p.key(string(letter))
				}
				p.key("backspace")
			},
			"early": func(p *player) { p.save("1"); p.judged(3, leak); p.key("d") },
		} {
			full := fmt.Sprintf("%s-%dx%d", name, size.columns, size.lines)
			t.Run(full, func(t *testing.T) {
				p := play(t, size.columns, size.lines)
				act(p)
				p.golden(full)
			})
		}
	}
	t.Run("small", func(t *testing.T) {
		p := play(t, 42, 12)
		p.golden("small")
	})
}

func noRace(e *judged) {
	e.verdict.report.RaceChecked = false
	e.verdict.report.NoRace = "The race detector needs a C compiler, and none works here. Install gcc or clang."
}

// list opens the list as the desk does.
func (p *player) list() {
	p.t.Helper()
	p.key("l")
	open := p.taken()
	require.Equal(p.t, openList{p.lesson.ID, p.visit}, open[len(open)-1])
	m := page{kind: menuPage, title: "The lessons", lessons: true, cursor: p.lesson.Number - 1}
	for _, l := range p.lessons {
		m.rows = append(m.rows, row{id: l.ID, name: fmt.Sprintf("%2d  %s", l.Number, l.Title)})
	}
	m.stand(p.standing)
	p.on(opened{p.visit, m, -1})
}

func TestASaveIsCheckedAndTheLastOneCounts(t *testing.T) {
	p := play(t, 80, 24)
	l := p.lesson
	require.Equal(t, []order{follow{l}}, p.taken())
	p.save("1")
	require.Equal(t, []order{runKoans{2, l}}, p.taken())
	first := p.end(3, leak)
	p.save("2")
	require.Equal(t, []order{runKoans{3, l}}, p.taken())
	p.on(first)
	require.Nil(t, p.watch.verdict, "it is about what is no longer there")
	p.on(fastJudged{2, p.report(8, nil)})
	require.Nil(t, p.watch.verdict)
	p.on(saved{l.ID, saves.State{Sum: "2", Polled: true}})
	require.Empty(t, p.taken(), "nothing was saved")
	p.judged(4, leak)
	require.Equal(t, waiting, p.stage)
	p.on(saved{l.ID, saves.State{Sum: "2"}})
	require.Empty(t, p.taken(), "nothing was saved")
	p.on(saved{"01-pipeline", saves.State{Sum: "3"}})
	require.Empty(t, p.taken(), "it is another lesson's")
	p.key("r")
	require.Equal(t, []order{runKoans{4, l}}, p.taken())
}

func TestAPassWaitsForTheLearner(t *testing.T) {
	p := play(t, 80, 24)
	p.save("1")
	p.key("n")
	p.on(fastJudged{p.round, p.report(8, nil)})
	p.key("n")
	require.Equal(t, wordsNextLater, p.says, "the race detector has not spoken")
	p.judged(8, nil)
	require.Equal(t, "02-fan-out", p.lesson.ID)
	p.taken()
	p.key("n")
	require.Equal(t, "03-worker", p.lesson.ID)
	require.Equal(t, []order{follow{p.lesson}}, p.taken())
	stale := judged{round: p.round - 1, verdict: verdict{status: passed}}
	p.on(stale)
	require.Nil(t, p.watch.verdict, "it is about the lesson before")
}

// TestAVerdictLeavesThePageAlone has verdicts come while something else is read.
func TestAVerdictLeavesThePageAlone(t *testing.T) {
	p := play(t, 60, 15)
	p.save("1")
	p.judged(3, leak)
	p.key("?")
	p.key("down")
	at := p.body.YOffset()
	require.Positive(t, at)
	p.save("2")
	p.judged(8, nil)
	require.Contains(t, p.view(), "Lesson 2 passes", "in the foot")
	require.Contains(t, p.view(), "e        open the file")
	require.Equal(t, at, p.body.YOffset())
	p.key("q")
	require.Contains(t, p.view(), "race-checked")
	p.key("q")
	orders := p.taken()
	require.Equal(t, quit{}, orders[len(orders)-1])
}

// TestAPageThatComesLateIsNotOpened has the learner go elsewhere in the meantime.
func TestAPageThatComesLateIsNotOpened(t *testing.T) {
	p := play(t, 80, 24)
	p.save("1")
	p.judged(3, leak)
	p.key("h")
	orders := p.taken()
	hint := orders[len(orders)-1].(openHint)
	require.Equal(t, "Test4", hint.koan.Test)
	p.key("?")
	p.on(opened{hint.visit, textOf("late"), 1})
	require.NotContains(t, p.view(), "late")
	require.Equal(t, 1, p.hintsLeft)
}

func TestResumeChecksWhatWasEnded(t *testing.T) {
	p := play(t, 80, 24)
	p.save("1")
	p.key("ctrl+z")
	p.taken()
	p.on(tea.ResumeMsg{})
	require.Equal(t, []order{runKoans{p.round, p.lesson}}, p.taken())
	p.judged(3, leak)
	p.on(tea.ResumeMsg{})
	require.Empty(t, p.taken())
}

// TestEveryKeyOnEveryPage presses all keys everywhere, at the smallest size: the
// screen stays whole.
func TestEveryKeyOnEveryPage(t *testing.T) {
	for _, first := range []string{"", "1", "2", "?", "l"} {
		for _, key := range strings.Fields("h n d p l r e ? q x y f / g G j k esc enter up down end backspace ctrl+d ctrl+u ctrl+z ä") {
			p := play(t, leastColumns, leastLines)
			p.save("1")
			switch first {
			case "1":
				p.judged(3, leak)
			case "2":
				p.judged(8, nil)
			case "l":
				p.judged(3, leak)
				p.list()
			case "?":
				p.key("?")
			}
			p.key(key)
			p.on(tea.WindowSizeMsg{Width: 30, Height: 5})
			p.key(key)
			p.on(tea.WindowSizeMsg{Width: 200, Height: 60})
			p.key(key)
		}
	}
}
