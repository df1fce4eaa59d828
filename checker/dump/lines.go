package dump

import (
	"bytes"
	"math"
)

// lines scans a text line by line. Its zero position is before the first line.
type lines struct {
	text []byte
	// line is the current line, without its end.
	line []byte
	// start and next are where the current line and the one after it begin.
	start, next int
}

// scan goes on to the next line and reports whether there is one.
func (l *lines) scan() bool {
	if l.next >= len(l.text) {
		l.start, l.line = l.next, nil
		return false
	}
	l.start = l.next
	l.line = l.text[l.start:]
	l.next = len(l.text)
	if i := bytes.IndexByte(l.line, '\n'); i >= 0 {
		l.line = l.line[:i]
		l.next = l.start + i + 1
	}
	l.line = bytes.TrimSuffix(l.line, []byte("\r"))
	return true
}

// unscan makes the next scan stop at the current line again.
func (l *lines) unscan() { l.next = l.start }

// peek returns the line that scan would go on to, or nil.
func (l *lines) peek() []byte {
	ahead := *l
	ahead.scan()
	return ahead.line
}

// blank reports whether line is empty, or only as indented as its neighbours.
func blank(line []byte) bool { return len(indentation(line)) == len(line) }

// indentation returns the spaces and tabs that line begins with.
func indentation(line []byte) []byte {
	for i, c := range line {
		if c != ' ' && c != '\t' {
			return line[:i]
		}
	}
	return line
}

// cut is bytes.CutPrefix for a constant.
func cut(line []byte, prefix string) (rest []byte, ok bool) {
	if len(line) < len(prefix) || string(line[:len(prefix)]) != prefix {
		return line, false
	}
	return line[len(prefix):], true
}

// cutNumber reads the decimal number that b begins with. One that overflows is
// no number.
func cutNumber(b []byte) (n int, rest []byte, ok bool) {
	i := 0
	for ; i < len(b) && '0' <= b[i] && b[i] <= '9'; i++ {
		if n > (math.MaxInt-9)/10 {
			return 0, b, false
		}
		n = n*10 + int(b[i]-'0')
	}
	return n, b[i:], i > 0
}
