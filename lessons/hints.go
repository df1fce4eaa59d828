package lessons

import (
	"regexp"
	"strconv"
	"strings"
)

// minHints is how many hints a koan has at least: a question, the idea, nearly
// the code.
const minHints = 3

// hintIndent is the room that "1. " takes; the lines of a hint that follow its
// first one stand as far in.
const hintIndent = "   "

var hintStart = regexp.MustCompile(`^(\d+)\. +(.*)$`)

// readHints returns the hints of each koan, or none if there is no koan to
// compare them with.
func readHints(src []byte, koans []Koan, found *faults) [][]string {
	const file = "hints.md"
	if src == nil || len(koans) == 0 {
		return nil
	}
	preamble, headings := readMarkdown(file, src, found)
	if text(preamble) != "# Hints" {
		found.add(file, 1, `the file does not begin with "# Hints" and the first koan's section`)
	}
	tests := make([]string, len(koans))
	for i, k := range koans {
		tests[i] = k.Test
	}
	checkHeadings(file, headings, tests, found)

	byTest := map[string][]string{}
	for _, h := range headings {
		byTest[h.title] = readList(file, h, found)
	}
	all := make([][]string, len(koans))
	for i, test := range tests {
		all[i] = byTest[test]
	}
	return all
}

// readList reads the numbered list under a heading. An item is Markdown: it may
// hold paragraphs and fenced blocks, which lose the list's indent.
func readList(file string, h heading, found *faults) []string {
	var items [][]line
	for _, l := range h.lines {
		if m := hintStart.FindStringSubmatch(l.text); m != nil && !l.fenced {
			items = append(items, nil)
			if m[1] != strconv.Itoa(len(items)) {
				found.add(file, l.number, "hint %s of %s stands where %d is due", m[1], h.title, len(items))
			}
			l.text = m[2]
		}
		if len(items) == 0 {
			if l.text != "" {
				found.add(file, l.number, "text of %s before its first hint", h.title)
			}
			continue
		}
		l.text = strings.TrimPrefix(l.text, hintIndent)
		items[len(items)-1] = append(items[len(items)-1], l)
	}
	if len(items) < minHints {
		found.add(file, h.line, "%d hints for %s, which takes at least %d", len(items), h.title, minHints)
	}
	hints := make([]string, len(items))
	for i, item := range items {
		hints[i] = text(item)
	}
	return hints
}
