//go:build unix

package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"

	"concurrency-koans/checker"
	"concurrency-koans/lessons"
)

// A sitting is a koans watch in a terminal.
type sitting struct {
	*console
	cmd  *exec.Cmd
	root string
	temp string // folder of all that it writes outside of the workbook
}

// sit starts koans in a fresh workbook, in a terminal of its own.
func sit(t testing.TB, columns, lines int, args ...string) *sitting {
	t.Helper()
	s := &sitting{console: newConsole(t, columns, lines), root: freshWorkbook(t), temp: t.TempDir()}
	s.start(program(t), args...)
	return s
}

func (s *sitting) start(name string, args ...string) {
	s.t.Helper()
	s.cmd = exec.Command(name, args...)
	s.cmd.Dir = s.root
	s.cmd.Env = append(os.Environ(), "TERM=xterm-256color", "TMPDIR="+s.temp, "LANG=C.UTF-8", "NO_COLOR=", "PS1=$ ", "ENV=")
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = s.tty, s.tty, s.tty
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	require.NoError(s.t, s.cmd.Start())
	s.t.Cleanup(func() {
		_ = s.cmd.Process.Kill() // if the test has failed
		_ = s.cmd.Wait()
	})
}

// requireGone waits for the program's end and holds that nothing is left of it, but a
// journal.
func (s *sitting) requireGone(status int) {
	s.t.Helper()
	s.requireEnded(status)
	s.requireClean()
}

// requireEnded is requireGone for a program that keeps no journal.
func (s *sitting) requireEnded(status int) {
	s.t.Helper()
	_ = s.cmd.Wait() // the status tells
	require.Equal(s.t, status, s.cmd.ProcessState.ExitCode(), "of %s\n%s", s.cmd.ProcessState, s.text())
	s.requireRestored()
	s.requireNothingLeft()
}

func (s *sitting) requireNothingLeft() {
	s.t.Helper()
	left, err := filepath.Glob(filepath.Join(s.temp, "*"))
	require.NoError(s.t, err)
	require.Empty(s.t, left, "temporary folders")
	require.Empty(s.t, processesBelow(s.t, s.temp), "processes")
}

func (s *sitting) requireClean() {
	s.t.Helper()
	s.requireNothingLeft()
	journal, err := os.ReadFile(filepath.Join(s.root, ".koans", "journal.jsonl"))
	require.NoError(s.t, err)
	require.True(s.t, strings.HasSuffix(string(journal), "}\n"), "the journal ends in a whole line")
}

func (s *sitting) write(l lessons.Lesson, text []byte) {
	s.t.Helper()
	require.NoError(s.t, os.WriteFile(filepath.Join(s.root, "lessons", l.ID, l.Answer), text, 0o644))
}

// reference is the right answer to a lesson.
func reference(t testing.TB, l lessons.Lesson) []byte {
	t.Helper()
	s, err := answersTo(l)
	require.NoError(t, err)
	return s.Reference
}

// TestWatch is a learner's sitting from the first look to the second lesson.
func TestWatch(t *testing.T) {
	t.Parallel()
	all, err := lessons.Pristine()
	require.NoError(t, err)
	s := sit(t, 100, 30) // koans alone

	s.until("Lesson 1 of", "Not written yet", "hint (3 left)", "q quit")
	s.mu.Lock()
	require.Contains(t, string(s.raw), "\x1b]8;;"+fileURL(filepath.Join(s.root, "lessons", all[0].ID, all[0].Answer)), "the path is a link")
	s.mu.Unlock()
	s.press("h")
	s.until("Hint 1 of 3", "hint (2 left)", "esc back")
	s.press("p")
	s.until("The pitfalls of this lesson")
	s.press("/bare-send\r")
	s.until("In place of your answer, it gets:", "Goroutine left behind")
	s.press("\x1b")
	s.until("The pitfalls of this lesson")
	s.press("\x1b")
	s.until("Not written yet")

	s.write(all[0], reference(t, all[0]))
	s.until("Lesson 1, Pipeline, passes", "race-checked", "n next")
	require.Contains(t, s.text(), "Lesson 1 of", "it waits for the learner")
	s.press("d")
	s.until("letter for letter")
	s.press("n")
	s.until("Lesson 2 of", "Not written yet", "1 of")

	s.press("l")
	s.until("The lessons", "x reset")
	s.press("kx")
	s.until("Put the skeleton of lesson 1")
	s.press("y")
	s.until("is as shipped again")
	require.Equal(t, all[0].Skeleton, must(os.ReadFile(filepath.Join(s.root, "lessons", all[0].ID, all[0].Answer))))

	require.NoError(t, pty.Setsize(s.pty, &pty.Winsize{Cols: 40, Rows: 10}))
	s.until("needs 60 columns")
	require.NoError(t, pty.Setsize(s.pty, &pty.Winsize{Cols: 100, Rows: 30}))
	s.until("as shipped again")
	s.press("qq")
	s.requireGone(exitPassed)
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// spinning is an answer whose koans run until they are stopped. It makes the
// file that it names when it begins.
func spinning(l lessons.Lesson, started string) []byte {
	text := strings.Replace(string(l.Skeleton), `panic("TODO(1)`,
		"if f, err := os.Create("+quote(started)+"); err == nil {\n f.Close() }\n for { }\n panic(\"TODO(1)", 1)
	return []byte(strings.Replace(text, `"iter"`, "\"iter\"\n\"os\"", 1))
}

// spin has an answer spin, and returns when it does.
func (s *sitting) spin() {
	s.t.Helper()
	started := filepath.Join(s.t.TempDir(), "started")
	all, err := lessons.Pristine()
	require.NoError(s.t, err)
	s.write(all[0], spinning(all[0], started))
	require.Eventually(s.t, func() bool { _, err := os.Stat(started); return err == nil }, deadline, time.Millisecond)
}

// TestWatchIsEnded ends the program from outside, in the midst of a check.
func TestWatchIsEnded(t *testing.T) {
	t.Parallel()
	t.Run("SIGTERM", func(t *testing.T) {
		s := sit(t, 80, 24, "watch")
		s.until("Not written yet")
		s.spin()
		require.NoError(t, s.cmd.Process.Signal(syscall.SIGTERM))
		s.requireGone(exitUnchecked)
	})
	t.Run("closed terminal", func(t *testing.T) {
		s := sit(t, 80, 24, "watch")
		s.until("Not written yet")
		s.spin()
		s.tty.Close()
		s.pty.Close() // which sends SIGHUP
		_ = s.cmd.Wait()
		require.Equal(t, exitUnchecked, s.cmd.ProcessState.ExitCode(), "%s", s.cmd.ProcessState)
		s.requireClean()
	})
	t.Run("closed terminal below nohup", func(t *testing.T) {
		s := &sitting{console: newConsole(t, 80, 24), root: freshWorkbook(t), temp: t.TempDir()}
		s.start("sh", "-c", `trap "" HUP; exec "$0" watch`, program(t))
		s.until("Not written yet")
		s.tty.Close()
		s.pty.Close()
		_ = s.cmd.Wait()
		require.Equal(t, exitUnchecked, s.cmd.ProcessState.ExitCode(), "%s", s.cmd.ProcessState)
		s.requireClean()
	})
	t.Run("q", func(t *testing.T) {
		s := sit(t, 80, 24, "watch")
		s.until("Not written yet")
		s.spin()
		s.press("q")
		s.requireGone(exitPassed)
	})
}

// TestWatchIsSuspended goes to the shell and comes back, in the midst of a check.
func TestWatchIsSuspended(t *testing.T) {
	t.Parallel()
	s := &sitting{console: newConsole(t, 80, 24), root: freshWorkbook(t), temp: t.TempDir()}
	s.start("sh", "-i")
	s.until("$")
	s.press(program(t) + " watch\r")
	s.until("Not written yet")
	s.spin()
	s.press("\x1a")
	s.until("Stopped")
	s.mu.Lock()
	alt, hidden := s.screen.IsAltScreen(), s.screen.CursorHidden()
	s.mu.Unlock()
	require.False(t, alt || hidden, "the screen is the shell's")
	for _, p := range processesBelow(t, s.temp) {
		require.NotContains(t, p, ".test", "what spins does not go on unwatched")
	}
	l := firstLesson(t)
	s.press("fg\r")
	s.until("Lesson 1 of")
	s.write(l, reference(t, l))
	s.until("Lesson 1, Pipeline, passes")
	s.press("q")
	s.untilPrompt()
	s.press("exit\r")
	_ = s.cmd.Wait()
	s.requireClean()
}

// untilPrompt waits until the shell asks for the next command. An earlier prompt is
// there as soon as the watch gives the screen back, and what is typed then may still be
// the watch's.
func (s *sitting) untilPrompt() {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		lines := strings.Split(strings.TrimRight(s.text(), " \n"), "\n")
		return strings.TrimSpace(lines[len(lines)-1]) == "$"
	}, deadline, time.Millisecond, "a prompt")
}

// TestWatchWithoutAShell is about a terminal with nobody to come back from.
func TestWatchWithoutAShell(t *testing.T) {
	t.Parallel()
	s := sit(t, 80, 24, "watch")
	s.until("Not written yet")
	s.press("\x1a")
	s.until("no shell")
	s.press("q")
	s.requireGone(exitPassed)
}

// TestWatchOpensAnEditor at the line that is named.
func TestWatchOpensAnEditor(t *testing.T) {
	t.Parallel()
	editor := filepath.Join(t.TempDir(), "vim")
	require.NoError(t, os.WriteFile(editor, []byte("#!/bin/sh\necho \"at $1 of $2\"\nread line\n"), 0o755))
	s := &sitting{console: newConsole(t, 100, 24), root: freshWorkbook(t), temp: t.TempDir()}
	s.start("sh", "-c", `EDITOR="$1" exec "$0" watch`, program(t), editor)
	s.until("Not written yet")
	s.press("e")
	s.until("at +24 of")
	require.NoError(t, s.cmd.Process.Signal(syscall.SIGINT)) // Ctrl-C in the editor is sent to all
	// Bubble Tea waits half a second for its own reader to let go of the keyboard.
	// On a machine that is busier than that, the reader takes the first key.
	back, pressed := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(pressed)
		for {
			_, _ = s.pty.WriteString("\r")
			select {
			case <-back:
				return
			case <-time.After(2 * time.Second):
			}
		}
	}()
	s.until("Not written yet", "q quit")
	close(back)
	<-pressed
	s.press("q")
	s.requireGone(exitPassed)
}

// TestWatchRestoresTheTerminalAfterAFault panics in a check and in the loop.
func TestWatchRestoresTheTerminalAfterAFault(t *testing.T) {
	for name, sabotage := range map[string]func(*desk){
		"in a job": func(d *desk) {
			d.judge = func(context.Context, *app, *checker.Checker, lessons.Lesson) (verdict, error) { panic("sabotage") }
		},
		"in the loop": func(d *desk) {
			d.judge = func(context.Context, *app, *checker.Checker, lessons.Lesson) (verdict, error) {
				return verdict{status: failed, report: checker.Report{Koans: []checker.Outcome{{Status: checker.Failed}}}}, nil
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newConsole(t, 80, 24)
			a := appIn(freshWorkbook(t), "koans", c.tty)
			a.world.stdin = c.tty
			a.world.env = append(a.world.env, "TERM=xterm-256color")
			a.screens()
			_, err := a.workbook()
			require.NoError(t, err)
			d := newDesk(a)
			sabotage(d)
			err = a.watchScreen(t.Context(), d, firstLesson(t))
			e := atEdge(err)
			require.Equal(t, exitUnchecked, e.status)
			require.Equal(t, wordsFault, e.problem)
			c.requireRestored()
		})
	}
}
