package checker

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"
)

// Soak runs the koans again and again, in a shuffled order and over several
// GOMAXPROCS, until ctx ends or until it has made rounds runs of each lane; 0
// rounds means until ctx ends. An answer that has failed in some runs and passed
// in others is reported with how often.
//
// The order of the n-th run of each lane comes from seed+n, so that the same
// seed finds the same orders again.
func (s *Session) Soak(ctx context.Context, seed int64, rounds int) (Report, error) {
	lanes := []*lane{s.fast}
	var unavailable string
	if s.c.NoRace {
		unavailable = "The race detector was left out."
	} else {
		lanes = append(lanes, s.race)
	}
	for _, l := range lanes {
		if l.built {
			continue
		}
		r := l.build(ctx)
		if r.unavailable != "" {
			lanes, unavailable = lanes[:1], r.unavailable
			break
		}
		if r.err != nil || r.refusal != nil {
			return s.report(r)
		}
		l.built = true
	}
	report, err := s.soak(ctx, lanes, seed, rounds, time.Time{})
	report.RaceChecked, report.NoRace = unavailable == "", unavailable
	return report, err
}

// soakFor soaks an answer that has just passed, for about d and at least once, in
// the lanes that are built. No time is no soak.
func (s *Session) soakFor(ctx context.Context, d time.Duration) (Report, error) {
	var lanes []*lane
	for _, l := range []*lane{s.fast, s.race} {
		if l.built && d > 0 {
			lanes = append(lanes, l)
		}
	}
	report, err := s.soak(ctx, lanes, rand.Int64N(1<<31), 0, time.Now().Add(d))
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return report, err
}

// soak runs the lanes side by side, each in rounds of its own. The end of ctx
// is the end of the soak, and no error; so is the time until, if it is not zero,
// but not before each lane has made its first run.
func (s *Session) soak(ctx context.Context, lanes []*lane, seed int64, rounds int, until time.Time) (Report, error) {
	var (
		mu       sync.Mutex // guards what follows
		runs     int
		known    = map[string]Outcome{}
		firstErr error
		wg       sync.WaitGroup
	)
	for _, l := range lanes {
		wg.Go(func() {
			ctx := ctx
			for n := int64(0); ctx.Err() == nil && (rounds == 0 || n < int64(rounds)); n++ {
				run, err := l.run(ctx, "-test.cpu=1,2,4", "-test.shuffle="+strconv.FormatInt(seed+n, 10))
				if ctx.Err() != nil {
					return
				}
				if n == 0 && !until.IsZero() {
					var cancel context.CancelFunc
					ctx, cancel = context.WithDeadline(ctx, until)
					defer cancel()
				}
				mu.Lock()
				if err != nil {
					firstErr = err
					mu.Unlock()
					return
				}
				runs++
				s.count(known, run, seed+n)
				s.c.progress(Progress{Dir: s.p.Dir, Stage: Soaking, Race: l.race, Done: runs, Total: rounds * len(lanes)})
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if firstErr != nil {
		return Report{}, fmt.Errorf("soaking %s: %w", s.p.Dir, firstErr)
	}
	for _, k := range s.koans {
		o, failed := known[k.test]
		if !failed {
			o = Outcome{Test: k.test, Status: Passed}
		} else {
			o.Flaky.Runs = runs
		}
		known[k.test] = o
	}
	return Report{Koans: s.outcomes(known), TestsEdited: s.edited, SoakRuns: runs}, nil
}

// count files the koan that failed in a run, if any: the first one to fail in
// the order of that run, since those after it may suffer from it.
func (s *Session) count(known map[string]Outcome, run *koanRun, seed int64) {
	if run.exit == 0 && run.excess == "" && s.allClean(run) {
		return
	}
	sec := run.firstFailed()
	test := sec.test
	if test == "" {
		test = s.koans[0].test
	}
	o, ok := known[test]
	if !ok {
		o = Outcome{Test: test, Status: Failed, Diagnosis: s.diagnose(run, sec), Flaky: &Flaky{Seed: seed}}
	}
	o.Flaky.Failed++
	known[test] = o
}

func (s *Session) allClean(run *koanRun) bool {
	for _, k := range s.koans {
		if !run.clean(run.section(k.test)) {
			return false
		}
	}
	return true
}
