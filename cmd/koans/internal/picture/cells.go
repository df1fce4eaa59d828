package picture

import (
	"fmt"
	"time"

	"concurrency-koans/solutions/demo"
)

// A cell is one character of a row.
type cell struct {
	char string
	ink  ink
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
