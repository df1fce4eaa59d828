package checker

import (
	"regexp"
	"strconv"
	"strings"
)

// A failure is one message of a failed koan.
type failure struct {
	line    int      // of the koan's file
	said    string   // the koan's own words
	outcome []string // what the comparison found, line by line
}

var (
	// logLine matches the head of a test's log entry:
	//
	//	    pipeline_test.go:31: Map left a goroutine behind
	logLine = regexp.MustCompile(`^ {4}(?:\S*/)?\w+_test\.go:(\d+): ?(.*)$`)
	// fieldLine matches the head of a field of testify's message:
	//
	//	        	Error:      	Not equal:
	fieldLine = regexp.MustCompile(`^ {8}\t(Error Trace|Error|Test|Messages):\s*\t?(.*)$`)
)

// parseFailures reads what go test and testify print about failed assertions.
func parseFailures(text string) []failure {
	var list []failure
	var current *failure
	field := ""
	for line := range strings.SplitSeq(text, "\n") {
		if m := logLine.FindStringSubmatch(line); m != nil {
			n, _ := strconv.Atoi(m[1])
			list = append(list, failure{line: n, said: m[2]})
			current, field = &list[len(list)-1], ""
			continue
		}
		if current == nil || !strings.HasPrefix(line, "        ") {
			current = nil
			continue
		}
		if m := fieldLine.FindStringSubmatch(line); m != nil {
			field = m[1]
			line = m[2]
		} else {
			line = strings.TrimPrefix(strings.TrimPrefix(line, "        "), "\t            \t")
		}
		switch field {
		case "Error":
			current.outcome = append(current.outcome, strings.TrimRight(line, " \t"))
		case "Messages":
			current.said = strings.TrimSpace(current.said + " " + strings.TrimSpace(line))
		case "":
			current.said += "\n" + line
		}
	}
	return list
}

// itemsLine matches what testify says of a length. What it says of the thing
// itself is often no more than an address:
//
//	"0x74aafdf21e0" should have 2 item(s), but has 1
var itemsLine = regexp.MustCompile(`^".*" should have (\d+) item\(s\), but has (\d+)$`)

// comparison shortens what testify found to what a learner needs: what was
// expected and what came, without the diff that follows.
func (f failure) comparison() []string {
	var lines []string
	for _, line := range f.outcome {
		if strings.HasPrefix(line, "Diff:") {
			break
		}
		line = strings.TrimSpace(line)
		if m := itemsLine.FindStringSubmatch(line); m != nil {
			lines = append(lines, "expected  "+m[1]+" items", "got       "+m[2]+" items")
			continue
		}
		switch {
		case line == "" || line == "Not equal:":
			continue
		case strings.HasPrefix(line, "expected: "):
			line = "expected  " + strings.TrimPrefix(line, "expected: ")
		case strings.HasPrefix(line, "actual  : "):
			line = "got       " + strings.TrimPrefix(line, "actual  : ")
		}
		lines = append(lines, shorten(line, 200))
		if len(lines) == 6 {
			break
		}
	}
	return lines
}

// clip shortens a line that would fill a screen.
func clip(line string) string { return shorten(line, 600) }

// brief shortens a line that tells where rather than what.
func brief(line string) string { return shorten(line, 62) }

func shorten(line string, most int) string {
	if r := []rune(line); len(r) > most {
		return string(r[:most-2]) + " …"
	}
	return line
}
