package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"concurrency-koans/cmd/koans/internal/picture"
	"concurrency-koans/lessons"
	"concurrency-koans/solutions"
	"concurrency-koans/solutions/demo"
)

// What a learner sees of a demo, apart from its picture.

// sayDemos lists the demos.
func (a *app) sayDemos() error {
	book, err := a.workbook()
	if err != nil {
		return err
	}
	var rows []pair
	for _, l := range book.lessons {
		s, err := answersTo(l)
		if err != nil {
			return err
		}
		rows = append(rows, pair{styleType.Render(fmt.Sprintf("%2d  %s", l.Number, l.Name)), s.Demo.Title})
	}
	a.out.pairs(0, rows...)
	a.out.line("")
	a.out.line("Run one: %s", a.command("demo", book.lessons[0].Name))
	return nil
}

// sayDemo writes what the program is.
func (a *app) sayDemo(l lessons.Lesson, s solutions.Solution) {
	a.out.text(0, styleTitle.Render(fmt.Sprintf("Lesson %d, %s", l.Number, l.Title)))
	a.out.text(0, s.Demo.Title)
	for paragraph := range strings.SplitSeq(s.Demo.Text, "\n\n") {
		a.out.text(0, paragraph)
	}
	a.out.line("")
}

// show draws a picture, with room for so much time at least.
func (a *app) show(pic *picture.Picture, span time.Duration) {
	for _, line := range pic.Lines(a.view(span)) {
		a.out.line("%s", line)
	}
}

// view is how pictures are drawn on the output.
func (a *app) view(span time.Duration) picture.View {
	const most = 120 // columns; beyond that, one line is hard to follow
	return picture.View{Width: min(a.out.full-1, most), Unicode: a.out.marks == fineMarks, Span: span, Most: 8}
}

// sayEnd says how a demo ended, unless all is well.
func (a *app) sayEnd(pic *picture.Picture) {
	switch words := plain(pic.Why); pic.Outcome {
	case demo.Done:
	case demo.Stopped:
		a.out.text(0, styleWarn.Render("Stopped."))
	case demo.Failed:
		a.out.text(0, styleBad.Render("It ended with an error: ")+words)
	case demo.Stuck:
		a.out.text(0, styleBad.Render(sentence(words)))
	default:
		a.out.text(0, styleBad.Render("It crashed: ")+words)
	}
}

// sayResults writes what has come of a demo, in few lines: the picture above should
// stay on the screen.
func (a *app) sayResults(pic *picture.Picture) {
	a.out.line("")
	line := ""
	for _, r := range pic.Results {
		words := r.Who + " " + styleTitle.Render(r.Text)
		if line != "" && ansi.StringWidth(line)+3+ansi.StringWidth(words) > a.out.width {
			a.out.line("%s", line)
			line = ""
		}
		if line != "" {
			line += "   "
		}
		line += words
	}
	a.out.line("%s", line)
}

// sayBroken shows a demo on the reference, and below it on a pitfall.
func (a *app) sayBroken(l lessons.Lesson, s solutions.Solution, p solutions.Pitfall, right, wrong film, plain bool) {
	show := func(f film) {
		if plain {
			a.out.line("%s", strings.Join(f.log, "\n"))
			return
		}
		a.show(f.pic, max(right.pic.Span(), wrong.pic.Span()))
	}
	a.sayDemo(l, s)
	a.out.line("%s", styleTitle.Render("On the reference"))
	show(right)
	a.out.line("")
	a.out.line("%s", styleTitle.Render("On the pitfall "+p.Name))
	a.out.text(0, p.Title+" "+offered(right.pic, p.Name).Text)
	show(wrong)
	a.sayEnd(wrong.pic)
	a.sayComparison(right.pic, wrong.pic, p.Name)
	a.out.line("")
	a.out.line("More of it: %s", a.command("pitfalls", l.Number, p.Name))
}

// sayComparison writes what has come of two runs of the same demo.
func (a *app) sayComparison(right, wrong *picture.Picture, name string) {
	text := func(pic *picture.Picture, who string) string {
		for _, r := range pic.Results {
			if r.Who == who {
				return r.Text
			}
		}
		return "-"
	}
	sign := offered(right, name).Sign
	a.out.line("")
	rows := []pair{{"", fmt.Sprintf("%-12s %s", "reference", name)}}
	for _, r := range right.Results {
		here, there := text(right, r.Who), text(wrong, r.Who)
		if r.Who == sign.Result {
			there = styleBad.Render(there + "  <")
		}
		rows = append(rows, pair{r.Who, fmt.Sprintf("%-12s %s", here, there)})
	}
	ended := string(wrong.Outcome)
	if sign.End != "" {
		ended = styleBad.Render(ended + "  <")
	}
	a.out.pairs(0, append(rows, pair{"ended", fmt.Sprintf("%-12s %s", right.Outcome, ended)})...)
}

// sayOffers names what can be changed about a demo, in a few lines: the picture above
// should stay on the screen.
func (a *app) sayOffers(l lessons.Lesson, pic *picture.Picture) {
	var knobs, broken []string
	for _, k := range pic.About.Knobs {
		knobs = append(knobs, fmt.Sprintf("--%s %d", k.Name, k.Value))
	}
	for _, b := range pic.About.Broken {
		broken = append(broken, b.Pitfall)
	}
	change := pair{"read it", a.command("demo", l.Number, "--source")}
	if file := demoFile(l); a.book.has(file) {
		change = pair{"change it", a.book.show(file)}
	}
	a.out.line("")
	a.out.pairs(0,
		pair{"turn a knob", strings.Join(knobs, "  ")},
		pair{"--broken", strings.Join(broken, ", ")},
		pair{"meaning", a.command("demo", l.Number, "--knobs")},
		change,
	)
}

// sayKnobs writes what can be changed about a demo, and what it means there.
func (a *app) sayKnobs(ctx context.Context, l lessons.Lesson, s solutions.Solution, sh showing) error {
	sh.fast = true // the demo itself knows best, and tells when it runs
	built, err := a.buildDemo(ctx, l, s, nil, sh)
	if err != nil {
		return err
	}
	defer built.Close()
	pic, err := a.perform(ctx, built, sh, nil)
	if err != nil {
		return err
	}
	a.sayDemo(l, s)
	var knobs, broken []pair
	for _, k := range pic.About.Knobs {
		knobs = append(knobs, pair{styleType.Render(fmt.Sprintf("--%s %d", k.Name, k.Value)), fmt.Sprintf("%s (%d to %d)", k.Text, k.Min, k.Max)})
	}
	for _, b := range pic.About.Broken {
		broken = append(broken, pair{styleType.Render("--broken " + b.Pitfall), b.Text})
	}
	a.out.line("Its knobs")
	a.out.pairs(2, knobs...)
	a.out.line("")
	a.out.line("The mistakes that can be seen")
	a.out.pairs(2, broken...)
	return nil
}
