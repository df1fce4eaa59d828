package main

import (
	"io"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/term"
)

// A world is all that the program gets from outside.
type world struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	env            []string // as of os.Environ
	dir            string   // the current folder, by the path it was reached by
	executable     string   // path of the program, "" if unknown
	now            func() time.Time
}

// outside is the world that the process was started in.
func outside() world {
	lipgloss.EnableLegacyWindowsANSI(os.Stdout)
	lipgloss.EnableLegacyWindowsANSI(os.Stderr)
	dir, err := os.Getwd()
	if err != nil {
		dir = "." // it was removed; whoever needs it will say so
	}
	executable, err := os.Executable()
	if err != nil {
		executable = ""
	}
	return world{
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
		env: os.Environ(), dir: dir, executable: executable, now: time.Now,
	}
}

// getenv returns a variable's value; the last of several holds.
func (w world) getenv(name string) string {
	for _, kv := range slices.Backward(w.env) {
		if key, value, ok := strings.Cut(kv, "="); ok && key == name {
			return value
		}
	}
	return ""
}

// goRunPath matches where go run puts a program: in a temporary folder, and from
// the second time on in the build cache.
//
//	/tmp/go-build2263051532/b001/exe/koans
//	/home/me/.cache/go-build/5e/5e93…(64 digits)…-d/koans
var goRunPath = regexp.MustCompile(`[/\\]go-build\d+[/\\]b\d+[/\\]exe[/\\]|[/\\][0-9a-f]{2}[/\\][0-9a-f]{64}-d[/\\]`)

// throughGoRun reports whether the program was built by go run, where nobody can
// call it by its name.
func (w world) throughGoRun() bool { return goRunPath.MatchString(w.executable) }

// terminalOf returns the terminal that a stream is, if it is one that can do
// more than a printer.
func (w world) terminalOf(stream any) (term.File, bool) {
	f, ok := stream.(term.File)
	if !ok || !term.IsTerminal(f.Fd()) || w.getenv("TERM") == "dumb" {
		return nil, false
	}
	return f, true
}

// showsLinks reports whether the terminal takes a link for what it is. Those that
// do not know links ignore them, but for a few old ones that print them.
func (w world) showsLinks() bool {
	switch kind := w.getenv("TERM"); {
	case kind == "linux", strings.HasPrefix(kind, "vt1"), strings.HasPrefix(kind, "vt2"), strings.HasPrefix(kind, "cons25"), kind == "screen" && w.getenv("TMUX") == "":
		return false
	}
	return true
}

// unicode reports whether the locale can show ✓. Only one that is set and says
// otherwise is believed.
func (w world) unicode() bool {
	if runtime.GOOS == "windows" {
		return true
	}
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if locale := w.getenv(name); locale != "" {
			locale = strings.ToUpper(locale)
			return strings.Contains(locale, "UTF-8") || strings.Contains(locale, "UTF8")
		}
	}
	return true
}
