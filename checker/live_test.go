package checker_test

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"concurrency-koans/checker"
)

// live returns the package in testdata/live with an answer in place of its own.
func live(t *testing.T, answer []byte) checker.Package {
	t.Helper()
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	read := func(name string) []byte {
		text, err := os.ReadFile(filepath.Join("testdata", "live", name))
		require.NoError(t, err)
		return text
	}
	return checker.Package{
		Root:     root,
		Dir:      "checker/testdata/live",
		Answer:   "live.go",
		Skeleton: read("live.go"),
		Koans:    map[string][]byte{"live_test.go": read("live_test.go")},
		Replace:  answer,
	}
}

func readAnswer(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "answers", name+".go"))
	require.NoError(t, err)
	return text
}

// want is what an answer's first line promises: "// want: race TestCount". The
// line that must be named is the one that ends in "// here".
type want struct {
	kind checker.Kind
	test string
	line int
}

func parseWant(t *testing.T, answer []byte) want {
	t.Helper()
	var w want
	first, _, _ := strings.Cut(string(answer), "\n")
	fields := strings.Fields(strings.TrimPrefix(first, "// want:"))
	require.NotEmpty(t, fields, "the first line says what is wanted")
	if fields[0] == "passed" {
		return w
	}
	require.Len(t, fields, 2)
	w.kind, w.test = checker.Kind(fields[0]), fields[1]
	for i, line := range bytes.Split(answer, []byte("\n")) {
		if bytes.HasSuffix(line, []byte("// here")) {
			w.line = i + 1
		}
	}
	return w
}

// limits are tighter than the default so that the tests need not wait as long
// as a learner on a busy machine may have to.
var limits = checker.Limits{
	Wall:      10 * time.Second,
	CPU:       time.Second,
	Memory:    256 << 20,
	Output:    4 << 20,
	Processes: 16,
}

func TestEveryOutcome(t *testing.T) {
	files, err := filepath.Glob("testdata/answers/*.go")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".go")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answer := readAnswer(t, name)
			w := parseWant(t, answer)
			c := &checker.Checker{Limits: limits}

			report, err := c.Check(context.Background(), live(t, answer))

			require.NoError(t, err)
			if w.kind == "" {
				assert.True(t, report.Passed(), "%+v", report)
				assert.True(t, report.RaceChecked, "with a C compiler, a pass is race-checked: %s", report.NoRace)
				return
			}
			assert.False(t, report.Passed())
			first, ok := report.FirstFailure()
			require.True(t, ok)
			t.Logf("%s:%d %s: %s\n%s", first.Diagnosis.File, first.Diagnosis.Line, first.Diagnosis.Kind,
				first.Diagnosis.Summary, strings.Join(first.Diagnosis.Detail, "\n"))
			assert.Equal(t, w.test, first.Test, "the koan that fails")
			assert.Equal(t, w.kind, first.Diagnosis.Kind, "raw:\n%s", first.Diagnosis.Raw)
			if w.line > 0 {
				assert.Equal(t, w.line, first.Diagnosis.Line, "the line that is named; raw:\n%s", first.Diagnosis.Raw)
			}
			assert.Equal(t, "checker/testdata/live/live.go", first.Diagnosis.File)
			requireTold(t, name, first.Diagnosis)
		})
	}
}

var update = flag.Bool("update", false, "write what is told of every outcome to testdata/told; read it before you keep it")

// requireTold holds what a learner is told to testdata/told, which a person has
// read. Large numbers and times differ from run to run.
func requireTold(t *testing.T, name string, d *checker.Diagnosis) {
	t.Helper()
	got := strings.Join(append([]string{d.Summary}, d.Detail...), "\n  ") + "\n"
	got = regexp.MustCompile(`\d+/\d+/\d+ \d+:\d+:\d+`).ReplaceAllString(got, "NOW")
	got = regexp.MustCompile(`(when it was stopped: ).*`).ReplaceAllString(got, "${1}SOMEWHERE")
	got = regexp.MustCompile(`\d{4,}`).ReplaceAllString(got, "N")
	file := filepath.Join("testdata", "told", name+".txt")
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err, "go test ./checker -run EveryOutcome -update writes it")
	assert.Equal(t, string(want), got)
	for line := range strings.Lines(got) {
		assert.NotRegexp(t, `0x[0-9a-f]|\bgoroutine \d|\b((runtime|testing)\.[a-z(]|(testify|goleak|synctest)\.)`, line, "what only the makers of Go's tools need to read")
	}
}
