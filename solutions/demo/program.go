// Package demo is what the demos of the lessons share: knobs, a clock that may be
// virtual, and a record of what happens, from which a picture can be drawn.
//
// A demo is one file, solutions/NN-name/demo.go, a program on top of the lesson's
// reference. Run by hand it prints a log; koans demo runs it and draws. It goes
// one way through the files of this package:
//
//	program   what a demo is, its flags, and its beginning
//	demo      what a demo is given: its knobs, its chance, its results
//	lane      who is at work, and who waits for what
//	gauge     what can be counted while it runs
//	event     the record, a line for each thing that happens
//	log       where the record goes
package demo

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

// A Program is a demo.
type Program struct {
	Knobs  []Knob
	Broken []Broken
	// Run is the demo itself. It returns when everything that it has started has
	// ended, and early when ctx ends. It is called once.
	Run func(ctx context.Context, d *Demo) error
}

// A Knob is a number that whoever runs a demo may change. The demos share a few
// names of knobs, which koans demo knows as flags.
type Knob struct {
	Name  string `json:"name"`  // one of KnobNames
	Value int    `json:"value"` // unless somebody changes it
	Min   int    `json:"min"`
	Max   int    `json:"max"`
	Text  string `json:"text"` // what it means in this demo: "how many log lines there are"
}

// KnobNames are the names that a knob may have, each with what it means in any demo.
var KnobNames = []struct{ Name, Text string }{
	{"items", "how much there is to do"},
	{"workers", "how many work at the same time"},
	{"buffer", "how many things may wait"},
	{"rate", "how many come, or may come, in a second"},
	{"burst", "how many come, or may come, at once"},
	{"keys", "how many different ones there are"},
	{"slow", "how many times as slow the slow part is"},
	{"fail", "how many in a hundred go wrong"},
}

// A Broken is one of the lesson's pitfalls that a demo can be run on, because its
// fault can be seen there.
type Broken struct {
	Pitfall string         `json:"pitfall"`         // its file's name without .go
	Text    string         `json:"text"`            // what to look at, in a sentence
	Sign    Sign           `json:"sign"`            // what shows the fault
	Knobs   map[string]int `json:"knobs,omitempty"` // values at which it can be seen, where the usual ones hide it
	Real    bool           `json:"real,omitempty"`  // it is seen in real time alone: somebody waits for a lock, and that stops virtual time
}

// A Sign is how a run on a pitfall differs from the same run on the reference:
// in a result, or in how it ends.
type Sign struct {
	Result string  `json:"result,omitempty"` // name of a result
	More   bool    `json:"more,omitempty"`   // it is higher; else it is lower
	End    Outcome `json:"end,omitempty"`    // or it ends like this
}

// More is the sign that a result is higher than it should be.
func More(result string) Sign { return Sign{Result: result, More: true} }

// Less is the sign that a result is lower than it should be.
func Less(result string) Sign { return Sign{Result: result} }

// Ends is the sign that the demo ends otherwise than it should.
func Ends(how Outcome) Sign { return Sign{End: how} }

// An Outcome is how a demo ends.
type Outcome string

// The outcomes. Of a crash the demo itself cannot tell: the record of one that
// crashed has no end.
const (
	Done    Outcome = "done"
	Failed  Outcome = "failed"  // Run returned an error
	Stuck   Outcome = "stuck"   // Run did not return
	Stopped Outcome = "stopped" // it was interrupted
	Crashed Outcome = "crashed"
)

// LogEnv is the environment variable that, set to anything, makes a demo print
// its record in JSON, an [Event] on each line, and no log for people. That of a demo in
// virtual time is for [InOrder] to put in order; a log is in order already.
const LogEnv = "KOANS_DEMO_JSON"

// options are what a demo's flags say.
type options struct {
	seed  uint64
	fast  bool
	json  bool
	knobs []Knob // with their values
}

// Main runs the demo that p is, as the flags say, and does not return. The exit
// status is 0 if it has ended well, 1 if not, and 2 if a flag makes no sense.
func Main(p Program) {
	o, err := p.parse(os.Args[1:], os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(0)
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	o.json = os.Getenv(LogEnv) != ""
	if o.fast {
		// Inside the bubble, since goroutines that are left behind would end it in a
		// panic. Here they are a result like any other.
		bubble(func() { os.Exit(p.run(context.Background(), o, os.Stdout)) })
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop) // a second interrupt ends the program at once
	os.Exit(p.run(ctx, o, os.Stdout))
}

// bubble calls f where time is virtual: it passes when everybody waits. A bubble
// can only be had in a test, so the program becomes one. f does not return.
func bubble(f func()) {
	os.Args = os.Args[:1] // the flags are not for the test
	test := testing.InternalTest{Name: "demo", F: func(t *testing.T) {
		synctest.Test(t, func(*testing.T) { f() })
	}}
	testing.Main(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{test}, nil, nil)
}

// parse reads the flags. What it cannot use it tells in an error for the learner.
func (p Program) parse(args []string, help io.Writer) (options, error) {
	o := options{knobs: slices.Clone(p.Knobs)}
	var broken string
	fs := flag.NewFlagSet("demo", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Uint64Var(&o.seed, "seed", 1, "`number` that everything random is made from")
	fs.BoolVar(&o.fast, "fast", false, "virtual time: the same, without the waiting")
	fs.StringVar(&broken, "broken", "", "use the knobs at which this `pitfall` shows")
	for i, k := range o.knobs {
		fs.IntVar(&o.knobs[i].Value, k.Name, k.Value, fmt.Sprintf("%s; %d to %d", k.Text, k.Min, k.Max))
	}
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fs.SetOutput(help)
			fs.PrintDefaults()
			return o, err
		}
		if name, ok := strings.CutPrefix(err.Error(), "flag provided but not defined: -"); ok {
			return o, fmt.Errorf("this demo has no --%s; it has %s", name, strings.Join(p.knobNames(), ", "))
		}
		return o, err
	}
	if fs.NArg() > 0 {
		return o, fmt.Errorf("%q is one word too many", fs.Arg(0))
	}
	if broken != "" {
		if err := p.show(broken, &o, fs); err != nil {
			return o, err
		}
	}
	for _, k := range o.knobs {
		if k.Value < k.Min || k.Value > k.Max {
			return o, fmt.Errorf("--%s is %d to %d in this demo, not %d", k.Name, k.Min, k.Max, k.Value)
		}
	}
	return o, nil
}

func (p Program) knobNames() (names []string) {
	for _, k := range p.Knobs {
		names = append(names, "--"+k.Name)
	}
	return names
}

// show sets the knobs at which a pitfall shows, unless they are set already.
func (p Program) show(pitfall string, o *options, fs *flag.FlagSet) error {
	i := slices.IndexFunc(p.Broken, func(b Broken) bool { return b.Pitfall == pitfall })
	if i < 0 {
		var names []string
		for _, b := range p.Broken {
			names = append(names, b.Pitfall)
		}
		return fmt.Errorf("%q cannot be seen in this demo; these can: %s", pitfall, strings.Join(names, ", "))
	}
	for j := range o.knobs {
		if v, ok := p.Broken[i].Knobs[o.knobs[j].Name]; ok && !isSet(fs, o.knobs[j].Name) {
			o.knobs[j].Value = v
		}
	}
	return nil
}

func isSet(fs *flag.FlagSet, name string) (set bool) {
	fs.Visit(func(f *flag.Flag) { set = set || f.Name == name })
	return set
}
