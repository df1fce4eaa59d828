package singleflight_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	singleflight "concurrency-koans/lessons/10-singleflight"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errDown = errors.New("the database is down")

// Step 1: one works, all get the answer

// Who asks alone gets what fn returns, and the next one asks anew.
// What is under way can be shared. What is over is not kept: that would be a cache,
// and comes later.
func TestAloneYouGetYourOwnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		defer rest()
		var rows singleflight.Group[string, string]
		for n := range 3 {
			for _, key := range []string{"lamp", "chair", ""} {
				synctest.Wait() // by now the call before it is long over
				want := fmt.Sprintf("row %d of %s", n, key)
				v, shared, err := rows.Do(key, func() (string, error) { return want, nil })
				require.NoError(t, err, "Do was called with an fn that returns no error: it must return none")
				require.Equal(t, want, v, "Do was called with a new fn, and no call for key %q was under way: it must call that fn, and return what it returns", key)
				require.False(t, shared, "Nobody else was waiting for the result: shared must be false")
			}
		}
	})
}

// A hundred who ask at the same time make one run, and all of them get its result.
func TestManyCallersOneRun(t *testing.T) {
	defer verifyNoLeak(t, goleak.IgnoreCurrent())
	const callers = 100
	var rows singleflight.Group[string, string]
	slow := newQuery(t)
	answers := make(chan answer, callers)
	for range callers {
		go ask(&rows, "lamp", slow.returns("row 1", nil), answers)
	}
	untilWaiting(t, callers, answers, "100 callers called Do for the same key, and fn has not returned yet: all of them must wait")
	slow.finish()
	got := collect(t, callers, answers, "100 callers called Do for the same key, and fn has returned: all of them must return")

	require.EqualValues(t, 1, slow.calls.Load(), "100 callers called Do for the same key, and while the first fn was running, the others waited: it must be the only fn that is called")
	for _, a := range got {
		require.NoError(t, a.err, "100 callers waited for one run, and fn returned no error: nobody may get one")
		require.Equal(t, "row 1", a.v, "100 callers waited for one run: each must get what fn returned")
		require.True(t, a.shared, "100 callers waited for one run: shared must be true for each of them, also for the one that began it")
	}

	requireAlone(t, &rows, "A run for 100 callers was over, and then Do was called once more: it must begin a new run, for one caller")
}

// What is under way for one key holds up no other key, and no other key gets its result.
func TestKeysAreIndependent(t *testing.T) {
	defer verifyNoLeak(t, goleak.IgnoreCurrent())
	var rows singleflight.Group[any, string]
	slow := newQuery(t)
	slowly, quickly := make(chan answer, 1), make(chan answer, 1)
	go ask(&rows, any("a table"), slow.returns("row of a table", nil), slowly)
	untilWaiting(t, 1, slowly, "Do was called, and fn has not returned yet: Do must wait")

	// fn for another key, and from inside that one for yet another.
	go ask(&rows, any("chair"), func() (string, error) {
		v, _, err := rows.Do("lamp", func() (string, error) { return "row of lamp", nil })
		return "row of chair beside " + v, err
	}, quickly)
	a := soon(t, quickly, "Do was called for two keys while fn was running for a third one, one from inside the fn of the other: both must return at once")
	require.Equal(t, answer{v: "row of chair beside row of lamp"}, a, "An fn called Do for another key: each Do must return what its own fn returns")

	// Keys that look alike, and are not the same.
	others := make([]chan answer, len(alike))
	for i, a := range alike {
		others[i] = make(chan answer, 1)
		go ask(&rows, a.key, slow.returns(a.row, nil), others[i])
	}
	untilIdle(t)
	slow.finish()
	for i, a := range alike {
		require.Equal(t, answer{v: a.row}, soon(t, others[i], "No fn is running any more: Do must return"),
			"Do was called at the same time for keys that look alike when they are printed, and are not equal: each call must get the result of its own fn")
	}
	require.Equal(t, answer{v: "row of a table"}, soon(t, slowly, "No fn is running any more: Do must return"), "Nobody else asked for this key: Do must return what its own fn returned")
}

// Step 2: what is over is over

// An error goes to all who waited for it, with its value, and to nobody after them.
func TestErrorIsSharedAndForgotten(t *testing.T) {
	defer verifyNoLeak(t, goleak.IgnoreCurrent())
	const callers = 10
	var rows singleflight.Group[string, string]
	for round := range 2 {
		untilIdle(t) // by now the calls before are long over
		failing := newQuery(t)
		answers := make(chan answer, callers)
		err := fmt.Errorf("attempt %d: %w", round+1, errDown)
		for range callers {
			go ask(&rows, "lamp", failing.returns("half a row", err), answers)
		}
		untilWaiting(t, callers, answers, "10 callers called Do with a new fn, which has not returned yet: all of them must wait, and nobody may get what an earlier run has left")
		failing.finish()
		got := collect(t, callers, answers, "10 callers waited for one run, and fn failed: all of them must return")
		require.EqualValues(t, 1, failing.calls.Load(), "10 callers waited for one run, and fn failed: nobody may call fn again")
		for _, a := range got {
			require.Equal(t, err, a.err, "10 callers waited for one run, and fn failed: each must get its error, and not one from an earlier run")
			require.Equal(t, "half a row", a.v, "An fn returned a value beside its error: each caller must get both")
			require.True(t, a.shared, "10 callers waited for one run, and fn failed: shared must be true all the same")
		}
	}

	requireAlone(t, &rows, "A run had failed, and then Do was called once more: it must begin a new run, for one caller")
}

// Who has an answer and asks again gets a new one, however soon that is.
// An answer that is over must not be found by anybody, not even in the moment in
// which it is handed out. In that moment many wake up, and some are quick.
func TestFinishedRunServesNobody(t *testing.T) {
	defer verifyNoLeak(t, goleak.IgnoreCurrent())
	// The quick ones have to run while others are still being woken, whatever the
	// machine.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	for round, start := 0, time.Now(); round < 8 || round < 24 && time.Since(start) < 100*time.Millisecond; round++ {
		callers, times := 300, 30
		if round%2 == 1 { // what one storm leaves out, another one finds
			callers, times = 20, 400
		}
		var rows singleflight.Group[string, int64]
		var runs atomic.Int64
		query := func() (int64, error) {
			n := runs.Add(1)
			runtime.Gosched() // so that some can join
			return n, nil
		}
		type part struct {
			run    int64
			shared bool
		}
		parts := make([][]part, callers)
		var all sync.WaitGroup
		for caller := range parts {
			parts[caller] = make([]part, times)
			all.Go(func() {
				for i := range parts[caller] {
					p := &parts[caller][i]
					p.run, p.shared, _ = rows.Do("lamp", query)
				}
			})
		}
		if !waited(&all) {
			require.Fail(t, "nothing happened for two seconds", "Many callers called Do for the same key again and again: each call must return")
		}

		members := make([]int, runs.Load()+1)
		for caller := range parts {
			last := int64(0)
			for _, p := range parts[caller] {
				if p.run <= last {
					require.Failf(t, "an old result", "A caller had got the result of run %d, called Do again, and got that of run %d: a run that has ended must not be found by anybody who comes later", last, p.run)
				}
				last = p.run
				members[p.run]++
			}
		}
		for caller := range parts {
			for _, p := range parts[caller] {
				if p.shared != (members[p.run] > 1) {
					require.Equal(t, members[p.run] > 1, p.shared, "A run was counted before all had joined, or not with all: %d callers got its result, and this is what one of them was told by shared", members[p.run])
				}
			}
		}
	}
}

// Step 3: when fn does not return

// A panic in fn reaches every caller as an error, and frees the key.
// Whoever waits must not wait for ever, and one broken row must not end the server.
func TestPanicReachesEveryCaller(t *testing.T) {
	defer verifyNoLeak(t, goleak.IgnoreCurrent())
	var rows singleflight.Group[string, string]
	for _, callers := range []int{1, 10} {
		broken := newQuery(t)
		answers := make(chan answer, callers)
		for range callers {
			go ask(&rows, "lamp", broken.ends(func() { stumble(errDown) }), answers)
		}
		untilWaiting(t, callers, answers, "Do was called for a key, and fn has not returned yet: every call must wait")
		broken.finish()
		for _, a := range collect(t, callers, answers, "Do was called with an fn that panics: every caller must get an error, the first as well as the last") {
			require.Empty(t, a.lost, "Do was called with an fn that panics: it must return an error to every caller, and do no harm to the goroutine that called it")
			var panicked *singleflight.PanicError
			require.ErrorAs(t, a.err, &panicked, "Do was called with an fn that panics: every caller must get a *PanicError")
			require.Zero(t, a.v, "Do was called with an fn that panics: beside the error there must be a zero value")
			require.Equal(t, errDown, panicked.Value, "The Value of PanicError must be what fn panicked with")
			require.Contains(t, string(panicked.Stack), "stumble",
				"The Stack of PanicError must show the function that panicked, and that was stumble: the stack has to be taken before it is unwound")
			require.Equal(t, callers > 1, a.shared, "Do was called with an fn that panics, and this many callers waited for that run: %d; shared must tell whether there were several, as always", callers)
		}
		require.EqualValues(t, 1, broken.calls.Load(), "Callers waited for one run, and fn panicked: nobody may call fn again")
		requireAlone(t, &rows, "A run ended with a panic, and then Do was called: the key must be free, and Do begin a new run")
	}
}

// A runtime.Goexit in fn reaches every caller as an error, and frees the key.
// It is no panic: nothing can be recovered, and nothing returns. Only what is
// deferred is still called.
func TestGoexitReachesEveryCaller(t *testing.T) {
	defer verifyNoLeak(t, goleak.IgnoreCurrent())
	var rows singleflight.Group[string, string]
	for _, callers := range []int{1, 10} {
		ending := newQuery(t)
		answers := make(chan answer, callers)
		for range callers {
			go ask(&rows, "lamp", ending.ends(runtime.Goexit), answers)
		}
		untilWaiting(t, callers, answers, "Do was called for a key, and fn has not returned yet: every call must wait")
		ending.finish()
		for _, a := range collect(t, callers, answers, "Do was called with an fn that calls runtime.Goexit: every caller must get an error, the first as well as the last") {
			require.Empty(t, a.lost, "Do was called with an fn that calls runtime.Goexit: it must return an error to every caller, and do no harm to the goroutine that called it")
			require.ErrorIs(t, a.err, singleflight.ErrGoexit, "Do was called with an fn that calls runtime.Goexit: every caller must get ErrGoexit")
			require.Zero(t, a.v, "Do was called with an fn that calls runtime.Goexit: beside the error there must be a zero value")
			require.Equal(t, callers > 1, a.shared, "Do was called with an fn that calls runtime.Goexit, and this many callers waited for that run: %d; shared must tell whether there were several, as always", callers)
		}
		require.EqualValues(t, 1, ending.calls.Load(), "Callers waited for one run, and fn called runtime.Goexit: nobody may call fn again")
		requireAlone(t, &rows, "A run ended with runtime.Goexit, and then Do was called: the key must be free, and Do begin a new run")
	}
}

// Step 4: letting go of a run

// After Forget the next call begins a new run, and the old one keeps its hands off it.
// When a price has changed, what is being read may be the old one.
func TestForgetBeginsAnew(t *testing.T) {
	defer verifyNoLeak(t, goleak.IgnoreCurrent())
	var rows singleflight.Group[string, string]
	forget := func(key string) {
		t.Helper()
		done := make(chan struct{})
		go func() {
			rows.Forget(key)
			close(done)
		}()
		soon(t, done, "Forget was called: it must return at once, whatever is under way")
	}
	forget("lamp") // nothing is under way, and the Group has never been used

	begin := func(row string) (*query, chan answer) {
		slow, answers := newQuery(t), make(chan answer, 3)
		for range 2 {
			go ask(&rows, "lamp", slow.returns(row, nil), answers)
		}
		untilIdle(t)
		require.EqualValues(t, 1, slow.calls.Load(), "The run that was under way was forgotten, or there was none, and Do was called twice: there must be one new run for both")
		return slow, answers
	}
	requireBoth := func(want string, answers chan answer, n int, why string) {
		t.Helper()
		for _, a := range collect(t, n, answers, "The fn of a run has returned: all who waited for it must return") {
			require.Equal(t, answer{v: want, shared: true}, a, why)
		}
	}

	// Beside all that follows, a run for another key is under way.
	chair, chairAnswers := newQuery(t), make(chan answer, 2)
	go ask(&rows, "chair", chair.returns("row of chair", nil), chairAnswers)

	first, firstAnswers := begin("first row")
	forget("table") // nothing is under way for this one
	forget("lamp")
	second, secondAnswers := begin("second row")
	requireWaiting(t, firstAnswers, "A run was forgotten: who has joined it already must go on waiting for it")

	go ask(&rows, "chair", chair.returns("another row of chair", nil), chairAnswers)
	untilIdle(t)
	require.EqualValues(t, 1, chair.calls.Load(), "Forget was called for lamp and for table, and then Do for chair, for which a run was under way all the time: Do must join it, and not call fn")
	chair.finish()
	requireBoth("row of chair", chairAnswers, 2, "Forget was called for other keys than chair: who waits for the run for chair must get its result, shared")

	first.finish()
	requireBoth("first row", firstAnswers, 2, "Two callers had joined a run, and then it was forgotten: both must get its result, and shared must be true")
	go ask(&rows, "lamp", func() (string, error) { return "third row", nil }, secondAnswers)
	untilIdle(t)
	second.finish()
	requireBoth("second row", secondAnswers, 3, "A forgotten run ended while a newer one was under way, and then Do was called: the newer one must still be there, and be joined")

	requireAlone(t, &rows, "A run was forgotten, and another one is over, so none is under way: Do must begin a new one, for one caller")

	// fn itself finds out that what it reads is old, and one that came after it
	// must not get it.
	inner, outer := make(chan answer, 1), make(chan answer, 1)
	go ask(&rows, "lamp", func() (string, error) {
		rows.Forget("lamp")
		ask(&rows, "lamp", func() (string, error) { return "new row", nil }, inner)
		return "old row", nil
	}, outer)
	require.Equal(t, answer{v: "old row"}, soon(t, outer, "An fn called Forget for its own key, and then Do: that must begin a new run, and neither may wait for the old one"),
		"An fn called Forget for its own key: the Do that had called fn must return what fn returned")
	require.Equal(t, answer{v: "new row"}, soon(t, inner, "An fn called Do, and has returned: so has that Do"), "An fn called Forget for its own key, and then Do: that must begin a new run")

	// Many keys: in the first round two call Forget at the same time, and in the others
	// two more call Do meanwhile.
	var prices singleflight.Group[int, int]
	const keys = 50
	var wrong [2]int
	for round := range 7 {
		prices.Do(0, func() (int, error) { return 0, nil })
		var all sync.WaitGroup
		for i := range wrong {
			all.Go(func() {
				for key := range keys {
					prices.Forget(key)
				}
			})
			if round == 0 {
				continue
			}
			all.Go(func() {
				for key := range keys {
					if v, _, err := prices.Do(key, func() (int, error) { return key, nil }); v != key || err != nil {
						wrong[i]++
					}
				}
			})
		}
		if !waited(&all) {
			require.Fail(t, "nothing happened for two seconds", "Do and Forget were called at the same time for many keys, and fn returns at once: each call must return")
		}
	}
	require.Equal(t, [2]int{}, wrong, "Do and Forget were called at the same time for many keys: each Do must return what its fn does; these are the calls that did not, in two goroutines")
}

// Step 5: a context for each caller

// Whose ctx ends leaves alone, and the others get their answer.
// That goes for the one that began the run, too: it is not the owner.
func TestLeavingConcernsNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		defer rest()
		var rows singleflight.Group[string, string]
		var calls atomic.Int64
		query := func(ctx context.Context) (string, error) {
			calls.Add(1)
			return "row", work(ctx, 10*time.Second)
		}
		start := time.Now()
		v, shared, err := rows.DoContext(context.Background(), "lamp", query)
		require.NoError(t, err, "DoContext was called with a ctx that does not end, and fn returned no error: it must return none")
		require.Equal(t, answer{v: "row"}, answer{v: v, shared: shared}, "One caller called DoContext: it must get what fn returned, unshared")
		require.Equal(t, 10*time.Second, time.Since(start), "DoContext was called with an fn that takes 10 s: it must return when fn does")

		for _, test := range []struct {
			words  string
			leaves []time.Duration // when the ctx of each caller ends; 0 means never
			shared bool            // for those who stay
		}{
			{"caller 1 leaves after 1 s, 2 and 3 stay", []time.Duration{time.Second, 0, 0}, true},
			{"caller 2 leaves after 2 s, 1 and 3 stay", []time.Duration{0, 2 * time.Second, 0}, true},
			{"caller 4 leaves after 1 s, 3 after 3 s, 1 and 2 stay", []time.Duration{0, 0, 3 * time.Second, time.Second}, true},
			{"caller 1 leaves after 1 s, 2 stays", []time.Duration{time.Second, 0}, false},
			{"caller 3 leaves after 2 s, 2 after 3 s, 1 stays", []time.Duration{0, 3 * time.Second, 2 * time.Second}, false},
		} {
			calls.Store(0)
			who := "DoContext was called with an fn that takes 10 s; " + test.words
			start := time.Now()
			answers, took := make([]answer, len(test.leaves)), make([]time.Duration, len(test.leaves))
			var all sync.WaitGroup
			for i, d := range test.leaves {
				ctx := context.Background()
				if d > 0 {
					ctx = within(t, d)
				}
				all.Go(func() {
					answers[i] = doContext(ctx, &rows, "lamp", query)
					took[i] = time.Since(start)
				})
				synctest.Wait() // so that the first one begins the run
			}
			// Who comes with a ctx that has ended joins nothing.
			v, shared, err := rows.DoContext(ended(), "lamp", query)
			require.ErrorIs(t, err, context.Canceled, "DoContext was called with a ctx that had ended, and a run was under way: it must return ctx's error")
			require.Equal(t, answer{}, answer{v: v, shared: shared}, "DoContext was called with a ctx that had ended: beside the error there must be a zero value and false")
			require.Zero(t, time.Since(start), "DoContext was called with a ctx that had ended: it must return at once")
			all.Wait()

			require.EqualValues(t, 1, calls.Load(), "%s: fn must be called once", who)
			for i, d := range test.leaves {
				a := answers[i]
				if d > 0 {
					require.ErrorIs(t, a.err, context.DeadlineExceeded, "%s: caller %d must get the error of its own ctx", who, i+1)
					require.Equal(t, answer{}, answer{v: a.v, shared: a.shared}, "%s: caller %d must get a zero value and false", who, i+1)
					require.Equal(t, d, took[i], "%s: caller %d must return when it leaves", who, i+1)
					continue
				}
				require.NoError(t, a.err, "%s: caller %d must not get an error, since its own ctx has not ended", who, i+1)
				require.Equal(t, "row", a.v, "%s: caller %d must get what fn returned", who, i+1)
				require.Equal(t, 10*time.Second, took[i], "%s: caller %d must return when fn does", who, i+1)
				require.Equal(t, test.shared, a.shared, "%s: shared must tell caller %d whether others were still waiting when the run ended", who, i+1)
			}
		}

		calls.Store(0)
		for range 50 { // what is left to chance goes wrong in one of them
			_, _, err := rows.DoContext(ended(), "lamp", query)
			require.ErrorIs(t, err, context.Canceled, "DoContext was called with a ctx that had ended: it must return ctx's error, every time of 50")
		}
		synctest.Wait()
		require.Zero(t, calls.Load(), "DoContext was called 50 times with a ctx that had ended: fn must not be called")
	})

	// A Do beside a DoContext. The two take part in the same runs, and this koan
	// goes on in real time, since a Do may wait as it likes.
	defer verifyNoLeak(t, goleak.IgnoreCurrent())
	var rows singleflight.Group[string, string]
	slow := newQuery(t)
	hurried, patient := make(chan answer, 1), make(chan answer, 1)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go askContext(ctx, &rows, "lamp", deaf(slow.returns("row", nil)), hurried)
	untilWaiting(t, 1, hurried, "DoContext was called, and fn has not returned yet: DoContext must wait")
	go ask(&rows, "lamp", slow.returns("another row", nil), patient)
	untilWaiting(t, 2, patient, "DoContext was called, and then Do, for the same key, and fn has not returned yet: both must wait")
	cancel()
	require.ErrorIs(t, soon(t, hurried, "The ctx of DoContext ended while it waited: it must return").err, context.Canceled, "The ctx of DoContext ended while it waited: it must return ctx's error")

	// Twenty more come and leave. The run goes on, since Do waits for it.
	untilIdle(t)
	before, _, _ := look()
	const callers = 20
	ctx, cancel = context.WithCancel(context.Background())
	defer cancel()
	leavers := make(chan answer, callers)
	for range callers {
		go askContext(ctx, &rows, "lamp", deaf(slow.returns("another row", nil)), leavers)
	}
	untilWaiting(t, 1+callers, leavers, "DoContext was called 20 times while a run was under way: each call must wait for it")
	cancel()
	for _, a := range collect(t, callers, leavers, "The ctx of 20 callers ended while they waited: they must return") {
		require.ErrorIs(t, a.err, context.Canceled, "The ctx of 20 callers ended while they waited: each must get ctx's error")
	}
	untilIdle(t)
	if after, _, _ := look(); after > before {
		require.Equal(t, 0, after-before, "20 callers had joined a run and left it, and the run went on: they must leave no goroutine behind; number of goroutines that are left of them")
	}

	slow.finish()
	require.Equal(t, answer{v: "row"}, soon(t, patient, "The fn has returned: Do must return"), "DoContext had begun a run, Do joined it, and DoContext left: Do must get the result of that run, unshared")
	require.EqualValues(t, 1, slow.calls.Load(), "DoContext and Do were called for the same key at the same time: fn must be called once")

	// A ctx that has ended, and a run that ends at that very moment: while DoContext
	// asks for the ctx.
	for round := range 4 {
		var rows singleflight.Group[string, string]
		slow := newQuery(t)
		patient, late := make(chan answer, 1), make(chan answer, 1)
		go ask(&rows, "lamp", slow.returns("row", nil), patient)
		untilWaiting(t, 1, patient, "Do was called, and fn has not returned yet: Do must wait")
		ctx := &interrupted{Context: ended(), at: max(1, int64(round)), by: func() {
			slow.finish()
			for deadline := time.Now().Add(30 * time.Millisecond); len(patient) == 0 && time.Now().Before(deadline); {
				runtime.Gosched() // it may be that Do cannot return before DoContext has
			}
		}}
		go askContext(ctx, &rows, "lamp", func(context.Context) (string, error) { return "another row", nil }, late)
		const joined = "A run was about to end, and DoContext was called with a ctx that had ended: it must not join the run, and return ctx's error at once"
		require.ErrorIs(t, soon(t, late, joined).err, context.Canceled, joined)
		slow.finish()
		require.Equal(t, answer{v: "row"}, soon(t, patient, "The fn has returned: Do must return"),
			"Do was waiting for a run, and DoContext was called with a ctx that had ended: it must not join the run, so Do must get the result unshared")
	}
}

// The last one who leaves ends fn's context, and nobody joins what has been told to stop.
// Work that somebody waits for goes on, and work that nobody waits for does not. The
// context ends, too, when fn is over, in whichever way.
func TestLastOneOutStopsTheRun(t *testing.T) {
	type user struct{}

	// The context belongs to the run. It takes from the first caller what was said,
	// and not how long that caller has time.
	synctest.Test(t, func(t *testing.T) {
		defer rest()
		var rows singleflight.Group[string, string]
		start := time.Now()
		var given context.Context
		var told atomic.Int64
		query := func(ctx context.Context) (string, error) {
			given = ctx
			err := work(ctx, time.Hour)
			told.Store(int64(time.Since(start)))
			return "", err
		}
		var all sync.WaitGroup
		for i, d := range []time.Duration{time.Second, 3 * time.Second, 2 * time.Second} {
			ctx := context.WithValue(within(t, d), user{}, i)
			all.Go(func() { doContext(ctx, &rows, "lamp", query) })
			synctest.Wait()
		}
		deadline, ok := given.Deadline()
		require.False(t, ok, "A run was begun by a caller with a deadline: fn's context must not have that deadline, nor any other (it has one %v after the start)", deadline.Sub(start))
		require.Equal(t, 0, given.Value(user{}), "A run was begun: fn's context must have the values of the ctx of the caller that began the run")
		all.Wait()
		synctest.Wait()
		require.Equal(t, "after 3 s", when(&told), "Three callers waited for a run, and left after 1 s, 3 s and 2 s: DoContext must end fn's context when the last of them leaves")

		_, _, err := rows.DoContext(context.Background(), "lamp", func(ctx context.Context) (string, error) {
			given = ctx
			return "row", ctx.Err()
		})
		require.NoError(t, err, "The run before was given up by all its callers: the next call must begin a new one, with a context that has not ended")

		for _, end := range []struct {
			how string
			by  func()
		}{
			{"returned", func() {}},
			{"panicked", func() { stumble(errDown) }},
			{"called runtime.Goexit", runtime.Goexit},
		} {
			rows.DoContext(context.Background(), "lamp", func(ctx context.Context) (string, error) {
				given = ctx
				end.by()
				return "row", nil
			})
			synctest.Wait()
			require.Error(t, given.Err(), "DoContext was called with an fn that %s: now that fn is over, its context must have ended, or what listens to it waits on", end.how)
		}
	})

	// A run that has been forgotten belongs to those who wait for it, as any other.
	synctest.Test(t, func(t *testing.T) {
		defer rest()
		var rows singleflight.Group[string, string]
		start := time.Now()
		var told atomic.Int64
		left, stayed := make(chan answer, 1), make(chan answer, 2)
		go askContext(within(t, time.Second), &rows, "lamp", func(ctx context.Context) (string, error) {
			err := work(ctx, time.Hour)
			told.Store(int64(time.Since(start)))
			return "old row", err
		}, left)
		synctest.Wait() // so that it begins the run
		rows.Forget("lamp")
		query := func(context.Context) (string, error) {
			n := time.Since(start).Seconds()
			time.Sleep(3 * time.Second)
			return fmt.Sprintf("row begun after %v s", n), nil
		}
		go askContext(context.Background(), &rows, "lamp", query, stayed)
		time.Sleep(2 * time.Second)
		go askContext(context.Background(), &rows, "lamp", query, stayed)
		synctest.Wait()
		require.Equal(t, "after 1 s", when(&told), "A run was forgotten, and after 1 s the only one who waited for it left: its fn's context must end then, as that of any other run")
		require.ErrorIs(t, (<-left).err, context.DeadlineExceeded, "A run was forgotten, and then the ctx of its only caller ended: DoContext must return ctx's error")
		for range 2 {
			require.Equal(t, answer{v: "row begun after 0 s", shared: true}, <-stayed, "A run was forgotten and a newer one begun, then the last caller of the old one left, and DoContext was called: it must join the newer one, which is still under way")
		}
	})

	// Being told to stop takes time. Who comes meanwhile has nothing to do with it.
	synctest.Test(t, func(t *testing.T) {
		defer rest()
		var rows singleflight.Group[string, string]
		start := time.Now()
		query := func(row string, d time.Duration) func(context.Context) (string, error) {
			return func(context.Context) (string, error) {
				time.Sleep(d)
				if row == "dropped" {
					stumble(errDown)
				}
				return row, nil
			}
		}
		a := doContext(within(t, time.Second), &rows, "lamp", query("dropped", 10*time.Second))
		require.ErrorIs(t, a.err, context.DeadlineExceeded, "The ctx of DoContext ended after 1 s: it must return ctx's error")
		require.Equal(t, time.Second, time.Since(start), "The ctx of DoContext ended after 1 s, and fn does not listen: it must return after 1 s, and not wait for fn")

		a = doContext(context.Background(), &rows, "lamp", query("second row", 2*time.Second))
		require.Equal(t, answer{v: "second row"}, a, "All callers of a run had left, its fn had not listened, and then DoContext was called: it must begin a new run, and get its result, unshared")
		require.Equal(t, 3*time.Second, time.Since(start), "All callers of a run had left, and then DoContext was called with an fn that takes 2 s: it must not wait for the old one")

		// The third run is under way from 9 s to 13 s, and the first one ends after 10 s.
		time.Sleep(6 * time.Second)
		third := make(chan answer, 2)
		go askContext(context.Background(), &rows, "lamp", query("third row", 4*time.Second), third)
		time.Sleep(2 * time.Second)
		go askContext(context.Background(), &rows, "lamp", query("fourth row", 4*time.Second), third)
		for range 2 {
			require.Equal(t, answer{v: "third row", shared: true}, <-third, "A run that everybody had left panicked while a newer one was under way, and then DoContext was called: it must join the newer one")
		}
		require.Equal(t, 13*time.Second, time.Since(start), "Two callers waited for a run: both must return when it ends")
	})

	// Leaving at the very moment at which the run ends: one of the two comes first.
	synctest.Test(t, func(t *testing.T) {
		defer rest()
		var rows singleflight.Group[string, string]
		for range 50 {
			answers := make(chan answer, 2)
			for range 2 {
				go askContext(within(t, time.Second), &rows, "lamp", func(context.Context) (string, error) {
					time.Sleep(time.Second)
					return "row", nil
				}, answers)
			}
			for range 2 {
				a := <-answers
				if a.err != nil {
					require.ErrorIs(t, a.err, context.DeadlineExceeded, "The ctx of DoContext ended at the moment at which the run did: it must return ctx's error or the result")
					require.Equal(t, answer{err: a.err}, a, "DoContext returned ctx's error: beside it there must be a zero value and false")
				} else {
					require.Equal(t, "row", a.v, "The ctx of DoContext ended at the moment at which the run did, and it returned no error: it must return the result")
				}
			}
		}
	})

	// Who comes in the very moment in which the last one leaves must not get into the
	// run that is being given up. First somebody comes who has heard of its end, which
	// takes a while, for much hangs on its context.
	defer verifyNoLeak(t, goleak.IgnoreCurrent())
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	const clean = "The last caller was just leaving, and DoContext was called with a ctx that never ends: it must not get into a run whose context has ended, and this is what fn returned when it had"
	for range 2 {
		var rows singleflight.Group[string, string]
		first := newQuery(t)
		given := make(chan context.Context, 1)
		ctx, cancel := context.WithCancel(context.Background())
		left, stayed := make(chan answer, 1), make(chan answer, 1)
		go askContext(ctx, &rows, "lamp", func(ctx context.Context) (string, error) {
			for range 2000 {
				_, cancel := context.WithCancel(ctx)
				defer cancel()
			}
			given <- ctx
			<-first.ready
			return "", errGivenUp
		}, left)
		told := soon(t, given, "DoContext was called: it must call fn")
		go cancel()
		soon(t, told.Done(), "The only caller has left: fn's context must end")
		go askContext(context.Background(), &rows, "lamp", func(context.Context) (string, error) { return "row", nil }, stayed)
		soon(t, left, "The ctx of DoContext has ended: it must return")
		untilIdle(t)
		first.finish()
		require.NoError(t, soon(t, stayed, "The fn has returned: DoContext must return").err, clean)
	}

	// Then one comes, and one leaves, while the Group has its hands full with another
	// key, a very long one.
	long := strings.Repeat("lamp", 4<<20)
	for range 3 {
		var rows singleflight.Group[string, string]
		slow := newQuery(t)
		ctx, cancel := context.WithCancel(context.Background())
		left, stayed, busy := make(chan answer, 1), make(chan answer, 1), make(chan answer, 1)
		go askContext(ctx, &rows, "lamp", slow.obeys, left)
		untilWaiting(t, 1, left, "DoContext was called, and fn has not returned yet: DoContext must wait")
		begun := make(chan struct{})
		go func() {
			close(begun)
			ask(&rows, long, func() (string, error) { return "row", nil }, busy)
		}()
		<-begun
		yield(20)
		go askContext(context.Background(), &rows, "lamp", slow.obeys, stayed)
		yield(20)
		cancel()
		soon(t, left, "The ctx of DoContext has ended: it must return")
		slow.finish()
		require.NoError(t, soon(t, stayed, "The fn has returned: DoContext must return").err, clean)
		soon(t, busy, "The fn has returned: Do must return")
	}

	// And many come and go as they like.
	var rows singleflight.Group[string, string]
	query := func(ctx context.Context) (string, error) {
		yield(5)
		return "row", ctx.Err()
	}
	const callers, times = 4, 50
	var heard [callers]error
	var all sync.WaitGroup
	for caller := range callers {
		all.Go(func() {
			for range times {
				ctx, cancel := context.WithCancel(context.Background())
				go cancel()
				rows.DoContext(ctx, "lamp", query)
				cancel()
			}
		})
		all.Go(func() {
			for range times {
				if _, _, err := rows.DoContext(context.Background(), "lamp", query); err != nil {
					heard[caller] = err
				}
			}
		})
	}
	if !waited(&all) {
		require.Fail(t, "nothing happened for two seconds", "Callers called DoContext for the same key again and again, and some of them left: each call must return")
	}
	for _, err := range heard {
		require.NoError(t, err, clean)
	}
}

// Step 6: a cache above it

// A value is remembered for ttl from the moment at which it was there, and a failure is not.
func TestCacheRemembersForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		defer rest()
		start := time.Now()
		loads := 0
		cache := singleflight.NewCache(10*time.Second, func(ctx context.Context, key string) (string, error) {
			loads++
			n := loads
			time.Sleep(4 * time.Second)
			if key == "" {
				return "", nil
			}
			return fmt.Sprintf("row %d of %s", n, key), nil
		})
		get := func(at time.Duration, key, want string, wantAt time.Duration, why string) {
			t.Helper()
			time.Sleep(at - time.Since(start))
			v, err := cache.Get(context.Background(), key)
			require.NoError(t, err, "Get called load, which returned no error: Get must return none")
			require.Equal(t, want, v, why)
			require.Equal(t, wantAt, time.Since(start), why+"; this is the time since the start")
		}
		const s = time.Second
		get(0, "lamp", "row 1 of lamp", 4*s, "Nothing is remembered, and load takes 4 s: Get must wait for load, and return its value")
		get(4*s, "lamp", "row 1 of lamp", 4*s, "The value has just been loaded: Get must return it at once")
		get(13*s, "lamp", "row 1 of lamp", 13*s, "With a ttl of 10 s, load was called 13 s ago and returned 9 s ago, which is what counts: Get must return its value at once")
		get(15*s, "lamp", "row 2 of lamp", 19*s, "With a ttl of 10 s, load returned 11 s ago: Get must call it again, and wait for it")
		get(19*s, "chair", "row 3 of chair", 23*s, "Nothing is remembered for this key: Get must call load")
		get(28*s, "lamp", "row 2 of lamp", 28*s, "With a ttl of 10 s, load returned 9 s ago; what other keys do makes no difference: Get must return the value at once")
		get(28*s, "", "", 32*s, "Nothing is remembered for this key: Get must call load")
		get(41*s, "", "", 41*s, "With a ttl of 10 s, load returned 9 s ago an empty value without an error, which is a value like any other: Get must return it at once")

		v, err := cache.Get(ended(), "")
		require.NoError(t, err, "The value is remembered, and ctx had ended: there is nothing to wait for, so Get must return the value")
		require.Zero(t, v, "The value is remembered, and it is empty: Get must return it")
		_, err = cache.Get(ended(), "chair")
		require.ErrorIs(t, err, context.Canceled, "The time of the value is up, and ctx had ended: Get must return ctx's error")
		synctest.Wait()
		require.Equal(t, 4, loads, "This is the number of calls of load: one for each of three keys, and one more when the time of a value was up")
	})

	synctest.Test(t, func(t *testing.T) {
		defer rest()
		loads := 0
		cache := singleflight.NewCache(time.Hour, func(_ context.Context, _ string) (string, error) {
			loads++
			switch loads {
			case 1:
				return "half a row", errDown
			case 2:
				stumble(errDown)
			case 3:
				runtime.Goexit()
			}
			return "row", nil
		})
		v, err := cache.Get(context.Background(), "lamp")
		require.ErrorIs(t, err, errDown, "Get called load, which failed: Get must return its error")
		require.Equal(t, "half a row", v, "Get called load, which returned a value beside its error: Get must return both")
		var panicked *singleflight.PanicError
		_, err = cache.Get(context.Background(), "lamp")
		require.ErrorAs(t, err, &panicked, "A load failed, and Get was called again: a failure is not remembered, so load must be called again; this time it panicked, and Get must return a *PanicError")
		_, err = cache.Get(context.Background(), "lamp")
		require.ErrorIs(t, err, singleflight.ErrGoexit, "A load panicked, and Get was called again: load must be called again; this time it called runtime.Goexit, and Get must return ErrGoexit")
		for range 2 {
			v, err = cache.Get(context.Background(), "lamp")
			require.NoError(t, err, "The load failed three times, and then it succeeded: Get must return no error")
			require.Equal(t, "row", v, "The load failed three times, and then it succeeded: Get must return its value")
		}
		require.Equal(t, 4, loads, "The load failed three times, and then it succeeded, which is remembered: after that it must not be called")
	})

	// Keys that look alike, and are not the same, first while load is running, and then
	// when all is remembered.
	synctest.Test(t, func(t *testing.T) {
		defer rest()
		cache := singleflight.NewCache(time.Hour, func(_ context.Context, key any) (string, error) {
			time.Sleep(time.Second)
			for _, a := range alike {
				if a.key == key {
					return a.row, nil
				}
			}
			return "", fmt.Errorf("load was called for %#v, a key for which Get was not called", key)
		})
		for range 2 {
			answers := make([]answer, len(alike))
			var all sync.WaitGroup
			for i, a := range alike {
				all.Go(func() { answers[i].v, answers[i].err = cache.Get(context.Background(), a.key) })
			}
			all.Wait()
			for i, a := range alike {
				require.Equal(t, answer{v: a.row}, answers[i], "Get was called for keys that look alike when they are printed, and are not equal: it must return for each the value that load has for it")
			}
		}
	})

	synctest.Test(t, func(t *testing.T) {
		defer rest()
		for _, ttl := range []time.Duration{0, -time.Hour} {
			loads := 0
			cache := singleflight.NewCache(ttl, func(context.Context, string) (int, error) {
				loads++
				return loads, nil
			})
			for n := range 3 {
				v, err := cache.Get(context.Background(), "lamp")
				require.NoError(t, err, "Get called load, which returned no error: Get must return none")
				require.Equal(t, n+1, v, "With a ttl of %v, nothing is remembered: each Get must call load", ttl)
			}
		}
		require.Panics(t, func() { singleflight.NewCache[string, string](time.Hour, nil) }, "NewCache was called with a nil load: it must panic at once")
	})
}

// When the time of a value is up, all who ask share one load, and it holds up nobody else.
func TestCacheLoadsOnce(t *testing.T) {
	type user struct{}

	// In real time, since a bubble cannot see a lock that is held while load runs.
	defer verifyNoLeak(t, goleak.IgnoreCurrent())
	slow := newQuery(t)
	cache := singleflight.NewCache(time.Hour, func(_ context.Context, key string) (string, error) {
		if key == "slow" {
			return slow.returns("slow row", nil)()
		}
		return "row", nil
	})
	get := func(key string) chan answer {
		answers := make(chan answer, 1)
		go func() {
			v, err := cache.Get(context.Background(), key)
			answers <- answer{v: v, err: err}
		}()
		return answers
	}
	require.Equal(t, answer{v: "row"}, soon(t, get("lamp"), "Get was called, nothing is under way, and load returns at once: Get must return"), "Get called load, which returned no error: Get must return its value")
	slowly := get("slow")
	untilIdle(t)
	soon(t, get("lamp"), "Get was called for a key whose value is remembered, while load was running for another: Get must return at once")
	soon(t, get("chair"), "Get was called for a key whose value is not remembered, while load was running for another: Get must not wait for that")
	slow.finish()
	require.Equal(t, answer{v: "slow row"}, soon(t, slowly, "The load has returned: Get must return"), "Get called load, which returned no error: Get must return its value")

	synctest.Test(t, func(t *testing.T) {
		defer rest()
		const callers = 300
		var loads atomic.Int64
		cache := singleflight.NewCache(10*time.Second, func(context.Context, string) (int64, error) {
			n := loads.Add(1)
			time.Sleep(2 * time.Second)
			return n, nil
		})
		for round := range 3 {
			start := time.Now()
			var got [callers]int64
			var all sync.WaitGroup
			for i := range got {
				all.Go(func() { got[i], _ = cache.Get(context.Background(), "lamp") })
			}
			all.Wait()
			require.EqualValues(t, round+1, loads.Load(), "300 callers called Get when nothing was remembered, or no longer: load must be called once for all of them, each time")
			for _, v := range got {
				require.EqualValues(t, round+1, v, "300 callers shared a load: each must get its value")
			}
			require.Equal(t, 2*time.Second, time.Since(start), "Get was called by 300 callers, and load takes 2 s: all of them must return when it does")
			time.Sleep(11 * time.Second)
		}
	})

	// Who leaves, leaves alone. When all have left, the load is given up, and it must
	// not spoil what was loaded meanwhile.
	synctest.Test(t, func(t *testing.T) {
		defer rest()
		start := time.Now()
		loads := 0
		var told atomic.Int64
		var asked any
		cache := singleflight.NewCache(time.Hour, func(ctx context.Context, _ string) (string, error) {
			loads++
			switch loads {
			case 1:
				asked = ctx.Value(user{})
				work(ctx, time.Hour)
				told.Store(int64(time.Since(start)))
				time.Sleep(10 * time.Second)
				return "old row", nil
			case 2:
				time.Sleep(4 * time.Second)
			}
			return fmt.Sprintf("row %d", loads), nil
		})
		leave := func(d time.Duration) {
			ctx := context.WithValue(within(t, d), user{}, "somebody")
			_, err := cache.Get(ctx, "lamp")
			if err == nil || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("The ctx of Get ended while it waited for load: Get must return ctx's error, and it returned %v", err)
			}
		}
		go leave(time.Second)
		synctest.Wait() // so that it begins the load
		leave(2 * time.Second)
		synctest.Wait()
		require.Equal(t, "somebody", asked, "A load was begun: its context must have the values of the ctx of the Get that began the load")
		require.Equal(t, "after 2 s", when(&told), "Two Gets waited for a load, and left after 1 s and 2 s: load's context must end when the last one leaves")

		go leave(time.Second)
		synctest.Wait()
		v, err := cache.Get(context.Background(), "lamp")
		require.NoError(t, err, "Everybody had left a load, and then two Gets came, of which one left: the other must get the value of a new load")
		require.Equal(t, "row 2", v, "Everybody had left a load, and then two Gets came, of which one left: the other must get the value of a new load")
		require.Equal(t, 6*time.Second, time.Since(start), "Get called load, which takes 4 s this time: Get must return when it returns")

		time.Sleep(time.Minute)
		v, err = cache.Get(context.Background(), "lamp")
		require.NoError(t, err, "The value is remembered: Get must return it")
		require.Equal(t, "row 2", v, "A load that everybody had left returned in the end, after a newer one: the newer value must be remembered")
	})

	// There is no moment in which a value that has been loaded cannot be found. First
	// with care: Get has to ask for ctx now and then, and one of these questions gives
	// another Get the time to load.
	for at := range 6 {
		var loads atomic.Int64
		cache := singleflight.NewCache(time.Hour, func(context.Context, string) (int64, error) { return loads.Add(1), nil })
		other := make(chan struct{})
		ctx := &interrupted{Context: context.Background(), at: int64(1 + at), by: func() {
			go func() {
				defer close(other)
				cache.Get(context.Background(), "lamp")
			}()
			select {
			case <-other:
			case <-time.After(10 * time.Millisecond): // it cannot come in between
			}
		}}
		done := make(chan int64, 1)
		go func() {
			v, _ := cache.Get(ctx, "lamp")
			done <- v
		}()
		v := soon(t, done, "Two callers called Get for the same key, and load returns at once: each call must return")
		if ctx.times.Load() >= ctx.at {
			soon(t, other, "Two callers called Get for the same key, and load returns at once: each call must return")
		}
		require.EqualValues(t, 1, loads.Load(), "Get looked and found nothing, and before it could begin a load, another Get had loaded the value: it must find that, and not load again; this is the number of loads")
		require.EqualValues(t, 1, v, "Get looked and found nothing, and before it could begin a load, another Get had loaded the value, which was 1: it must return that")
	}

	// Then with force: many ask for one key after the other, and some are always just
	// too late to join.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	for round, start := 0, time.Now(); round < 2 || round < 12 && time.Since(start) < 40*time.Millisecond; round++ {
		const callers, keys = 4, 300
		var loads [keys]atomic.Int64
		cache := singleflight.NewCache(time.Hour, func(_ context.Context, key int) (int, error) {
			loads[key].Add(1)
			return key, nil
		})
		var all sync.WaitGroup
		for range callers {
			all.Go(func() {
				for key := range keys {
					cache.Get(context.Background(), key)
				}
			})
		}
		if !waited(&all) {
			require.Fail(t, "nothing happened for two seconds", "4 callers called Get for one key after the other, and load returns at once: each call must return")
		}
		for key := range loads {
			if n := loads[key].Load(); n != 1 {
				require.EqualValues(t, 1, n, "4 callers called Get for the same key, with a ttl of an hour: load must be called once, and never when its value has been loaded already")
			}
		}
	}
}

var errGivenUp = errors.New("the run was told to stop")

// answer is what a caller got.
type answer struct {
	v      string
	shared bool
	err    error
	lost   string // what has become of the caller's goroutine if it got nothing
}

// String is what a caller got, in words.
func (a answer) String() string {
	switch {
	case a.lost != "":
		return a.lost
	case a.err != nil:
		return fmt.Sprintf("%q and the error %q", a.v, a.err)
	case a.shared:
		return fmt.Sprintf("%q, shared", a.v)
	default:
		return fmt.Sprintf("%q", a.v)
	}
}

// alike are keys that look alike when they are printed, and the row of each.
var alike = []struct {
	key any
	row string
}{
	{1, "row of the int 1"},
	{"1", "row of the string 1"},
	{int64(1), "row of the int64 1"},
	{1.0, "row of the float64 1"},
	{[2]string{"a b", "c"}, "row of [a b, c]"},
	{[2]string{"a", "b c"}, "row of [a, b c]"},
}

// when says in words after how long something was told.
func when(told *atomic.Int64) string {
	d := time.Duration(told.Load())
	if d == 0 {
		return "never"
	}
	return fmt.Sprintf("after %v s", d.Seconds())
}

// ask calls Do and sends what it got, whatever that is.
func ask[K comparable](rows *singleflight.Group[K, string], key K, fn func() (string, error), to chan<- answer) {
	a := answer{lost: "Do did not return: it ended its caller's goroutine"}
	defer func() {
		if value := recover(); value != nil {
			if text, ok := value.(string); ok && strings.HasPrefix(text, "TODO(") {
				panic(value)
			}
			a.lost = fmt.Sprintf("Do did not return: it panicked with %v", value)
		}
		to <- a
	}()
	a.v, a.shared, a.err = rows.Do(key, fn)
	a.lost = ""
}

// doContext calls DoContext and returns what it got.
func doContext(ctx context.Context, rows *singleflight.Group[string, string], key string, fn func(context.Context) (string, error)) (a answer) {
	a.v, a.shared, a.err = rows.DoContext(ctx, key, fn)
	return a
}

// askContext calls DoContext and sends what it got.
func askContext(ctx context.Context, rows *singleflight.Group[string, string], key string, fn func(context.Context) (string, error), to chan<- answer) {
	to <- doContext(ctx, rows, key, fn)
}

// interrupted is a ctx that does something when it is asked for the at-th time.
type interrupted struct {
	context.Context
	at    int64
	by    func()
	times atomic.Int64
}

func (c *interrupted) interrupt() {
	if c.times.Add(1) == c.at {
		c.by()
	}
}

func (c *interrupted) Done() <-chan struct{} {
	c.interrupt()
	return c.Context.Done()
}

func (c *interrupted) Err() error {
	c.interrupt()
	return c.Context.Err()
}

func (c *interrupted) Deadline() (time.Time, bool) {
	c.interrupt()
	return c.Context.Deadline()
}

// deaf makes an fn that does not listen to its context.
func deaf(fn func() (string, error)) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return fn() }
}

// query is a slow query: whoever calls it waits until it is finished.
type query struct {
	calls  atomic.Int64
	finish func()
	ready  chan struct{}
}

// newQuery makes a query, which is finished at the end of the koan at the latest.
func newQuery(t *testing.T) *query {
	q := &query{ready: make(chan struct{})}
	q.finish = sync.OnceFunc(func() { close(q.ready) })
	t.Cleanup(q.finish)
	return q
}

// returns makes an fn that returns v and err when the query is finished.
func (q *query) returns(v string, err error) func() (string, error) {
	return func() (string, error) {
		q.calls.Add(1)
		<-q.ready
		return v, err
	}
}

// ends makes an fn that calls end when the query is finished.
func (q *query) ends(end func()) func() (string, error) {
	return func() (string, error) {
		q.calls.Add(1)
		<-q.ready
		end()
		return "a row", nil
	}
}

// obeys is an fn that returns when the query is finished, or when it is told to stop.
func (q *query) obeys(ctx context.Context) (string, error) {
	select {
	case <-q.ready:
	case <-ctx.Done():
	}
	if ctx.Err() != nil {
		return "", errGivenUp
	}
	return "row", nil
}

// stumble panics. Its name must be found in the stack.
//
//go:noinline
func stumble(value any) { panic(value) }

// rest waits until everything else has come to its end, so that what is left at the
// end of a bubble is only what really never ends.
func rest() { time.Sleep(2 * time.Hour) }

// work takes d, or less if ctx ends, whose error it then returns.
func work(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// within returns a ctx that ends after d.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// ended returns a ctx that has already ended.
func ended() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// requireAlone calls Do when nothing is under way.
func requireAlone(t *testing.T, rows *singleflight.Group[string, string], why string) {
	t.Helper()
	untilIdle(t) // by now the calls before it are long over
	answers := make(chan answer, 1)
	go ask(rows, "lamp", func() (string, error) { return "a new row", nil }, answers)
	require.Equal(t, answer{v: "a new row"}, soon(t, answers, why), why)
}

// soon receives from c. It fails the koan after two seconds, which it does not
// take when all is well.
func soon[T any](t *testing.T, c <-chan T, otherwise string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(2 * time.Second):
		require.Fail(t, "nothing happened for two seconds", otherwise)
		panic("unreachable")
	}
}

// collect receives n answers.
func collect(t *testing.T, n int, answers <-chan answer, otherwise string) (got []answer) {
	t.Helper()
	for range n {
		got = append(got, soon(t, answers, otherwise))
	}
	return got
}

// waited waits for all, and reports whether they came within two seconds.
func waited(all *sync.WaitGroup) bool {
	done := make(chan struct{})
	go func() {
		all.Wait()
		close(done)
	}()
	select {
	case <-done:
		return true
	case <-time.After(2 * time.Second):
		return false
	}
}

// yield lets others go ahead, n times.
func yield(n int) {
	for range n {
		runtime.Gosched()
	}
}

// untilWaiting returns when n goroutines wait inside ask or askContext, no matter
// what for, and nobody else has anything to do. It fails the koan if one comes back
// before that.
func untilWaiting(t *testing.T, n int, answers <-chan answer, otherwise string) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Second); len(answers) == 0 && time.Now().Before(deadline); runtime.Gosched() {
		if _, waiting, busy := look(); !busy && waiting == n {
			return
		}
	}
	select {
	case a := <-answers:
		require.Fail(t, fmt.Sprintf("one of them did not wait, and got %v", a), otherwise)
	default:
		require.Fail(t, "it did not wait", otherwise)
	}
}

// requireWaiting fails the koan if a caller has got an answer.
func requireWaiting(t *testing.T, answers <-chan answer, why string) {
	t.Helper()
	select {
	case a := <-answers:
		require.Fail(t, fmt.Sprintf("one of them did not wait, and got %v", a), why)
	default:
	}
}

// untilIdle returns when nobody but the koan has anything to do.
func untilIdle(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Second); time.Now().Before(deadline); runtime.Gosched() {
		if _, _, busy := look(); !busy {
			return
		}
	}
	require.Fail(t, "somebody was busy for two seconds", "Nobody had anything to do but wait: whoever waits must not keep the processor busy meanwhile")
}

// look asks the runtime what each goroutine does: how many there are, how many of
// them wait inside ask or askContext, and whether any other than the koan's own has
// something to do. Only a bubble has a better way to know, and a bubble cannot see
// who waits for a lock.
func look() (all, waiting int, busy bool) {
	stacks := make([]byte, 1<<19)
	for i, g := range strings.Split(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
		state, frames, _ := strings.Cut(g, "\n")
		frames, _, _ = strings.Cut(frames, "created by ")
		all++
		switch {
		case i == 0: // the koan's own comes first
		case !slices.ContainsFunc(idle, func(s string) bool { return strings.Contains(state, s) }):
			busy = true
		case strings.Contains(frames, ".ask[...](") || strings.Contains(frames, ".askContext("):
			waiting++
		}
	}
	return all, waiting, busy
}

// idle is how the runtime calls it when a goroutine waits for another one, or for a
// time. All else is at work, or waits for the runtime itself, as for the collector.
var idle = []string{"[chan ", "[select", "[sync.", "[sleep", "[IO wait", "[syscall", "[finalizer wait", "[trace reader"}

// verifyNoLeak checks that a koan which passed has left no goroutine behind, apart
// from those that a failed koan before it had.
func verifyNoLeak(t *testing.T, before goleak.Option) {
	t.Helper()
	if !t.Failed() {
		goleak.VerifyNone(t, before)
	}
}
