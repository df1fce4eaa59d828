package checker

import (
	"context"
	"runtime"
	"sync"
)

// A Result is what became of one package in CheckAll.
type Result struct {
	Report Report
	Err    error // as of Check
}

// CheckAll judges many packages, several at a time, and returns their results in
// the same order. It gives the verdicts that Check
// gives, for less work in all: an answer that passes under the race detector is
// not built a second time without it.
func (c *Checker) CheckAll(ctx context.Context, ps []Package) []Result {
	results := make([]Result, len(ps))
	next := make(chan int)
	var wg sync.WaitGroup
	// One more than there are processors: a build is not parallel all the time.
	for range min(len(ps), runtime.GOMAXPROCS(0)+1) {
		wg.Go(func() {
			for i := range next {
				results[i].Report, results[i].Err = c.checkThorough(ctx, ps[i])
			}
		})
	}
	for i := range ps {
		next <- i
	}
	close(next)
	wg.Wait()
	return results
}

// checkThorough runs the race lane first, and the fast lane only when the race
// lane has not passed. The first failure is then decided as ever.
func (c *Checker) checkThorough(ctx context.Context, p Package) (Report, error) {
	s, err := c.Open(p)
	if err != nil {
		return Report{}, err
	}
	defer s.Close()
	if c.NoRace {
		return s.Check(ctx)
	}
	race := s.race.check(ctx)
	if race.err != nil {
		return Report{}, race.err
	}
	if race.failed() || race.unavailable != "" {
		return s.Check(ctx)
	}
	return s.passed(ctx, race)
}
