package picture

import (
	"fmt"
	"html"
	"slices"
	"strings"
	"time"

	"concurrency-koans/solutions/demo"
)

// The measures of an SVG, in pixels.
const (
	svgWidth  = 800
	svgLeft   = 120 // of the time
	svgRight  = 90
	svgRow    = 22
	svgTop    = 34
	svgLegend = 26
	svgLetter = 6.6 // about the width of a letter
	svgLanes  = 24  // of one group, so that a picture of many can still be seen
)

// shades are how states and marks are drawn: a color, and a pattern that tells
// them apart without it.
var shades = map[demo.State]string{
	demo.Working:   "#3c9a5f",
	demo.Sending:   "url(#send)",
	demo.Receiving: "url(#receive)",
	demo.Waiting:   "url(#wait)",
}

const svgHead = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %[1]d %[2]d" width="%[1]d" height="%[2]d" role="img">
<title>%[3]s</title>
<defs>
<pattern id="send" width="6" height="6" patternUnits="userSpaceOnUse"><rect width="6" height="6" fill="#f3e3b3"/><path d="M0 0L6 6M-1 5L1 7M5 -1L7 1" stroke="#b98a12"/></pattern>
<pattern id="receive" width="6" height="6" patternUnits="userSpaceOnUse"><rect width="6" height="6" fill="#d5eaf2"/><path d="M6 0L0 6M-1 1L1 -1M5 7L7 5" stroke="#3787a5"/></pattern>
<pattern id="wait" width="6" height="6" patternUnits="userSpaceOnUse"><rect width="6" height="6" fill="#eadcf0"/><circle cx="3" cy="3" r="1.2" fill="#8a4fa3"/></pattern>
</defs>
<style>text{font:11px sans-serif;fill:#222}.w{fill:#fff;font-weight:bold}.f{fill:#666}.m{font-weight:bold;font-size:14px;fill:#c22;stroke:#fcfcfa;stroke-width:2.5px;paint-order:stroke}.b{fill:#1f5fa8}.n{fill:#222}.g{fill:#3787a5}.o{fill:#c22}</style>
<rect width="%[1]d" height="%[2]d" rx="6" fill="#fcfcfa"/>
`

// SVG draws the picture for a page. It tells as much without color.
func (p *Picture) SVG(title string) string {
	var b strings.Builder
	rows := p.svgRows()
	height := svgTop + svgRow*(len(rows)+len(p.gauges)) + svgLegend
	fmt.Fprintf(&b, svgHead, svgWidth, height, html.EscapeString(title))
	x := func(t time.Duration) float64 {
		return svgLeft + float64(svgWidth-svgLeft-svgRight)*float64(t)/float64(max(p.last, 1))
	}
	svgAxis(&b, x, p.last, height-svgLegend)
	y := svgTop
	for _, r := range rows {
		r.svg(&b, x, y, p.last)
		y += svgRow
	}
	for _, g := range p.gauges {
		g.svg(&b, x, y, p.last)
		y += svgRow
	}
	p.svgLegend(&b, y+16)
	b.WriteString("</svg>\n")
	return b.String()
}

// svgRows are the lanes that are drawn.
func (p *Picture) svgRows() (rows []*lane) {
	for i := 0; i < len(p.lanes); {
		group := p.group(i)
		rows = append(rows, group[:min(len(group), svgLanes)]...)
		i += len(group)
	}
	return rows
}

func svgAxis(b *strings.Builder, x func(time.Duration) float64, last time.Duration, bottom int) {
	const marks = 6 // at most, or a few more
	step := scale{columns: marks, per: max(last/marks, 1)}.tick(1)
	for t := time.Duration(0); t <= last; t += step {
		fmt.Fprintf(b, `<path d="M%.1f %dV%d" stroke="#ddd"/><text class="f" x="%.1f" y="20" text-anchor="middle">%s</text>`+"\n", x(t), svgTop-6, bottom-4, x(t), t)
	}
}

func (l *lane) svg(b *strings.Builder, x func(time.Duration) float64, y int, last time.Duration) {
	fmt.Fprintf(b, `<text x="8" y="%d">%s</text>`+"\n", y+13, html.EscapeString(l.name))
	for i, s := range l.spans {
		to := last
		if i+1 < len(l.spans) {
			to = l.spans[i+1].from
		}
		from, width := x(s.from), x(to)-x(s.from)
		fill := shades[s.state]
		switch {
		case width <= 0:
			continue
		case s.state == demo.Resting:
			fmt.Fprintf(b, `<path d="M%.1f %dH%.1f" stroke="#bbb"/>`+"\n", from, y+9, from+width)
			continue
		case fill == "":
			continue
		}
		fmt.Fprintf(b, `<rect x="%.1f" y="%d" width="%.1f" height="16"%s fill="%s"/>`, from, y+1, width, edge(s.state), fill)
		if s.state == demo.Working && float64(len([]rune(s.text)))*svgLetter+2 <= width {
			fmt.Fprintf(b, `<text class="w" x="%.1f" y="%d" text-anchor="middle">%s</text>`, from+width/2, y+13, html.EscapeString(s.text))
		}
		b.WriteString("\n")
	}
	// What hides another mark is drawn last.
	for rank := range slices.Backward(marks) {
		for _, m := range l.marks {
			if rankOf(m.mark) == rank {
				fmt.Fprintf(b, `<text class="%s" x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n", markClass(m.mark), x(m.at), y+14, marks[rank].fine)
			}
		}
	}
}

// markClass is the class of a mark's sign.
func markClass(m demo.Mark) string {
	switch m {
	case demo.Restart:
		return "m b"
	case demo.Moment:
		return "m n"
	}
	return "m"
}

// edge keeps two pieces of work, one behind the other, apart.
func edge(s demo.State) string {
	if s == demo.Working {
		return ` stroke="#fcfcfa" stroke-width=".7"`
	}
	return ""
}

func (g *gauge) svg(b *strings.Builder, x func(time.Duration) float64, y int, last time.Duration) {
	fmt.Fprintf(b, `<text x="8" y="%d">%s</text>`+"\n", y+13, html.EscapeString(g.name))
	top := max(g.most(), g.limit, 1)
	for i, s := range g.steps {
		to := last
		if i+1 < len(g.steps) {
			to = g.steps[i+1].from
		}
		if s.value <= 0 || to <= s.from {
			continue
		}
		class := "g"
		if g.limit > 0 && s.value > g.limit {
			class = "o"
		}
		high := 16 * s.value / top
		fmt.Fprintf(b, `<rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`+"\n", class, x(s.from), float64(y)+17-high, x(to)-x(s.from), high)
	}
	fmt.Fprintf(b, `<text class="f" x="%d" y="%d">%s</text>`+"\n", svgWidth-svgRight+8, y+13, g.summary())
}

func (p *Picture) svgLegend(b *strings.Builder, y int) {
	at := 8.0
	for _, s := range states {
		if !p.has(s.state) {
			continue
		}
		if s.state == demo.Resting {
			fmt.Fprintf(b, `<path d="M%.1f %dH%.1f" stroke="#bbb"/>`, at, y-4, at+14)
		} else {
			fmt.Fprintf(b, `<rect x="%.1f" y="%d" width="14" height="10" fill="%s"/>`, at, y-9, shades[s.state])
		}
		fmt.Fprintf(b, `<text class="f" x="%.1f" y="%d">%s</text>`+"\n", at+18, y, s.means)
		at += 18 + svgLetter*float64(len(s.means)) + 16
	}
	for _, m := range marks {
		if meaning := p.meaning(m.mark); meaning != "" {
			fmt.Fprintf(b, `<text class="%s" x="%.1f" y="%d">%s</text><text class="f" x="%.1f" y="%d">%s</text>`+"\n", markClass(m.mark), at, y, m.fine, at+14, y, html.EscapeString(meaning))
			at += 14 + svgLetter*float64(len(meaning)) + 16
		}
	}
}
