package picture

import (
	"fmt"
	"strings"
	"time"

	"charm.land/lipgloss/v2"
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

// An ink is how a character is drawn, where there is color.
type ink int

const (
	inkNone ink = iota
	inkWork
	inkWord // of what is worked on
	inkSend
	inkReceive
	inkWait
	inkFaint
	inkBad
	inkAgain
	inkMoment
)

var inks = [...]lipgloss.Style{
	inkNone:    lipgloss.NewStyle(),
	inkWork:    lipgloss.NewStyle().Foreground(lipgloss.Green),
	inkWord:    lipgloss.NewStyle().Foreground(lipgloss.Black).Background(lipgloss.Green),
	inkSend:    lipgloss.NewStyle().Foreground(lipgloss.Yellow),
	inkReceive: lipgloss.NewStyle().Foreground(lipgloss.Cyan),
	inkWait:    lipgloss.NewStyle().Foreground(lipgloss.Magenta),
	inkFaint:   lipgloss.NewStyle().Faint(true),
	inkBad:     lipgloss.NewStyle().Foreground(lipgloss.Red).Bold(true),
	inkAgain:   lipgloss.NewStyle().Foreground(lipgloss.Blue).Bold(true),
	inkMoment:  lipgloss.NewStyle().Bold(true),
}

// A sign is a character with its ink, and what it means.
type sign struct {
	fine, plain string
	ink         ink
	means       string
}

func (s sign) cell(v View) cell {
	if v.Unicode {
		return cell{s.fine, s.ink}
	}
	return cell{s.plain, s.ink}
}

// states are what lanes can be doing. Of two that share a column, the one that
// lasted longer is drawn, and at a tie the one that stands first here.
var states = []struct {
	state demo.State
	sign
}{
	{demo.Working, sign{"█", "#", inkWork, "works"}},
	{demo.Sending, sign{"→", ">", inkSend, "waits to send"}},
	{demo.Receiving, sign{"←", "<", inkReceive, "waits to receive"}},
	{demo.Waiting, sign{"~", "~", inkWait, "waits"}},
	{demo.Resting, sign{"·", ".", inkFaint, "rests"}},
}

// marks are what happens at a moment; each hides those behind it.
var marks = []struct {
	mark demo.Mark
	sign
}{
	{demo.Failure, sign{"!", "!", inkBad, "fails"}},
	{demo.Drop, sign{"×", "x", inkBad, "drops"}},
	{demo.Restart, sign{"↻", "@", inkAgain, "starts again"}},
	{demo.Moment, sign{"●", "o", inkMoment, "happens"}},
}

// A cell is one character of a row.
type cell struct {
	char string
	ink  ink
}

// A scale divides time among columns.
type scale struct {
	columns int
	per     time.Duration
}

// newScale takes the shortest round step that fits, so that a picture that grows
// is drawn anew only now and then.
func newScale(span time.Duration, columns int) scale {
	for unit := 10 * time.Microsecond; ; unit *= 10 {
		for _, tenths := range []time.Duration{10, 12, 15, 20, 25, 30, 40, 50, 60, 80} {
			if per := unit * tenths / 10; per*time.Duration(columns) >= span {
				return scale{columns, per}
			}
		}
	}
}

func (s scale) column(t time.Duration) int { return min(int(t/s.per), s.columns-1) }

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

// axis writes times above their columns.
func (s scale) axis() string {
	const apart = 12 // columns between two times
	step := s.tick(apart)
	line := ""
	for t := time.Duration(0); ; t += step {
		words := t.String()
		at := int(t / s.per)
		if at+len(words) > s.columns {
			return line
		}
		line += strings.Repeat(" ", at-len(line)) + words
	}
}

// tick is a round time that takes so many columns or more.
func (s scale) tick(columns int) time.Duration {
	for unit := 10 * time.Microsecond; ; unit *= 10 {
		for _, factor := range []time.Duration{1, 2, 5} {
			if unit*factor >= s.per*time.Duration(columns) {
				return unit * factor
			}
		}
	}
}

// cells draws a lane.
func (l *lane) cells(v View, s scale, until time.Duration) []cell {
	cells := make([]cell, s.columns)
	main := l.mainSpans(s, until)
	for i := 0; i < len(cells); {
		span := main[i]
		j := i + 1
		for j < len(cells) && main[j] == span {
			j++
		}
		l.fill(cells[i:j], span, v)
		i = j
	}
	for _, m := range l.marks {
		column := s.column(m.at)
		here, there := rankOf(m.mark), len(marks)
		for _, other := range l.marks {
			if s.column(other.at) == column {
				there = min(there, rankOf(other.mark))
			}
		}
		if here == there {
			cells[column] = marks[here].cell(v)
		}
	}
	return cells
}

func rankOf(m demo.Mark) int {
	for i := range marks {
		if marks[i].mark == m {
			return i
		}
	}
	return len(marks) - 1
}

// mainSpans is, for each column, the index of the span that takes most of it; -1
// where there is none.
func (l *lane) mainSpans(s scale, until time.Duration) []int {
	main := make([]int, s.columns)
	most := make([]time.Duration, s.columns)
	for i := range main {
		main[i] = -1
	}
	for i, sp := range l.spans {
		to := until
		if i+1 < len(l.spans) {
			to = l.spans[i+1].from
		}
		for c := s.column(sp.from); c < s.columns && time.Duration(c)*s.per < to; c++ {
			share := min(to, time.Duration(c+1)*s.per) - max(sp.from, time.Duration(c)*s.per)
			if share > most[c] {
				main[c], most[c] = i, share
			}
		}
	}
	return main
}

// fill draws one span.
func (l *lane) fill(cells []cell, index int, v View) {
	if index < 0 {
		blank(cells)
		return
	}
	sp := l.spans[index]
	for _, s := range states {
		if s.state != sp.state {
			continue
		}
		for i := range cells {
			cells[i] = s.cell(v)
		}
		if word := []rune(sp.text); s.state == demo.Working && (len(word) < len(cells) || len(word) == 1) {
			for i, r := range word {
				cells[i] = cell{string(r), inkWord}
			}
		}
		return
	}
	blank(cells)
}

func blank(cells []cell) {
	for i := range cells {
		cells[i] = cell{" ", inkNone}
	}
}

// cells draws a gauge: in each column the highest that it stood at.
func (g *gauge) cells(v View, s scale, until time.Duration) []cell {
	high := make([]float64, s.columns)
	known := make([]bool, s.columns)
	for i, st := range g.steps {
		to := until
		if i+1 < len(g.steps) {
			to = g.steps[i+1].from
		}
		for c := s.column(st.from); c < s.columns && (time.Duration(c)*s.per < to || c == s.column(st.from)); c++ {
			high[c], known[c] = max(high[c], st.value), true
		}
	}
	top := max(g.most(), g.limit, 1)
	cells := make([]cell, s.columns)
	for c := range cells {
		switch {
		case !known[c]:
			cells[c] = cell{" ", inkNone}
		case high[c] == 0:
			cells[c] = cell{".", inkFaint}
		default:
			cells[c] = cell{level(high[c], top, v), inkReceive}
		}
		if g.limit > 0 && high[c] > g.limit {
			cells[c].ink = inkBad
		}
	}
	return cells
}

// level is how high a value stands, in one character.
func level(value, top float64, v View) string {
	if v.Unicode {
		fine := []rune("▁▂▃▄▅▆▇█")
		return string(fine[min(len(fine)-1, int(value/top*float64(len(fine))))])
	}
	if top <= 9 {
		return fmt.Sprint(int(value))
	}
	return fmt.Sprint(min(9, max(1, int(value/top*9))))
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
