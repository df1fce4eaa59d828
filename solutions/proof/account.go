package proof

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"concurrency-koans/checker"
)

// An account tells how the runs of an answer departed from what was wanted.
type account struct {
	wanted string
	file   string // that the answer is in, when it is not the lesson's
	runs   int
	came   []departure
}

// A departure is one way in which runs did.
type departure struct {
	what  string
	times int
	words string // the diagnosis, "" if there is none
}

// add notes that runs departed. Those with the same headline are counted
// together, with the diagnosis of the first.
func (a *account) add(times int, what string, d *checker.Diagnosis) {
	for i := range a.came {
		if a.came[i].what == what {
			a.came[i].times += times
			return
		}
	}
	a.came = append(a.came, departure{what, times, a.words(d)})
}

// vet reports whether go vet complains of the answer, and notes what it says.
func (a *account) vet(ctx context.Context, s *checker.Session) (complains bool, err error) {
	d, err := s.Vet(ctx)
	if err != nil || d == nil {
		return false, err
	}
	a.runs = 1
	a.add(1, "go vet complains", d)
	return true, nil
}

// String returns the account in words, "" if every run was as wanted.
func (a *account) String() string {
	if len(a.came) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "wanted: %s", a.wanted)
	for _, d := range a.came {
		if a.runs == 1 {
			fmt.Fprintf(&b, "\ncame: %s", d.what)
		} else {
			fmt.Fprintf(&b, "\ncame in %d of %d runs: %s", d.times, a.runs, d.what)
		}
		b.WriteString(d.words)
	}
	return b.String()
}

// headline says in a few words how a koan failed.
func headline(o checker.Outcome) string {
	s := fmt.Sprintf("%s fails as %s", o.Test, o.Diagnosis.Kind)
	if o.Flaky != nil {
		s += fmt.Sprintf(", and in only %d of %d tries", o.Flaky.Failed, o.Flaky.Runs)
	}
	return s
}

// words are the lines of a diagnosis, indented.
func (a *account) words(d *checker.Diagnosis) string {
	if d == nil {
		return ""
	}
	at := ""
	if d.Line > 0 {
		at = fmt.Sprintf("%s:%d: ", cmp.Or(a.file, d.File), d.Line)
	}
	lines := append([]string{at + d.Summary}, d.Detail...)
	return "\n    " + strings.Join(lines, "\n    ")
}
