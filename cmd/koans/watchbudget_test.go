//go:build unix

package main

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"concurrency-koans/lessons"
)

// BenchmarkWatch holds the time from a save to its verdict on the screen against
// what koans check takes for the same edit, in a workbook of its own:
//
//	go test ./cmd/koans -run='^$' -bench=BenchmarkWatch -benchtime=30x
//
// The budget is 100 ms between the medians, and between the 95th percentiles.
func BenchmarkWatch(b *testing.B) {
	w := newBench(b)
	s := w.solutions(b)[0]
	wrong := bytes.Replace(s.Reference, []byte("if n--; n == 0 {"), []byte("if n--; n <= 1 {"), 1)
	require.NotEqual(b, s.Reference, wrong)

	watched := &bench{koans: w.koans, root: filepath.Join(b.TempDir(), "workbook")}
	require.NoError(b, exec.Command(w.koans, "init", watched.root).Run())
	c := &sitting{console: newConsole(b, 80, 24), root: watched.root, temp: b.TempDir()}
	c.start(w.koans, "watch", "1")
	c.until("Not written yet")
	all, err := lessons.Pristine()
	require.NoError(b, err)

	kinds := []struct {
		name, shows string
		answer      []byte
		status      int
		check       []time.Duration
		watch       []time.Duration
	}{
		{name: "green", shows: "Lesson 1 passes", answer: s.Reference, status: 0},
		{name: "red", shows: "✗ Koan", answer: wrong, status: 1},
	}
	round := func() {
		for i := range kinds {
			k := &kinds[i]
			w.write(b, s.Lesson, s.File, k.answer)
			k.check = append(k.check, w.time(b, k.status, w.koans, "check", "1"))
			watched.edits = w.edits - 1
			begun := time.Now()
			watched.write(b, all[0].ID, all[0].Answer, k.answer)
			c.until(k.shows)
			k.watch = append(k.watch, time.Since(begun))
		}
	}
	round() // warm caches
	for i := range kinds {
		kinds[i].check, kinds[i].watch = nil, nil
	}
	for b.Loop() {
		round()
	}
	b.ReportMetric(0, "ns/op")
	for _, k := range kinds {
		for name, share := range map[string]int{"median": 50, "p95": 95} {
			check, watch := percentile(k.check, share), percentile(k.watch, share)
			b.ReportMetric(float64(check.Milliseconds()), k.name+"-"+name+"-check-ms")
			b.ReportMetric(float64(watch.Milliseconds()), k.name+"-"+name+"-watch-ms")
			b.ReportMetric(float64((watch - check).Milliseconds()), k.name+"-"+name+"-more-ms[100]")
		}
	}
}

func percentile(x []time.Duration, share int) time.Duration {
	x = slices.Sorted(slices.Values(x))
	return x[min(len(x)-1, len(x)*share/100)]
}
