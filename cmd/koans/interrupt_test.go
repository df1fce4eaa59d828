package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"concurrency-koans/lessons"
)

// TestInterrupt stops koans in the midst of an answer that spins: it says so,
// ends with status 3 and leaves no process behind.
func TestInterrupt(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("looks for processes in /proc")
	}
	root := freshWorkbook(t)
	started := filepath.Join(t.TempDir(), "started")
	l := firstLesson(t)
	spin := bytes.Replace(l.Skeleton, []byte(`panic("TODO(1)`),
		[]byte("if f, err := os.Create("+quote(started)+"); err == nil {\n f.Close() }\n for { }\n panic(\"TODO(1)"), 1)
	spin = bytes.Replace(spin, []byte(`"iter"`), []byte("\"iter\"\n\"os\""), 1)
	require.NoError(t, os.WriteFile(filepath.Join(root, "lessons", l.ID, l.Answer), spin, 0o644))

	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute) // a cold build cache
	defer cancel()
	koans, err := exec.LookPath(os.Args[0])
	require.NoError(t, err)
	koans, err = filepath.Abs(koans)
	require.NoError(t, err)
	var stderr bytes.Buffer
	link := filepath.Join(t.TempDir(), "koans") // testscript.Main goes by the name
	require.NoError(t, os.Symlink(koans, link))
	cmd := exec.CommandContext(ctx, link, "check", "1")
	cmd.Dir, cmd.Stderr = root, &stderr
	// The temporary folder is in the command line of what runs below it.
	temp := t.TempDir()
	cmd.Env = append(os.Environ(), "TMPDIR="+temp)
	require.NoError(t, cmd.Start())
	for {
		if _, err := os.Stat(started); err == nil {
			break
		}
		require.NoError(t, ctx.Err(), "the koans never began")
		time.Sleep(20 * time.Millisecond)
	}
	require.NotEmpty(t, processesBelow(t, temp), "the spinning koan must be seen, or the test proves nothing")

	require.NoError(t, cmd.Process.Signal(syscall.SIGINT))
	_ = cmd.Wait() // the status tells

	require.Equal(t, exitUnchecked, cmd.ProcessState.ExitCode())
	lines := strings.Split(stderr.String(), "\n") // on a cold cache, progress comes before
	require.Equal(t, []string{"Stopped.", ""}, lines[max(0, len(lines)-2):])
	require.Equal(t, 1, strings.Count(stderr.String(), "Stopped."))
	require.Empty(t, processesBelow(t, temp), "a process was left running")
	left, err := filepath.Glob(filepath.Join(temp, "*"))
	require.NoError(t, err)
	require.Empty(t, left, "a temporary folder was left")
}

func quote(s string) string { return `"` + s + `"` }

// processesBelow lists the processes whose program or arguments name dir.
func processesBelow(t testing.TB, dir string) []string {
	t.Helper()
	var found []string
	entries, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(t, err)
	for _, e := range entries {
		line, err := os.ReadFile(e)
		if err == nil && strings.Contains(string(line), dir) {
			found = append(found, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return found
}

func freshWorkbook(t testing.TB) string {
	t.Helper()
	book, err := lessons.Workbook()
	require.NoError(t, err)
	root := filepath.Join(t.TempDir(), "book")
	require.NoError(t, writeWorkbook(root, book))
	return root
}

func firstLesson(t testing.TB) lessons.Lesson {
	t.Helper()
	all, err := lessons.Pristine()
	require.NoError(t, err)
	return all[0]
}
