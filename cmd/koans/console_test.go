//go:build unix

package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/charmbracelet/x/term"
	"github.com/charmbracelet/x/vt"
	"github.com/creack/pty"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A console is a terminal with somebody before it.
type console struct {
	t        testing.TB
	pty, tty *os.File
	before   *term.State // of the terminal, before a program had it

	mu      sync.Mutex
	screen  *vt.Emulator // guarded by mu
	raw     []byte       // all that was written to it; guarded by mu
	changed chan struct{}
}

// newConsole opens a terminal. It is closed when the test ends.
func newConsole(t testing.TB, columns, lines int) *console {
	t.Helper()
	blocking, tty, err := pty.Open()
	require.NoError(t, err)
	// A read of one that blocks could not be ended by closing it.
	fd, err := unix.Dup(int(blocking.Fd()))
	require.NoError(t, err)
	require.NoError(t, unix.SetNonblock(fd, true))
	unix.CloseOnExec(fd)
	p := os.NewFile(uintptr(fd), "terminal")
	require.NoError(t, blocking.Close())
	require.NoError(t, pty.Setsize(p, &pty.Winsize{Cols: uint16(columns), Rows: uint16(lines)}))
	c := &console{t: t, pty: p, tty: tty, screen: vt.NewEmulator(columns, lines), changed: make(chan struct{}, 1)}
	c.before, err = term.GetState(tty.Fd())
	require.NoError(t, err)
	var wg sync.WaitGroup
	wg.Go(func() { // what the program writes
		buf := make([]byte, 1<<14)
		for {
			n, err := p.Read(buf)
			if err != nil {
				return
			}
			c.mu.Lock()
			c.raw = append(c.raw, buf[:n]...)
			_, _ = c.screen.Write(buf[:n])
			c.mu.Unlock()
			select {
			case c.changed <- struct{}{}:
			default:
			}
		}
	})
	wg.Go(func() { _, _ = io.Copy(p, c.screen) }) // what the terminal answers to questions
	t.Cleanup(func() {
		tty.Close()
		p.Close()
		c.screen.InputPipe().(io.Closer).Close() // its Close is not for use beside its Read
		wg.Wait()
	})
	return c
}

func (c *console) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.screen.String()
}

// deadline is when a test gives up: a cold build cache takes long.
const deadline = time.Minute

// until waits for words on the screen.
func (c *console) until(words ...string) string {
	c.t.Helper()
	late := time.After(deadline)
	for {
		text := c.text()
		missing := ""
		for _, w := range words {
			if !strings.Contains(text, w) {
				missing = w
			}
		}
		if missing == "" {
			return text
		}
		select {
		case <-c.changed:
		case <-late:
			c.t.Fatalf("%q does not appear on:\n%s", missing, text)
		}
	}
}

func (c *console) press(keys string) {
	c.t.Helper()
	_, err := c.pty.WriteString(keys)
	require.NoError(c.t, err)
}

// requireRestored holds that the terminal is as it was before a program.
func (c *console) requireRestored() {
	c.t.Helper()
	now, err := term.GetState(c.tty.Fd())
	require.NoError(c.t, err)
	require.Equal(c.t, c.before, now, "the modes of the terminal")
	require.Eventually(c.t, func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return !c.screen.IsAltScreen() && !c.screen.CursorHidden()
	}, deadline, time.Millisecond, "the screen from before, with a cursor")
}

// program is a koans that can be started: the test binary under that name.
func program(t testing.TB) string {
	t.Helper()
	koans, err := exec.LookPath(os.Args[0])
	require.NoError(t, err)
	koans, err = filepath.Abs(koans)
	require.NoError(t, err)
	link := filepath.Join(t.TempDir(), "koans") // testscript.Main goes by the name
	require.NoError(t, os.Symlink(koans, link))
	return link
}
