package dump_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"concurrency-koans/checker/dump"
)

// The recordings make the seeds, shortened: what a fuzzer tries in a long text
// is mostly the same.
func seed(f *testing.F) {
	for _, text := range recordings(f) {
		f.Add(text[:min(len(text), 2000)])
		f.Add(text[max(0, len(text)-1000):])
	}
}

func requireFrames(t *testing.T, frames ...dump.Frame) {
	for _, frame := range frames {
		require.NotEmpty(t, frame.Func)
		require.False(t, strings.ContainsAny(frame.Func, " \t\n"), frame.Func)
		require.NotEmpty(t, frame.File)
		require.NotContains(t, frame.File, "\n")
		require.GreaterOrEqual(t, frame.Line, 0)
	}
}

func FuzzGoroutines(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		all := dump.Goroutines(text)
		for _, g := range all {
			requireFrames(t, g.Frames...)
			require.NotContains(t, g.State, "\n")
			require.GreaterOrEqual(t, g.ID, 0)
			require.GreaterOrEqual(t, g.Waiting, 0*g.Waiting)
		}
		require.Equal(t, all, dump.Goroutines(indented(text, "    ")))
	})
}

func FuzzRaces(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		all := dump.Races(text)
		for _, race := range all {
			for _, access := range race.Accesses {
				requireFrames(t, access.Stack...)
				requireFrames(t, access.CreatedAt...)
			}
		}
		require.Equal(t, all, dump.Races(indented(text, "\t")))
	})
}

func FuzzFindCrash(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		crash, ok := dump.FindCrash(text)
		if !ok {
			require.Zero(t, crash)
		}
		for _, g := range crash.Goroutines {
			requireFrames(t, g.Frames...)
		}
		again, _ := dump.FindCrash(indented(text, "    "))
		require.Equal(t, crash, again)
	})
}
