package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"concurrency-koans/checker"
	"concurrency-koans/cmd/koans/internal/picture"
	"concurrency-koans/lessons"
	"concurrency-koans/solutions"
	"concurrency-koans/solutions/demo"
)

// A theater is where a lesson's demo is run in the tests: the repository itself, whose
// demos are on disk.
type theater struct {
	*app
	lesson   lessons.Lesson
	solution solutions.Solution
}

// everyDemo calls f for the demo of each lesson, some at the same time.
func everyDemo(t *testing.T, f func(t *testing.T, s theater)) {
	root, err := filepath.Abs(filepath.Join("..", ".."))
	require.NoError(t, err)
	all, err := lessons.Pristine()
	require.NoError(t, err)
	slots := make(chan struct{}, runtime.NumCPU())
	for _, l := range all {
		t.Run(l.ID, func(t *testing.T) {
			t.Parallel()
			slots <- struct{}{}
			defer func() { <-slots }()
			a := &app{
				world: world{stdout: new(bytes.Buffer), stderr: new(bytes.Buffer), env: os.Environ(), dir: root, now: time.Now},
				color: "never", book: &workbook{root: root, base: root, lessons: all},
			}
			a.screens()
			s, err := answersTo(l)
			require.NoError(t, err)
			f(t, theater{a, l, s})
		})
	}
}

// build builds the demo on an answer.
func (s theater) build(t *testing.T, answer []byte, race bool) *checker.Built {
	t.Helper()
	built, err := s.buildDemo(t.Context(), s.lesson, s.solution, answer, showing{race: race})
	require.NoError(t, err)
	t.Cleanup(func() { _ = built.Close() })
	return built
}

// watch runs a demo and returns its picture, and its record as JSON without the
// beginning, which tells the knobs.
func (s theater) watch(t *testing.T, built *checker.Built, fast bool, args ...string) (pic *picture.Picture, record string) {
	t.Helper()
	pic, err := s.perform(t.Context(), built, showing{fast: fast, args: args}, func(e demo.Event) {
		if e.Kind == demo.Begins {
			return
		}
		line, err := json.Marshal(e)
		require.NoError(t, err)
		record += string(line) + "\n"
	})
	require.NoError(t, err)
	return pic, record
}

// requireClean holds that a demo came to a good end, without a race, and that nobody
// is left behind.
func requireClean(t *testing.T, pic *picture.Picture) {
	t.Helper()
	require.Equal(t, demo.Done, pic.Outcome, pic.Why)
	left, ok := pic.Result("goroutines left behind")
	require.True(t, ok)
	require.Zero(t, left, "goroutines left behind")
	races, _ := pic.Result("data races")
	require.Zero(t, races, "data races")
}

// TestDemosAreTheSameTwice runs every demo in virtual time: the same seed makes the
// same record, another seed another one, and all of them are clean under the race
// detector.
func TestDemosAreTheSameTwice(t *testing.T) {
	everyDemo(t, func(t *testing.T, s theater) {
		built := s.build(t, nil, true)
		first, record := s.watch(t, built, true)
		requireClean(t, first)
		for range 4 {
			again, same := s.watch(t, built, true)
			requireClean(t, again)
			require.Equal(t, strings.Split(record, "\n"), strings.Split(same, "\n"))
		}
		other, different := s.watch(t, built, true, "-seed=2")
		requireClean(t, other)
		require.False(t, record == different, "another seed changes nothing")
	})
}

// TestDemosInRealTime runs every demo as a learner sees it: clean under the race
// detector, and over in less than five seconds of its own clock.
func TestDemosInRealTime(t *testing.T) {
	everyDemo(t, func(t *testing.T, s theater) {
		built := s.build(t, nil, true)
		pic, _ := s.watch(t, built, false)
		requireClean(t, pic)
		virtual, _ := s.watch(t, built, true)
		require.Less(t, virtual.Span(), 5*time.Second)
	})
}

// givesUp are the turns of a knob, by lesson, after which a demo is to give up.
var givesUp = map[string][]string{
	"05-supervisor": {"-slow=5", "-burst=1"}, // a worker whose server stays away is started again only so often
}

// TestDemosKnowTheirKnobs turns every knob of every demo as far as it goes, down and
// up: it is obeyed, something changes, and the demo comes to a good end, or to the
// error that it was told to make.
func TestDemosKnowTheirKnobs(t *testing.T) {
	everyDemo(t, func(t *testing.T, s theater) {
		built := s.build(t, nil, false)
		usual, record := s.watch(t, built, true)
		require.GreaterOrEqual(t, len(usual.About.Knobs), 2, "knobs")
		for _, k := range usual.About.Knobs {
			changes := false
			for _, v := range []int{k.Min, k.Max} {
				if v == k.Value {
					continue
				}
				arg := fmt.Sprintf("-%s=%d", k.Name, v)
				pic, turned := s.watch(t, built, true, arg)
				want := []demo.Outcome{demo.Done}
				if k.Name == "fail" || slices.Contains(givesUp[s.lesson.ID], arg) {
					want = append(want, demo.Failed)
				}
				require.Contains(t, want, pic.Outcome, "%s: %s", arg, pic.Why)
				left, _ := pic.Result("goroutines left behind")
				require.Zero(t, left, arg)
				changes = changes || record != turned
			}
			require.True(t, changes, "--%s changes nothing", k.Name)
		}
	})
}

// TestDemosShowWhatIsBroken runs every demo on each pitfall that it offers, beside
// the reference, and sees what its text promises, whatever the seed.
func TestDemosShowWhatIsBroken(t *testing.T) {
	everyDemo(t, func(t *testing.T, s theater) {
		right := s.build(t, nil, false)
		usual, _ := s.watch(t, right, true)
		require.GreaterOrEqual(t, len(usual.About.Broken), 2, "mistakes that can be seen")
		for _, b := range usual.About.Broken {
			t.Run(b.Pitfall, func(t *testing.T) {
				p, err := s.solution.Pitfall(b.Pitfall)
				require.NoError(t, err)
				wrong := s.build(t, p.Source, false)
				seeds := 5
				if b.Real {
					seeds = 2
				}
				for seed := range seeds {
					args := []string{"-broken=" + b.Pitfall, fmt.Sprintf("-seed=%d", seed+1)}
					good, _ := s.watch(t, right, !b.Real, args...)
					requireClean(t, good)
					bad, _ := s.watch(t, wrong, !b.Real, args...)
					require.True(t, bad.Shows(b.Sign, good), "seed %d: %+v\non the reference %v\non the pitfall  %v, %s %s",
						seed+1, b.Sign, good.Results, bad.Results, bad.Outcome, bad.Why)
				}
			})
		}
	})
}

// TestReadmesShowTheirDemos holds the pictures in the lessons to what the demos draw.
// After a change that you mean, run it with -update and look at them; then run
// go generate ./lessons.
func TestReadmesShowTheirDemos(t *testing.T) {
	everyDemo(t, func(t *testing.T, s theater) {
		pic, _ := s.watch(t, s.build(t, nil, false), true)
		file := filepath.Join(s.book.root, "lessons", s.lesson.ID, "demo.svg")
		got := pic.SVG(s.solution.Demo.Title)
		if *updateScreens {
			require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
		}
		want, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, string(want), got)
		require.Contains(t, string(s.lesson.Readme), "](demo.svg)")
	})
}

// A demo that is interrupted ends by itself, and its picture is what there was to see.
func TestDemosCanBeInterrupted(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot be interrupted there")
	}
	everyDemo(t, func(t *testing.T, s theater) {
		built := s.build(t, nil, false)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		changes := 0
		var last demo.Event
		pic, err := s.perform(ctx, built, showing{}, func(e demo.Event) {
			if e.Kind == demo.Changes {
				if changes++; changes == 5 {
					cancel()
				}
			}
			last = e
		})
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, demo.Over, last.Kind, "it was killed, and did not end by itself")
		require.Equal(t, demo.Stopped, pic.Outcome)
		left, ok := pic.Result("goroutines left behind")
		require.True(t, ok)
		require.Zero(t, left)
	})
}
