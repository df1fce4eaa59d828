package dump_test

// The recordings under testdata are what real programs printed, the ones under
// testdata/programs. Record them again on linux/amd64, with a C compiler, by
//
//	go generate ./checker/dump
//
// which takes some two minutes, since one of the programs has to wait for that
// long. Then read the difference: what the runtime words differently, this
// package has to learn.
//go:generate go run record.go

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"concurrency-koans/checker/dump"
)

// recording returns what a program printed when it was recorded.
func recording(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".txt"))
	require.NoError(t, err)
	return text
}

// recordings returns all of them by name.
func recordings(t testing.TB) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	all := make(map[string][]byte)
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		all[name] = recording(t, name)
	}
	return all
}

// indented returns text as a test would log it.
func indented(text []byte, by string) []byte {
	return []byte(by + strings.ReplaceAll(string(text), "\n", "\n"+by))
}

var (
	header       = regexp.MustCompile(`(?m)goroutine \d+( \w+=\w+)* \[.+\]:$|Goroutine \d+ in state .+ on top of the stack:$`)
	position     = regexp.MustCompile(`(?m)^\s*\t\S+:\d+( \+0x\w+| fp=.+)?( .+)?$`)
	runtimeStack = regexp.MustCompile(`(?ms)^runtime stack:\n.*?\n\n`)
	report       = regexp.MustCompile(`WARNING: DATA RACE`)
	racePosition = regexp.MustCompile(`(?m)^      \S+:\d+ \+0x\w+$`)
)

// The parser and these patterns have nothing in common, so that a line which
// the parser overlooks shows as a difference.
func TestNothingIsOverlooked(t *testing.T) {
	for name, text := range recordings(t) {
		t.Run(name, func(t *testing.T) {
			goroutines := dump.Goroutines(text)
			frames := 0
			for _, g := range goroutines {
				frames += len(g.Frames)
				if g.CreatedBy.Line > 0 {
					frames++
				}
			}
			require.Len(t, header.FindAll(text, -1), len(goroutines), "goroutines")
			stacks := runtimeStack.ReplaceAll(text, nil)
			require.Equal(t, len(position.FindAll(stacks, -1)), frames, "frames")

			races := dump.Races(text)
			frames = 0
			for _, race := range races {
				for _, access := range race.Accesses {
					frames += len(access.Stack) + len(access.CreatedAt)
				}
			}
			require.Len(t, report.FindAll(text, -1), len(races), "races")
			require.Equal(t, len(racePosition.FindAll(text, -1)), frames, "frames of races")
		})
	}
}

// A dump means the same, however far a log indents it.
func TestIndentation(t *testing.T) {
	for name, text := range recordings(t) {
		for _, by := range []string{"    ", "\t", "    \t"} {
			logged := indented(text, by)
			require.Equal(t, dump.Goroutines(text), dump.Goroutines(logged), "%s by %q", name, by)
			require.Equal(t, dump.Races(text), dump.Races(logged), "%s by %q", name, by)

			want, wantOK := dump.FindCrash(text)
			got, ok := dump.FindCrash(logged)
			require.Equal(t, want, got, "%s by %q", name, by)
			require.Equal(t, wantOK, ok, "%s by %q", name, by)
		}
	}
}

// Cut anywhere, a text yields a part of what all of it does, and nothing else.
func TestTruncation(t *testing.T) {
	for _, name := range []string{"koans-Leak.plain", "koans-Timeout.race", "races-workers.race"} {
		text := recording(t, name)
		whole := dump.Goroutines(text)
		races := dump.Races(text)
		for i := range text {
			part := dump.Goroutines(text[:i])
			require.LessOrEqual(t, len(part), len(whole), "%s cut at %d", name, i)
			for j, g := range part {
				require.Equal(t, whole[j].ID, g.ID, "%s cut at %d", name, i)
				require.Equal(t, whole[j].State, g.State, "%s cut at %d", name, i)
			}
			require.LessOrEqual(t, len(dump.Races(text[:i])), len(races), "%s cut at %d", name, i)
			dump.FindCrash(text[:i])
		}
	}
}

// Every text is a few milliseconds of work, unless the work grows with the
// square of the text, which would make it half a minute.
func TestHostileTexts(t *testing.T) {
	const times = 30_000
	for _, piece := range []string{
		"\n", "a", "(", "[", ":1", " ", "\t", "...",
		"panic: ", "panic: x\n", "\tpanic: x\n", "x panic: x\n", "panic: x\n\n",
		"panic: x\n\tgoroutine 1 [x]:\n", "fatal error: x\n\nruntime stack\n",
		"panic: x\n\ngoroutine 1 [running]:\nruntime/debug.Stack()\n\t/x.go:1\n",
		"panic: [recovered", "SIGQUIT: quit\n", "SIGQUIT: quit\nPC=0", "race: limit on , dying",
		"goroutine 1 [x]:\n", "x goroutine 1 [x]:\n", "goroutine 1 [", "]:\n",
		"[Goroutine 1 in state x, with f on top of the stack:\n",
		"a.b()\n", "\t/x.go:1\n", "created by a.b\n", " (durable)", ", 1 minutes",
		"WARNING: DATA RACE\n", "WARNING: DATA RACE\nWrite at 0x1 by goroutine 1:\n",
		"Goroutine 1 (x) created at:\n",
	} {
		t.Run(fmt.Sprintf("%q", piece), func(t *testing.T) {
			text := bytes.Repeat([]byte(piece), times)
			for _, before := range []string{"", "panic: x\n", "goroutine 1 [x", "WARNING: DATA RACE\n"} {
				text := append([]byte(before), text...)
				start := time.Now()
				dump.Goroutines(text)
				dump.Races(text)
				dump.FindCrash(text)
				require.Less(t, time.Since(start), 10*time.Second)
			}
		})
	}
}

// many returns the dump of n goroutines, a kilobyte each.
func many(n int) []byte {
	var text bytes.Buffer
	for i := range n {
		fmt.Fprintf(&text, "goroutine %d [chan send, %d minutes]:\n", i+1, i%7)
		for depth := range 9 {
			fmt.Fprintf(&text, "concurrency-koans/lessons/01-pipeline.stage%d(0x%x, {0xc000012345, 0x2})\n", depth, i)
			fmt.Fprintf(&text, "\t/work/lessons/01-pipeline/pipeline.go:%d +0x%x\n", depth+20, i)
		}
		fmt.Fprintf(&text, "created by concurrency-koans/lessons/01-pipeline.Start in goroutine %d\n", i)
		fmt.Fprintf(&text, "\t/work/lessons/01-pipeline/pipeline.go:%d +0x%x\n\n", 12, i)
	}
	return text.Bytes()
}

// What a dump takes besides the result is a copy of each name that it mentions.
func TestAllocations(t *testing.T) {
	const n = 1000
	text := many(n)
	allocations := testing.AllocsPerRun(1, func() {
		require.Len(t, dump.Goroutines(text), n)
	})
	require.Less(t, allocations, 1.1*n)
}

func BenchmarkGoroutines(b *testing.B) {
	text := many(10_000)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		dump.Goroutines(text)
	}
}

func BenchmarkFindCrash(b *testing.B) {
	text := append([]byte("panic: test timed out after 2s\n\n"), many(10_000)...)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		dump.FindCrash(text)
	}
}
