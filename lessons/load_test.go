package lessons_test

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"

	"concurrency-koans/lessons"
)

// good returns the files of a lesson without fault, for a test to spoil.
func good(t *testing.T) fstest.MapFS {
	t.Helper()
	archive, err := txtar.ParseFile("testdata/good.txtar")
	require.NoError(t, err)
	files := fstest.MapFS{}
	for _, f := range archive.Files {
		files[f.Name] = &fstest.MapFile{Data: f.Data}
	}
	return files
}

// edit replaces old, which must be there exactly once, in one file.
func edit(t *testing.T, files fstest.MapFS, name, old, new string) {
	t.Helper()
	require.Contains(t, files, name)
	data := string(files[name].Data)
	require.Equal(t, 1, strings.Count(data, old), "%s holds %q", name, old)
	files[name] = &fstest.MapFile{Data: []byte(strings.Replace(data, old, new, 1))}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	files := good(t)
	all, err := lessons.Load(files)
	require.NoError(t, err)
	require.Len(t, all, 1)

	l := all[0]
	require.Equal(t, "01-relay", l.ID)
	require.Equal(t, 1, l.Number)
	require.Equal(t, "relay", l.Name)
	require.Equal(t, "Relay", l.Title)
	require.Equal(t, "Hand values from one goroutine to the next.", l.Summary)
	require.Equal(t, "relay", l.Package)
	require.Equal(t, "relay.go", l.Answer)
	require.Equal(t, files["01-relay/relay.go"].Data, l.Skeleton)
	require.Equal(t, files["01-relay/README.md"].Data, l.Readme)
	require.Equal(t, map[string][]byte{
		"relay_test.go": files["01-relay/relay_test.go"].Data,
		"track_test.go": files["01-relay/track_test.go"].Data,
	}, l.Tests)

	require.Len(t, l.Sections, 9)
	require.Equal(t, lessons.Section{
		Title: "The contract",
		Body:  "```go\n// ## a comment, and no heading\nrelay.Send(1)\n```",
	}, l.Sections[2])

	require.Equal(t, []lessons.Step{{1, "the first runner"}, {2, "the second runner"}, {3, "the end"}}, l.Steps)

	three := []string{"One.", "Two.", "Three."}
	require.Equal(t, []lessons.Koan{
		{
			Test:  "TestSendHandsOver",
			Title: "Send hands a value over.",
			Doc:   "Send hands a value over. It does no more.",
			Step:  1, Subject: "Send", File: "relay_test.go", Line: 19,
			Hints: []string{
				"Who waits for whom?",
				"A channel hands over\none value.\n\nBoth sides wait for it.",
				"Send:\n\n```go\nch <- v\n\tdone()\n```",
			},
		}, {
			Test:  "TestSendWaits",
			Title: "Send waits until somebody takes the value.",
			Doc:   "Send waits until somebody\ntakes the value.\n\nThat is what makes it a relay.",
			Step:  1, Subject: "Send", File: "relay_test.go", Line: 27, Hints: three,
		}, {
			Test:  "TestBatonIsRead",
			Title: "Nobody reads the baton twice!",
			Doc:   "Nobody reads the baton twice!",
			Step:  2, Subject: "Receive", File: "relay_test.go", Line: 34, Hints: append(three, "Four."),
		}, {
			Test:  "TestReceiveWaits",
			Title: "Receive waits.",
			Doc:   "Receive waits.",
			Step:  2, Subject: "Receive", File: "relay_test.go", Line: 41, Hints: three,
		}, {
			Test:  "TestCloseEndsTheRace",
			Title: "A closed track ends the race.",
			Doc:   "A closed track ends the race.",
			Step:  3, Subject: "Track", File: "track_test.go", Line: 12, Hints: three,
		}, {
			Test:  "TestIsTheTrackFree",
			Title: "Is the track free?",
			Doc:   "Is the track free? Then go.",
			Step:  3, Subject: "Receive", File: "track_test.go", Line: 18, Hints: three,
		},
	}, l.Koans)
}

func TestLoadKeepsTheOrder(t *testing.T) {
	t.Parallel()
	files := good(t)
	for name, f := range good(t) {
		if rest, ok := strings.CutPrefix(name, "01-relay/"); ok {
			data := strings.ReplaceAll(string(f.Data), "01-relay", "10-hurdles")
			files["10-hurdles/"+rest] = &fstest.MapFile{Data: []byte(data)}
		}
	}
	all, err := lessons.Load(files)
	require.NoError(t, err)
	require.Len(t, all, 2)
	require.Equal(t, "01-relay", all[0].ID)
	require.Equal(t, "10-hurdles", all[1].ID)
	require.Equal(t, 10, all[1].Number)
}

func TestLoadNoLessons(t *testing.T) {
	t.Parallel()
	all, err := lessons.Load(fstest.MapFS{})
	require.NoError(t, err)
	require.Empty(t, all)
}

func TestLoadNoFolder(t *testing.T) {
	t.Parallel()
	folder, err := fs.Sub(fstest.MapFS{}, "lessons")
	require.NoError(t, err)
	_, err = lessons.Load(folder)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, "reading lessons: ")
}

// Windows checks text files out with a carriage return in each line.
func TestLoadCarriageReturns(t *testing.T) {
	t.Parallel()
	want, err := lessons.Load(good(t))
	require.NoError(t, err)

	files := good(t)
	for _, f := range files {
		f.Data = []byte(strings.ReplaceAll(string(f.Data), "\n", "\r\n"))
	}
	got, err := lessons.Load(files)
	require.NoError(t, err)
	require.Equal(t, want[0].Koans, got[0].Koans)
	require.Equal(t, want[0].Sections, got[0].Sections)
	require.Equal(t, want[0].Steps, got[0].Steps)
}
