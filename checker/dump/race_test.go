package dump_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"concurrency-koans/checker/dump"
)

const raceReport = `==================
WARNING: DATA RACE
Write at 0x00c0000a6028 by main goroutine:
  main.main()
      /work/x.go:9 +0x1d

Previous read at 0x00c0000a6028 by goroutine 7:
  main.count[go.shape.struct { main.x int }]()
      /work/x.go:3 +0x2e
  main.f()
      /work/x.go:4 +0x2e

Goroutine 7 (finished) created at:
  main.main()
      /work/x.go:8 +0x3f
==================
`

// before returns the part of text that ends where mark begins.
func before(text, mark string) string {
	text, _, _ = strings.Cut(text, mark)
	return text
}

func TestRaces(t *testing.T) {
	var (
		write = dump.Access{Write: true, Stack: []dump.Frame{{Func: "main.main", File: "/work/x.go", Line: 9}}}
		read  = dump.Access{
			Goroutine: 7, Finished: true,
			Stack: []dump.Frame{
				{Func: "main.count[...]", File: "/work/x.go", Line: 3},
				{Func: "main.f", File: "/work/x.go", Line: 4},
			},
			CreatedAt: []dump.Frame{{Func: "main.main", File: "/work/x.go", Line: 8}},
		}
		race = dump.Race{Accesses: [2]dump.Access{write, read}}
	)
	for name, test := range map[string]struct {
		text string
		want []dump.Race
	}{
		"nothing": {text: "expected no WARNING: DATA RACE\n"},
		"two":     {text: "a\n" + raceReport + "b\n" + raceReport, want: []dump.Race{race, race}},
		"cut": {
			text: before(raceReport, "  main.f()") + before(raceReport, "Previous"),
			want: []dump.Race{{Accesses: [2]dump.Access{write, {Goroutine: 7, Stack: read.Stack[:1]}}}},
		},
		"the program's own text": {
			text: "working... ==================\n..WARNING: DATA RACE\n" +
				"Write at 0x00c0000a6028 by main goroutine:\nworker (1)\n  main.main()\n\tstep:1\n" +
				"  done (1)\n      /work/x.go:9 +0x1d\n\n" +
				"Read at 0x1 by Alice:\n" +
				"Previous read at 0x00c0000a6028 by goroutine 7:\n  [failed to restore the stack]\n\n" +
				"Goroutine 7 (running) created at:\n  [failed to restore the stack]\n" +
				"bye==================\n  main.f()\n      /work/x.go:3 +0x1\n",
			want: []dump.Race{{Accesses: [2]dump.Access{write, {Goroutine: 7}}}},
		},
		"where": {
			text: "WARNING: DATA RACE\n" +
				"Write at 0x00c0000a6028 by goroutine 7:\n  [failed to restore the stack]\n\n" +
				"Previous write at 0x00c0000a6028 by goroutine 8:\n  [failed to restore the stack]\n\n" +
				"Heap block of size 16 at 0x00c0000a6020 allocated by main goroutine:\n" +
				"  main.main()\n      /work/x.go:9 +0x1d\n",
			want: []dump.Race{{
				Accesses: [2]dump.Access{{Write: true, Goroutine: 7}, {Write: true, Goroutine: 8}},
				Location: "Heap block of size 16 at 0x00c0000a6020 allocated by main goroutine",
			}},
		},
		"wording of the future": {
			text: "WARNING: DATA RACE\nSeverity 5 of 7:\n  main.g()\n      /work/x.go:1 +0x1\n\n" +
				"Write at 0x00c0000a6028 by main goroutine:\n  main.main() [hot]\n  main.main()\n      /work/x.go:9 +0x1d hot=1\n\n" +
				"Mutex 3 held by goroutine 7:\n  main.lock()\n      /work/x.go:1 +0x1\n\n" +
				"Previous read at 0x00c0000a6028 by goroutine 7:\n\n" +
				"Goroutine 7 (dormant) created at:\n  main.main()\n      /work/x.go:8 +0x3f\n" +
				"==================\n",
			want: []dump.Race{{Accesses: [2]dump.Access{write, {Goroutine: 7, CreatedAt: read.CreatedAt}}}},
		},
		"access of the future": {
			text: "WARNING: DATA RACE\n" +
				"Modification at 0x00c0000a6028 by main goroutine:\n  main.main()\n      /work/x.go:9 +0x1d\n\n" +
				"Previous read at 0x00c0000a6028 by goroutine 7:\n  main.f()\n      /work/x.go:3 +0x1d\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, test.want, dump.Races([]byte(test.text)))
		})
	}
}

func TestRecordedRaces(t *testing.T) {
	one := func(name string) dump.Race {
		races := dump.Races(recording(t, name))
		require.NotEmpty(t, races, name)
		return races[0]
	}

	read, write := one("races-main.race").Accesses[0], one("races-main.race").Accesses[1]
	require.False(t, read.Write)
	require.Zero(t, read.Goroutine)
	require.Nil(t, read.CreatedAt)
	require.Equal(t, "main.main", read.Stack[1].Func)
	require.True(t, write.Write)
	require.True(t, write.Finished)
	require.Equal(t, "main.init.func1.1", write.Stack[0].Func)
	require.Equal(t, "main.init.func1", write.CreatedAt[0].Func)

	require.Equal(t, "main.(*counter[...]).add", one("races-workers.race").Accesses[0].Stack[0].Func)
	require.Equal(t, "sync/atomic.AddInt64", one("races-atomic.race").Accesses[1].Stack[0].Func)
	require.Equal(t, "runtime.mapassign_faststr", one("races-map.race").Accesses[1].Stack[0].Func)
	require.False(t, one("races-map.race").Accesses[1].Finished)

	// In a test, too.
	koan := one("koans-Race.race").Accesses
	require.Equal(t, "concurrency-koans/checker/dump/testdata/programs/koans.TestRace.func1", koan[1].Stack[0].Func)
	require.Equal(t, "concurrency-koans/checker/dump/testdata/programs/koans.TestRace", koan[1].CreatedAt[0].Func)

	// The detector cannot see through package sync: the function that called
	// Go is missing between these two.
	created := one("races-workers.race").Accesses[0].CreatedAt
	require.Equal(t, "sync.(*WaitGroup).Go", created[0].Func)
	require.Equal(t, "main.main", created[1].Func)
}
