package main

import (
	"bytes"
	"context"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"

	"concurrency-koans/checker"
	"concurrency-koans/checker/journal"
	"concurrency-koans/cmd/koans/internal/saves"
	"concurrency-koans/lessons"
)

// A desk carries out the orders of a watch. What takes long it does on
// goroutines of its own, which put what comes of it into the inbox.
type desk struct {
	app   *app // copied by whoever uses it
	inbox *inbox
	crash context.CancelCauseFunc // ends everything, for a fault of our own
	// judge checks a lesson: judgeOne, or a stand-in in tests.
	judge func(context.Context, *app, *checker.Checker, lessons.Lesson) (verdict, error)

	checks *latest // checks and warming: of the last save only
	files  *latest // the following of a file: one at a time
	trials *latest // pitfalls that are run
}

func newDesk(a *app) *desk {
	return &desk{
		app: a, inbox: newInbox(), judge: judgeOne,
		checks: newLatest(), files: newLatest(), trials: newLatest(),
	}
}

// run does the long work until ctx ends; then nothing of it is left.
func (d *desk) run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, l := range []*latest{d.checks, d.files, d.trials} {
		wg.Go(func() { l.run(ctx) })
	}
	wg.Wait()
}

// A fault is a panic of our own code.
type fault struct {
	value any
	stack []byte
}

func (f *fault) Error() string { return fmt.Sprintf("panic: %v\n\n%s", f.value, f.stack) }

// safely is job, whose panic ends the program in order: else the terminal would
// stay as the screen has set it, and what a check has started would go on.
func (d *desk) safely(job func(context.Context)) func(context.Context) {
	return func(ctx context.Context) {
		defer func() {
			if value := recover(); value != nil {
				d.crash(&fault{value, debug.Stack()})
			}
		}()
		job(ctx)
	}
}

// copied is the app for one job: what an app remembers is for one goroutine.
func (d *desk) copied() *app {
	a := *d.app
	a.read, a.noticed = nil, nil
	return &a
}

// carryOut begins or does what is ordered. It returns the event of what is done
// at once, or nil.
func (d *desk) carryOut(o order) any {
	switch o := o.(type) {
	case follow:
		file := d.app.book.path(folder(o.lesson) + "/" + o.lesson.Answer)
		d.files.post(d.safely(func(ctx context.Context) {
			saves.Follow(ctx, file, func(s saves.State) { d.inbox.put(saved{o.lesson.ID, s}) })
		}))
	case runKoans:
		d.checks.post(d.safely(func(ctx context.Context) { d.check(ctx, o) }))
	case warm:
		d.checks.post(d.safely(func(ctx context.Context) {
			// What cannot be compiled now is told by the check that needs it.
			_ = (&checker.Checker{Env: d.app.world.env}).Warm(ctx, d.app.book.subject(o.lesson))
		}))
	case runPitfall:
		d.trials.post(d.safely(func(ctx context.Context) { d.try(ctx, o) }))
	case openHint:
		return d.hint(o)
	case openDiff:
		return d.said(o.visit, mostWidth, func(a *app) error { return a.diff(o.lesson, false) })
	case openPitfalls:
		return d.pitfalls(o)
	case openList:
		return d.list(o)
	case reset:
		return d.said(o.visit, leastColumns-2, func(a *app) error { return a.reset(o.lesson) })
	}
	return nil
}

// halt ends what runs, and returns when it has ended.
func (d *desk) halt(ctx context.Context) {
	d.checks.halt(ctx)
	d.trials.halt(ctx)
}

func judgeOne(ctx context.Context, a *app, c *checker.Checker, l lessons.Lesson) (verdict, error) {
	verdicts, err := a.judgeBy(ctx, c, l)
	if err != nil {
		return verdict{}, err
	}
	return verdicts[0], nil
}

// check makes a round. One that is cancelled has no end: another has taken its
// place.
func (d *desk) check(ctx context.Context, o runKoans) {
	a := d.copied()
	var notices bytes.Buffer
	a.err = a.out.page(&notices, a.out.full, true)
	compiles := map[bool]checker.Progress{}
	c := &checker.Checker{
		Env:  a.world.env,
		Soak: interactiveSoak,
		Progress: func(p checker.Progress) {
			if p.Stage != checker.Compiling {
				return
			}
			compiles[p.Race] = p
			fast, race := compiles[false], compiles[true]
			done, total := fast.Done+race.Done, fast.Total+race.Total
			if done == total {
				done, total = 0, 0
			}
			d.inbox.put(compiling{o.round, done, total})
		},
		Fast: func(r checker.Report) { d.inbox.put(fastJudged{o.round, r}) },
	}
	begun := a.world.now()
	v, err := d.judge(ctx, a, c, o.lesson)
	if err != nil {
		v = verdict{lesson: o.lesson, status: unchecked, err: err}
	}
	if ctx.Err() != nil {
		return
	}
	now := a.world.now()
	end := judged{round: o.round, verdict: v, at: now, took: now.Sub(begun), standing: a.standing()}
	if o, ok := v.report.FirstFailure(); ok {
		end.likely = a.looksLike(v.lesson, o)
		k, _ := koanOf(v.lesson, o.Test)
		end.hintsLeft = len(k.Hints) - a.hintsShown(v.lesson, k)
	}
	end.notice = strings.Join(strings.Fields(notices.String()), " ")
	d.inbox.put(end)
}

// standing is where each lesson stands.
func (a *app) standing() []standing {
	var all []standing
	for _, l := range a.book.lessons {
		mark, words, ok := a.state(l)
		all = append(all, standing{mark, words, ok})
	}
	return all
}

// said is the page of what a command says, laid out for a width, or its refusal
// in a line.
func (d *desk) said(visit, width int, say func(*app) error) any {
	var text bytes.Buffer
	a := d.copied()
	a.out = a.out.page(&text, width, true)
	a.err = a.out
	if err := say(a); err != nil {
		return refusal(a, err)
	}
	return opened{visit, textOf(text.String()), -1}
}

// refusal is why something could not be done, in a line.
func refusal(a *app, err error) answered {
	e := atEdge(err)
	words := a.typed(e.problem)
	if e.err != nil {
		words += " " + plain(e.err.Error())
	}
	return answered{strings.Join(strings.Fields(words), " ")}
}

// textOf is a page of lines that are laid out already.
func textOf(text string) page {
	return page{kind: textPage, text: func(a *app) {
		for line := range strings.Lines(text) {
			a.out.line("%s", strings.TrimSuffix(line, "\n"))
		}
	}}
}

// hint shows one more hint, below those that were shown before.
func (d *desk) hint(o openHint) any {
	a := d.copied()
	k := o.koan
	shown, fresh := a.hintsShown(o.lesson, k), false
	if shown < len(k.Hints) {
		shown++
		fresh = true
		a.appendEntry(journal.Entry{Event: journal.Hint, Lesson: o.lesson.ID, Koan: k.Test, Hint: shown})
	}
	_, n := koanOf(o.lesson, k.Test)
	return opened{o.visit, page{kind: textPage, end: fresh, text: func(a *app) {
		a.out.text(0, styleTitle.Render(fmt.Sprintf("Koan %d of %d: %s", n, len(o.lesson.Koans), k.Title)))
		a.sayFailsAs(o.diagnosis, shown > 0)
		for i := range shown {
			if err := a.sayHint(k, i+1); err != nil {
				a.out.text(0, k.Hints[i]) // as it stands in the lesson
			}
		}
		if !fresh {
			a.out.line("")
			a.out.text(0, fmt.Sprintf("All %d hints for this koan have been shown.", len(k.Hints)))
		}
	}}, len(k.Hints) - shown}
}

// pitfalls lists the wrong answers; what the answer looks like comes first.
func (d *desk) pitfalls(o openPitfalls) any {
	s, err := answersTo(o.lesson)
	if err != nil {
		return answered{sentence(err.Error())}
	}
	m := page{kind: menuPage, title: "The pitfalls of this lesson"}
	add := func(name, mark string) {
		if p, err := s.Pitfall(name); err == nil {
			m.rows = append(m.rows, row{id: name, name: name, mark: mark, words: p.Title})
		}
	}
	listed := map[string]bool{}
	for _, name := range o.likely {
		add(name, styleBad.Render(d.app.out.marks.failed))
		listed[name] = true
	}
	for _, k := range o.lesson.Koans {
		for _, p := range s.Pitfalls {
			if p.Koan == k.Test && !listed[p.Name] {
				add(p.Name, " ")
			}
		}
	}
	return opened{o.visit, m, -1}
}

// try runs a pitfall and opens the page about it.
func (d *desk) try(ctx context.Context, o runPitfall) {
	a := d.copied()
	s, err := answersTo(o.lesson)
	if err != nil {
		d.inbox.put(answered{sentence(err.Error())})
		return
	}
	p, err := s.Pitfall(o.name)
	if err != nil {
		d.inbox.put(answered{sentence(err.Error())})
		return
	}
	v, err := a.judgePitfall(ctx, &checker.Checker{Env: a.world.env}, o.lesson, p)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		d.inbox.put(refusal(a, err))
	default:
		d.inbox.put(opened{o.visit, page{kind: textPage, text: func(a *app) {
			a.explainPitfall(p)
			a.sayRejected(v, p)
		}}, -1})
	}
}

func (d *desk) list(o openList) any {
	a := d.copied()
	m := page{kind: menuPage, title: "The lessons", lessons: true}
	for i, l := range a.book.lessons {
		if l.ID == o.current {
			m.cursor = i
		}
		m.rows = append(m.rows, row{id: l.ID, name: fmt.Sprintf("%2d  %s", l.Number, l.Title)})
	}
	m.stand(a.standing())
	return opened{o.visit, m, -1}
}
