package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"concurrency-koans/lessons"
	"concurrency-koans/solutions"
)

// sayFigures writes the tables.
func (a *app) sayFigures(l lessons.Lesson, s solutions.Solution, f *figures, m measuring) {
	a.out.text(0, styleTitle.Render(fmt.Sprintf("What lesson %d costs here, the reference being 1", l.Number)))
	for _, t := range f.tables {
		if len(t.groups) == 0 {
			continue
		}
		a.out.line("")
		a.out.text(0, styleTitle.Render(t.Title))
		for _, g := range t.groups {
			heading := g.params
			if unit := g.main(); unit != unitTime {
				heading = strings.TrimSpace(heading + "  " + unit)
			}
			if heading != "" {
				a.out.line("  %s", heading)
			}
			a.sayGroup(g)
		}
	}
	rows := []pair{
		{"each figure", fmt.Sprintf("the median of %s of %s; more exact: %s", plural(m.count, "run"), m.time, a.command("bench", l.Number, "--count", 10, "--time", "100ms"))},
		{"other designs", and(names(s.Alternatives, func(alt solutions.Alternative) string { return alt.Name })) + " are right answers too: " + a.command("solution", l.Number)},
	}
	if a.book.isUntouched(l) {
		rows = append(rows, pair{"yours", "is measured with the others once you have written it"})
	}
	a.out.line("")
	a.out.pairs(0, rows...)
}

// The columns of a row, beside the bar.
const (
	whoWidth      = 24
	quantityWidth = 9
	allocsWidth   = 12
	ratioWidth    = 7
	leastBar      = 8
)

// mostBar is how many times as long as the reference's a bar may be: one that is out of
// all proportion is cut, or it would leave no room for the others.
const mostBar = 5

// sayGroup writes a row for each contender, with a bar.
func (a *app) sayGroup(g *group) {
	unit := g.main()
	reference, longest, others := 0.0, 0.0, 0
	for _, r := range g.rows {
		value, _ := r.median(unit)
		longest = max(longest, value)
		others = max(others, ansi.StringWidth(r.others(unit)))
		if r.who == referenceName {
			reference = value
		}
	}
	if reference > 0 {
		longest = min(longest, mostBar*reference)
	}
	if others > 0 {
		others += 2
	}
	bar := max(leastBar, a.out.width-4-whoWidth-quantityWidth-allocsWidth-ratioWidth-2-others)
	for _, r := range g.sorted() {
		v, _ := r.median(unit)
		times := ""
		if reference > 0 {
			times = significant(v / reference)
		}
		allocations := ""
		if unit == unitTime {
			allocations = r.allocations()
		}
		length := barLength(v, longest, bar)
		end := " "
		if v > longest {
			end = a.out.marks.more
		}
		line := fmt.Sprintf("    %-*s%*s%*s%*s ", whoWidth, ansi.Truncate(r.who, whoWidth-1, ""), quantityWidth, quantity(v, unit), allocsWidth, allocations, ratioWidth, times) +
			strings.Repeat(a.out.marks.full, length) + end + strings.Repeat(" ", bar-length)
		if words := r.others(unit); words != "" {
			line += "  " + words
		}
		line = strings.TrimRight(line, " ")
		switch r.who {
		case referenceName:
			line = styleTitle.Render(line)
		case yours:
			line = styleGood.Render(line)
		}
		a.out.line("%s", line)
	}
}

// barLength is how long the bar of a value is; one is always to be seen.
func barLength(value, longest float64, width int) int {
	if longest <= 0 || value <= 0 {
		return 0
	}
	return min(width, max(1, int(value/longest*float64(width)+0.5)))
}

// allocations are those of one operation.
func (r *figure) allocations() string {
	n, ok := r.median(unitAllocs)
	if !ok {
		return ""
	}
	if n == 1 {
		return "1 alloc"
	}
	return fmt.Sprintf("%.0f allocs", n)
}

// others are what was measured beside.
func (r *figure) others(main string) string {
	var words []string
	for _, unit := range r.units {
		switch unit {
		case main, unitTime, unitAllocs, unitBytes:
			continue
		}
		v, _ := r.median(unit)
		words = append(words, significant(v)+" "+unit)
	}
	return strings.Join(words, ", ")
}

// quantity is a value: a time with its unit, as people write it; of anything else the
// number alone.
func quantity(v float64, unit string) string {
	if unit != unitTime {
		return significant(v)
	}
	for _, u := range []struct {
		of   time.Duration
		name string
	}{{time.Second, "s"}, {time.Millisecond, "ms"}, {time.Microsecond, "µs"}} {
		if v >= float64(u.of) {
			return significant(v/float64(u.of)) + " " + u.name
		}
	}
	return significant(v) + " ns"
}

// significant is a number with two digits that count, or all before the point.
func significant(v float64) string {
	switch {
	case v >= 9.95:
		return fmt.Sprintf("%.0f", v)
	case v >= 0.995:
		return fmt.Sprintf("%.1f", v)
	case v >= 0.0995:
		return fmt.Sprintf("%.2f", v)
	case v == 0:
		return "0"
	}
	return fmt.Sprintf("%.2g", v)
}
