package main

import (
	"context"
	"errors"
	"sync"

	tea "charm.land/bubbletea/v2"

	"concurrency-koans/lessons"
)

// watchPlain writes a log of the verdicts until ctx ends. It moves on to the next
// lesson after a pass, unless it is to stay with the one that was named; then it
// ends with the last.
func (a *app) watchPlain(ctx context.Context, l lessons.Lesson, stay bool) error {
	outer := ctx
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	d := newDesk(a)
	d.crash = cancel
	events := make(chan any)
	var wg sync.WaitGroup
	wg.Go(func() { d.run(ctx) })
	wg.Go(func() {
		d.inbox.run(ctx, func(e any) {
			select {
			case events <- e:
			case <-ctx.Done():
			}
		})
	})
	err := a.log(ctx, d, events, l, stay)
	cause := context.Cause(ctx)
	cancel(nil)
	wg.Wait()
	var f *fault
	switch {
	case errors.As(cause, &f):
		return &exit{status: exitUnchecked, problem: wordsFault, remedy: remedyFault, err: f}
	case outer.Err() != nil:
		return context.Cause(outer)
	}
	return err
}

// log is the loop of watchPlain.
func (a *app) log(ctx context.Context, d *desk, events <-chan any, l lessons.Lesson, stay bool) error {
	p := newProgress(a.err, a.world.now)
	w := newWatch(a, l)
	w.begin(l)
	orders := w.orders
	a.sayWatching(l)
	for {
		for _, o := range orders {
			d.carryOut(o)
		}
		var event any
		select {
		case <-ctx.Done():
			return nil
		case event = <-events:
		}
		before := w
		w, orders = w.next(event)
		if w.polled && !before.polled {
			a.out.text(0, wordsPolled)
		}
		switch e := event.(type) {
		case compiling:
			if e.total > 0 {
				p.count(wordsCompiling, e.done, e.total, "packages")
			}
		case fastJudged:
			if e.round == w.round && e.report.Passed() {
				a.out.line("%s  %s pass so far; the race detector is still looking.", a.world.now().Format("15:04:05"), plural(len(e.report.Koans), "koan"))
			}
		case judged:
			if e.round != w.round {
				break
			}
			p.end()
			a.out.line("%s  %s", e.at.Format("15:04:05"), a.book.show(folder(w.lesson)+"/"+w.lesson.Answer))
			a.sayVerdict(e.verdict, false)
			a.out.line("")
			if w.passes() && !stay {
				if _, more := w.upNext(); !more {
					a.sayAllPassed()
					return nil
				}
				w, orders = w.next(tea.KeyPressMsg{Code: 'n', Text: "n"})
				a.sayWatching(w.lesson)
			}
		}
		if a.out.stream.err != nil {
			return nil // whoever read it has gone; run tells of it
		}
	}
}

func (a *app) sayWatching(l lessons.Lesson) {
	a.out.line("%s", styleTitle.Render("Watching "+a.book.show(folder(l)+"/"+l.Answer)))
	a.out.text(2, l.Summary)
	a.out.line("")
}
