package checker

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A lane is one way of building and running the koans.
//
// The fast lane has no cgo and no race detector: only then does the runtime
// itself report a deadlock. The race lane has the race detector, which needs
// cgo on most platforms.
type lane struct {
	session *Session
	name    string
	race    bool
	built   bool // the binary is there
}

// A laneResult is what one lane found out.
type laneResult struct {
	known       map[string]Outcome // koans that have an outcome
	slow        map[string]bool    // koans that took long to fail
	refusal     *Diagnosis         // why no koan could run: it does not compile, or vet complains
	unavailable string             // why this machine lacks the lane, as a sentence
	flaky       *Flaky             // the first failure did not come every time
	err         error
}

func (r laneResult) failed() bool {
	for _, o := range r.known {
		if o.Status == Failed {
			return true
		}
	}
	return r.refusal != nil
}

func (l *lane) binary() string {
	return filepath.Join(l.session.scratch, executable(l.name+".test"))
}

// executable is the name of a file that can be run.
func executable(name string) string {
	if runtime.GOOS == "windows" {
		return name + ".exe"
	}
	return name
}

// env is the environment of the lane's processes. Settings that would change
// what the koans see are taken out.
func (l *lane) env(extra ...string) []string {
	env := slices.DeleteFunc(l.session.c.environ(), func(kv string) bool {
		switch name, _, _ := strings.Cut(kv, "="); name {
		case "GODEBUG", "GOGC", "GOMAXPROCS", "GOMEMLIMIT", "GORACE", "GOTRACEBACK":
			return true
		}
		return false
	})
	return append(env, extra...)
}

func (c *Checker) environ() []string {
	if c.Env != nil {
		return slices.Clone(c.Env)
	}
	return os.Environ()
}

// check builds the lane and gives every koan an outcome. A koan that ends the
// process ends only itself: those that have not begun are run again. One that
// goes over a limit, or has to wait for a watchdog to fail, ends the check, for
// the next would most often cost the same time for the same reason; and so do
// several that end the process and take their time about it.
func (l *lane) check(ctx context.Context) laneResult {
	if !l.built {
		if r := l.build(ctx); r.err != nil || r.refusal != nil || r.unavailable != "" {
			return r
		}
		l.built = true
	}
	r := laneResult{known: map[string]Outcome{}, slow: map[string]bool{}}
	var pending []string
	for _, k := range l.session.koans {
		pending = append(pending, k.test)
	}
	var lost time.Duration // with koans that ended their process
	for len(pending) > 0 && lost < slowFailure {
		begun := time.Now()
		run, err := l.run(ctx, "-test.run="+pattern(pending))
		if err != nil {
			r.err = err
			return r
		}
		for _, test := range pending {
			r.slow[test] = run.section(test).took > slowFailure
		}
		left, done := l.collect(run, pending, r.known)
		if d := r.known[run.current.test].Diagnosis; run.crashed() && d != nil && d.Kind != Todo {
			lost += time.Since(begun)
		}
		if done {
			return r
		}
		if l.race && r.failed() {
			break // only the first failure is this lane's to tell
		}
		pending = left
	}
	r.err = l.findLeak(ctx, r.known)
	return r
}

// findLeak puts the blame for a goroutine that goleak has found where it
// belongs: the koan that found it may have met one that an earlier koan has left.
func (l *lane) findLeak(ctx context.Context, known map[string]Outcome) error {
	for i, finder := range l.session.koans {
		o := known[finder.test]
		if o.Status != Failed || o.Diagnosis.Kind != Leak || !strings.Contains(o.Diagnosis.Raw, goleakReport) {
			continue
		}
		for _, k := range l.session.koans[:i+1] {
			if known[k.test].Status == Failed && k != finder {
				continue
			}
			run, err := l.run(ctx, "-test.run="+pattern([]string{k.test}))
			if err != nil {
				return err
			}
			if run.exit == 0 {
				continue
			}
			if k != finder {
				known[finder.test] = Outcome{Test: finder.test, Status: Passed}
			}
			known[k.test] = Outcome{Test: k.test, Status: Failed, Diagnosis: l.session.diagnose(run, run.section(k.test))}
			break
		}
	}
	return nil
}

// collect files the outcomes of one run over the pending koans. It returns the
// koans that have not begun, and whether the check is over.
func (l *lane) collect(run *koanRun, pending []string, known map[string]Outcome) (left []string, done bool) {
	blamed := false
	for _, test := range pending {
		sec := run.section(test)
		switch {
		case sec.begun == 0, run.cut && sec == run.current:
			left = append(left, test)
		case run.clean(sec):
			known[test] = Outcome{Test: test, Status: Passed}
		default:
			blamed = true
			known[test] = Outcome{Test: test, Status: Failed, Diagnosis: l.session.diagnose(run, sec)}
		}
	}
	switch {
	case len(left) == len(pending):
		// The process did not live to see a koan: its first one carries the blame.
		known[pending[0]] = Outcome{Test: pending[0], Status: Failed, Diagnosis: l.session.diagnose(run, &run.preamble)}
		return nil, true
	case run.excess != "", run.cut:
		return nil, true
	case len(left) == 0 && !blamed && run.exit != 0:
		// All koans passed and the process says otherwise: something is left
		// behind that TestMain has found, or the last koan's end was the
		// learner's os.Exit. The last koan carries the blame.
		last := pending[len(pending)-1]
		known[last] = Outcome{Test: last, Status: Failed, Diagnosis: l.session.diagnose(run, run.section(last))}
	}
	return left, false
}

// Runs that a failure must survive to be called certain: it must come again on
// all processors, and on one. Most answers that forget to synchronize come out
// right when nothing runs in parallel, so those are left to the race lane, which
// knows the cause.
var repeatOn = []string{"-test.cpu=1", "-test.cpu=1", "-test.cpu=" + strconv.Itoa(runtime.GOMAXPROCS(0))}

// repeat runs the first failing koan again. If it passes even once, the failure
// is flaky, and how often it came is returned and noted in the outcome.
func (l *lane) repeat(ctx context.Context, r *laneResult) *Flaky {
	test := l.session.koans[l.session.first(*r)].test
	outcome := r.known[test]
	switch outcome.Diagnosis.Kind {
	case Todo, Stuck, Crash: // sure, or too dear to have again
		return nil
	}
	if r.slow[test] {
		return nil // what a watchdog in real time has found, too
	}
	failed := 1
	for _, cpus := range repeatOn {
		run, err := l.run(ctx, "-test.run="+pattern([]string{test}), cpus)
		if err != nil {
			return nil
		}
		if run.exit != 0 {
			failed++
		}
	}
	if failed == 1+len(repeatOn) {
		return nil
	}
	outcome.Flaky = &Flaky{Failed: failed, Runs: 1 + len(repeatOn)}
	r.known[test] = outcome
	return outcome.Flaky
}

// A koanRun is one run of a lane's binary.
type koanRun struct {
	*transcript
	ending
	race bool
}

// crashed reports whether the process ended otherwise than by the end of its
// tests, which have the exit status 0 or 1.
func (r *koanRun) crashed() bool { return r.exit != 0 && r.exit != 1 }

// clean reports whether a koan passed. When a koan panics, its witness still
// speaks on the way out, so a crash counts against the koan that ran. What
// prints like go test does not pass, although it would deceive nobody here.
func (r *koanRun) clean(sec *section) bool {
	return sec.clean() && !(r.crashed() && r.current == sec) &&
		!forged(string(sec.text), sec.test) && !forged(string(r.preamble.text), "")
}

// firstFailed returns the section of the first koan in the order of the run
// that is not clean; if all are, that of the last one, which the process did
// not outlive unharmed.
func (r *koanRun) firstFailed() *section {
	for _, s := range r.order {
		if !r.clean(s) {
			return s
		}
	}
	return r.current
}

func (l *lane) run(ctx context.Context, args ...string) (*koanRun, error) {
	word := newWitnessWord()
	limits := l.session.c.limits()
	// -test.timeout=0: a timer would keep the runtime from seeing a deadlock.
	cmd := exec.Command(l.binary(), append([]string{"-test.timeout=0", "-test.paniconexit0"}, args...)...)
	cmd.Dir = l.session.runDir()
	cmd.Env = l.env(
		witnessEnv+"="+word,
		"GORACE=atexit_sleep_ms=10 exitcode=1", // the default is to sleep for a second at a passing exit
		"GOTRACEBACK=crash",                    // the only setting that shows goroutines which run on other threads
	)
	// A limit is watched by polling, so a fast printer may pass it by far; what
	// is kept is bounded all the same.
	t := newTranscript(word, limits.Output)
	end, err := run(ctx, cmd, limits, 0, t)
	if err != nil {
		return nil, err
	}
	return &koanRun{transcript: t, ending: end, race: l.race}, nil
}

// pattern is the regular expression that selects exactly these tests.
func pattern(tests []string) string {
	quoted := make([]string, len(tests))
	for i, t := range tests {
		quoted[i] = regexp.QuoteMeta(t)
	}
	return "^(" + strings.Join(quoted, "|") + ")$"
}
