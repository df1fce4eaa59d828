// Package proof proves the workbook: that each lesson's koans reject the
// skeleton and every pitfall, each for its own reason, accept the reference and
// every alternative, and do so every time.
package proof

import (
	"context"
	"errors"
	"fmt"
	"path"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"concurrency-koans/checker"
	"concurrency-koans/lessons"
	"concurrency-koans/solutions"
)

// A Plan is what is to be proved: the workbook at Root, or a part of it.
type Plan struct {
	Root      string // absolute path of the module
	Lessons   []lessons.Lesson
	Solutions []solutions.Solution
	Runs      int // how often the koans must come to the same verdict on an answer, 1 or more
}

// A Kind says what a claim is about.
type Kind string

// The kinds of claim.
const (
	// Form claims that lesson and solution fit each other: README and pitfalls,
	// skeleton and reference, and the standard library alone.
	Form Kind = "form"
	// Skeleton claims that the file as shipped vets clean and fails every koan
	// as something that is still to be written.
	Skeleton Kind = "skeleton"
	// Reference claims that it vets clean and passes, in both lanes, and again
	// in every run of a soak.
	Reference Kind = "reference"
	// Alternative claims the same of another design.
	Alternative Kind = "alternative"
	// Pitfall claims that a wrong answer vets clean, unless vet is what finds it,
	// and that in every run the koan it names is the first to reject it, for the
	// reason it names, with a line of the answer to look at.
	Pitfall Kind = "pitfall"
)

// A Claim is one thing to prove.
type Claim struct {
	Lesson string // ID
	Kind   Kind
	Name   string // of the alternative or the pitfall; "" for other kinds
}

// String returns a path: "01-pipeline/pitfall/bare-send".
func (c Claim) String() string { return path.Join(c.Lesson, string(c.Kind), c.Name) }

// A Result is what became of a claim.
type Result struct {
	Claim Claim
	// Fault says in words, on several lines, what was wanted, what came instead
	// and how often. It is "" when the claim holds.
	Fault string
	Took  time.Duration
}

// Claims lists all there is to prove, lesson by lesson.
func (p Plan) Claims() []Claim {
	var claims []Claim
	add := func(lesson string, k Kind, name string) { claims = append(claims, Claim{lesson, k, name}) }
	for _, l := range p.Lessons {
		add(l.ID, Form, "")
		add(l.ID, Skeleton, "")
		s, err := solutions.Find(p.Solutions, l.ID)
		if err != nil {
			continue // the claim of form tells
		}
		add(l.ID, Reference, "")
		for _, a := range s.Alternatives {
			add(l.ID, Alternative, a.Name)
		}
		for _, f := range s.Pitfalls {
			add(l.ID, Pitfall, f.Name)
		}
	}
	for _, s := range p.Solutions {
		if _, ok := p.lesson(s.Lesson); !ok {
			add(s.Lesson, Form, "")
		}
	}
	return claims
}

func (p Plan) lesson(id string) (lessons.Lesson, bool) {
	for _, l := range p.Lessons {
		if l.ID == id {
			return l, true
		}
	}
	return lessons.Lesson{}, false
}

// AtOnce is how many claims are proved at the same time: each keeps two lanes
// busy, and the koans are to be judged, not the machine.
const AtOnce = 2

// Prove proves every claim of the plan and reports each result as it comes, one
// at a time. A claim that does not hold is a result; the error means that the
// proof could not be made (no go command, no race detector, ctx ended), and
// then some claims have no result.
func Prove(ctx context.Context, p Plan, c *checker.Checker, report func(Result)) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(AtOnce)
	var mu sync.Mutex // serializes report
	for _, claim := range p.Claims() {
		g.Go(func() error {
			result, err := p.Prove(ctx, c, claim)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			report(result)
			return nil
		})
	}
	return g.Wait()
}

// Prove proves one claim, with the same meaning of its error. The checker needs
// no soak of its own.
func (p Plan) Prove(ctx context.Context, c *checker.Checker, claim Claim) (Result, error) {
	start := time.Now()
	fault, err := p.fault(ctx, c, claim)
	if err != nil {
		return Result{}, fmt.Errorf("proving %s: %w", claim, err)
	}
	return Result{Claim: claim, Fault: fault, Took: time.Since(start)}, nil
}

// fault says what is wrong with a claim, "" if it holds.
func (p Plan) fault(ctx context.Context, c *checker.Checker, claim Claim) (string, error) {
	if claim.Kind == Form {
		return p.form(claim.Lesson), nil
	}
	l, ok := p.lesson(claim.Lesson)
	if !ok {
		return "", fmt.Errorf("finding lesson %q", claim.Lesson)
	}
	if claim.Kind == Skeleton {
		return p.onSession(ctx, c, l, l.Skeleton, failsAsTodo)
	}
	s, err := solutions.Find(p.Solutions, claim.Lesson)
	if err != nil {
		return "", err
	}
	switch claim.Kind {
	case Reference:
		return p.onSession(ctx, c, l, s.Reference, p.passes(path.Join("solutions", s.Lesson, s.File)))
	case Alternative:
		a, err := s.Alternative(claim.Name)
		if err != nil {
			return "", err
		}
		return p.onSession(ctx, c, l, a.Source, p.passes(path.Join("solutions", s.Lesson, "testdata/alternatives", a.Name+".go")))
	case Pitfall:
		f, err := s.Pitfall(claim.Name)
		if err != nil {
			return "", err
		}
		first := &checker.Checker{Go: c.Go, Env: c.Env, Limits: c.Limits, FastFirst: checker.Kind(f.Kind) != checker.Race}
		return p.onSession(ctx, first, l, f.Source, func(ctx context.Context, s *checker.Session) (string, error) {
			return p.isRejected(ctx, s, l.ID, f)
		})
	}
	return "", errors.New("no such kind of claim")
}
