package proof

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"concurrency-koans/checker"
	"concurrency-koans/solutions"
)

func TestClaimsAreAllThereIsToProve(t *testing.T) {
	p := newFixture(t).Plan
	p.Lessons = append(p.Lessons, p.Lessons[0])
	p.Lessons[1].ID = "02-unanswered"
	p.Solutions = append(p.Solutions, solutions.Solution{Lesson: "03-unasked"})

	var names []string
	for _, c := range p.Claims() {
		names = append(names, c.String())
	}
	require.Equal(t, []string{
		"01-sum/form",
		"01-sum/skeleton",
		"01-sum/reference",
		"01-sum/alternative/mutex",
		"01-sum/pitfall/one-by-one",
		"01-sum/pitfall/unlocked",
		"01-sum/pitfall/copied-lock",
		"01-sum/pitfall/no-result",
		"02-unanswered/form",
		"02-unanswered/skeleton",
		"03-unasked/form",
	}, names)
}

func TestProveReportsEveryClaim(t *testing.T) {
	p := newFixture(t).Plan
	due := map[Claim]bool{}
	for _, c := range p.Claims() {
		due[c] = true
	}
	require.NoError(t, Prove(t.Context(), p, &checker.Checker{}, func(r Result) {
		require.Contains(t, due, r.Claim)
		require.Empty(t, r.Fault, r.Claim)
		delete(due, r.Claim)
	}))
	require.Empty(t, due)
}

// Each of these answers is not what it is claimed to be.
func TestProveFindsFalseClaims(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	skeleton := Claim{Lesson: "01-sum", Kind: Skeleton}
	claim := func(k Kind, name string) Claim { return Claim{"01-sum", k, name} }

	for _, tc := range []struct {
		claim Claim
		fault string // regular expression
	}{
		{skeleton, `^wanted: every koan fails as todo
came: TestSumAdds passed$`},
		{claim(Alternative, "left-behind"), `^wanted: every koan passes in both lanes
came: TestSumOverlaps fails as leak
    solutions/01-sum/testdata/alternatives/left-behind\.go:\d+: .*`},
		{claim(Alternative, "alone"), `^wanted: every koan passes in both lanes
came in 4 of 4 runs: TestSumOverlaps fails as assertion, first with -shuffle=\d+
    solutions/01-sum/testdata/alternatives/alone\.go:\d+: .*overlap`},
		{claim(Pitfall, "wrong-koan"), `^wanted: TestSumAdds fails first, as assertion, with a line to look at
came in 2 of 2 runs: TestSumOverlaps fails as assertion
    solutions/01-sum/testdata/pitfalls/wrong-koan\.go:\d+: .*overlap`},
		{claim(Pitfall, "is-right"), `^wanted: TestSumOverlaps fails first, as leak, with a line to look at
came in 2 of 2 runs: every koan passes$`},
		{claim(Pitfall, "vet-sees-it"), `^wanted: TestSumOverlaps fails first, as assertion, with a line to look at
came: go vet complains
    solutions/01-sum/testdata/pitfalls/vet-sees-it\.go:9: .*Sprintf`},
	} {
		t.Run(tc.claim.String(), func(t *testing.T) {
			t.Parallel()
			p := f.Plan
			s := p.Solutions[0]
			switch file := fmt.Sprintf("false/%s.go", tc.claim.Name); tc.claim.Kind {
			case Skeleton:
				l := p.Lessons[0]
				l.Skeleton = f.files["false/half-written.go"]
				p.Lessons = append(p.Lessons[:0:0], l)
			case Alternative:
				s.Alternatives = []solutions.Alternative{{Name: tc.claim.Name, Source: f.files[file]}}
			case Pitfall:
				s.Pitfalls = []solutions.Pitfall{f.pitfall(t, file)}
			}
			p.Solutions = []solutions.Solution{s}

			r, err := p.Prove(t.Context(), &checker.Checker{}, tc.claim)
			require.NoError(t, err)
			require.Equal(t, tc.claim, r.Claim)
			require.Regexp(t, tc.fault, r.Fault)
			require.Positive(t, r.Took)
		})
	}
}

func TestNothingIsProvedWithoutTheRaceDetector(t *testing.T) {
	p := newFixture(t).Plan
	_, err := p.Prove(t.Context(), &checker.Checker{NoRace: true}, Claim{"01-sum", Reference, ""})
	var environment *checker.EnvironmentError
	require.ErrorAs(t, err, &environment)
	require.EqualError(t, err, "proving 01-sum/reference: the koans cannot be run under the race detector, and without it nothing is proved")
	require.NotEmpty(t, environment.Remedy)
}

func TestACancelledProofIsAnError(t *testing.T) {
	p := newFixture(t).Plan
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := Prove(ctx, p, &checker.Checker{}, func(r Result) {
		require.Equal(t, Form, r.Claim.Kind, "no koan is run any more")
	})
	require.ErrorIs(t, err, context.Canceled)
}

func TestAnUnknownClaimIsAnError(t *testing.T) {
	p := newFixture(t).Plan
	for claim, want := range map[Claim]string{
		{"02-none", Skeleton, ""}:     `proving 02-none/skeleton: finding lesson "02-none"`,
		{"01-sum", Pitfall, "none"}:   `proving 01-sum/pitfall/none: finding pitfall "none": there is one-by-one, unlocked, copied-lock, no-result`,
		{"01-sum", Alternative, "no"}: `proving 01-sum/alternative/no: finding alternative "no": there is mutex`,
		{"01-sum", "guess", ""}:       `proving 01-sum/guess: no such kind of claim`,
	} {
		_, err := p.Prove(t.Context(), &checker.Checker{}, claim)
		require.EqualError(t, err, want)
	}
}
