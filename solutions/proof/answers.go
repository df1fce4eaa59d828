package proof

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"

	"concurrency-koans/checker"
	"concurrency-koans/lessons"
	"concurrency-koans/solutions"
)

// onSession opens a session on an answer in the lesson's place.
func (p Plan) onSession(ctx context.Context, c *checker.Checker, l lessons.Lesson, answer []byte,
	prove func(context.Context, *checker.Session) (string, error)) (fault string, err error) {
	s, err := c.Open(checker.Package{
		Root:     p.Root,
		Dir:      path.Join("lessons", l.ID),
		Answer:   l.Answer,
		Skeleton: l.Skeleton,
		Koans:    l.Tests,
		Replace:  answer,
	})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return prove(ctx, s)
}

// failsAsTodo needs one run: a skeleton does nothing that could turn out
// otherwise the next time.
func failsAsTodo(ctx context.Context, s *checker.Session) (string, error) {
	seen := account{wanted: "every koan fails as todo", runs: 1}
	if complains, err := seen.vet(ctx, s); complains || err != nil {
		return seen.String(), err
	}
	report, err := s.Check(ctx)
	if err != nil {
		return "", err
	}
	for _, o := range report.Koans {
		switch {
		case o.Status == checker.Failed && o.Diagnosis.Kind == checker.Todo:
		case o.Status == checker.Failed:
			seen.add(1, headline(o), o.Diagnosis)
		case o.Status == checker.Passed:
			seen.add(1, o.Test+" passed", nil)
		default:
			seen.add(1, o.Test+" was not reached", nil)
		}
	}
	return seen.String(), nil
}

// passes proves the answer in file right. Session.Check vets what passes.
func (p Plan) passes(file string) func(context.Context, *checker.Session) (string, error) {
	return func(ctx context.Context, s *checker.Session) (string, error) {
		seen := account{wanted: "every koan passes in both lanes", file: file, runs: 1}
		report, err := inBothLanes(s.Check(ctx))
		if err != nil {
			return "", err
		}
		if o, failed := report.FirstFailure(); failed {
			seen.add(1, headline(o), o.Diagnosis)
			return seen.String(), nil
		}

		report, err = inBothLanes(s.Soak(ctx, rand.Int64N(1<<31), p.Runs))
		if err != nil {
			return "", err
		}
		if ctx.Err() != nil { // the end of a soak, and no error there
			return "", context.Cause(ctx)
		}
		seen.runs = report.SoakRuns
		for _, o := range report.Koans {
			if o.Status == checker.Failed {
				seen.add(o.Flaky.Failed, fmt.Sprintf("%s fails as %s, first with -shuffle=%d", o.Test, o.Diagnosis.Kind, o.Flaky.Seed), o.Diagnosis)
			}
		}
		return seen.String(), nil
	}
}

// isRejected proves a pitfall of a lesson wrong in the way that it says.
func (p Plan) isRejected(ctx context.Context, s *checker.Session, lesson string, f solutions.Pitfall) (string, error) {
	seen := account{
		wanted: fmt.Sprintf("%s fails first, as %s, with a line to look at", f.Koan, f.Kind),
		file:   path.Join("solutions", lesson, "testdata/pitfalls", f.Name+".go"),
		runs:   p.Runs,
	}
	byTools := []checker.Kind{checker.Build, checker.Vet}
	if !slices.Contains(byTools, checker.Kind(f.Kind)) {
		if complains, err := seen.vet(ctx, s); complains || err != nil {
			return seen.String(), err
		}
	}
	for range p.Runs {
		report, err := inBothLanes(s.Check(ctx))
		if err != nil {
			return "", err
		}
		o, failed := report.FirstFailure()
		switch {
		case !failed:
			seen.add(1, "every koan passes", nil)
		case o.Test != f.Koan || o.Diagnosis.Kind != checker.Kind(f.Kind) || o.Flaky != nil:
			seen.add(1, headline(o), o.Diagnosis)
		case o.Diagnosis.Line == 0:
			seen.add(1, headline(o)+", without a line to look at", o.Diagnosis)
		}
	}
	return seen.String(), nil
}

// inBothLanes turns the report of a machine without the race lane into an
// error: half a proof must not look like one.
func inBothLanes(r checker.Report, err error) (checker.Report, error) {
	if err == nil && r.NoRace != "" {
		err = &checker.EnvironmentError{
			Problem: "the koans cannot be run under the race detector, and without it nothing is proved",
			Remedy:  r.NoRace,
		}
	}
	return r, err
}
