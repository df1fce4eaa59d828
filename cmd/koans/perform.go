package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/term"

	"concurrency-koans/checker"
	"concurrency-koans/cmd/koans/internal/picture"
	"concurrency-koans/lessons"
	"concurrency-koans/solutions"
	"concurrency-koans/solutions/demo"
)

// What a demo may do to the machine. In real time it may take long, if its knobs ask
// for that; in virtual time it takes what it computes.
var (
	realLimits    = checker.Limits{Wall: 15 * time.Minute, CPU: 5 * time.Minute, Memory: 1 << 30, Output: 256 << 20, Processes: 32}
	virtualLimits = checker.Limits{Wall: 20 * time.Second, CPU: 5 * time.Second, Memory: 1 << 30, Output: 256 << 20, Processes: 32}
)

// demoGrace is how long an interrupted demo may take to end by itself.
const demoGrace = 2 * time.Second

// play runs a demo in front of the learner: a picture that grows on a terminal, a log
// if that is wanted, and the finished picture elsewhere. The picture is nil if there
// was nothing to see.
func (a *app) play(ctx context.Context, l lessons.Lesson, s solutions.Solution, answer []byte, sh showing) (*picture.Picture, error) {
	built, err := a.buildDemo(ctx, l, s, answer, sh)
	if err != nil {
		return nil, err
	}
	defer built.Close()
	switch {
	case sh.plain:
		return a.perform(ctx, built, sh, func(e demo.Event) {
			if e.Kind == demo.Begins {
				a.sayDemo(l, s)
			}
			if line := logLine(e); line != "" {
				a.out.line("%s", line)
			}
		})
	case a.out.file != nil && !sh.fast:
		return a.playLive(ctx, built, sh, func() { a.sayDemo(l, s) })
	}
	pic, err := a.perform(ctx, built, sh, nil)
	if pic != nil {
		a.sayDemo(l, s)
		a.show(pic, 0)
	}
	return pic, err
}

// A film is a demo that has been run out of sight.
type film struct {
	pic *picture.Picture
	log []string
	err error
}

// film runs a demo that has been built.
func (a *app) film(ctx context.Context, built *checker.Built, sh showing) (f film) {
	f.pic, f.err = a.perform(ctx, built, sh, func(e demo.Event) {
		if line := logLine(e); line != "" {
			f.log = append(f.log, line)
		}
	})
	return f
}

// logLine is an event as a line of a log, "" if it is none there: results and the
// end are told below it.
func logLine(e demo.Event) string {
	if e.Kind == demo.Results || e.Kind == demo.Over {
		return ""
	}
	return e.String()
}

// buildDemo builds a demo on an answer, nil for the reference.
func (a *app) buildDemo(ctx context.Context, l lessons.Lesson, s solutions.Solution, answer []byte, sh showing) (*checker.Built, error) {
	c, end := a.checker()
	defer end()
	program, err := a.programOn(l, s, demoFile(l), answer)
	if err != nil {
		return nil, err
	}
	program.Race = sh.race
	built, err := c.Build(ctx, program)
	return built, a.uncompiled(l, err)
}

// uncompiled says what to do about a program that does not compile.
func (a *app) uncompiled(l lessons.Lesson, err error) error {
	var complaint *checker.CompileError
	if !errors.As(err, &complaint) {
		return err
	}
	return &exit{
		status: exitNotYet, problem: "It does not compile:\n" + strings.TrimSpace(plain(complaint.Output)),
		remedy: "If it is your answer that does not, this tells more: " + a.command("check", l.Number),
	}
}

// perform runs a demo that has been built and makes a picture of it. It tells see,
// which may be nil, of each event: in real time at once, from a goroutine that has
// ended on return; in virtual time at the end, in order. When ctx ends, the demo is
// interrupted, and the picture is what there was to see.
func (a *app) perform(ctx context.Context, built *checker.Built, sh showing, see func(demo.Event)) (*picture.Picture, error) {
	pic := &picture.Picture{}
	add := func(e demo.Event) {
		pic.Add(e)
		if see != nil {
			see(e)
		}
	}
	var held []demo.Event // of virtual time
	begun := false
	var said []string // what is no event: what the runtime prints when a program crashes
	run := checker.Run{
		Args:   sh.args,
		Env:    []string{demo.LogEnv + "=1"},
		Grace:  demoGrace,
		Limits: realLimits,
		Line: func(line []byte) {
			var e demo.Event
			if !bytes.HasPrefix(line, []byte(`{"at":`)) || json.Unmarshal(line, &e) != nil {
				if len(said) < 1000 {
					said = append(said, string(line))
				}
				return
			}
			begun = true
			// The program may have printed what only looks like an event.
			e.Who, e.Text = plain(e.Who), plain(e.Text)
			if sh.fast {
				held = append(held, e)
			} else {
				add(e)
			}
		},
	}
	if sh.fast {
		run.Args = append(run.Args, "-fast")
		run.Limits = virtualLimits
	}
	end, err := built.Run(ctx, run)
	for _, e := range demo.InOrder(held) {
		add(e)
	}
	switch {
	case err != nil && (ctx.Err() == nil || !begun):
		return nil, err
	case err != nil:
		pic.Outcome = demo.Stopped
		return pic, err
	case !begun && end.Status == 2:
		return nil, usage(sentence(strings.Join(said, "\n")), "")
	case pic.Outcome == "" && end.Over != "":
		pic.Outcome, pic.Why = demo.Stuck, wordsExcess[end.Over]
	case pic.Outcome == "":
		pic.Outcome, pic.Why = demo.Crashed, crashOf(said, end.Status)
	}
	if races := count(said, "WARNING: DATA RACE"); races > 0 {
		pic.Results = append(pic.Results, demo.Event{Kind: demo.Results, Who: "data races", Value: float64(races), Text: fmt.Sprint(races)})
	}
	return pic, nil
}

// wordsExcess tells of the limits that a program may go over.
var wordsExcess = map[string]string{
	"time":      "it goes on and on",
	"memory":    "it takes more and more memory",
	"output":    "it prints without end",
	"processes": "it starts more and more processes",
}

// crashOf tells why a program ended before its time.
func crashOf(said []string, status int) string {
	for _, line := range said {
		if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") {
			return line
		}
	}
	return fmt.Sprintf("the process ended by itself, with exit status %d", status)
}

func count(lines []string, line string) (n int) {
	for _, l := range lines {
		if l == line {
			n++
		}
	}
	return n
}

// playLive draws a demo over and over while it runs; it calls begin before.
func (a *app) playLive(ctx context.Context, built *checker.Built, sh showing, begin func()) (*picture.Picture, error) {
	type result struct {
		pic *picture.Picture
		err error
	}
	events := make(chan demo.Event, 64)
	ended := make(chan result, 1)
	go func() {
		pic, err := a.perform(ctx, built, sh, func(e demo.Event) { events <- e })
		close(events)
		ended <- result{pic, err}
	}()

	growing := &picture.Picture{}
	lines := 0
	draw := func(pic *picture.Picture) { lines = a.redraw(pic, lines) }
	tick := time.NewTicker(redrawEvery)
	defer tick.Stop()
	for open := true; open; {
		select {
		case e, ok := <-events:
			open = ok
			if e.Kind == demo.Begins {
				begin()
				fmt.Fprint(a.out.stream, ansi.HideCursor)
				defer fmt.Fprint(a.out.stream, ansi.ShowCursor)
			}
			growing.Add(e) // nothing, of no event
		case <-tick.C:
			if growing.Span() > 0 {
				draw(growing)
			}
		}
	}
	r := <-ended
	if r.pic != nil {
		draw(r.pic)
	}
	return r.pic, r.err
}

// redraw draws a picture over the last one, of so many lines, and returns how many
// lines it has now. What does not fit on the terminal is left out: it could not be
// drawn over.
func (a *app) redraw(pic *picture.Picture, lines int) int {
	if lines > 0 {
		fmt.Fprint(a.out.stream, ansi.CursorUp(lines))
	}
	picture := pic.Lines(a.view(0))
	if _, rows, err := term.GetSize(a.out.file.Fd()); err == nil && rows > 1 && len(picture) > rows-1 {
		picture = picture[:rows-1]
	}
	for _, line := range picture {
		a.out.line("%s%s", line, ansi.EraseLineRight)
	}
	fmt.Fprint(a.out.stream, ansi.EraseScreenBelow)
	return len(picture)
}
