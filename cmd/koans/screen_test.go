package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"concurrency-koans/checker"
	"concurrency-koans/lessons"
	"concurrency-koans/solutions"
)

// The smallest terminal that a verdict is written for. A line of it is the
// prompt's.
const (
	screenColumns = 80
	screenLines   = 24 - 1
)

// jargon matches what only the makers of Go's tools need to read: addresses and
// numbers that are others in the next run, and frames that the learner did not
// write.
var jargon = regexp.MustCompile(`0x[0-9a-f]|(?i:\bgoroutine \d)|\b(runtime|testing)\.[a-z(]|testify|goleak|synctest`)

// A wrong answer is one that the tests give in a learner's stead.
type wrongAnswer struct {
	lesson  lessons.Lesson
	pitfall solutions.Pitfall
}

func (w wrongAnswer) String() string { return w.lesson.ID + "/" + w.pitfall.Name }

var allScreens = flag.Bool("screens", false, "look at the screens of all pitfalls, and not of a few")

// wrongAnswers are two pitfalls of each lesson, or all with -screens.
func wrongAnswers(t *testing.T) (all []wrongAnswer) {
	t.Helper()
	path, err := lessons.Pristine()
	require.NoError(t, err)
	for _, l := range path {
		s, err := answersTo(l)
		require.NoError(t, err)
		for i, p := range s.Pitfalls {
			if *allScreens || i == len(l.ID)%3 || i == len(s.Pitfalls)-1 {
				all = append(all, wrongAnswer{l, p})
			}
		}
	}
	return all
}

// TestFailuresFitAScreen has each pitfall checked as a learner's answer, and
// looks at what the learner then sees: all of it without scrolling, and nothing
// that needs a word about Go's tools first.
func TestFailuresFitAScreen(t *testing.T) {
	all := wrongAnswers(t)
	for n := range 2 {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel() // each keeps two processors busy with building
			for i := n; i < len(all); i += 2 {
				t.Run(all[i].String(), func(t *testing.T) { requireScreen(t, all[i]) })
			}
		})
	}
}

// quotedSource matches what a screen quotes of a file of the learner's.
var quotedSource = regexp.MustCompile(`\w+\.go:\d+   .*`)

func requireScreen(t *testing.T, w wrongAnswer) {
	root := freshWorkbook(t)
	require.NoError(t, os.WriteFile(filepath.Join(root, "lessons", w.lesson.ID, w.lesson.Answer), w.pitfall.Source, 0o644))
	v := verdictIn(t, root, w.lesson, new(checker.Checker))
	o, _ := v.report.FirstFailure()
	for _, executable := range []string{"koans", "/tmp/go-build1/b001/exe/koans"} {
		screen := shown(root, executable, func(a *app) {
			a.sayPlace(v)
			a.out.line("")
			a.sayFailure(v)
		})
		lines := strings.Split(strings.TrimSuffix(screen, "\n"), "\n")
		assert.LessOrEqual(t, len(lines), screenLines, "lines in:\n%s", screen)
		for _, line := range lines {
			assert.LessOrEqual(t, ansi.StringWidth(line), screenColumns, "columns of %q", line)
			said := line
			if quoted := quotedSource.FindString(line); strings.HasPrefix(quoted, w.lesson.Answer) {
				said = strings.Replace(line, quoted, "", 1) // the learner's own words
			}
			assert.NotRegexp(t, jargon, said)
		}
	}

	// It is most like itself.
	a := appIn(root, "koans", io.Discard)
	_, err := a.workbook()
	require.NoError(t, err)
	if similar := a.looksLike(w.lesson, o); assert.NotEmpty(t, similar) {
		assert.Equal(t, w.pitfall.Name, similar[0], "of %v", similar)
	}

	raw := shown(root, "koans", func(a *app) { a.sayVerdict(v, true) })
	require.NotEmpty(t, o.Diagnosis.Raw)
	assert.Equal(t, 1, strings.Count(raw, o.Diagnosis.Raw), "times that what the tools printed is shown")
	assert.Equal(t, 1, strings.Count(raw, "--- output ---"))
}

// verdictIn checks the answer that stands in a workbook.
func verdictIn(t *testing.T, root string, l lessons.Lesson, c *checker.Checker) verdict {
	t.Helper()
	a := appIn(root, "koans", io.Discard)
	book, err := a.workbook()
	require.NoError(t, err)
	results := check(t.Context(), c, []checker.Package{book.subject(l)})
	v := verdict{lesson: l, status: failed}
	v.settle(results[0])
	require.Equal(t, failed, v.status, "%v", v.err)
	return v
}

// appIn is the program, started in root without a terminal.
func appIn(root, executable string, stdout io.Writer) *app {
	a := &app{color: "never", world: world{
		stdin: strings.NewReader(""), stdout: stdout, stderr: io.Discard,
		env: os.Environ(), dir: root, executable: executable, now: time.Now,
	}}
	a.screens()
	return a
}

// shown is what the program says in root.
func shown(root, executable string, say func(*app)) string {
	var out bytes.Buffer
	a := appIn(root, executable, &out)
	if _, err := a.workbook(); err != nil {
		return err.Error()
	}
	say(a)
	return out.String()
}
