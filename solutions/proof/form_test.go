package proof

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"concurrency-koans/lessons"
	"concurrency-koans/solutions"
)

func TestFormComparesLessonAndSolution(t *testing.T) {
	for name, tc := range map[string]struct {
		spoil func(*lessons.Lesson, *solutions.Solution)
		want  string
	}{
		"nothing": {func(*lessons.Lesson, *solutions.Solution) {}, ""},
		"no solution": {func(_ *lessons.Lesson, s *solutions.Solution) { s.Lesson = "02-other" },
			"the lesson has no solution"},
		"no lesson": {func(l *lessons.Lesson, _ *solutions.Solution) { l.ID = "02-other" },
			"the solution has no lesson"},
		"file": {func(_ *lessons.Lesson, s *solutions.Solution) { s.File = "add.go" },
			"the reference is add.go, the skeleton sum.go"},
		"heading without a file": {func(l *lessons.Lesson, _ *solutions.Solution) { l.Sections[1].Body += "\n\n### `more`" },
			"README.md: the pitfall more has no file"},
		"file without a heading": {func(l *lessons.Lesson, _ *solutions.Solution) { l.Sections = l.Sections[:1] },
			"README.md: no heading for the pitfall one-by-one\n" +
				"README.md: no heading for the pitfall unlocked\n" +
				"README.md: no heading for the pitfall copied-lock\n" +
				"README.md: no heading for the pitfall no-result"},
		"unknown koan": {func(_ *lessons.Lesson, s *solutions.Solution) { s.Pitfalls[0].Koan = "TestSubtracts" },
			"pitfalls/one-by-one.go: TestSubtracts is no koan of the lesson"},
		"contract": {func(_ *lessons.Lesson, s *solutions.Solution) {
			s.Reference = []byte(strings.Replace(string(s.Reference), "waits for all", "awaits all", 1))
		}, "the doc comments of Sum differ between skeleton and reference"},
		"foreign import": {func(_ *lessons.Lesson, s *solutions.Solution) {
			s.Alternatives[0].Source = []byte("package sum\n\nimport \"golang.org/x/sync/errgroup\"\n")
			s.Pitfalls[1].Source = []byte("package sum\n\nimport \"concurrency-koans/solutions/02-other\"\n")
		}, `alternatives/mutex.go: import "golang.org/x/sync/errgroup" is not of the standard library` + "\n" +
			`pitfalls/unlocked.go: import "concurrency-koans/solutions/02-other" is not of the standard library`},
		"what the template has left": {func(l *lessons.Lesson, _ *solutions.Solution) {
			l.Summary = "TODO: one line"
			l.Koans[1].Hints = []string{"How?", "TODO: the idea in words."}
		}, "README.md: the line below the title is not written yet: it still has a TODO\n" +
			"hints.md: TestSumOverlaps is not written yet: it still has a TODO"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newFixture(t).Plan
			tc.spoil(&p.Lessons[0], &p.Solutions[0])
			require.Equal(t, tc.want, p.form("01-sum"))
		})
	}
}

func TestContractIsWhatAnAnswerExports(t *testing.T) {
	const skeleton = `// Package pool is one.
package pool

import "errors"

// What can go wrong.
var (
	ErrClosed = errors.New("closed")
	// ErrFull comes from TrySubmit.
	ErrFull = errors.New("full")
)

// Pool runs jobs.
type Pool[J any] struct {
	// Name is for people.
	Name string // never empty
	// your fields here
}

// New starts n workers.
func New[J any](n int) *Pool[J] { panic("TODO(1): start them") }

// Submit waits.
func (p *Pool[J]) Submit(j J) error { panic("TODO(1): wait") }
`
	for name, tc := range map[string]struct{ from, to, want string }{
		"the same":        {"", "", ""},
		"private fields":  {"// your fields here", "mu sync.Mutex\n\tjobs chan J", ""},
		"bodies":          {`panic("TODO(1): wait")`, "return ErrFull", ""},
		"private helpers": {"// Submit", "type heap []int\n\nfunc (h heap) Len() int { return len(h) }\n\n// Submit", ""},
		"package comment": {"Package pool is one.", "Package pool is the reference.", ""},
		"signature": {"Submit(j J) error", "Submit(j J)",
			"the reference declares func (p *Pool[J]) Submit(j J), the skeleton func (p *Pool[J]) Submit(j J) error"},
		"constraint": {"New[J any]", "New[J comparable]",
			"the reference declares func New[J comparable](n int) *Pool[J], the skeleton func New[J any](n int) *Pool[J]"},
		"comment":            {"// Submit waits.", "// Submit waits, mostly.", "the doc comments of Pool.Submit differ between skeleton and reference"},
		"comment of a type":  {"// Pool runs jobs.", "// Pool runs.", "the doc comments of Pool differ between skeleton and reference"},
		"comment of a value": {"ErrFull comes from TrySubmit", "ErrFull comes", "the doc comments of ErrFull differ between skeleton and reference"},
		"comment of a group": {"What can go wrong", "Errors", "the doc comments of ErrClosed differ between skeleton and reference"},
		"value": {`"closed"`, `"shut"`,
			`the reference declares var ErrClosed = errors.New("shut"), the skeleton var ErrClosed = errors.New("closed")`},
		"missing": {"New[J any]", "newPool[J any]", "the reference does not declare New"},
		"added": {"// Submit", "// Close ends it.\nfunc (p *Pool[J]) Close() {}\n\n// Submit",
			"the reference declares Pool.Close, which the skeleton does not"},
	} {
		t.Run(name, func(t *testing.T) {
			reference := strings.Replace(skeleton, tc.from, tc.to, 1)
			faults := sameContract([]byte(skeleton), []byte(reference))
			require.Equal(t, tc.want, strings.Join(faults, "\n"))
		})
	}
	for name, to := range map[string]string{
		"a field's type":    "Name []byte",
		"a field's name":    "Title string",
		"a field's absence": "name string",
	} {
		t.Run(name, func(t *testing.T) {
			reference := strings.Replace(skeleton, "Name string", to, 1)
			faults := sameContract([]byte(skeleton), []byte(reference))
			require.Len(t, faults, 1)
			require.Contains(t, faults[0], "the reference declares type Pool[J any] struct")
		})
	}
}
