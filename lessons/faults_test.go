package lessons_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"concurrency-koans/lessons"
)

const (
	readme   = "01-relay/README.md"
	hints    = "01-relay/hints.md"
	skeleton = "01-relay/relay.go"
	koans    = "01-relay/relay_test.go"
	more     = "01-relay/track_test.go"
)

// Each case spoils a good lesson in one place; want is the whole error without
// the "reading lesson" that begins each of its lines.
func TestLoadFindsFault(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		file      string
		old, repl string
		want      string
	}{
		{"no title", readme, "# Relay", "Relay",
			`01-relay: README.md: no title: the first line is not "# Title"`},
		{"no summary", readme, "Hand values from one goroutine\nto the next.\n", "",
			`01-relay: README.md: no paragraph after the title`},
		{"no section", readme, "## What it costs\n\nA lap.\n", "",
			`01-relay: README.md: no section "What it costs"`},
		{"strange section", readme, "## In production", "## Notes\n\nNone.\n\n## In production",
			`01-relay: README.md:48: section "Notes" does not belong here`},
		{"section twice", readme, "## In production", "## What it costs\n\nTwo.\n\n## In production",
			`01-relay: README.md:48: section "What it costs" stands here again`},
		{"section too late", readme, "## The problem\n\nA runner waits for the baton.\n\n## The pattern\n\n```text\nSend --> baton --> Receive\n```\n",
			"## The pattern\n\n```text\nSend --> baton --> Receive\n```\n\n## The problem\n\nA runner waits for the baton.\n",
			`01-relay: README.md:13: section "The problem" stands after "The pattern"`},
		{"empty section", readme, "\nOn the track.\n", "",
			`01-relay: README.md:24: section "Where it is used" is empty`},
		{"no diagram", readme, "```text", "```go",
			`01-relay: README.md:11: section "The pattern" has no diagram: no fenced block of mermaid or of text`},
		{"open fence", readme, "relay.Send(1)\n```", "relay.Send(1)",
			`01-relay: README.md:19: this fenced block is never closed
01-relay: README.md: no section "Where it is used"
01-relay: README.md: no section "What it costs"
01-relay: README.md: no section "Good practice"
01-relay: README.md: no section "Pitfalls and how to avoid them"
01-relay: README.md: no section "In production"
01-relay: README.md: no section "Interview questions"`},
		{"wide block", readme, "Send --> baton", "\t\tSend " + strings.Repeat("→", 50) + " baton",
			`01-relay: README.md:14: 81 columns in a fenced block, which has room for 80`},
		{"pitfall without backticks", readme, "### `early-start`", "### Early start",
			"01-relay: README.md:44: heading \"### Early start\" is not the name of a pitfall: ### `kebab-case`"},
		{"no pitfalls", readme, "### `dropped-baton`\n\nHold on.\n\n### `early-start`\n", "",
			`01-relay: README.md:36: section "Pitfalls and how to avoid them" names no pitfall`},

		{"no title of hints", hints, "# Hints\n", "",
			`01-relay: hints.md:1: the file does not begin with "# Hints" and the first koan's section`},
		{"no hints for a koan", hints, "## TestReceiveWaits\n\n1. One.\n2. Two.\n3. Three.\n\n## TestClose", "## TestClose",
			`01-relay: hints.md: no section "TestReceiveWaits"`},
		{"three hints", hints, "\n4. Four.", "",
			""}, // which is enough
		{"one hint too few", hints, "3. Three.\n4. Four.\n", "",
			`01-relay: hints.md:23: 2 hints for TestBatonIsRead, which takes at least 3`},
		{"hints not numbered", hints, "2. A channel", "4. A channel",
			`01-relay: hints.md:6: hint 4 of TestSendHandsOver stands where 2 is due`},
		{"text before hints", hints, "1. Who waits", "Think.\n\n1. Who waits",
			`01-relay: hints.md:5: text of TestSendHandsOver before its first hint`},
		{"hints for no koan", hints, "## TestIsTheTrackFree", "## TestIsTheTrackWet",
			`01-relay: hints.md:42: section "TestIsTheTrackWet" does not belong here
01-relay: hints.md: no section "TestIsTheTrackFree"`},
		{"hints out of order", hints, "## TestSendHandsOver", "## TestSendWaits\n\n1. One.\n2. Two.\n3. Three.\n\n## TestSendHandsOver",
			`01-relay: hints.md:9: section "TestSendHandsOver" stands after "TestSendWaits"
01-relay: hints.md:23: section "TestSendWaits" stands here again`},

		{"syntax", skeleton, "func NewBaton", "fun NewBaton",
			`01-relay: relay.go:27: expected declaration, found fun`},
		{"name of the file", skeleton, "package relay\n", "package race\n",
			`01-relay: relay.go:2: package race; the file's name says relay`},
		{"no package comment", skeleton, "// Package relay is a lesson about handing over.\n", "",
			`01-relay: relay.go:1: package relay has no doc comment`},
		{"import of a module", skeleton, `"errors"`, `"errors"` + "\n\t\"golang.org/x/sync/errgroup\"",
			`01-relay: relay.go:6: import "golang.org/x/sync/errgroup" is not of the standard library`},
		{"import of the workbook", skeleton, `"errors"`, `"errors"` + "\n\t\"concurrency-koans/lessons/02-race\"",
			`01-relay: relay.go:6: import "concurrency-koans/lessons/02-race" is not of the standard library`},
		{"import of C", skeleton, `"errors"`, `"errors"` + "\n\t\"C\"",
			`01-relay: relay.go:6: import "C" is not of the standard library`},
		{"function without comment", skeleton, "// Send hands v over.\n", "",
			`01-relay: relay.go:29: Send has no doc comment`},
		{"method without comment", skeleton, "// Run runs.\n", "",
			`01-relay: relay.go:23: Run has no doc comment`},
		{"type without comment", skeleton, "// Track is where the runners run.\n", "",
			`01-relay: relay.go:17: Track has no doc comment`},
		{"variable without comment", skeleton, "// ErrClosed means that the race is over.\n", "",
			`01-relay: relay.go:9: ErrClosed has no doc comment`},
		{"TODO and more", skeleton, "\tpanic(\"TODO(1): hand v over\")", "\tv++\n\tpanic(\"TODO(1): hand v over\")",
			`01-relay: relay.go:30: Send is neither exactly one panic("TODO(1): what to do") nor free of TODOs`},
		{"TODO of no step", skeleton, "TODO(1): hand", "TODO: hand",
			`01-relay: relay.go:30: Send is neither exactly one panic("TODO(1): what to do") nor free of TODOs`},
		{"TODO of a step too far", skeleton, "TODO(2): wait", "TODO(4): wait",
			`01-relay: relay.go:35: TODO(4): the koans have 3 steps`},

		{"package of the koans", koans, "package relay_test", "package relay",
			`01-relay: relay_test.go:1: package relay; the koans are of package relay_test`},
		{"syntax of the koans", more, "func TestClose", "fun TestClose",
			`01-relay: track_test.go:12: expected declaration, found fun`},
		{"import of another lesson", koans, "lessons/01-relay", "lessons/02-race",
			`01-relay: relay_test.go:9: import of lesson 02-race`},
		{"import by another name", koans, `relay "conc`, `race "conc`,
			`01-relay: relay_test.go:9: the lesson's package is imported as race, not as relay`},
		{"no TestMain", koans, "func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }", "",
			`01-relay: 0 functions called TestMain; one has to call goleak.VerifyTestMain(m)`},
		{"no goleak", koans, "goleak.VerifyTestMain(m)", "m.Run()",
			`01-relay: relay_test.go:12: TestMain does not call goleak.VerifyTestMain(m)`},
		{"parallel", koans, "\tstart(t)\n}\n\n// Step", "\tt.Parallel()\n\tstart(t)\n}\n\n// Step",
			`01-relay: relay_test.go:28: t.Parallel: koans run one after another, in the order of the path`},
		{"helper called Test", koans, "func start(t *testing.T)", "func TestStart()",
			`01-relay: relay_test.go:27: TestSendWaits uses nothing that is to be written
01-relay: relay_test.go:46: TestStart does not take exactly (t *testing.T)
01-relay: relay_test.go:46: TestStart has no doc comment to take its title from
01-relay: hints.md: no section "TestStart"`},
		{"parameter of another name", koans, "TestSendWaits(t *", "TestSendWaits(tt *",
			`01-relay: relay_test.go:27: TestSendWaits does not take exactly (t *testing.T)`},
		{"no step", koans, "// Step 1: the first runner", "// The first runner",
			`01-relay: relay_test.go:19: TestSendHandsOver stands before the first comment like "// Step 1: a title"
01-relay: relay_test.go:27: TestSendWaits stands before the first comment like "// Step 1: a title"
01-relay: relay_test.go:31: step 2 stands where step 1 is due
01-relay: track_test.go:9: step 3 stands where step 2 is due`},
		{"gap in steps", more, "// Step 3:", "// Step 4:",
			`01-relay: track_test.go:9: step 4 stands where step 3 is due`},
		{"step without koans", koans, "// Step 2: the second runner", "// Step 2: nothing\n\n// Step 3: the second runner",
			`01-relay: track_test.go:9: step 3 stands where step 4 is due
01-relay: step 2 has no koan`},
		{"step in the doc comment", koans, "// Step 2: the second runner\n\n", "// Step 2: the second runner\n",
			`01-relay: relay_test.go:33: TestBatonIsRead: an empty line is due between its step and its doc comment`},
		{"koan without comment", koans, "// Receive waits.\n", "",
			`01-relay: relay_test.go:40: TestReceiveWaits has no doc comment to take its title from`},
		{"title that begins with the name", koans, "// Receive waits.", "// TestReceiveWaits waits.",
			`01-relay: relay_test.go:41: TestReceiveWaits: its title begins with its name and not with what it teaches`},
		{"title without end", koans, "// Receive waits.", "// Receive waits",
			`01-relay: relay_test.go:41: TestReceiveWaits: its title is no sentence: it has no end`},
		{"title in lower case", koans, "// Receive waits.", "// receive waits.",
			`01-relay: relay_test.go:41: TestReceiveWaits: its title is no sentence: it begins with 'r'`},
		{"koan about nothing", more, "relay.Send(relay.Receive())", "relay.NewBaton()",
			`01-relay: track_test.go:18: TestIsTheTrackFree uses nothing that is to be written`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			files := good(t)
			edit(t, files, tt.file, tt.old, tt.repl)
			requireFaults(t, files, tt.want)
		})
	}
}

// These spoil the folder and not one of its files.
func TestLoadFindsFaultWithFolder(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		spoil func(fstest.MapFS)
		want  string
	}{
		{"no README", func(fsys fstest.MapFS) { delete(fsys, readme) },
			`01-relay: no README.md`},
		{"no hints", func(fsys fstest.MapFS) { delete(fsys, hints) },
			`01-relay: no hints.md`},
		{"two skeletons", func(fsys fstest.MapFS) { fsys["01-relay/shoe.go"] = &fstest.MapFile{} },
			`01-relay: shoe.go: a second skeleton, beside relay.go`},
		{"stray file", func(fsys fstest.MapFS) { fsys["01-relay/relay.go.orig"] = &fstest.MapFile{} },
			`01-relay: relay.go.orig: stray file`},
		{"stray folder", func(fsys fstest.MapFS) { fsys["01-relay/shoes/left"] = &fstest.MapFile{} },
			`01-relay: shoes: stray folder`},
		{"solved", func(fsys fstest.MapFS) {
			fsys[skeleton] = &fstest.MapFile{Data: []byte("// Package relay is solved.\npackage relay\n")}
		}, `01-relay: relay.go: nothing is left to write: no TODO`},
		{"too few koans", func(fsys fstest.MapFS) { delete(fsys, more) },
			`01-relay: 4 koans; a lesson has 6 to 12
01-relay: hints.md:36: section "TestCloseEndsTheRace" does not belong here
01-relay: hints.md:42: section "TestIsTheTrackFree" does not belong here`},
		{"name of the folder", func(fsys fstest.MapFS) { fsys["2-Race/README.md"] = &fstest.MapFile{} },
			`2-Race: the folder's name is not two digits, a hyphen and a name in kebab case`},
		{"empty folder with a number in use", func(fsys fstest.MapFS) { fsys["01-shoes/testdata/x"] = &fstest.MapFile{} },
			`01-shoes: no README.md
01-shoes: no hints.md
01-shoes: no skeleton, which is the one .go file that is no test
01-shoes: no koans, which are in _test.go files
01-shoes: number 1 is taken by 01-relay`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			files := good(t)
			tt.spoil(files)
			requireFaults(t, files, tt.want)
		})
	}
}

// requireFaults loads lessons and compares the error's lines with those of want.
func requireFaults(t *testing.T, files fstest.MapFS, want string) {
	t.Helper()
	all, err := lessons.Load(files)
	if want == "" {
		require.NoError(t, err)
		return
	}
	require.Error(t, err)
	require.Nil(t, all)
	require.Equal(t, want, strings.ReplaceAll(err.Error(), "reading lesson ", ""))
}
