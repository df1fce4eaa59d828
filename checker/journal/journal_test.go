package journal_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"concurrency-koans/checker/journal"
)

// appendTo asks the test binary to be one of the processes of
// TestAppendFromManyProcesses, on the workbook that it names.
const appendTo = "JOURNAL_TEST_APPEND_TO"

const goroutines, entries = 4, 100 // of each process

func TestMain(m *testing.M) {
	if root := os.Getenv(appendTo); root != "" {
		if err := appendMany(root); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func appendMany(root string) error {
	j := journal.Open(root)
	errs := make([]error, goroutines)
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for n := range entries {
				errs[g] = errors.Join(errs[g], j.Append(journal.Entry{
					Event: journal.Check, Lesson: "01-pipeline", Status: journal.Failed,
					Koan: fmt.Sprintf("Test%d_%d_%d", os.Getpid(), g, n),
					Kind: strings.Repeat("long", n), // lines of all lengths
				}))
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func TestAppendFromManyProcesses(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	const processes = 4
	var running [processes]*exec.Cmd
	for p := range running {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), appendTo+"="+root)
		cmd.Stderr = os.Stderr
		require.NoError(t, cmd.Start())
		running[p] = cmd
	}
	for _, cmd := range running {
		require.NoError(t, cmd.Wait())
	}

	koans := map[string]bool{}
	for line := range strings.Lines(content(t, root)) {
		if line == "\n" {
			continue // somebody saw a line before it was whole
		}
		var e journal.Entry
		require.NoError(t, json.Unmarshal([]byte(line), &e), "%q", line)
		koans[e.Koan] = true
	}
	require.Len(t, koans, processes*goroutines*entries)
	record := read(t, root)
	require.Equal(t, processes*goroutines*entries, record.Attempts("01-pipeline"))
	require.Empty(t, record.Notices)
}

func TestAppend(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	j := journal.Open(root)
	at := time.Date(2026, 3, 14, 15, 9, 26, 0, time.UTC)
	require.NoError(t, j.Append(journal.Entry{
		Time: at, Event: journal.Check, Lesson: "01-pipeline", Hash: "c0ffee", Status: journal.Failed,
		Koan: "TestSourceSendsThenCloses", Kind: "leak", ElapsedMS: 412,
	}))
	require.NoError(t, j.Append(journal.Entry{
		Time: at, Event: journal.Hint, Lesson: "01-pipeline", Koan: "TestSourceSendsThenCloses", Hint: 1,
	}))
	require.NoError(t, j.Append(journal.Entry{
		Time: at, Event: journal.Check, Lesson: "01-pipeline", Hash: "decaf", Status: journal.Passed, RaceChecked: true,
	}))

	// The file is a format that other programs and later versions read.
	require.Equal(t, `{"v":1,"time":"2026-03-14T15:09:26Z","event":"check","lesson":"01-pipeline","hash":"c0ffee","status":"failed","koan":"TestSourceSendsThenCloses","kind":"leak","elapsed_ms":412}
{"v":1,"time":"2026-03-14T15:09:26Z","event":"hint","lesson":"01-pipeline","koan":"TestSourceSendsThenCloses","hint":1}
{"v":1,"time":"2026-03-14T15:09:26Z","event":"check","lesson":"01-pipeline","hash":"decaf","status":"passed","race_checked":true}
`, content(t, root))

	ignore, err := os.ReadFile(filepath.Join(root, ".koans", ".gitignore"))
	require.NoError(t, err)
	require.Equal(t, "*\n", string(ignore))
}

func TestAppendTellsTheTime(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	before := time.Now().Add(-time.Second)
	require.NoError(t, journal.Open(root).Append(journal.Entry{Event: journal.Reveal, Lesson: "01-pipeline"}))
	var e journal.Entry
	require.NoError(t, json.Unmarshal([]byte(content(t, root)), &e))
	require.WithinRange(t, e.Time, before, time.Now().Add(time.Second))
}

// A crash may leave any part of a line, or of the folder.
func TestAppendAfterCrash(t *testing.T) {
	t.Parallel()
	whole := t.TempDir()
	require.NoError(t, journal.Open(whole).Append(attempt("a")))
	first := content(t, whole)
	require.NoError(t, journal.Open(whole).Append(attempt("b")))
	both := content(t, whole)

	for cut := len(first); cut <= len(both); cut++ {
		root := t.TempDir()
		write(t, root, both[:cut])
		require.NoError(t, journal.Open(root).Append(attempt("c")))
		require.True(t, strings.HasPrefix(content(t, root), both[:cut]), "what was there has gone")

		record := read(t, root)
		lost := cut > len(first) && cut < len(both)-1
		for hash, want := range map[string]bool{"a": true, "b": cut >= len(both)-1, "c": true} {
			passed, _ := record.Passed("01-pipeline", hash)
			require.Equal(t, want, passed, "answer %s, cut after %q", hash, both[:cut])
		}
		if lost {
			require.Equal(t, []string{"Line 2 of .koans/journal.jsonl cannot be read and does not count. " +
				"Everything else does; nothing has been removed."}, record.Notices)
		} else {
			require.Empty(t, record.Notices)
		}
	}
}

func TestAppendKeepsGitignore(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	write(t, root, "")
	ignore := filepath.Join(root, ".koans", ".gitignore")
	require.NoError(t, os.WriteFile(ignore, []byte("!journal.jsonl\n"), 0o644))
	require.NoError(t, journal.Open(root).Append(attempt("a")))
	left, err := os.ReadFile(ignore)
	require.NoError(t, err)
	require.Equal(t, "!journal.jsonl\n", string(left))
}

func TestAppendReadOnly(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("nothing is read-only for root")
	}
	root := t.TempDir()
	require.NoError(t, os.Chmod(root, 0o555))
	err := journal.Open(root).Append(attempt("a"))
	require.ErrorIs(t, err, fs.ErrPermission)
	require.ErrorContains(t, err, "appending to the journal: ")
	require.Empty(t, read(t, root).Notices)
}

func TestAppendNowhere(t *testing.T) {
	t.Parallel()
	root := filepath.Join(t.TempDir(), "elsewhere")
	err := journal.Open(root).Append(attempt("a"))
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, "appending to the journal: ")
	require.NoDirExists(t, root, "a workbook that is not there is not made")
}

func TestFileInTheWay(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(root, ".koans"), []byte("mine"), 0o644))
	require.ErrorContains(t, journal.Open(root).Append(attempt("a")), "appending to the journal: ")
	left, err := os.ReadFile(filepath.Join(root, ".koans"))
	require.NoError(t, err)
	require.Equal(t, "mine", string(left))
}

func TestReadNoJournal(t *testing.T) {
	t.Parallel()
	record := read(t, t.TempDir())
	require.Zero(t, record.Attempts("01-pipeline"))
	require.Empty(t, record.Notices)
}

func TestReadUnreadable(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(root, ".koans", "journal.jsonl"), 0o755))
	_, err := journal.Open(root).Read()
	require.ErrorContains(t, err, "reading the journal: ")
}

// attempt is a pass with one answer.
func attempt(hash string) journal.Entry {
	return journal.Entry{Event: journal.Check, Lesson: "01-pipeline", Hash: hash, Status: journal.Passed}
}

func write(t testing.TB, root, data string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Join(root, ".koans"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(root, ".koans", "journal.jsonl"), []byte(data), 0o644))
}

func content(t testing.TB, root string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, ".koans", "journal.jsonl"))
	require.NoError(t, err)
	return string(data)
}

func read(t testing.TB, root string) journal.Record {
	t.Helper()
	record, err := journal.Open(root).Read()
	require.NoError(t, err)
	return record
}
