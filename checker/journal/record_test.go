package journal_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"concurrency-koans/checker/journal"
)

const lesson, koan = "01-pipeline", "TestMapKeepsOrder"

// record appends entries to a new journal and reads it.
func record(t *testing.T, entries ...journal.Entry) journal.Record {
	t.Helper()
	root := t.TempDir()
	for _, e := range entries {
		e.Lesson = lesson
		require.NoError(t, journal.Open(root).Append(e))
	}
	return read(t, root)
}

func checked(hash, status string) journal.Entry {
	e := journal.Entry{Event: journal.Check, Hash: hash, Status: status}
	if status == journal.Failed {
		e.Koan, e.Kind = koan, "leak"
	}
	return e
}

func raceChecked(hash, status string) journal.Entry {
	e := checked(hash, status)
	e.RaceChecked = true
	return e
}

func TestPassed(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		entries             []journal.Entry
		passed, raceChecked bool
	}{
		"never checked":          {nil, false, false},
		"failed":                 {[]journal.Entry{checked("a", "failed")}, false, false},
		"passed":                 {[]journal.Entry{raceChecked("a", "passed")}, true, true},
		"not race-checked":       {[]journal.Entry{checked("a", "passed")}, true, false},
		"another answer passed":  {[]journal.Entry{raceChecked("b", "passed")}, false, false},
		"another answer failed":  {[]journal.Entry{raceChecked("a", "passed"), checked("b", "failed")}, true, true},
		"passes, but not always": {[]journal.Entry{raceChecked("a", "passed"), raceChecked("a", "failed")}, false, false},
		"unchecked since":        {[]journal.Entry{raceChecked("a", "passed"), checked("a", "unchecked")}, true, true},
		"race-checked before":    {[]journal.Entry{raceChecked("a", "passed"), checked("a", "passed")}, true, true},
		"race-checked since":     {[]journal.Entry{checked("a", "passed"), raceChecked("a", "passed")}, true, true},
		"race-checked before it failed": {[]journal.Entry{
			raceChecked("a", "passed"), checked("a", "failed"), checked("a", "passed")}, true, false},
		"a hint is no check": {[]journal.Entry{{Event: journal.Hint, Hash: "a", Status: "passed"}}, false, false},
	} {
		passed, race := record(t, tt.entries...).Passed(lesson, "a")
		require.Equal(t, tt.passed, passed, name)
		require.Equal(t, tt.raceChecked, race, name)
	}
	passed, _ := record(t, checked("a", "passed")).Passed("02-fan-out-fan-in", "a")
	require.False(t, passed, "another lesson")
}

func TestAttemptsAndLastFailure(t *testing.T) {
	t.Parallel()
	r := record(t, checked("a", "failed"), checked("b", "untouched"), checked("b", "unchecked"))
	require.Equal(t, 1, r.Attempts(lesson))
	failed, kind := r.LastFailure(lesson)
	require.Equal(t, koan, failed)
	require.Equal(t, "leak", kind)

	r = record(t, checked("a", "failed"), checked("b", "passed"))
	require.Equal(t, 2, r.Attempts(lesson))
	failed, kind = r.LastFailure(lesson)
	require.Empty(t, failed)
	require.Empty(t, kind)

	r = record(t, checked("a", "failed"), journal.Entry{Event: journal.Check, Status: "failed", Kind: "build"})
	failed, kind = r.LastFailure(lesson)
	require.Empty(t, failed)
	require.Equal(t, "build", kind)
}

func TestHintsAndReveal(t *testing.T) {
	t.Parallel()
	hint := func(koan string, n int) journal.Entry {
		return journal.Entry{Event: journal.Hint, Koan: koan, Hint: n}
	}
	r := record(t, hint(koan, 1), hint(koan, 2), hint("TestOther", 3), hint(koan, 1))
	require.Equal(t, 2, r.HintsShown(lesson, koan))
	require.Equal(t, 3, r.HintsShown(lesson, "TestOther"))
	require.Zero(t, r.HintsShown(lesson, "TestNever"))
	require.Zero(t, r.HintsShown("02-fan-out-fan-in", koan))
	require.False(t, r.Revealed(lesson))
	require.True(t, record(t, journal.Entry{Event: journal.Reveal}).Revealed(lesson))
}

func TestZeroRecord(t *testing.T) {
	t.Parallel()
	var r journal.Record
	passed, _ := r.Passed(lesson, "a")
	require.False(t, passed)
	require.Zero(t, r.Attempts(lesson))
}

const line = `{"v":1,"event":"check","lesson":"01-pipeline","hash":"a","status":"passed"}`

func TestReadLeavesLinesOut(t *testing.T) {
	t.Parallel()
	const (
		unreadable = "Line %d of .koans/journal.jsonl cannot be read and does not count. " +
			"Everything else does; nothing has been removed."
		newer = "Line %d of .koans/journal.jsonl was written by a newer koans and does not count here. " +
			"Nothing has been removed; the newer koans can read it."
	)
	for name, tt := range map[string]struct {
		content string
		want    []string
	}{
		"torn last line":       {line + "\n" + line[:30], []string{fmt.Sprintf(unreadable, 2)}},
		"no last line feed":    {line, nil},
		"torn and mended":      {line[:30] + "\n" + line + "\n", []string{fmt.Sprintf(unreadable, 1)}},
		"mended twice":         {line + "\n\n \n" + line + "\n", nil},
		"carriage returns":     {line + "\r\n", nil},
		"no JSON":              {"hello\n" + line + "\n", []string{fmt.Sprintf(unreadable, 1)}},
		"another type":         {`{"v":1,"lesson":7}` + "\n" + line, []string{fmt.Sprintf(unreadable, 1)}},
		"no version":           {`{"lesson":"01-pipeline"}` + "\n" + line, []string{fmt.Sprintf(unreadable, 1)}},
		"zeros after a crash":  {line + "\n\x00\x00\x00\n", []string{fmt.Sprintf(unreadable, 2)}},
		"newer":                {line + "\n" + `{"v":2,"event":"check"}` + "\n", []string{fmt.Sprintf(newer, 2)}},
		"newer, another shape": {`{"v":3,"event":{"check":true},"lesson":1}` + "\n" + line, []string{fmt.Sprintf(newer, 1)}},
		"unknown field":        {strings.Replace(line, "{", `{"mood":"good",`, 1), nil},
		"unknown event":        {strings.Replace(line, "check", "applause", 1) + "\n" + line, nil},
		"several": {"a\n" + line + "\nb\n" + `{"v":2}` + "\n" + `{"v":2}`, []string{
			"Each of 2 lines, the first of them line 1, of .koans/journal.jsonl cannot be read and does not count. " +
				"Everything else does; nothing has been removed.",
			"Each of 2 lines, the first of them line 4, of .koans/journal.jsonl was written by a newer koans and does not count here. " +
				"Nothing has been removed; the newer koans can read it.",
		}},
	} {
		root := t.TempDir()
		write(t, root, tt.content)
		r := read(t, root)
		require.Equal(t, tt.want, r.Notices, name)
		passed, _ := r.Passed(lesson, "a")
		require.True(t, passed, name)
		require.Equal(t, tt.content, content(t, root), "%s: reading has changed the journal", name)
	}
}

// Whatever stands in a journal, the lines around it count.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{"", line, line[:30], `{"v":2}`, "{}", "\x00", `{"v":1e9}`, `{"v":1,"hint":-1}`} {
		f.Add(seed)
	}
	root := f.TempDir()
	f.Fuzz(func(t *testing.T, garbage string) {
		const other = `{"v":1,"event":"check","lesson":"another","hash":"b","status":"passed"}`
		write(t, root, other+"\n"+garbage+"\n"+strings.ReplaceAll(other, "another", "yet another"))
		r := read(t, root)
		for _, l := range []string{"another", "yet another"} {
			require.Positive(t, r.Attempts(l))
		}
		require.LessOrEqual(t, len(r.Notices), 2)
	})
}

func BenchmarkRead(b *testing.B) {
	const lines = 100_000
	var content strings.Builder
	for n := range lines {
		fmt.Fprintf(&content, `{"v":1,"time":"2026-03-14T15:09:26.123456789+01:00","event":"check","lesson":"%02d-pipeline",`+
			`"hash":"%064x","status":"failed","koan":"TestSourceSendsThenCloses","kind":"leak","elapsed_ms":412}`+"\n", n%12, n)
	}
	root := b.TempDir()
	write(b, root, content.String())
	for b.Loop() {
		require.Positive(b, read(b, root).Attempts("00-pipeline"))
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*lines), "ns/line")
}
