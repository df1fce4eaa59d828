package picture

import (
	"fmt"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"concurrency-koans/solutions/demo"
)

// A View is how a picture is drawn in characters.
type View struct {
	Width   int           // columns
	Unicode bool          // else ASCII alone
	Span    time.Duration // how much time there is room for, at least: of pictures that stand below one another
	Most    int           // lanes of one group, the others are counted; 0 is all
}

// The columns beside the time.
const (
	nameWidth   = 15
	behindWidth = 13 // "most 12 of 4"
	leastTime   = 20
)

// Lines draws the picture: the time, the lanes, the gauges, and what the signs mean.
func (p *Picture) Lines(v View) []string {
	s := newScale(max(p.last, v.Span), max(leastTime, v.Width-nameWidth-1-behindWidth))
	lines := []string{strings.Repeat(" ", nameWidth+1) + inks[inkFaint].Render(s.axis())}
	for i := 0; i < len(p.lanes); {
		group := p.group(i)
		shown := group
		if v.Most > 0 && len(group) > v.Most {
			shown = group[:v.Most]
		}
		for _, l := range shown {
			lines = append(lines, row(l.name, l.cells(v, s, p.last), ""))
		}
		if more := len(group) - len(shown); more > 0 {
			lines = append(lines, strings.Repeat(" ", nameWidth+1)+inks[inkFaint].Render(fmt.Sprintf("and %d more like these", more)))
		}
		i += len(group)
	}
	for _, g := range p.gauges {
		lines = append(lines, row(g.name, g.cells(v, s, p.last), g.summary()))
	}
	return append(lines, p.legend(v)...)
}

// group is the lanes from i on that belong together.
func (p *Picture) group(i int) []*lane {
	j := i + 1
	for p.lanes[i].group != "" && j < len(p.lanes) && p.lanes[j].group == p.lanes[i].group {
		j++
	}
	return p.lanes[i:j]
}

// row is a line of the picture.
func row(name string, cells []cell, behind string) string {
	var b strings.Builder
	name = ansi.Truncate(name, nameWidth, "")
	b.WriteString(name + strings.Repeat(" ", nameWidth+1-ansi.StringWidth(name)))
	for i := 0; i < len(cells); {
		run, begin := "", i
		for ; i < len(cells) && cells[i].ink == cells[begin].ink; i++ {
			run += cells[i].char
		}
		b.WriteString(inks[cells[begin].ink].Render(run))
	}
	if behind != "" {
		b.WriteString(" " + inks[inkFaint].Render(behind))
	}
	return strings.TrimRight(b.String(), " ")
}

// summary is what stands behind a gauge.
func (g *gauge) summary() string {
	if g.limit > 0 {
		return fmt.Sprintf("most %g of %g", g.most(), g.limit)
	}
	return fmt.Sprintf("most %g", g.most())
}

// legend explains the signs that are used, in as many lines as it takes.
func (p *Picture) legend(v View) []string {
	var words []string
	for _, s := range states {
		if p.has(s.state) {
			words = append(words, inks[s.ink].Render(s.cell(v).char)+" "+s.means)
		}
	}
	for _, m := range marks {
		if meaning := p.meaning(m.mark); meaning != "" {
			words = append(words, inks[m.ink].Render(m.cell(v).char)+" "+meaning)
		}
	}
	var lines []string
	line := ""
	for _, w := range words {
		if line != "" && ansi.StringWidth(line)+3+ansi.StringWidth(w) > v.Width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += "   "
		}
		line += w
	}
	return append(lines, line)
}

func (p *Picture) has(s demo.State) bool {
	for _, l := range p.lanes {
		for i, sp := range l.spans {
			lasts := i+1 == len(l.spans) || l.spans[i+1].from > sp.from
			if sp.state == s && lasts {
				return true
			}
		}
	}
	return false
}

// meaning is what a mark stands for in this picture, "" if it does not occur.
func (p *Picture) meaning(m demo.Mark) string {
	meaning := ""
	for _, l := range p.lanes {
		for _, k := range l.marks {
			switch {
			case k.mark != m:
			case m != demo.Moment:
				return marks[rankOf(m)].means
			case meaning != "" && meaning != k.text:
				return marks[rankOf(m)].means // it stands for several things
			default:
				meaning = k.text
			}
		}
	}
	return meaning
}
