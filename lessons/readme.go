package lessons

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	pattern  = "The pattern"
	pitfalls = "Pitfalls and how to avoid them"
)

// sections are the headings of every README.
var sections = []string{
	"The problem", pattern, "The contract", "Where it is used", "What it costs",
	"Good practice", pitfalls, "In production", "Interview questions",
}

// width is what a terminal shows of a line that cannot be wrapped.
const width = 80

var pitfallHeading = regexp.MustCompile("^### `[a-z0-9]+(-[a-z0-9]+)*`$")

// readReadme reads a lesson's explanation.
func readReadme(src []byte, found *faults) (title, summary string, all []Section) {
	const file = "README.md"
	if src == nil {
		return "", "", nil
	}
	preamble, headings := readMarkdown(file, src, found)
	title, summary = readPreamble(file, preamble, found)
	checkHeadings(file, headings, sections, found)
	checkWidth(file, preamble, found)
	for _, h := range headings {
		checkWidth(file, h.lines, found)
		switch h.title {
		case pattern:
			checkDiagram(file, h, found)
		case pitfalls:
			checkPitfalls(file, h, found)
		}
		all = append(all, Section{Title: h.title, Body: h.body()})
	}
	return title, summary, all
}

// readPreamble reads the title and the paragraph that follows it.
func readPreamble(file string, lines []line, found *faults) (title, summary string) {
	blank := func(l line) bool { return l.text == "" }
	filled := func(l line) bool { return l.text != "" }

	i := slices.IndexFunc(lines, filled)
	if i >= 0 {
		title, _ = strings.CutPrefix(lines[i].text, "# ")
	}
	if i < 0 || title == lines[i].text {
		found.add(file, 0, `no title: the first line is not "# Title"`)
		return "", ""
	}
	lines = lines[i+1:]
	i = slices.IndexFunc(lines, filled)
	if i < 0 {
		found.add(file, 0, "no paragraph after the title")
		return title, ""
	}
	lines = lines[i:]
	if i = slices.IndexFunc(lines, blank); i >= 0 {
		lines = lines[:i]
	}
	return title, strings.ReplaceAll(text(lines), "\n", " ")
}

func checkWidth(file string, lines []line, found *faults) {
	for _, l := range lines {
		// A tab is drawn as four columns by what renders Markdown on a terminal.
		n := utf8.RuneCountInString(strings.ReplaceAll(l.text, "\t", "    "))
		if l.fenced && n > width {
			found.add(file, l.number, "%d columns in a fenced block, which has room for %d", n, width)
		}
	}
}

func checkDiagram(file string, h heading, found *faults) {
	if !slices.ContainsFunc(h.lines, func(l line) bool {
		return l.opens && slices.Contains([]string{"", "text", "mermaid"}, l.info)
	}) {
		found.add(file, h.line, "section %q has no diagram: no fenced block of mermaid or of text", h.title)
	}
}

func checkPitfalls(file string, h heading, found *faults) {
	named := 0
	for _, l := range h.lines {
		if l.fenced || !strings.HasPrefix(l.text, "### ") {
			continue
		}
		named++
		if !pitfallHeading.MatchString(l.text) {
			found.add(file, l.number, "heading %q is not the name of a pitfall: ### `kebab-case`", l.text)
		}
	}
	if named == 0 {
		found.add(file, h.line, "section %q names no pitfall", h.title)
	}
}
