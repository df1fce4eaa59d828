package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/spf13/cobra"

	"concurrency-koans/cmd/koans/internal/picture"
	"concurrency-koans/lessons"
	"concurrency-koans/solutions"
	"concurrency-koans/solutions/demo"
)

// A showing is how a demo is to be shown.
type showing struct {
	args   []string // for the demo itself: its knobs and its seed
	fast   bool     // in virtual time
	plain  bool     // as a log
	race   bool     // under the race detector
	mine   bool     // on the learner's answer
	broken string   // on that pitfall, beside the reference
	svg    string   // file for a picture, "" for none
}

func (a *app) demoCommand() *cobra.Command {
	var (
		sh      showing
		pattern string
		all     bool
		source  bool
		tell    bool
		seed    uint64
		knobs   = map[string]*int{}
	)
	c := &cobra.Command{
		Use:   "demo [LESSON]",
		Short: "The pattern at work in a small program, drawn",
		Long: `Demo runs a small program on top of the reference of LESSON and draws what happens:
who works when, who waits for whom, what piles up. Without a LESSON it lists the
programs.

Each has some of the knobs below; it says which, and what they mean there. Turn
one, and the picture changes. The same seed makes the same run.

With --broken it runs on one of the lesson's pitfalls, with the right one above it.
With --mine it runs on your own answer.`,
		Args:              a.args(0, 1),
		ValidArgsFunction: a.completeLesson,
		RunE: func(cmd *cobra.Command, args []string) error {
			if pattern != "" {
				args = append(args, pattern)
			}
			for _, k := range demo.KnobNames {
				if cmd.Flags().Changed(k.Name) {
					sh.args = append(sh.args, fmt.Sprintf("-%s=%d", k.Name, *knobs[k.Name]))
				}
			}
			sh.args = append(sh.args, fmt.Sprintf("-seed=%d", seed))
			switch {
			case len(args) > 1:
				return usage("--pattern names a second lesson.", "Like this: "+a.command("demo", args[0]))
			case len(args) == 0 && !all:
				return a.sayDemos()
			case all && (len(args) > 0 || sh.svg != "" || sh.broken != "" || source || tell):
				return usage("--all runs every demo as it is: it goes with no lesson, --svg, --broken, --source or --knobs.", "")
			case sh.mine && sh.broken != "":
				return usage("--mine and --broken name two answers.", "Choose one of them.")
			case all:
				return a.demoAll(cmd.Context(), sh)
			}
			l, err := a.lesson(args[0])
			if err != nil {
				return err
			}
			s, err := answersTo(l)
			if err != nil {
				return err
			}
			if source {
				a.saySource(s.Demo.Source)
				return nil
			}
			if tell {
				return a.sayKnobs(cmd.Context(), l, s, sh)
			}
			return a.demo(cmd.Context(), l, s, sh)
		},
	}
	f := c.Flags()
	f.StringVar(&pattern, "pattern", "", "the `lesson`, in another way")
	f.BoolVar(&all, "all", false, "one demo after the other")
	f.Uint64Var(&seed, "seed", 1, "`number` that everything random is made from")
	f.BoolVar(&sh.fast, "fast", false, "in virtual time: the same, without the wait")
	f.BoolVar(&sh.plain, "plain", false, "a log of what happens, and no picture")
	f.StringVar(&sh.svg, "svg", "", "write the picture to `FILE` too")
	f.StringVar(&sh.broken, "broken", "", "run it on this `pitfall`")
	f.BoolVar(&sh.mine, "mine", false, "run it on your answer")
	f.BoolVar(&sh.race, "race", false, "run it under the race detector")
	f.BoolVar(&tell, "knobs", false, "tell what can be changed about it")
	f.BoolVar(&source, "source", false, "show its source and do not run it")
	for _, k := range demo.KnobNames {
		knobs[k.Name] = f.Int(k.Name, 0, "knob: "+k.Text)
	}
	return c
}

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

// demoAll runs the demos in turn.
func (a *app) demoAll(ctx context.Context, sh showing) error {
	book, err := a.workbook()
	if err != nil {
		return err
	}
	var worst error
	for i, l := range book.lessons {
		if i > 0 {
			a.out.line("")
		}
		s, err := answersTo(l)
		if err != nil {
			return err
		}
		if err := a.demo(ctx, l, s, sh); err != nil {
			if atEdge(err).status != exitNotYet {
				return err
			}
			worst = err
		}
	}
	return worst
}

// demo runs the demo of a lesson and shows it.
func (a *app) demo(ctx context.Context, l lessons.Lesson, s solutions.Solution, sh showing) error {
	if sh.broken != "" {
		p, err := a.pitfall(l, s, sh.broken)
		if err != nil {
			return err
		}
		return a.demoBroken(ctx, l, s, p, sh)
	}
	var answer []byte
	if sh.mine {
		var err error
		if answer, err = a.book.answer(l); err != nil {
			return err
		}
	}
	pic, err := a.play(ctx, l, s, answer, sh)
	if pic == nil {
		return err
	}
	a.sayEnd(pic)
	a.sayResults(pic)
	a.sayOffers(l, pic)
	if err == nil && sh.svg != "" {
		err = a.writeSVG(sh.svg, fmt.Sprintf("%d %s", l.Number, s.Demo.Title), pic)
	}
	if err == nil && pic.Outcome != demo.Done {
		err = errNotYet
	}
	return err
}

// demoBroken runs the demo on the reference and then on a pitfall, and shows one
// above the other. Both are run in virtual time: one does not see a fault better
// for having waited for it.
func (a *app) demoBroken(ctx context.Context, l lessons.Lesson, s solutions.Solution, p solutions.Pitfall, sh showing) error {
	sh.fast = true
	sh.args = append(sh.args, "-broken="+p.Name)
	right, err := a.film(ctx, l, s, nil, sh)
	if err != nil {
		return err
	}
	wrong, err := a.film(ctx, l, s, p.Source, sh)
	if err != nil {
		return err
	}
	a.sayDemo(l, s)
	offer := offered(right, p.Name)
	a.out.line("%s", styleTitle.Render("On the reference"))
	a.show(right, max(right.Span(), wrong.Span()), sh.plain)
	a.out.line("")
	a.out.line("%s", styleTitle.Render("On the pitfall "+p.Name))
	a.out.text(0, p.Title+" "+offer.Text)
	a.show(wrong, max(right.Span(), wrong.Span()), sh.plain)
	a.sayEnd(wrong)
	a.sayComparison(right, wrong, p.Name)
	if sh.svg != "" {
		if err := a.writeSVG(sh.svg, fmt.Sprintf("%d %s On the pitfall %s.", l.Number, s.Demo.Title, p.Name), wrong); err != nil {
			return err
		}
	}
	a.out.line("")
	a.out.line("More of it: %s", a.command("pitfalls", l.Number, p.Name))
	if !wrong.Shows(offer.Sign, right) {
		return &exit{status: exitUnchecked, problem: "This time the fault cannot be seen.", remedy: "Without knobs of your own it can: " + a.command("demo", l.Number, "--broken", p.Name)}
	}
	return nil
}

// offered is what the demo says of a pitfall that it can be run on.
func offered(pic *picture.Picture, name string) demo.Broken {
	for _, b := range pic.About.Broken {
		if b.Pitfall == name {
			return b
		}
	}
	return demo.Broken{}
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

// show draws a picture, or writes nothing if a log has told it.
func (a *app) show(pic *picture.Picture, span time.Duration, plain bool) {
	if plain {
		return
	}
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
		row := fmt.Sprintf("%-12s %s", here, there)
		if r.Who == sign.Result {
			row = fmt.Sprintf("%-12s %s", here, styleBad.Render(there+"  <"))
		}
		rows = append(rows, pair{r.Who, row})
	}
	how := func(o demo.Outcome) string { return string(o) }
	row := fmt.Sprintf("%-12s %s", how(right.Outcome), how(wrong.Outcome))
	if sign.End != "" {
		row = fmt.Sprintf("%-12s %s", how(right.Outcome), styleBad.Render(how(wrong.Outcome)+"  <"))
	}
	a.out.pairs(0, append(rows, pair{"ended", row})...)
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
	pic, err := a.film(ctx, l, s, nil, sh)
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

// demoFile is the slash-separated path of a demo from the root.
func demoFile(l lessons.Lesson) string { return "solutions/" + l.ID + "/demo.go" }

// writeSVG writes a picture for a page. What was in the file before is replaced as a
// whole.
func (a *app) writeSVG(file, title string, pic *picture.Picture) error {
	if err := replaceFile(a.at(file), []byte(pic.SVG(title))); err != nil {
		return &exit{status: exitUnchecked, problem: "The picture could not be written to " + file + ".", remedy: "Choose a file in a folder that is there and that you may write to.", err: err}
	}
	a.out.line("")
	a.out.line("The picture is in %s.", styleTitle.Render(file))
	return nil
}
