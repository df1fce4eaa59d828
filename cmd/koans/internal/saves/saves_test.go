package saves

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"concurrency-koans/cmd/koans/internal/saves/savestest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func sumOf(text string) string {
	hash := sha256.Sum256([]byte(text))
	return hex.EncodeToString(hash[:])
}

// A disk is a folder with one file, on fake time.
type disk struct {
	t      *testing.T
	mu     sync.Mutex // hands the fields below over: that time passes orders nothing
	text   string     // of the file
	gone   bool
	events chan fsnotify.Event
	errors chan error
	told   []State
	at     []time.Duration // when, since the start
}

// follow runs a test with a follower, within a bubble of fake time. A folder
// that is mute sends no events although it has promised to.
func follow(t *testing.T, events bool, test func(*disk)) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{t: t, text: "one"}
		if events {
			d.events, d.errors = make(chan fsnotify.Event), make(chan error)
		}
		begun := time.Now()
		f := follower{
			name: "answer.go",
			read: func() ([]byte, error) {
				d.mu.Lock()
				defer d.mu.Unlock()
				if d.gone {
					return nil, fs.ErrNotExist
				}
				return []byte(d.text), nil
			},
			tell: func(s State) {
				d.mu.Lock()
				defer d.mu.Unlock()
				d.told = append(d.told, s)
				d.at = append(d.at, time.Since(begun))
			},
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			f.run(ctx, d.events, d.errors)
		}()
		synctest.Wait()
		test(d)
		cancel()
		<-ended
	})
}

func (d *disk) event(op fsnotify.Op, name string) {
	d.events <- fsnotify.Event{Name: "/book/lessons/01/" + name, Op: op}
	synctest.Wait()
}

// handOver orders what the test has written before what the follower reads next.
func (d *disk) handOver() {
	d.mu.Lock()
	defer d.mu.Unlock()
}

// after lets time pass.
func (d *disk) after(pause time.Duration) {
	d.handOver()
	time.Sleep(pause) // fake
	synctest.Wait()
}

// has holds what was told of, and forgets it.
func (d *disk) has(want ...string) {
	d.t.Helper()
	var got []string
	for _, s := range d.told {
		got = append(got, s.Sum)
	}
	sums := make([]string, len(want))
	for i, text := range want {
		sums[i] = sumOf(text)
	}
	require.ElementsMatch(d.t, sums, got)
	d.told = nil
}

func TestASaveIsToldOnceItIsQuiet(t *testing.T) {
	follow(t, true, func(d *disk) {
		d.has("one")
		d.text = "tw"
		d.event(fsnotify.Write, "answer.go")
		d.after(quiet / 2)
		d.text = "two"
		d.event(fsnotify.Write, "answer.go")
		d.after(quiet - time.Millisecond)
		d.has()
		d.after(time.Millisecond)
		d.has("two")
	})
}

func TestWhatChangesNothingIsNotTold(t *testing.T) {
	follow(t, true, func(d *disk) {
		d.has("one")
		d.event(fsnotify.Chmod, "answer.go") // touch
		d.event(fsnotify.Write, "answer.go") // saved without a change
		d.after(time.Second)
		d.event(fsnotify.Create, ".answer.go.swp")
		d.event(fsnotify.Create, ".#answer.go")
		d.event(fsnotify.Create, "4913")
		d.event(fsnotify.Remove, "4913")
		d.after(time.Second)
		d.has()
	})
}

func TestTheMidstOfASaveIsNotTold(t *testing.T) {
	for name, midst := range map[string]func(*disk){
		"truncated":    func(d *disk) { d.text = "" },
		"renamed away": func(d *disk) { d.gone = true },
	} {
		t.Run(name, func(t *testing.T) {
			follow(t, true, func(d *disk) {
				d.has("one")
				midst(d)
				d.event(fsnotify.Rename, "answer.go")
				d.after(patience / 2)
				d.has()
				d.text, d.gone = "two", false
				d.event(fsnotify.Create, "answer.go")
				d.after(2 * quiet)
				d.has("two")
			})
		})
	}
}

func TestAFileThatIsGoneIsToldOfInTheEnd(t *testing.T) {
	follow(t, true, func(d *disk) {
		d.has("one")
		d.gone = true
		d.event(fsnotify.Remove, "answer.go")
		d.after(patience + 2*quiet)
		require.Equal(t, []State{{Sum: ""}}, d.told)
	})
}

func TestAFileThatIsWrittenAllTheTimeIsReadNowAndThen(t *testing.T) {
	follow(t, true, func(d *disk) {
		for range 50 {
			d.text += "."
			d.event(fsnotify.Write, "answer.go")
			d.after(quiet / 2)
		}
		d.after(time.Second)
		last := d.told[len(d.told)-1]
		require.Equal(t, sumOf(d.text), last.Sum)
		require.InDelta(t, 3, len(d.told)-1, 1, "in 750 ms")
	})
}

func TestALostEventIsMadeUpFor(t *testing.T) {
	follow(t, true, func(d *disk) {
		d.has("one")
		d.text = "two"
		d.errors <- fsnotify.ErrEventOverflow
		d.after(quiet)
		d.has("two")
	})
}

func TestAMuteFolderIsPolled(t *testing.T) {
	follow(t, true, func(d *disk) {
		d.has("one")
		d.text = "two"
		d.after(seldom + quiet)
		d.has("two")
		d.after(seldom)
		require.Equal(t, []State{{Sum: sumOf("two"), Polled: true}}, d.told, "it is said, and once")
		d.told = nil
		d.text = "three"
		d.after(often + quiet)
		require.Equal(t, []State{{Sum: sumOf("three"), Polled: true}}, d.told)
	})
}

// TestAnEventThatIsLateIsNoReasonToPoll has the poll come between a save and its
// event.
func TestAnEventThatIsLateIsNoReasonToPoll(t *testing.T) {
	follow(t, true, func(d *disk) {
		d.after(seldom - time.Millisecond)
		d.text = "two"
		d.after(2 * time.Millisecond)
		d.event(fsnotify.Write, "answer.go")
		d.after(10 * seldom)
		d.has("one", "two")
		d.text = "three"
		d.event(fsnotify.Write, "answer.go")
		d.after(quiet)
		require.Equal(t, []State{{Sum: sumOf("three")}}, d.told)
	})
}

func TestWithoutEventsItPollsFromTheStart(t *testing.T) {
	follow(t, false, func(d *disk) {
		require.Equal(t, []State{{Sum: sumOf("one"), Polled: true}}, d.told)
		d.told = nil
		d.text = "two"
		d.after(often + quiet)
		d.has("two")
	})
}

// TestFollow is about a real folder: each way of saving is told of, and what
// stands still is not.
func TestFollow(t *testing.T) {
	file := filepath.Join(t.TempDir(), "answer.go")
	require.NoError(t, os.WriteFile(file, []byte("one"), 0o644))
	ctx, cancel := context.WithCancel(t.Context())
	told := make(chan State)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		Follow(ctx, file, func(s State) { told <- s })
	}()
	require.Equal(t, sumOf("one"), (<-told).Sum)
	for name, save := range savestest.Ways {
		text := "saved as " + name + " does"
		require.NoError(t, save(file, []byte(text)))
		for s := range told { // on a busy machine it may also say that it polls
			if s.Sum == sumOf(text) {
				break
			}
		}
	}
	cancel()
	<-ended
}

func TestFollowAFolderThatIsNotThere(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	Follow(ctx, filepath.Join(t.TempDir(), "none", "answer.go"), func(s State) {
		require.Equal(t, State{Polled: true}, s)
		cancel()
	})
	require.True(t, errors.Is(ctx.Err(), context.Canceled))
}
