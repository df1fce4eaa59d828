package main

import (
	"fmt"
	"sync"
	"time"

	"github.com/charmbracelet/x/ansi"

	"concurrency-koans/checker"
)

const (
	// redrawEvery is how often the line on a terminal is drawn anew.
	redrawEvery = 100 * time.Millisecond
	// tellEvery is how often a stream that is no terminal gets a line: a log
	// should show that work goes on, and no more.
	tellEvery = 10 * time.Second
)

// A progress shows long work on stderr: one line that is drawn over and over on
// a terminal, and a line now and then elsewhere.
type progress struct {
	screen *screen
	now    func() time.Time

	mu       sync.Mutex                // guards what follows
	last     time.Time                 // when something was shown
	shown    bool                      // a line stands on the terminal
	compiles map[bool]checker.Progress // of each lane, true for the race lane
}

func newProgress(s *screen, now func() time.Time) *progress {
	return &progress{screen: s, now: now, compiles: map[bool]checker.Progress{}}
}

// report takes the engine's progress. The soak that follows a pass is too short
// to tell of.
func (p *progress) report(work checker.Progress) {
	if work.Stage != checker.Compiling {
		return
	}
	// Lanes are built side by side, and so are lessons, which need much the same
	// packages: of each lane, the lesson with most to do stands for all.
	if work.Total >= p.compiles[work.Race].Total {
		p.compiles[work.Race] = work
	}
	fast, race := p.compiles[false], p.compiles[true]
	if fast.Done+race.Done == fast.Total+race.Total {
		p.end()
		return
	}
	p.count(wordsCompiling, fast.Done+race.Done, fast.Total+race.Total, "packages")
}

// count shows that done of total things are done; 0 is a total not known.
func (p *progress) count(what string, done, total int, things string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.screen
	every := tellEvery
	if s.file != nil {
		every = redrawEvery
	}
	now := p.now()
	if now.Sub(p.last) < every {
		return
	}
	p.last = now
	const width = 20
	line := what
	switch {
	case total > 0 && s.file != nil:
		line = fmt.Sprintf("%s: %s %d of %d %s", what, s.marks.bar(done, total, width), done, total, things)
	case total > 0:
		line = fmt.Sprintf("%s: %d of %d %s", what, done, total, things)
	case done > 0:
		line = fmt.Sprintf("%s: %d %s", what, done, things)
	}
	if s.file == nil {
		s.line("%s", line)
		return
	}
	fmt.Fprintf(s.stream, "\r%s%s", ansi.Truncate(line, s.full-1, ""), ansi.EraseLineRight)
	p.shown = true
}

// end takes the line away, before anything else is written.
func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shown {
		fmt.Fprintf(p.screen.stream, "\r%s", ansi.EraseLineRight)
		p.shown = false
	}
}
