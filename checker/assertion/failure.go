// Package assertion reads what go test and testify print about the failed
// assertions of a test, and tells a learner what was expected and what came.
package assertion

import (
	"regexp"
	"strconv"
	"strings"
)

// A Failure is one message of a failed test.
type Failure struct {
	Line    int      // of the test's file
	Said    string   // the test's own words; "" if it has none
	Outcome []string // what testify found, line by line
}

var (
	// logLine matches the head of a test's log entry:
	//
	//	    pipeline_test.go:31: Map left a goroutine behind
	//
	// IsIncreasing and its kin give testify's own file instead of the koan's.
	logLine = regexp.MustCompile(`^ {4}(?:\S*/)?(?:\w+_test\.go:(\d+)|assertion_order\.go:\d+): ?(.*)$`)
	// traceLine matches where the assertion stands.
	traceLine = regexp.MustCompile(`_test\.go:(\d+)$`)
	// fieldLine matches the head of a field of testify's message:
	//
	//	        	Error:      	Not equal:
	fieldLine = regexp.MustCompile(`^ {8}\t(Error Trace|Error|Test|Messages):\s*\t?(.*)$`)
)

// Parse reads the output of go test. What is no message of a test is skipped.
func Parse(text string) []Failure {
	var list []Failure
	var current *Failure
	field := ""
	for line := range strings.SplitSeq(text, "\n") {
		if m := logLine.FindStringSubmatch(line); m != nil {
			n, _ := strconv.Atoi(m[1])
			list = append(list, Failure{Line: n, Said: m[2]})
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
		case "Error Trace":
			if m := traceLine.FindStringSubmatch(line); m != nil && current.Line == 0 {
				current.Line, _ = strconv.Atoi(m[1])
			}
		case "Error":
			current.Outcome = append(current.Outcome, strings.TrimRight(line, " \t"))
		case "Messages":
			current.Said = strings.TrimSpace(current.Said + " " + strings.TrimSpace(line))
		case "":
			current.Said += "\n" + line
		}
	}
	return list
}
