package mapreduce_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sync/errgroup"

	mapreduce "concurrency-koans/solutions/09-map-reduce"
)

// line is a line of a file: 64 files of 500 lines are the inputs of all benchmarks.
type line struct{ key, value int }

const lines = 64 * 500

type emit = mapreduce.Emit[int, int]

// workers is how many mappers and reducers there are. It does not depend on the
// machine: with -cpu 1,2, one sees what their work costs, and what a second core is
// worth.
const workers = 2

// What does it cost to bring the values together, if a line takes more and more
// work to read? The work is counted in multiplications.
func BenchmarkRead(b *testing.B) {
	for _, work := range []int{0, 100, 1_000} {
		q := question{data(1_000, 0), work, sum, false}
		for _, w := range ways {
			b.Run(fmt.Sprintf("work=%d/%s", work, w.name), func(b *testing.B) { run(b, q, w) })
		}
		b.Run(fmt.Sprintf("work=%d/unbounded", work), func(b *testing.B) {
			run(b, q, way{"unbounded", goroutinePerPair})
		})
	}
}

// Does it matter how many keys there are, and whether the values of each are
// combined at once? Without a Combine, all values are kept until they are reduced.
func BenchmarkKeys(b *testing.B) {
	for _, keys := range []int{10, 1_000, 30_000} {
		for _, combine := range []bool{false, true} {
			q := question{data(keys, 0), 100, sum, combine}
			for _, w := range ways {
				b.Run(fmt.Sprintf("keys=%d/combine=%v/%s", keys, combine, w.name), func(b *testing.B) { run(b, q, w) })
			}
		}
	}
}

// What if one key has most of the values, and Reduce sorts them? Percent is its
// share of all.
func BenchmarkSkew(b *testing.B) {
	for _, percent := range []int{0, 50, 90} {
		q := question{data(1_000, percent), 0, median, false}
		for _, w := range ways {
			b.Run(fmt.Sprintf("percent=%d/%s", percent, w.name), func(b *testing.B) { run(b, q, w) })
		}
	}
}

// question is what is asked of the lines.
type question struct {
	files   [][]line
	work    int // to read a line
	reduce  func(values []int) int
	combine bool // add up the values of a key at once
}

// way is a way to answer it.
type way struct {
	name   string
	answer func(context.Context, question) (map[int]int, error)
}

var ways = []way{
	{"loop", loop},
	{"reference", reference},
	{"errgroup", localGroups},
	{"mutex", lockedGroups},
}

// run asks again and again, and reports the time for one line.
func run(b *testing.B, q question, w way) {
	b.ReportAllocs()
	for b.Loop() {
		if results, err := w.answer(b.Context(), q); err != nil || len(results) == 0 {
			b.Fatal(results, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/lines, "ns/pair")
}

// data makes 64 files of 500 lines, with so many keys, the first of which has so
// many percent of the lines on top of its share.
func data(keys, percent int) [][]line {
	files := make([][]line, 64)
	n := uint32(1)
	for f := range files {
		files[f] = make([]line, lines/64)
		for i := range files[f] {
			n = n*1664525 + 1013904223 // any numbers will do
			files[f][i] = line{int(n>>8) % keys, int(n >> 16)}
			if int(n>>4)%100 < percent {
				files[f][i].key = 0
			}
		}
	}
	return files
}

// read is what Map does with a file.
func read(file []line, work int, emit emit) {
	for _, l := range file {
		runtime.KeepAlive(spin(l.value, work))
		emit(l.key, l.value)
	}
}

func spin(v, turns int) int {
	for range turns {
		v = v*1664525 + 1013904223
	}
	return v
}

func sum(values []int) (sum int) {
	for _, v := range values {
		sum += v
	}
	return sum
}

func median(values []int) int {
	slices.Sort(values)
	return values[len(values)/2]
}

// reference asks as a Job.
func reference(ctx context.Context, q question) (map[int]int, error) {
	job := mapreduce.Job[[]line, int, int, int]{
		Map: func(_ context.Context, file []line, emit emit) error {
			read(file, q.work, emit)
			return nil
		},
		Reduce:  func(_ context.Context, _ int, values []int) (int, error) { return q.reduce(values), nil },
		Mappers: workers, Reducers: workers,
	}
	if q.combine {
		job.Combine = func(_ int, values []int) int { return sum(values) }
	}
	return job.Run(ctx, q.files)
}

// groups are the values of each key, or their sum, brought together as one would
// for this one question.
type groups struct {
	values map[int][]int
	sums   map[int]int // nil if all values are kept
}

func (q question) groups() *groups {
	if q.combine {
		return &groups{sums: map[int]int{}}
	}
	return &groups{values: map[int][]int{}}
}

func (g *groups) add(key, value int) {
	if g.sums != nil {
		g.sums[key] += value
	} else {
		g.values[key] = append(g.values[key], value)
	}
}

func (g *groups) merge(other *groups) {
	for key, sum := range other.sums {
		g.sums[key] += sum
	}
	for key, values := range other.values {
		g.values[key] = append(g.values[key], values...)
	}
}

func (g *groups) reduced(reduce func([]int) int) map[int]int {
	if g.sums != nil {
		return g.sums
	}
	results := make(map[int]int, len(g.values))
	for key, values := range g.values {
		results[key] = reduce(values)
	}
	return results
}

// loop is the job without any goroutine.
func loop(_ context.Context, q question) (map[int]int, error) {
	all := q.groups()
	for _, file := range q.files {
		read(file, q.work, all.add)
	}
	return all.reduced(q.reduce), nil
}

// localGroups is what one would write by hand: a map for each worker, and all of
// them put together in the end, by one goroutine.
func localGroups(ctx context.Context, q question) (map[int]int, error) {
	g, ctx := errgroup.WithContext(ctx)
	locals := make([]*groups, workers)
	var next atomic.Int64
	for w := range locals {
		locals[w] = q.groups()
		g.Go(func() error {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(q.files) {
					break
				}
				read(q.files[i], q.work, locals[w].add)
			}
			return ctx.Err()
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	all := locals[0]
	for _, local := range locals[1:] {
		all.merge(local)
	}
	return all.reduced(q.reduce), nil
}

// lockedGroups has all mappers write to the same map.
func lockedGroups(ctx context.Context, q question) (map[int]int, error) {
	g, _ := errgroup.WithContext(ctx)
	g.SetLimit(workers)
	var mu sync.Mutex
	all := q.groups()
	for _, file := range q.files {
		g.Go(func() error {
			read(file, q.work, func(key, value int) {
				mu.Lock()
				all.add(key, value)
				mu.Unlock()
			})
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return all.reduced(q.reduce), nil
}

// goroutinePerPair has a goroutine put each pair into the map, and waits for it.
func goroutinePerPair(ctx context.Context, q question) (map[int]int, error) {
	g, _ := errgroup.WithContext(ctx)
	g.SetLimit(workers)
	var mu sync.Mutex
	var pairs sync.WaitGroup
	all := q.groups()
	for _, file := range q.files {
		g.Go(func() error {
			read(file, q.work, func(key, value int) {
				pairs.Go(func() {
					mu.Lock()
					all.add(key, value)
					mu.Unlock()
				})
			})
			return nil
		})
	}
	err := g.Wait()
	pairs.Wait()
	return all.reduced(q.reduce), err
}
