package checker

import (
	"bytes"
	"strings"
	"sync"
	"time"
)

// A transcript is what one process printed, cut at the witnesses' frames into
// one section for each koan. It is the process's standard output and error; the
// process's reader writes it while the limits' watcher reads it.
type transcript struct {
	word string // the witnesses' word

	mu       sync.Mutex // guards all below
	partial  []byte     // the last line while it has no end
	total    int64      // bytes that came in
	limit    int64      // bytes that are kept; the rest is counted only
	preamble section    // what was printed before the first koan began
	sections map[string]*section
	order    []*section // in the order of their first beginning
	current  *section
	since    time.Time // when the current section began
	slow     bool      // a koan has failed slowly, and the next one has begun
}

// A section is what one koan printed, from its beginning to that of the next
// one: go test prints the message of a failed test after the test's end.
type section struct {
	test   string
	text   []byte
	begun  int           // how often the koan began
	passed int           // how often it came to its end and had not failed
	failed int           // how often it came to its end and had failed
	took   time.Duration // from the last beginning to its end
}

// slowFailure is how long a koan takes that had to wait for a watchdog in real
// time before it could fail. Others run for milliseconds.
const slowFailure = time.Second

// longLine is the length at which a line without end is cut.
const longLine = 64 << 10

func newTranscript(word string, limit int64) *transcript {
	t := &transcript{word: word, limit: limit, sections: map[string]*section{}, since: time.Now()}
	t.current = &t.preamble
	return t
}

// Write takes what the process printed. It never fails, so that a process which
// prints without end blocks neither itself nor the reader.
func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(p)
	t.total += int64(n)
	if t.total > t.limit {
		return n, nil
	}
	for len(p) > 0 {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			t.partial = append(t.partial, p...)
			if len(t.partial) > longLine {
				t.line()
			}
			return n, nil
		}
		t.partial = append(t.partial, p[:i+1]...)
		p = p[i+1:]
		t.line()
	}
	return n, nil
}

// flush takes the last line, when the process has ended without ending it.
func (t *transcript) flush() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.line()
}

// line files t.partial: a frame opens or closes a section, all else is text.
func (t *transcript) line() {
	event, test, ok := parseFrame(strings.TrimSuffix(string(t.partial), "\n"), t.word)
	if !ok {
		t.current.text = append(t.current.text, t.partial...)
		t.partial = t.partial[:0]
		return
	}
	t.partial = t.partial[:0]
	t.current.text = bytes.TrimSuffix(t.current.text, []byte("\n")) // the frame's own
	s := t.sections[test]
	if s == nil {
		s = &section{test: test}
		t.sections[test] = s
		t.order = append(t.order, s)
	}
	switch event {
	case "begin":
		if t.current.failed > 0 && t.current.took > slowFailure {
			t.slow = true
		}
		s.begun++
		t.current, t.since = s, time.Now()
	case "pass":
		s.passed++
		s.took = time.Since(t.since)
	case "fail":
		s.failed++
		s.took = time.Since(t.since)
	}
}

// now tells since when the current koan runs, how much has been printed, and
// whether the koan before it has failed slowly.
func (t *transcript) now() (since time.Time, total int64, slow bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.since, t.total, t.slow
}

// section returns the section of a koan; one that never began is empty.
// The process must have ended.
func (t *transcript) section(test string) *section {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := t.sections[test]; s != nil {
		return s
	}
	return &section{test: test}
}

// clean reports whether the koan began, came to its end each time and never
// failed. A race makes a test fail only after its witness has spoken, so the
// race detector's own words count.
func (s *section) clean() bool {
	return s.begun > 0 && s.passed == s.begun && !bytes.Contains(s.text, []byte("WARNING: DATA RACE"))
}
