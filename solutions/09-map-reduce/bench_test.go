package mapreduce_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"

	"golang.org/x/sync/errgroup"

	mapreduce "concurrency-koans/solutions/09-map-reduce"
)

// line is a line of a file: 64 files of 500 lines are the inputs of all benchmarks.
type line struct{ key, value int }

type emit = mapreduce.Emit[int, int]

// workers is how many mappers and reducers there are. It does not depend on the
// machine: with -cpu 1,2, one sees what their work costs, and what a second core is
// worth.
const workers = 2

// What does it cost to bring the values together? Lines that take more and more to
// read, and one number emitted for each.
func BenchmarkRead(b *testing.B) {
	for _, turns := range []int{0, 100, 1_000} {
		b.Run(fmt.Sprintf("turns=%d", turns), func(b *testing.B) {
			each(b, data(1_000, 0), turns)
		})
	}
}

// Does it matter how many keys there are?
func BenchmarkKeys(b *testing.B) {
	for _, keys := range []int{10, 1_000, 30_000} {
		b.Run(fmt.Sprintf("keys=%d", keys), func(b *testing.B) {
			each(b, data(keys, 0), 100)
		})
	}
}

// What is a combiner worth, in time and in memory?
func BenchmarkCombine(b *testing.B) {
	for _, keys := range []int{10, 1_000, 30_000} {
		files := data(keys, 0)
		for _, combine := range []bool{false, true} {
			b.Run(fmt.Sprintf("keys=%d,combine=%v", keys, combine), func(b *testing.B) {
				job := reference(100, total)
				if combine {
					job.Combine = func(_ int, values []int) int { return sum(values) }
				}
				run(b, func() { answer(b)(job.Run(b.Context(), files)) })
			})
		}
	}
}

// What if one key has most of the values? Reduce sorts them.
func BenchmarkSkew(b *testing.B) {
	for _, percent := range []int{0, 50, 90} {
		files := data(1_000, percent)
		b.Run(fmt.Sprintf("percent=%d", percent), func(b *testing.B) {
			b.Run("loop", func(b *testing.B) { run(b, func() { loop(files, 0, median) }) })
			b.Run("Run", func(b *testing.B) {
				job := reference(0, median)
				run(b, func() { answer(b)(job.Run(b.Context(), files)) })
			})
		})
	}
}

// each does the same job in every way there is.
func each(b *testing.B, files [][]line, turns int) {
	b.Run("loop", func(b *testing.B) { run(b, func() { loop(files, turns, total) }) })
	b.Run("Run", func(b *testing.B) {
		job := reference(turns, total)
		run(b, func() { answer(b)(job.Run(b.Context(), files)) })
	})
	b.Run("errgroup", func(b *testing.B) {
		run(b, func() { answer(b)(localMaps(b.Context(), files, turns)) })
	})
	b.Run("one-locked-map", func(b *testing.B) {
		run(b, func() { answer(b)(lockedMap(b.Context(), files, turns)) })
	})
	b.Run("goroutine-per-pair", func(b *testing.B) {
		run(b, func() { answer(b)(goroutinePerPair(b.Context(), files, turns)) })
	})
}

// run repeats a job, and reports the time for one pair.
func run(b *testing.B, job func()) {
	b.ReportAllocs()
	for b.Loop() {
		job()
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/32_000, "ns/pair")
}

func answer(b *testing.B) func(map[int]int, error) {
	return func(results map[int]int, err error) {
		if err != nil || len(results) == 0 {
			b.Fatal(results, err)
		}
	}
}

// data makes 64 files of 500 lines, with so many keys, the first of which has so
// many percent of the lines on top of its share.
func data(keys, percent int) [][]line {
	files := make([][]line, 64)
	n := uint32(1)
	for f := range files {
		files[f] = make([]line, 500)
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
func read(file []line, turns int, emit emit) {
	for _, l := range file {
		runtime.KeepAlive(spin(l.value, turns))
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

func total(_ context.Context, _ int, values []int) (int, error) { return sum(values), nil }

func median(_ context.Context, _ int, values []int) (int, error) {
	slices.Sort(values)
	return values[len(values)/2], nil
}

type reduce = func(context.Context, int, []int) (int, error)

// reference is the job, with so many mappers and reducers.
func reference(turns int, reduce reduce) mapreduce.Job[[]line, int, int, int] {
	return mapreduce.Job[[]line, int, int, int]{
		Map: func(_ context.Context, file []line, emit emit) error {
			read(file, turns, emit)
			return nil
		},
		Reduce:  reduce,
		Mappers: workers, Reducers: workers,
	}
}

// loop is the job without any goroutine.
func loop(files [][]line, turns int, reduce reduce) map[int]int {
	groups := map[int][]int{}
	for _, file := range files {
		read(file, turns, func(key, value int) { groups[key] = append(groups[key], value) })
	}
	results := map[int]int{}
	for key, values := range groups {
		results[key], _ = reduce(context.Background(), key, values)
	}
	return results
}

// localMaps is what one would write by hand for a sum: a map of sums for each file,
// and all of them added up.
func localMaps(ctx context.Context, files [][]line, turns int) (map[int]int, error) {
	locals := make([]map[int]int, len(files))
	g, _ := errgroup.WithContext(ctx)
	g.SetLimit(workers)
	for i, file := range files {
		g.Go(func() error {
			local := map[int]int{}
			read(file, turns, func(key, value int) { local[key] += value })
			locals[i] = local
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	results := map[int]int{}
	for _, local := range locals {
		for key, sum := range local {
			results[key] += sum
		}
	}
	return results, nil
}

// lockedMap has all mappers write to the same map.
func lockedMap(ctx context.Context, files [][]line, turns int) (map[int]int, error) {
	var mu sync.Mutex
	groups := map[int][]int{}
	g, _ := errgroup.WithContext(ctx)
	g.SetLimit(workers)
	for _, file := range files {
		g.Go(func() error {
			read(file, turns, func(key, value int) {
				mu.Lock()
				groups[key] = append(groups[key], value)
				mu.Unlock()
			})
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return sums(groups), nil
}

// goroutinePerPair has a goroutine put each pair into the map, and waits for it.
func goroutinePerPair(ctx context.Context, files [][]line, turns int) (map[int]int, error) {
	var mu sync.Mutex
	var pairs sync.WaitGroup
	groups := map[int][]int{}
	g, _ := errgroup.WithContext(ctx)
	g.SetLimit(workers)
	for _, file := range files {
		g.Go(func() error {
			read(file, turns, func(key, value int) {
				pairs.Go(func() {
					mu.Lock()
					groups[key] = append(groups[key], value)
					mu.Unlock()
				})
			})
			return nil
		})
	}
	err := g.Wait()
	pairs.Wait()
	return sums(groups), err
}

func sums(groups map[int][]int) map[int]int {
	results := make(map[int]int, len(groups))
	for key, values := range groups {
		results[key] = sum(values)
	}
	return results
}
