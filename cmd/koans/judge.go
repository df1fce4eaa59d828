package main

import (
	"context"
	"errors"
	"time"

	"concurrency-koans/checker"
	"concurrency-koans/lessons"
)

// A status is a lesson's verdict in a word.
type status string

const (
	passed    status = "passed"
	failed    status = "failed"
	untried   status = "untouched" // the answer is the skeleton
	unchecked status = "unchecked" // the check could not be made
)

// A verdict is what a check of one lesson has come to.
type verdict struct {
	lesson lessons.Lesson
	status status
	report checker.Report // not of an unchecked lesson
	err    error          // why a lesson is unchecked
}

// raw is what the tools printed about the first failure, or about why there is
// no verdict.
func (v verdict) raw() string {
	if o, ok := v.report.FirstFailure(); ok && o.Diagnosis != nil {
		return o.Diagnosis.Raw
	}
	var env *checker.EnvironmentError
	if errors.As(v.err, &env) {
		return env.Raw
	}
	return ""
}

// interactiveSoak is how long an answer that has passed is run again while the
// learner waits. A lesson's koans take some 20 ms, so this makes half a dozen
// runs over several GOMAXPROCS: what fails every third time is caught, and the
// learner does not notice the wait. For rarer failures there is koans stress.
const interactiveSoak = 100 * time.Millisecond

// checker returns an engine for the learner's answers. Progress goes to where
// the returned function ends it.
func (a *app) checker() (*checker.Checker, func()) {
	p := newProgress(a.err, a.world.now)
	return &checker.Checker{
		Env:      a.world.env,
		Soak:     interactiveSoak,
		Progress: p.report,
	}, p.end
}

// judge checks the answers of the given lessons and notes the verdicts in the
// journal.
func (a *app) judge(ctx context.Context, all ...lessons.Lesson) ([]verdict, error) {
	c, end := a.checker()
	defer end()
	if len(all) > 1 {
		c.Soak = 0 // over all lessons it would cost as much as the rest of the check
	}
	return a.judgeBy(ctx, c, all...)
}

// judgeBy is judge with an engine of the caller's.
func (a *app) judgeBy(ctx context.Context, c *checker.Checker, all ...lessons.Lesson) ([]verdict, error) {
	book, err := a.workbook()
	if err != nil {
		return nil, err
	}
	// A skeleton cannot pass, so the race detector has nothing to say about it:
	// leaving it out spares the learner its compilation on the first day.
	bare := &checker.Checker{Env: c.Env, NoRace: true, Progress: c.Progress}

	verdicts := make([]verdict, len(all))
	written, skeletons := []int{}, []int{}
	for i, l := range all {
		verdicts[i] = verdict{lesson: l, status: failed}
		if book.isUntouched(l) {
			verdicts[i].status = untried
			skeletons = append(skeletons, i)
		} else {
			written = append(written, i)
		}
	}
	hashes := make([]string, len(all))
	for i, l := range all {
		hashes[i] = book.hashOf(l)
	}
	begun := a.world.now()
	for _, batch := range []struct {
		c       *checker.Checker
		indexes []int
	}{{c, written}, {bare, skeletons}} {
		for n, result := range check(ctx, batch.c, a.subjects(pick(all, batch.indexes))) {
			verdicts[batch.indexes[n]].settle(result)
		}
	}
	elapsed := a.world.now().Sub(begun) / time.Duration(max(1, len(all)))
	for i := range verdicts {
		a.note(verdicts[i], hashes[i], elapsed.Milliseconds())
	}
	return verdicts, nil
}

// subjects are what the engine judges for the lessons, with how far the learner
// has been told to have come.
func (a *app) subjects(all []lessons.Lesson) []checker.Package {
	packages := make([]checker.Package, len(all))
	for i, l := range all {
		packages[i] = a.book.subject(l)
		packages[i].Reached, _ = a.record().LastFailure(l.ID)
		if packages[i].Reached == "" {
			packages[i].Reached = l.Koans[0].Test
		}
	}
	return packages
}

// check runs the engine. A single answer is checked for speed of the verdict,
// several for least work in all.
func check(ctx context.Context, c *checker.Checker, packages []checker.Package) []checker.Result {
	if len(packages) == 1 {
		report, err := c.Check(ctx, packages[0])
		return []checker.Result{{Report: report, Err: err}}
	}
	return c.CheckAll(ctx, packages)
}

func pick(all []lessons.Lesson, indexes []int) []lessons.Lesson {
	picked := make([]lessons.Lesson, len(indexes))
	for n, i := range indexes {
		picked[n] = all[i]
	}
	return picked
}

// settle makes the engine's result a verdict.
func (v *verdict) settle(r checker.Result) {
	v.report, v.err = r.Report, r.Err
	switch {
	case r.Err != nil:
		v.status = unchecked
	case r.Report.Passed():
		v.status = passed
	}
	if f, ok := r.Report.FirstFailure(); ok && f.Diagnosis != nil && f.Diagnosis.Kind == checker.Environment {
		v.status = unchecked
		v.err = &exit{status: exitUnchecked, problem: f.Diagnosis.Summary, remedy: remedyDoctor}
	}
}

// result is the error that tells of the verdicts, all of which have been shown.
func result(verdicts []verdict) error {
	var worst error
	for _, v := range verdicts {
		switch v.status {
		case unchecked:
			if errors.Is(v.err, context.Canceled) {
				return v.err
			}
			worst = errUnchecked
		case failed, untried:
			if worst == nil {
				worst = errNotYet
			}
		}
	}
	return worst
}
