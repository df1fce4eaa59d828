package main

import (
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/term"
)

// How wide text may run: as far as the terminal goes, but no line is easy to
// read beyond a hundred columns.
const (
	usualWidth = 80
	mostWidth  = 100
)

// A screen is a stream to the learner. Styled text may be written to it; what
// the stream cannot show is taken out.
type screen struct {
	colors colorprofile.Writer
	stream *sticky
	file   term.File // the terminal, nil if it is none
	width  int       // columns for text
	full   int       // columns of the terminal
	dark   *bool     // the terminal's background, nil as long as nobody has asked
	links  bool      // paths are links that a terminal can open
	marks  marks
}

// newScreen looks at the stream once. The color is "auto", "always" or "never".
func newScreen(w world, stream io.Writer, color string) *screen {
	s := &screen{stream: &sticky{Writer: stream}, width: usualWidth, full: usualWidth, marks: plainMarks}
	if w.unicode() {
		s.marks = fineMarks
	}
	profile := colorprofile.NoTTY
	if file, ok := w.terminalOf(stream); ok {
		s.file = file
		if columns, _, err := term.GetSize(file.Fd()); err == nil && columns > 0 {
			s.full = columns
			s.width = min(columns, mostWidth)
		}
		profile = colorprofile.Env(w.env)
		if w.getenv("NO_COLOR") != "" { // any value means no, not only a true one
			profile = min(profile, colorprofile.ASCII)
		}
	}
	switch color {
	case "always":
		profile = max(profile, colorprofile.ANSI)
	case "never":
		profile = min(profile, colorprofile.ASCII)
	}
	s.colors = colorprofile.Writer{Forward: s.stream, Profile: profile}
	return s
}

func (s *screen) Write(p []byte) (int, error) { return s.colors.Write(p) }

// A sticky writer remembers the first error, so that screens need not look for
// one at each line. After it, nothing more is written.
type sticky struct {
	io.Writer
	err error
}

func (s *sticky) Write(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.Writer.Write(p)
	s.err = err
	return n, err
}

// page makes a screen that writes into a page of the given width, for the same
// eyes as s.
func (s *screen) page(into io.Writer, width int, dark bool) *screen {
	page := *s
	page.stream = &sticky{Writer: into}
	page.colors.Forward = page.stream
	page.width, page.full, page.dark = min(width, mostWidth), width, &dark
	return &page
}

// place styles the place in a file that a diagnosis points at.
func (s *screen) place(shown, absolute string) string {
	style := styleTitle
	if s.links {
		style = style.Hyperlink(fileURL(absolute))
	}
	return style.Render(shown)
}

// line writes one line as it is.
func (s *screen) line(format string, args ...any) {
	fmt.Fprintf(s, format+"\n", args...)
}

// clipped writes one line as far as it fits.
func (s *screen) clipped(line string) {
	more := "…"
	if s.marks == plainMarks {
		more = ""
	}
	s.line("%s", ansi.Truncate(line, s.width, more))
}

// text writes a paragraph, wrapped, each line behind the indent. Lines that
// were made by wrapping stand two further in if hang is true.
func (s *screen) text(indent int, words string) { s.wrapped(indent, indent, words) }

// item writes a paragraph whose second and later lines stand two columns
// further in than its first.
func (s *screen) item(indent int, words string) { s.wrapped(indent, indent+2, words) }

func (s *screen) wrapped(first, rest int, words string) {
	for line := range strings.SplitSeq(words, "\n") {
		// A line that was indented on purpose keeps its indent.
		bare := strings.TrimLeft(line, " ")
		deeper := len(line) - len(bare)
		pad := strings.Repeat(" ", first+deeper)
		for _, part := range wrap(bare, s.width-rest-deeper) {
			s.line("%s", strings.TrimRight(pad+part, " "))
			pad = strings.Repeat(" ", rest+deeper)
		}
	}
}

// leastWidth is what words get however far they are indented.
const leastWidth = 20

// fileURL is the URL of a file. It names the machine, so that a terminal that
// shows another one's output does not open a file of its own.
func fileURL(absolute string) string {
	host, err := os.Hostname()
	if err != nil {
		host = ""
	}
	path := filepath.ToSlash(absolute)
	if !strings.HasPrefix(path, "/") { // C:/Users
		path = "/" + path
	}
	u := url.URL{Scheme: "file", Host: host, Path: path}
	return u.String()
}

// wrap breaks text at its spaces and nowhere else: a path or a command that is
// cut at a hyphen can be neither read nor copied.
func wrap(text string, width int) (lines []string) {
	line := ""
	for i, word := range strings.Split(text, " ") {
		switch {
		case i == 0:
			line = word
		case ansi.StringWidth(line)+1+ansi.StringWidth(word) > max(width, leastWidth):
			lines = append(lines, line)
			line = word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}

// pair is one row of a small table of two columns.
type pair struct{ key, value string }

// pairs writes rows with their second column aligned.
func (s *screen) pairs(indent int, rows ...pair) {
	most := 0
	for _, r := range rows {
		most = max(most, ansi.StringWidth(r.key))
	}
	for _, r := range rows {
		pad := strings.Repeat(" ", most-ansi.StringWidth(r.key))
		head := strings.Repeat(" ", indent) + r.key + pad + "  "
		hang := ansi.StringWidth(head)
		for i, part := range wrap(r.value, s.width-hang) {
			if i > 0 {
				head = strings.Repeat(" ", hang)
			}
			s.line("%s", strings.TrimRight(head+part, " "))
		}
	}
}

// The styles use the terminal's own sixteen colors, so that they fit its theme.
// Tabs are left alone: source code is shown as it is.
var (
	styleText  = lipgloss.NewStyle().TabWidth(lipgloss.NoTabConversion)
	styleGood  = styleText.Foreground(lipgloss.Green)
	styleBad   = styleText.Foreground(lipgloss.Red)
	styleWarn  = styleText.Foreground(lipgloss.Yellow)
	styleType  = styleText.Foreground(lipgloss.Cyan) // what one can type
	styleTitle = styleText.Bold(true)
	styleFaint = styleText.Faint(true)
)

// marks are the signs of koans and lessons. They tell without color.
type marks struct {
	passed, failed, pending string
	full, empty             string // of a bar
	more                    string // where something is cut off
}

var (
	fineMarks  = marks{passed: "✓", failed: "✗", pending: "·", full: "█", empty: "░", more: "…"}
	plainMarks = marks{passed: "+", failed: "x", pending: ".", full: "#", empty: "-", more: "~"}
)

// bar draws how much of total is done, in width columns.
func (m marks) bar(done, total, width int) string {
	n := 0
	if total > 0 {
		n = min(width, done*width/total)
	}
	return strings.Repeat(m.full, n) + strings.Repeat(m.empty, width-n)
}

// plain makes text that a learner's code may have printed harmless: what would
// move the cursor or ring the bell is taken out.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return r
		}
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, ansi.Strip(s))
}
