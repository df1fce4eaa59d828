package main

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchmath"

	"concurrency-koans/solutions"
)

// referenceName is the last part of a benchmark's name where the lesson's own package
// does the work: so other answers can be measured in its place.
const referenceName = "reference"

// figures are what was measured, benchmark by benchmark. The name of each measurement
// says what it is of: the benchmark, parameters, and who does the work:
// "HandOver/workers=4/reference".
type figures struct {
	tables []*table
}

// A table is what was measured for one benchmark.
type table struct {
	solutions.Benchmark
	groups []*group     // by the parameters, in the order of measuring
	depth  map[int]bool // numbers of parts that names have below the benchmark, where the reference does the work
}

// A group is what was measured for the same parameters.
type group struct {
	params string // "workers=4", "" without
	rows   []*figure
}

// A figure is what was measured of one contender: values by unit, one for each run.
type figure struct {
	who    string
	units  []string
	values map[string][]float64
}

func newFigures(asked []solutions.Benchmark) *figures {
	f := &figures{}
	for _, b := range asked {
		f.tables = append(f.tables, &table{Benchmark: b, depth: map[int]bool{}})
	}
	return f
}

// pattern selects all the benchmarks that were asked for.
func (f *figures) pattern() string { return "^(" + strings.Join(f.names(f.tables), "|") + ")$" }

func (f *figures) names(tables []*table) []string {
	return names(tables, func(t *table) string { return regexp.QuoteMeta("Benchmark" + t.Name) })
}

// referencePatterns select what was measured of the reference, and can be measured
// of other answers. A pattern is matched part by part, so there is one for each length
// of name.
func (f *figures) referencePatterns() (patterns []string) {
	for depth := 1; depth <= 8; depth++ {
		var with []*table
		for _, t := range f.tables {
			if t.depth[depth] {
				with = append(with, t)
			}
		}
		if len(with) > 0 {
			patterns = append(patterns, "^("+strings.Join(f.names(with), "|")+")$"+strings.Repeat("/.*", depth-1)+"/^"+referenceName+"$")
		}
	}
	return patterns
}

// add files a measurement. What others do than the answer is measured only beside
// the reference.
func (f *figures) add(who string, r *benchfmt.Result) {
	base, parts := r.Name.Parts()
	var below []string
	for _, p := range parts {
		if text := string(p); strings.HasPrefix(text, "/") { // else it is the number of processors
			below = append(below, text[1:])
		}
	}
	i := slices.IndexFunc(f.tables, func(t *table) bool { return t.Name == string(base) })
	if i < 0 || len(below) == 0 {
		return
	}
	t, last := f.tables[i], len(below)-1
	contender := below[last]
	if contender == referenceName {
		t.depth[len(below)] = true
		contender = who
	}
	t.group(strings.Join(below[:last], "  ")).figure(contender).add(r)
}

func (t *table) group(params string) *group {
	for _, g := range t.groups {
		if g.params == params {
			return g
		}
	}
	g := &group{params: params}
	t.groups = append(t.groups, g)
	return g
}

func (g *group) figure(who string) *figure {
	for _, r := range g.rows {
		if r.who == who {
			return r
		}
	}
	r := &figure{who: who, values: map[string][]float64{}}
	g.rows = append(g.rows, r)
	return r
}

func (r *figure) add(result *benchfmt.Result) {
	for _, v := range result.Values {
		unit, value := v.Unit, v.Value
		if v.OrigUnit != "" {
			unit, value = v.OrigUnit, v.OrigValue
		}
		if _, known := r.values[unit]; !known {
			r.units = append(r.units, unit)
		}
		r.values[unit] = append(r.values[unit], value)
	}
}

// median is the middle of what was measured in a unit.
func (r *figure) median(unit string) (float64, bool) {
	values := r.values[unit]
	if len(values) == 0 {
		return 0, false
	}
	return benchmath.AssumeNothing.Summary(benchmath.NewSample(slices.Clone(values), &benchmath.DefaultThresholds), 0.95).Center, true
}

// The units that go test measures by itself.
const (
	unitTime   = "ns/op"
	unitAllocs = "allocs/op"
	unitBytes  = "B/op"
)

// main is the unit that a group is compared by: time, unless the benchmark measures
// something else in its place.
func (g *group) main() string {
	for _, r := range g.rows {
		for _, unit := range append([]string{unitTime}, r.units...) {
			if value, ok := r.median(unit); ok && value > 0 && unit != unitAllocs && unit != unitBytes {
				return unit
			}
		}
	}
	return unitTime
}

// sorted are the rows, the best first.
func (g *group) sorted() []*figure {
	unit := g.main()
	rows := slices.Clone(g.rows)
	slices.SortStableFunc(rows, func(a, b *figure) int {
		x, _ := a.median(unit)
		y, _ := b.median(unit)
		return cmp.Compare(x, y)
	})
	return rows
}
