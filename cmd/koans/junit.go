package main

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
)

// The elements of a JUnit report, as far as the readers of such reports agree
// on them: a suite for each lesson, a case for each koan.
type (
	junitSuites struct {
		XMLName xml.Name `xml:"testsuites"`
		Suites  []junitSuite
	}
	junitSuite struct {
		XMLName  xml.Name `xml:"testsuite"`
		Name     string   `xml:"name,attr"`
		Tests    int      `xml:"tests,attr"`
		Failures int      `xml:"failures,attr"`
		Errors   int      `xml:"errors,attr"`
		Skipped  int      `xml:"skipped,attr"`
		Cases    []junitCase
	}
	junitCase struct {
		XMLName xml.Name      `xml:"testcase"`
		Class   string        `xml:"classname,attr"`
		Name    string        `xml:"name,attr"`
		Failure *junitMessage `xml:"failure"`
		Error   *junitMessage `xml:"error"`
		Skipped *struct{}     `xml:"skipped"`
	}
	junitMessage struct {
		Type    string `xml:"type,attr,omitempty"`
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// writeJUnit writes a report as JUnit XML. What may not stand in XML, such as a
// control character that a learner's code has printed, comes out as U+FFFD.
func writeJUnit(w io.Writer, r Report) error {
	var doc junitSuites
	for _, l := range r.Lessons {
		suite := junitSuite{Name: l.ID, Tests: len(l.Koans)}
		if l.Error != nil {
			suite.Tests, suite.Errors = 1, 1
			suite.Cases = []junitCase{{Class: l.ID, Name: "check", Error: &junitMessage{Message: l.Error.Problem, Text: l.Error.Remedy}}}
		}
		for _, k := range l.Koans {
			c := junitCase{Class: l.ID, Name: k.Test}
			switch {
			case k.Diagnosis != nil:
				suite.Failures++
				c.Failure = &junitMessage{Type: k.Diagnosis.Kind, Message: k.Diagnosis.Summary, Text: k.Diagnosis.text()}
			case k.Status != "passed":
				suite.Skipped++
				c.Skipped = &struct{}{}
			}
			suite.Cases = append(suite.Cases, c)
		}
		doc.Suites = append(doc.Suites, suite)
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	if err := e.Encode(doc); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// text is what stands below the message of a failure.
func (d *DiagnosisReport) text() string {
	var b strings.Builder
	switch {
	case d.Line > 0:
		fmt.Fprintf(&b, "%s:%d\n", d.File, d.Line)
	case d.File != "":
		fmt.Fprintln(&b, d.File)
	}
	for _, line := range d.Detail {
		fmt.Fprintln(&b, line)
	}
	if d.Raw != "" {
		fmt.Fprintf(&b, "\n%s", d.Raw)
	}
	return b.String()
}
