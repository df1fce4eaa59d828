// Package journal keeps the record from which progress is derived: a file to
// which lines are added and from which nothing is ever taken away.
//
// The file is .koans/journal.jsonl at the workbook's root. Each line is one
// [Entry] in JSON and goes there in one write, so that two processes may append
// at once. What a crash leaves of a line costs that line and no other.
package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// version is that of the lines written here. A line that an older program would
// misunderstand takes the next one; a field that it may ignore does not.
const version = 1

const (
	folder = ".koans"
	file   = "journal.jsonl"
)

// An Event is what an entry records.
type Event string

// The events.
const (
	Check  Event = "check"  // a lesson was checked
	Hint   Event = "hint"   // a hint was shown
	Reveal Event = "reveal" // the solution was shown before the lesson had passed
)

// The verdicts that a Record counts. Others may stand in an entry, and change
// nothing: a lesson that could not be checked is as passed as it was before.
const (
	Passed = "passed"
	Failed = "failed"
)

// An Entry is one line of the journal. Fields that an event does not need are
// left zero.
type Entry struct {
	Version     int       `json:"v"`    // Append fills it in
	Time        time.Time `json:"time"` // Append fills it in if it is zero
	Event       Event     `json:"event"`
	Lesson      string    `json:"lesson"`                 // ID of the lesson: "01-pipeline"
	Hash        string    `json:"hash,omitempty"`         // check: SHA-256 of the learner's file, in hexadecimal
	Status      string    `json:"status,omitempty"`       // check: the verdict
	RaceChecked bool      `json:"race_checked,omitempty"` // check: every koan ran under the race detector
	Koan        string    `json:"koan,omitempty"`         // check: the first that failed; hint: what it is for
	Kind        string    `json:"kind,omitempty"`         // check: kind of the diagnosis
	Hint        int       `json:"hint,omitempty"`         // hint: its number, from 1
	ElapsedMS   int64     `json:"elapsed_ms,omitempty"`   // check: how long it took
}

// A Journal is the journal of one workbook. It may be used by many goroutines,
// and beside other processes.
type Journal struct{ root string }

// Open returns the journal of the workbook at root. It touches no file: the
// first Append makes what is missing.
func Open(root string) *Journal { return &Journal{root: root} }

func (j *Journal) path() string { return filepath.Join(j.root, folder, file) }

// Append adds an entry. After an error the entry may be missing; whatever was
// recorded before is still there.
func (j *Journal) Append(e Entry) error {
	if err := j.append(e); err != nil {
		return fmt.Errorf("appending to the journal: %w", err)
	}
	return nil
}

func (j *Journal) append(e Entry) (err error) {
	e.Version = version
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if err := makeFolder(filepath.Join(j.root, folder)); err != nil {
		return err
	}
	f, err := os.OpenFile(j.path(), os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()

	torn, err := isTorn(f)
	if err != nil {
		return err
	}
	line = append(line, '\n')
	if torn {
		line = append([]byte{'\n'}, line...)
	}
	_, err = f.Write(line)
	return err
}

// makeFolder makes the journal's folder, and has git ignore it: progress belongs
// to a learner and not to the repository.
func makeFolder(name string) error {
	if err := os.Mkdir(name, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	// Without it, only git status is less tidy, which is no reason to lose progress.
	ignore, err := os.OpenFile(filepath.Join(name, ".gitignore"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err == nil {
		_, _ = ignore.WriteString("*\n")
		_ = ignore.Close()
	}
	return nil
}

// isTorn reports whether the last line has no end. Another process may be about
// to mend it too: that leaves an empty line, which does no harm.
func isTorn(f *os.File) (bool, error) {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil || size == 0 {
		return false, err
	}
	last := make([]byte, 1)
	if _, err := f.ReadAt(last, size-1); err != nil {
		return false, err
	}
	return last[0] != '\n', nil
}

// Read returns what the journal says. A journal that does not exist yet says
// nothing. Lines that cannot be used are left out, and mentioned in the record's
// notices.
func (j *Journal) Read() (Record, error) {
	data, err := os.ReadFile(j.path())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Record{}, fmt.Errorf("reading the journal: %w", err)
	}
	return read(data), nil
}
