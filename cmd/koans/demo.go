package main

import (
	"cmp"
	"context"
	"fmt"
	"sync"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"concurrency-koans/checker"
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
			case len(args) == 0 && !all && hasOwnFlag(cmd):
				return usage("Demo needs to know which lesson.", "Like this: "+a.command("demo", "pipeline")+"\nAll of them: "+a.command("demo"))
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

// hasOwnFlag reports whether a flag is set that only this command has.
func hasOwnFlag(cmd *cobra.Command) (set bool) {
	cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) { set = set || f.Changed })
	return set
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
		if a.book.isUntouched(l) {
			return &exit{status: exitNotYet, problem: fmt.Sprintf("Lesson %d is not begun: there is no answer of yours to run.", l.Number), remedy: "Begin with: " + a.command("check", l.Number)}
		}
		var err error
		if answer, err = a.book.answer(l); err != nil {
			return a.noAnswer(l, err)
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

// demoBroken runs the demo on the reference and on a pitfall, and shows one above
// the other.
func (a *app) demoBroken(ctx context.Context, l lessons.Lesson, s solutions.Solution, p solutions.Pitfall, sh showing) error {
	sh.args = append(sh.args, "-broken="+p.Name)
	onReference, err := a.buildDemo(ctx, l, s, nil, sh)
	if err != nil {
		return err
	}
	defer onReference.Close()
	onPitfall, err := a.buildDemo(ctx, l, s, p.Source, sh)
	if err != nil {
		return err
	}
	defer onPitfall.Close()
	right, wrong := a.filmBoth(ctx, onReference, onPitfall, p.Name, sh)
	if err := cmp.Or(right.err, wrong.err); err != nil {
		return err
	}
	a.sayBroken(l, s, p, right, wrong, sh.plain)
	offer := offered(right.pic, p.Name)
	if sh.svg != "" {
		if err := a.writeSVG(sh.svg, fmt.Sprintf("%d %s On the pitfall %s.", l.Number, s.Demo.Title, p.Name), wrong.pic); err != nil {
			return err
		}
	}
	if !wrong.pic.Shows(offer.Sign, right.pic) {
		return &exit{status: exitUnchecked, problem: "This time the fault cannot be seen.", remedy: "Without knobs of your own it can: " + a.command("demo", l.Number, "--broken", p.Name)}
	}
	return nil
}

// filmBoth runs a demo on the reference and on a pitfall. It does so in virtual time,
// because one does not see a fault better for having waited for it; but some can be
// seen in real time only.
func (a *app) filmBoth(ctx context.Context, onReference, onPitfall *checker.Built, pitfall string, sh showing) (right, wrong film) {
	sh.fast = true
	right = a.film(ctx, onReference, sh)
	if right.err != nil || !offered(right.pic, pitfall).Real {
		return right, a.film(ctx, onPitfall, sh)
	}
	sh.fast = false
	waiting := newProgress(a.err, a.world.now)
	waiting.count("Running both, in real time", 0, 0, "")
	defer waiting.end()
	var both sync.WaitGroup
	both.Go(func() { right = a.film(ctx, onReference, sh) })
	both.Go(func() { wrong = a.film(ctx, onPitfall, sh) })
	both.Wait()
	return right, wrong
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
