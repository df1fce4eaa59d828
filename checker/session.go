package checker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A Session holds what is built for one package, so that it can be run many
// times. It is for one goroutine; Close it when done.
type Session struct {
	c       *Checker
	p       Package
	koans   []koan
	scratch string // temporary folder of everything below
	overlay string // file for go build -overlay: the pristine koans, and the answer that is judged
	bare    string // the same without any koan, for vet
	edited  []string
	parsed  parsed
	fast    *lane
	race    *lane
}

// Open prepares a session: it reads the koans and lays them over the learner's
// folder, in a temporary folder of its own. Nothing is written below p.Root.
func (c *Checker) Open(p Package) (*Session, error) {
	koans, witnessed, err := parseKoans(p.Koans, p.Skeleton)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", p.Dir, err)
	}
	if _, err := os.Stat(p.folder()); err != nil {
		return nil, &EnvironmentError{
			Problem: fmt.Sprintf("the folder %s cannot be read", p.Dir),
			Remedy:  fmt.Sprintf("Put it back with: koans reset %s", p.Dir),
			Err:     err,
		}
	}
	scratch, err := makeScratch()
	if err != nil {
		return nil, err
	}
	s := &Session{c: c, p: p, koans: koans, scratch: scratch}
	s.fast = &lane{session: s, name: "fast"}
	s.race = &lane{session: s, name: "race", race: true}
	if err := s.prepare(witnessed); err != nil {
		_ = s.Close() // the first error is the one to tell
		return nil, err
	}
	return s, nil
}

// Close removes everything that the session has built.
func (s *Session) Close() error { return os.RemoveAll(s.scratch) }

func (p Package) folder() string { return filepath.Join(p.Root, filepath.FromSlash(p.Dir)) }

// answer returns the source that is judged.
func (p Package) answer() ([]byte, error) {
	if p.Replace != nil {
		return p.Replace, nil
	}
	return os.ReadFile(filepath.Join(p.folder(), p.Answer))
}

// prepare writes the overlay and the folder that the koans run in.
func (s *Session) prepare(witnessed map[string][]byte) error {
	if err := os.Mkdir(s.runDir(), 0o700); err != nil {
		return diskError(err)
	}
	answer := map[string][]byte{}
	if s.p.Replace != nil {
		answer[s.p.Answer] = s.p.Replace
	}
	entries, err := os.ReadDir(s.p.folder())
	if err != nil {
		return fmt.Errorf("reading %s: %w", s.p.Dir, err)
	}
	var tests []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), "_test.go") {
			tests = append(tests, e.Name())
		}
	}
	if s.edited, err = s.p.testsEdited(); err != nil {
		return err
	}
	texts := filepath.Join(s.scratch, "files")
	s.overlay = filepath.Join(s.scratch, "overlay.json")
	s.bare = filepath.Join(s.scratch, "bare.json")
	if err := writeOverlay(s.bare, s.p.folder(), texts, answer, tests); err != nil {
		return err
	}
	maps.Copy(answer, witnessed)
	return writeOverlay(s.overlay, s.p.folder(), texts, answer, tests)
}

// runDir is the folder that the koans run in: an empty one, so that whatever
// they write does not land beside the learner's file.
func (s *Session) runDir() string { return filepath.Join(s.scratch, "run") }

// testsEdited lists the koan files that are missing from the learner's folder
// or differ from the pristine ones. Line ends do not count: git may change them.
func (p Package) testsEdited() ([]string, error) {
	var edited []string
	for name, pristine := range p.Koans {
		disk, err := os.ReadFile(filepath.Join(p.folder(), name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("reading %s/%s: %w", p.Dir, name, err)
		}
		if !bytes.Equal(bytes.ReplaceAll(disk, []byte("\r\n"), []byte("\n")), pristine) {
			edited = append(edited, name)
		}
	}
	slices.Sort(edited)
	return edited, nil
}

// outcomes makes the report's list from what is known of each koan.
func (s *Session) outcomes(known map[string]Outcome) []Outcome {
	list := make([]Outcome, 0, len(s.koans))
	for _, k := range s.koans {
		o, ok := known[k.test]
		if !ok {
			o = Outcome{Test: k.test, Status: NotReached}
		}
		list = append(list, o)
	}
	return list
}

// refused is the report on an answer whose koans could not run at all: the
// first one carries the reason.
func (s *Session) refused(d *Diagnosis) Report {
	first := s.koans[0].test
	return Report{
		Koans:       s.outcomes(map[string]Outcome{first: {Test: first, Status: Failed, Diagnosis: d}}),
		TestsEdited: s.edited,
	}
}

// Check judges the answer. Both lanes start together. The fast lane decides a
// failure that it can repeat, unless it comes further than the learner has been;
// what it cannot repeat smells of a race. So then, as after a pass, the race lane
// decides.
func (s *Session) Check(ctx context.Context) (Report, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	raceDone := make(chan laneResult, 1)
	startRace := func() {
		if s.c.NoRace {
			raceDone <- laneResult{unavailable: "The race detector was left out."}
			return
		}
		go func() { raceDone <- s.race.check(ctx) }()
	}
	// What the fast lane has decided once, it most often decides again, and then
	// the race lane would be built for nothing each time.
	waits := s.c.FastFirst || s.fast.built && !s.race.built
	if !waits {
		startRace()
	}

	fast := s.fast.check(ctx)
	if fast.err == nil && fast.refusal == nil && fast.failed() {
		fast.flaky = s.fast.repeat(ctx, &fast)
		if ctx.Err() != nil {
			fast.err = context.Cause(ctx)
		}
	}
	sure := fast.failed() && fast.flaky == nil
	if fast.err != nil || fast.refusal != nil || sure && !s.leads(fast) {
		cancel()
		if !waits {
			<-raceDone
		}
		return s.report(fast)
	}
	if waits {
		startRace()
	}
	if s.c.Fast != nil && !s.c.NoRace {
		s.c.Fast(Report{Koans: s.outcomes(fast.known), TestsEdited: s.edited})
	}
	race := <-raceDone
	switch {
	case race.err != nil:
		return Report{}, race.err
	case sure && s.first(race) >= s.first(fast):
		return s.report(fast)
	case race.failed():
		for test, o := range fast.known { // of what the race lane has not come to
			if _, ok := race.known[test]; !ok && race.refusal == nil {
				race.known[test] = o
			}
		}
		return s.report(race)
	case fast.failed():
		return s.report(fast)
	}
	return s.passed(ctx, race)
}

// first is the place of the first koan that failed, or the number of koans.
func (s *Session) first(r laneResult) int {
	for i, k := range s.koans {
		if r.refusal != nil || r.known[k.test].Status == Failed {
			return i
		}
	}
	return len(s.koans)
}

// leads reports whether a lane came further than the learner has been.
func (s *Session) leads(r laneResult) bool {
	reached := slices.IndexFunc(s.koans, func(k koan) bool { return k.test == s.p.Reached })
	return reached >= 0 && s.first(r) > reached
}

// passed makes the report of an answer that no koan objects to. The answer is
// vetted and soaked at the same time, so that vet costs the learner no wait.
func (s *Session) passed(ctx context.Context, race laneResult) (Report, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	vetDone := make(chan laneResult, 1)
	go func() { vetDone <- s.vet(ctx) }()

	report, err := s.soakFor(ctx, s.c.Soak)
	if err != nil {
		cancel()
	}
	vet := <-vetDone
	if err == nil && (vet.err != nil || vet.refusal != nil) {
		return s.report(vet)
	}
	report.RaceChecked, report.NoRace = race.unavailable == "", race.unavailable
	return report, err
}

// report turns the deciding lane's result into the caller's.
func (s *Session) report(r laneResult) (Report, error) {
	if r.err != nil {
		return Report{}, r.err
	}
	if r.refusal != nil {
		return s.refused(r.refusal), nil
	}
	return Report{Koans: s.outcomes(r.known), TestsEdited: s.edited}, nil
}

func diskError(err error) error {
	return &EnvironmentError{
		Problem: "the temporary folder cannot be written",
		Remedy:  "Make room on the disk, or set TMPDIR to a folder that can be written.",
		Err:     err,
	}
}
