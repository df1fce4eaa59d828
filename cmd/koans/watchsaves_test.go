package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"concurrency-koans/checker"
	"concurrency-koans/cmd/koans/internal/saves/savestest"
	"concurrency-koans/lessons"
)

// TestAThousandSaves saves as three editors do, most of them fifty in a row
// faster than a check takes, and holds that each save that stands for long enough
// gets a verdict, that the last one always does, and that nothing piles up.
func TestAThousandSaves(t *testing.T) {
	bursts, apart := 17, 150
	if testing.Short() {
		bursts, apart = 1, 15
	}
	root := freshWorkbook(t)
	l := firstLesson(t)
	file := filepath.Join(root, "lessons", l.ID, l.Answer)
	a := appIn(root, "koans", os.Stderr)
	_, err := a.workbook()
	require.NoError(t, err)

	ctx, cancel := context.WithCancel(t.Context())
	d := newDesk(a)
	d.crash = func(err error) { t.Error(err); cancel() }
	running := 0 // only of the checks, which do not overlap
	d.judge = func(ctx context.Context, a *app, _ *checker.Checker, l lessons.Lesson) (verdict, error) {
		running++
		defer func() { running-- }()
		if running != 1 {
			t.Errorf("%d checks at once", running)
		}
		text, err := a.book.answer(l)
		if err != nil {
			return verdict{}, err
		}
		select {
		case <-time.After(5 * time.Millisecond): // the work of a check
		case <-ctx.Done():
		}
		return verdict{lesson: l, status: failed, err: fmt.Errorf("%s", text)}, nil // carries what was judged
	}
	ended := make(chan struct{}, 2)
	events := make(chan any)
	go func() { d.run(ctx); ended <- struct{}{} }()
	go func() {
		d.inbox.run(ctx, func(e any) {
			select {
			case events <- e:
			case <-ctx.Done():
			}
		})
		ended <- struct{}{}
	}()
	w := newWatch(a, l)
	w.begin(l)
	orders := w.orders
	rounds := 0
	// verdictOn runs the loop until it stands still with a verdict on a text.
	verdictOn := func(text string) {
		t.Helper()
		late := time.After(30 * time.Second)
		for {
			for _, o := range orders {
				d.carryOut(o)
			}
			orders = nil
			if w.stage == waiting && w.verdict != nil && w.verdict.err.Error() == text {
				return
			}
			select {
			case e := <-events:
				w, orders = w.next(e)
				if _, ok := e.(judged); ok {
					rounds++
				}
			case <-late:
				t.Fatalf("no verdict on %q; the last was on %.80q", text, w.verdict.err)
			}
		}
	}
	verdictOn(string(l.Skeleton))

	ways := []func(string, []byte) error{savestest.Vim, savestest.Code, savestest.Rename}
	n := 0
	save := func() string {
		n++
		text := fmt.Sprintf("package pipeline\n\n// save %d\n", n)
		require.NoError(t, ways[n%len(ways)](file, []byte(text)))
		return text
	}
	verdictOn(save())
	goroutines, handles, memory := holdings(t)
	for range apart {
		before := rounds
		verdictOn(save())
		require.Greater(t, rounds, before)
	}
	for range bursts {
		var last string
		for range 50 {
			last = save()
			time.Sleep(2 * time.Millisecond) // that is what a burst is
		}
		verdictOn(last)
	}
	goroutinesNow, handlesNow, memoryNow := holdings(t)
	t.Logf("%d saves, %d verdicts; goroutines %d to %d, handles %d to %d, memory %d to %d kB",
		n, rounds, goroutines, goroutinesNow, handles, handlesNow, memory>>10, memoryNow>>10)
	require.LessOrEqual(t, goroutinesNow, goroutines)
	require.LessOrEqual(t, handlesNow, handles)
	require.Less(t, float64(memoryNow), 1.2*float64(memory))
	cancel()
	<-ended
	<-ended
}

// holdings are what this process holds. Handles are counted on Linux only.
func holdings(t *testing.T) (goroutines, handles int, memory uint64) {
	t.Helper()
	open, err := filepath.Glob("/proc/self/fd/*")
	require.NoError(t, err)
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return runtime.NumGoroutine(), len(open), m.HeapAlloc
}
