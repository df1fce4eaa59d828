// Package saves notices that a learner has saved a file.
//
// Editors rename, truncate, write twice, leave lock and swap files beside it and
// touch it without changing it. Folders on a network, and those that Windows
// shares with WSL, send no word of any of this. So an event is never more than a
// reason to look, and what counts is what the file then holds.
package saves

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// A State is what is known of a file.
type State struct {
	// Sum is the SHA-256 of what the file holds, in hexadecimal; "" if it cannot
	// be read.
	Sum string
	// Polled tells that the folder sends no word of saves, so that the file is
	// read now and then instead.
	Polled bool
}

const (
	// quiet is how long nothing must happen to a file before it is read: what an
	// editor does in one save comes within a few milliseconds.
	quiet = 30 * time.Millisecond
	// longest is how long a file is left unread to which something happens all
	// the time.
	longest = 300 * time.Millisecond
	// patience is how long a file may be missing or empty, as it is in the midst
	// of many a save, before that is believed.
	patience = 600 * time.Millisecond
	// seldom is how often the file is read where events are sent: one may get
	// lost, and this is how it is found out that they are not sent.
	seldom = time.Second
	// often is how often it is read where no events are sent.
	often = 250 * time.Millisecond
)

// Follow tells what the file holds: at once, and again whenever that or the way
// of finding it out has changed. It returns when ctx ends. No two calls of tell
// overlap, and what happens while one is under way is looked at after it: the
// last save is always told of.
func Follow(ctx context.Context, file string, tell func(State)) {
	f := follower{
		name: filepath.Base(file),
		read: func() ([]byte, error) { return os.ReadFile(file) },
		tell: tell,
	}
	w, err := fsnotify.NewWatcher()
	if err != nil { // out of watches, or of file handles
		f.run(ctx, nil, nil)
		return
	}
	// Close waits for the watcher's goroutine. Its error is about a file handle
	// that nobody needs any more.
	defer w.Close()
	// The folder and not the file: a save may put another file in its place.
	if err := w.Add(filepath.Dir(file)); err != nil {
		f.run(ctx, nil, nil)
		return
	}
	f.run(ctx, w.Events, w.Errors)
}

// A follower is the state of one Follow.
type follower struct {
	name string // base name of the file
	read func() ([]byte, error)
	tell func(State)

	told    State
	since   time.Time // when something began that has not been looked at; zero if nothing has
	silent  time.Time // when a change was found that no event had told of; zero if none was
	settled *time.Timer
}

// run is the loop. Without events it polls from the start.
func (f *follower) run(ctx context.Context, events <-chan fsnotify.Event, errors <-chan error) {
	every := seldom
	if events == nil {
		every = often
	}
	poll := time.NewTicker(every)
	defer poll.Stop()
	f.settled = time.NewTimer(0)
	f.settled.Stop()
	defer f.settled.Stop()

	sum, _ := f.look()
	f.told = State{Sum: sum, Polled: events == nil}
	f.tell(f.told)
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-events:
			if filepath.Base(e.Name) == f.name {
				f.silent = time.Time{}
				f.stir()
			}
		case <-errors: // events were lost; unread, the watcher would fall silent
			f.stir()
		case <-f.settled.C:
			f.settle()
		case <-poll.C:
			if !f.told.Polled && !f.silent.IsZero() && time.Since(f.silent) >= seldom/2 {
				poll.Reset(often)
				f.told.Polled = true
				f.tell(f.told)
			}
			if sum, _ := f.look(); sum != f.told.Sum && f.since.IsZero() {
				f.silent = time.Now()
				f.stir()
			}
		}
	}
}

// look returns the sum of what the file holds now, and whether that looks like
// the midst of a save.
func (f *follower) look() (sum string, midst bool) {
	text, err := f.read()
	if err != nil {
		return "", true
	}
	hash := sha256.Sum256(text)
	return hex.EncodeToString(hash[:]), len(bytes.TrimSpace(text)) == 0
}

// stir has the file looked at once it is quiet.
func (f *follower) stir() {
	if f.since.IsZero() {
		f.since = time.Now()
	}
	f.settled.Reset(min(quiet, max(0, longest-time.Since(f.since))))
}

// settle looks at the file and tells of it if it holds something else.
func (f *follower) settle() {
	sum, midst := f.look()
	if midst && sum != f.told.Sum && time.Since(f.since) < patience {
		f.settled.Reset(quiet)
		return
	}
	f.since = time.Time{}
	if sum != f.told.Sum {
		f.told.Sum = sum
		f.tell(f.told)
	}
}
