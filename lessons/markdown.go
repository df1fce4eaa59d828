package lessons

import (
	"strings"
)

// A line is one line of a Markdown file.
type line struct {
	number int
	text   string
	fenced bool   // within a fenced block, or its first or last line
	opens  bool   // first line of a fenced block
	info   string // what that line says about the block: "go"
}

// A heading is a second-level heading with the lines below it.
type heading struct {
	title string
	line  int
	lines []line
}

// body returns the text under the heading.
func (h heading) body() string { return text(h.lines) }

// text joins lines, without the empty ones around them.
func text(lines []line) string {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(l.text)
		b.WriteByte('\n')
	}
	return strings.Trim(b.String(), "\n")
}

// readMarkdown cuts src at its second-level headings. A number sign within a
// fenced block is no heading, and neither is anything else there.
func readMarkdown(file string, src []byte, found *faults) (preamble []line, headings []heading) {
	opened := 0 // line at which the current block began
	number := 0
	for raw := range strings.Lines(string(src)) {
		number++
		l := line{number: number, text: strings.TrimRight(raw, " \t\r\n"), fenced: opened > 0}
		if info, ok := strings.CutPrefix(strings.TrimLeft(l.text, " "), "```"); ok {
			l.fenced = true
			if opened == 0 {
				l.opens, l.info, opened = true, strings.TrimSpace(info), number
			} else {
				opened = 0
			}
		}
		title, ok := strings.CutPrefix(l.text, "## ")
		switch {
		case ok && !l.fenced:
			headings = append(headings, heading{title: strings.TrimSpace(title), line: number})
		case len(headings) > 0:
			h := &headings[len(headings)-1]
			h.lines = append(h.lines, l)
		default:
			preamble = append(preamble, l)
		}
	}
	if opened > 0 {
		found.add(file, opened, "this fenced block is never closed")
	}
	return preamble, headings
}

// checkHeadings finds fault unless the headings are exactly the wanted ones, in
// their order.
func checkHeadings(file string, headings []heading, want []string, found *faults) {
	rank := map[string]int{}
	for i, title := range want {
		rank[title] = i
	}
	seen := map[string]bool{}
	last := -1
	for _, h := range headings {
		i, ok := rank[h.title]
		switch {
		case !ok:
			found.add(file, h.line, "section %q does not belong here", h.title)
			continue
		case seen[h.title]:
			found.add(file, h.line, "section %q stands here again", h.title)
			continue
		case i < last:
			found.add(file, h.line, "section %q stands after %q", h.title, want[last])
		}
		if h.body() == "" {
			found.add(file, h.line, "section %q is empty", h.title)
		}
		seen[h.title] = true
		last = max(last, i)
	}
	for _, title := range want {
		if !seen[title] {
			found.add(file, 0, "no section %q", title)
		}
	}
}
