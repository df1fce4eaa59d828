package assertion

import (
	"regexp"
	"strconv"
	"strings"
)

// dumpedItems reads the items of a list that testify has dumped with types.
//
//	([]interface {}) (len=2) {
//	 (fan_test.timing) {
//	  who: (string) (len=1) "a",
//	  at: (time.Duration) 1000000000
//	 },
//	 (int) 4
//	}
func dumpedItems(lines []string) (items []string) {
	for _, line := range lines {
		if !strings.HasPrefix(line, " ") {
			continue
		}
		text := dumpedValue(strings.TrimSuffix(strings.TrimSpace(line), ","), "")
		deeper := strings.HasPrefix(line, "  ")
		closing := strings.HasPrefix(text, "}")
		if !deeper && !closing || len(items) == 0 {
			items = append(items, text)
			continue
		}
		last := &items[len(items)-1]
		if !closing && !strings.HasSuffix(*last, "{") {
			*last += " "
		}
		*last += text
	}
	return items
}

// dumpedField matches the name of a field.
var dumpedField = regexp.MustCompile(`^(\w+): (.*)$`)

// address matches a place in memory, which says nothing to a learner.
var address = regexp.MustCompile(`0x[0-9a-f]{6,16}\b`)

// dumpedValue reads one line of a dump.
//
//	at: (time.Duration) 1000000000      at:1s
//	(string) (len=2) "#1"               "#1"
//	(*fan.Job)(<nil>)                   nil
//	(chan int) 0xc000012345             a chan int
//	(string) (len=1) "a": (int) 3       "a":3
func dumpedValue(s, typ string) string {
	if m := dumpedField.FindStringSubmatch(s); m != nil && typ == "" {
		return m[1] + ":" + dumpedValue(m[2], "")
	}
	for strings.HasPrefix(s, "(") {
		end := closingParen(s)
		if end < 0 {
			break
		}
		inner, rest := s[1:end], strings.TrimPrefix(s[end+1:], " ")
		if rest == "" {
			s = inner
			break
		}
		if !strings.HasPrefix(inner, "len=") {
			typ = inner
		}
		s = rest
	}
	if quoted, err := strconv.QuotedPrefix(s); err == nil && len(quoted) < len(s) {
		if rest, ok := strings.CutPrefix(s[len(quoted):], ": "); ok {
			return quoted + ":" + dumpedValue(rest, "")
		}
	}
	switch {
	case s == "<nil>":
		return "nil"
	case s == "({":
		return "{"
	case s == "})":
		return "}"
	case typ != "" && address.FindString(s) == s && s != "":
		return "a " + plainTypes(typ)
	case isSpan(typ):
		return number(s, true)
	}
	return s
}

// closingParen returns where the parenthesis closes that s begins with, or -1.
func closingParen(s string) int {
	depth := 0
	for i := range len(s) {
		switch s[i] {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}
