package supervisor_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	supervisor "concurrency-koans/lessons/05-supervisor"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The workers of these koans are scripts: each run lasts as long, and ends in
// the way, that the koan has written down for it. Time is virtual, so that a
// schedule of weeks can be checked to the nanosecond.

var errDown = errors.New("the warehouse is down")

// Step 1: start again, or stop

// What a worker returns decides whether it is started again.
// An error means again, nil means done, and ErrDoNotRestart means that it is no use.
func TestAnswerDecides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newScript(t, after(time.Second, errDown), after(time.Second, errDown), after(time.Second, nil))
		err := supervisor.Keep(within(t, time.Hour), supervisor.Policy{}, w.work)
		require.Len(t, w.starts, 3, "the worker returned an error, another error, and then nil: Keep must run it three times")
		require.NoError(t, err, "the worker returned nil, which means that it is done: Keep must return nil")

		errPassword := errors.New("the password has expired")
		w = newScript(t, after(time.Second, fmt.Errorf("logging in: %w: %w", errPassword, supervisor.ErrDoNotRestart)))
		err = supervisor.Keep(within(t, time.Hour), supervisor.Policy{}, w.work)
		require.Len(t, w.starts, 1, "the worker returned an error that wraps ErrDoNotRestart: Keep must not start it again")
		require.ErrorIs(t, err, supervisor.ErrDoNotRestart, "the worker returned an error that wraps ErrDoNotRestart: Keep must return that error")
		require.ErrorIs(t, err, errPassword, "the worker returned an error that wraps ErrDoNotRestart and says why: Keep must return that error, with all that it wraps")

		require.Panics(t, func() { supervisor.Keep(ended(t), supervisor.Policy{}, nil) },
			"Keep was given a nil worker: it must panic at once, where the mistake was made")
	})
}

// That a worker returns because ctx has ended is no failure.
// It is what it was asked to do, whatever it says. Ask ctx, and not the error.
func TestEndOfCtxIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newScript(t)
		err := supervisor.Keep(ended(t), supervisor.Policy{}, w.work)
		require.Empty(t, w.starts, "ctx had ended before Keep was called: the worker must not be started at all")
		require.ErrorIs(t, err, context.Canceled, "ctx had ended before Keep was called: Keep must return ctx's error")
	})

	// Whoever still waits at the end of a bubble is left behind, and reported.
	synctest.Test(t, func(t *testing.T) {
		w := newScript(t, steady(0, errDown))
		err := supervisor.Keep(canceledAfter(time.Second), supervisor.Policy{}, w.work)
		require.ErrorIs(t, err, context.Canceled, "ctx ended while the worker was running: Keep must return ctx's error")
	})

	for says, result := range map[string]error{"failed": errDown, "returned nil": nil} {
		synctest.Test(t, func(t *testing.T) {
			w := newScript(t, steady(2*time.Second, result))
			start := time.Now()
			err := supervisor.Keep(canceledAfter(time.Second), supervisor.Policy{}, w.work)
			took := time.Since(start)
			time.Sleep(time.Hour) // if the worker still runs, let it come to its end

			require.Len(t, w.starts, 1, "ctx ended, and then the worker %s: Keep must not start it again", says)
			require.ErrorIs(t, err, context.Canceled, "ctx ended, and then the worker %s: Keep must return ctx's error all the same", says)
			require.Equal(t, 3*time.Second, took, "ctx ended after 1 s, and the worker took 2 s more to put its things in order: Keep must wait for it, and return after 3 s")
		})
	}

	synctest.Test(t, func(t *testing.T) {
		w := newScript(t,
			after(time.Second, fmt.Errorf("asking for the stock: %w", context.DeadlineExceeded)),
			after(time.Second, fmt.Errorf("asking for the stock: %w", context.Canceled)),
			after(time.Second, nil))
		err := supervisor.Keep(within(t, time.Hour), supervisor.Policy{}, w.work)
		require.Len(t, w.starts, 3, "a worker had a deadline of its own, which passed, and ctx had not ended: that is a failure like any other, and Keep must start it again")
		require.NoError(t, err, "the worker returned nil in the end: Keep must return nil")
	})
}

// Step 2: a panic, and Goexit, become errors, and OnExit hears of them

// A panic is a failure of one run, and nobody else's.
// OnExit hears of it, with the place where it happened, before the next run begins.
func TestPanicIsAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		errBroken := errors.New("half a message")
		var exits []error
		var names string
		var heard []int // for each run, how often OnExit had been called when it began
		w := newScript(t, run{end: func() error { stumble(errBroken); return nil }}, after(0, errDown), after(0, nil))
		p := supervisor.Policy{OnExit: func(name string, err error) {
			exits = append(exits, err)
			names += name
		}}
		err := supervisor.Keep(within(t, time.Hour), p, func(ctx context.Context) error {
			heard = append(heard, len(exits))
			return w.work(ctx)
		})
		require.NoError(t, err, "the first run panicked, the second returned an error, the third nil: Keep must return nil")
		require.Len(t, w.starts, 3, "the first run panicked, the second returned an error, the third nil: there must be three runs")

		require.Len(t, exits, 3, "the worker was run three times: OnExit must be called once after each run")
		require.Equal(t, []int{0, 1, 2}, heard, "when a run begins, OnExit must have been called for all the runs before it; so often it had been")
		var panicked *supervisor.PanicError
		require.ErrorAs(t, exits[0], &panicked, "the first run panicked: OnExit must be given a *PanicError")
		require.Equal(t, errBroken, panicked.Value, "PanicError.Value must be what the worker panicked with")
		require.Contains(t, string(panicked.Stack), "stumble",
			"PanicError.Stack must show the function that panicked, and that was stumble: the stack has to be taken in the goroutine that panicked, before it is unwound")
		require.Equal(t, errDown, exits[1], "the second run returned an error: OnExit must be given that error")
		require.NoError(t, exits[2], "the third run returned nil: OnExit must be given nil")
		require.Empty(t, names, "Keep has no name for its worker: OnExit must be given an empty one")
	})
}

// A worker that calls runtime.Goexit ends its own goroutine, and it must not be yours.
// Goexit is no panic and cannot be recovered from. Nothing returns; only deferred
// functions still run.
func TestGoexitIsAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var exits []error
		w := newScript(t, run{end: func() error { runtime.Goexit(); return nil }}, after(0, nil))
		p := supervisor.Policy{OnExit: func(_ string, err error) { exits = append(exits, err) }}
		var err error
		returned, gone := false, make(chan struct{})
		go func() {
			defer close(gone)
			err = supervisor.Keep(within(t, time.Hour), p, w.work)
			returned = true
		}()
		<-gone

		require.True(t, returned, "the worker called runtime.Goexit, and with that it has ended the goroutine that had called Keep: Keep must outlive its worker")
		require.NoError(t, err, "the worker called runtime.Goexit, and returned nil in its second run: Keep must return nil")
		require.Len(t, w.starts, 2, "the worker called runtime.Goexit, which is a failure: Keep must start it again")
		require.Len(t, exits, 2, "the worker was run twice: OnExit must be called once after each run")
		require.ErrorIs(t, exits[0], supervisor.ErrGoexit, "the worker called runtime.Goexit: OnExit must be given ErrGoexit")
		require.NoError(t, exits[1], "the second run returned nil: OnExit must be given nil")
	})
}

// Step 3: wait before you start it again

// Between a failure and the next start lies exactly the wait that Backoff asks for.
// It is asked anew each time, with the number of failures in a row.
func TestBackoffIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wait := func(n int) time.Duration { // a time that nobody hits who only looks now and then
			return time.Duration(n) * 1_234_567_891
		}
		var asked []int
		p := supervisor.Policy{Backoff: func(n int) time.Duration {
			asked = append(asked, n)
			return wait(n)
		}}
		lengths := []time.Duration{3 * time.Second, time.Hour, 3 * time.Second}
		w := newScript(t)
		due := []time.Duration{0}
		for i, d := range lengths {
			w.runs = append(w.runs, after(d, errDown))
			due = append(due, due[i]+d+wait(i+1))
		}
		w.runs = append(w.runs, after(0, nil))

		err := supervisor.Keep(within(t, 24*time.Hour), p, w.work)
		require.NoError(t, err, "the worker failed three times and then returned nil: Keep must return nil")
		require.Equal(t, []int{1, 2, 3}, asked, "the worker failed three times, and ResetAfter is not set: Backoff must be asked once before each restart, for these n")
		require.Equal(t, list(due), w.times(), "the worker must start again when the wait that Backoff asked for has passed since the end of its run, to the nanosecond: these are the times of its starts")
	})

	for _, wait := range []func(int) time.Duration{
		nil,
		func(int) time.Duration { return 0 },
		func(int) time.Duration { return -time.Hour },
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newScript(t, after(time.Second, errDown), after(time.Second, errDown), after(time.Second, nil))
			err := supervisor.Keep(within(t, time.Hour), supervisor.Policy{Backoff: wait}, w.work)
			require.NoError(t, err, "the worker failed twice and then returned nil: Keep must return nil")
			require.Equal(t, "0s 1s 2s", w.times(),
				"Backoff was nil, or asked for no wait: a worker that fails after 1 s must start again at once")
		})
	}
}

// After a healthy run, the row of failures begins anew.
// Otherwise a worker that fails once a week would wait longest of all.
func TestHealthyRunEndsTheRow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []int
		p := supervisor.Policy{
			ResetAfter: time.Minute,
			Backoff: func(n int) time.Duration {
				asked = append(asked, n)
				return time.Duration(n) * 40 * time.Second
			},
		}
		w := newScript(t,
			after(time.Second, errDown), after(time.Second, errDown), after(time.Second, errDown),
			after(61*time.Second, errDown), after(59*time.Second, errDown),
			after(time.Hour, errDown), after(0, nil))

		err := supervisor.Keep(within(t, 24*time.Hour), p, w.work)
		require.NoError(t, err, "the worker failed six times and then returned nil: Keep must return nil")
		require.Equal(t, []int{1, 2, 3, 1, 2, 1}, asked,
			"with ResetAfter one minute, there were runs of 1 s, 1 s, 1 s, 61 s, 59 s and 1 h: Backoff must be asked for these n; only the time of a run counts, not the wait before it")
		require.Equal(t, "0s 41s 2m2s 4m3s 5m44s 8m3s 1h8m43s", w.times(),
			"Backoff asked for 40 s times n: the worker must start again when its wait has passed; these are the times of its starts")
	})

	synctest.Test(t, func(t *testing.T) {
		var asked []int
		p := supervisor.Policy{
			ResetAfter: time.Minute,
			Backoff: func(n int) time.Duration {
				asked = append(asked, n)
				return 0
			},
			OnExit: func(string, error) { time.Sleep(time.Hour) },
		}
		w := newScript(t, after(time.Second, errDown), after(time.Second, errDown), after(0, nil))
		err := supervisor.Keep(within(t, 24*time.Hour), p, w.work)
		require.NoError(t, err, "the worker failed twice and then returned nil: Keep must return nil")
		require.Equal(t, []int{1, 2}, asked,
			"with ResetAfter one minute, there were two runs of 1 s, and OnExit took an hour after each: a run lasts as long as the worker does, so none was healthy; Backoff must be asked for these n")
	})
}

// The end of ctx cuts the wait short, and nothing is started after it.
// A deployment does not wait until your worker has finished waiting.
func TestCancelInterruptsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newScript(t, after(time.Second, errDown))
		p := supervisor.Policy{Backoff: func(int) time.Duration { return time.Hour }}
		start := time.Now()
		err := supervisor.Keep(canceledAfter(10*time.Second), p, w.work)
		took := time.Since(start)
		time.Sleep(24 * time.Hour)

		require.ErrorIs(t, err, context.Canceled, "ctx ended while Keep waited to start the worker again: Keep must return ctx's error")
		require.Equal(t, 10*time.Second, took, "Keep had an hour to wait when ctx ended, 10 s after the start: it must return at that moment")
		require.Len(t, w.starts, 1, "ctx ended while Keep waited to start the worker again: the worker must not be started any more, then or later")
	})

	for _, where := range []string{"OnExit", "Backoff"} {
		for _, wait := range []time.Duration{0, -1, time.Hour} {
			synctest.Test(t, func(t *testing.T) {
				for range 50 { // what is left to chance goes wrong in one of them
					ctx, cancel := context.WithCancel(context.Background())
					in := func(here string) {
						if here == where {
							cancel()
						}
					}
					w := newScript(t, after(0, errDown))
					err := supervisor.Keep(ctx, supervisor.Policy{
						OnExit:  func(string, error) { in("OnExit") },
						Backoff: func(int) time.Duration { in("Backoff"); return wait },
					}, w.work)
					require.Len(t, w.starts, 1, "the worker failed, and ctx ended during the call of %s; Backoff asked for a wait of %v: the worker must not be started again, not once in 50 times", where, wait)
					require.ErrorIs(t, err, context.Canceled, "ctx ended during the call of %s: Keep must return ctx's error", where)
				}
			})
		}
	}
}

// Step 4: know when to give up

// A worker that fails too often is given up, and the error says why.
// Starting it again does not help it. Let somebody know who can.
func TestTooManyRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		errLast := errors.New("the last straw")
		var asked []int
		p := supervisor.Policy{
			MaxRestarts: 3,
			Window:      time.Minute,
			Backoff: func(n int) time.Duration {
				asked = append(asked, n)
				return 10 * time.Second
			},
		}
		w := newScript(t, after(time.Second, errDown), after(time.Second, errDown), after(time.Second, errDown), after(time.Second, errLast))
		start := time.Now()
		err := supervisor.Keep(within(t, time.Hour), p, w.work)
		took := time.Since(start)

		require.Equal(t, "0s 11s 22s 33s", w.times(), "3 restarts a minute are allowed, and each run failed after 1 s, with 10 s to wait: there must be one start and three restarts, at these times")
		require.ErrorIs(t, err, supervisor.ErrTooManyRestarts, "the worker needed a fourth restart within a minute, and 3 are allowed: Keep must return ErrTooManyRestarts")
		require.ErrorIs(t, err, errLast, "Keep has given up: its error must wrap the error of the last run too, or nobody can tell what to mend")
		require.Equal(t, 34*time.Second, took, "the fourth run failed after 34 s: there will be no restart, so Keep must return at that moment and not wait any more")
		require.Equal(t, []int{1, 2, 3}, asked, "3 restarts were made, and the worker was given up instead of a fourth: Backoff must be asked once for each restart, for these n")
	})

	synctest.Test(t, func(t *testing.T) {
		w := newScript(t, after(0, errDown), after(0, errDown), after(0, nil))
		err := supervisor.Keep(within(t, time.Hour), supervisor.Policy{MaxRestarts: 2, Window: time.Minute}, w.work)
		require.NoError(t, err, "2 restarts were allowed and 2 were needed, and then the worker returned nil: Keep must return nil")

		w = newScript(t, after(0, errDown), run{end: func() error { stumble("half a message"); return nil }})
		err = supervisor.Keep(within(t, time.Hour), supervisor.Policy{MaxRestarts: 1, Window: time.Minute}, w.work)
		require.ErrorIs(t, err, supervisor.ErrTooManyRestarts, "1 restart was allowed, and the second run panicked: Keep must return ErrTooManyRestarts")
		var panicked *supervisor.PanicError
		require.ErrorAs(t, err, &panicked, "Keep has given up after a panic: its error must wrap the *PanicError")
	})

	for _, none := range []int{0, -1} {
		synctest.Test(t, func(t *testing.T) {
			w := newScript(t, append(slices.Repeat([]run{after(0, errDown)}, 100), after(0, nil))...)
			err := supervisor.Keep(within(t, time.Hour), supervisor.Policy{MaxRestarts: none, Window: time.Minute}, w.work)
			require.NoError(t, err, "MaxRestarts was %d, which means that there is no limit: a worker that failed 100 times and then returned nil must have been started again each time", none)
			require.Len(t, w.starts, 101, "MaxRestarts was %d, which means that there is no limit: a worker that failed 100 times and then returned nil must have been run 101 times", none)

			w = newScript(t, after(1000*time.Hour, errDown), after(1000*time.Hour, errDown), after(1000*time.Hour, errDown))
			err = supervisor.Keep(within(t, 5000*time.Hour), supervisor.Policy{MaxRestarts: 2, Window: time.Duration(none)}, w.work)
			require.Len(t, w.starts, 3, "MaxRestarts was 2, and Window %d, which means that all restarts count: there must be one start and two restarts, however far apart", none)
			require.ErrorIs(t, err, supervisor.ErrTooManyRestarts, "MaxRestarts was 2, and Window %d: Keep must return ErrTooManyRestarts after the third failure", none)
		})
	}
}

// The window slides: what counts is always the time just passed.
// A worker may fail for ever, if it does so seldom, and never in a burst.
func TestWindowSlides(t *testing.T) {
	p := supervisor.Policy{MaxRestarts: 3, Window: time.Minute}

	synctest.Test(t, func(t *testing.T) {
		w := newScript(t, append(slices.Repeat([]run{after(25*time.Second, errDown)}, 200), after(0, nil))...)
		err := supervisor.Keep(within(t, 24*time.Hour), p, w.work)
		require.NoError(t, err, "3 restarts a minute are allowed, and the worker needed one every 25 s, 200 times over: it must never be given up")
		require.Len(t, w.starts, 201, "the worker failed 200 times and then returned nil: there must be 201 runs")
	})

	synctest.Test(t, func(t *testing.T) {
		w := newScript(t,
			after(time.Second, errDown), after(54*time.Second, errDown), after(time.Second, errDown),
			after(6*time.Second, errDown), after(time.Second, errDown))
		err := supervisor.Keep(within(t, time.Hour), p, w.work)
		require.Equal(t, "0s 1s 55s 56s 1m2s", w.times(),
			"3 restarts a minute are allowed, and the worker failed after 1, 55, 56, 62 and 63 s: at 62 s one restart is more than a minute ago, at 63 s none is; these are the times of its starts")
		require.ErrorIs(t, err, supervisor.ErrTooManyRestarts, "the worker failed after 63 s, and in the minute before that there had been 3 restarts, after 55, 56 and 62 s: Keep must give up")
	})

	synctest.Test(t, func(t *testing.T) {
		slow := supervisor.Policy{MaxRestarts: 2, Window: time.Minute, Backoff: func(int) time.Duration { return 30 * time.Second }}
		w := newScript(t, slices.Repeat([]run{after(time.Second, errDown)}, 3)...)
		err := supervisor.Keep(within(t, time.Hour), slow, w.work)
		require.Equal(t, "0s 31s 1m2s", w.times(),
			"2 restarts a minute are allowed, each run failed after 1 s, and the wait is 30 s: there were restarts at 31 and at 62 s, so the failure at 63 s must be the last; restarts count, at the time at which they happen, and not failures; these are the times of the starts")
		require.ErrorIs(t, err, supervisor.ErrTooManyRestarts, "in the minute before the failure at 63 s there had been 2 restarts, after 31 and 62 s: Keep must give up")

		healthy := supervisor.Policy{MaxRestarts: 2, Window: time.Hour, ResetAfter: time.Minute}
		w = newScript(t, slices.Repeat([]run{after(2*time.Minute, errDown)}, 3)...)
		err = supervisor.Keep(within(t, 24*time.Hour), healthy, w.work)
		require.Len(t, w.starts, 3, "2 restarts an hour are allowed, and three runs failed after 2 minutes each: a healthy run ends the row of failures, and takes no restart off the count")
		require.ErrorIs(t, err, supervisor.ErrTooManyRestarts, "2 restarts an hour are allowed, and a third was needed, after healthy runs: Keep must give up all the same")
	})

	synctest.Test(t, func(t *testing.T) {
		burst := []run{after(time.Second, errDown), after(time.Second, errDown), after(time.Second, errDown)}
		calm := after(2*time.Minute, errDown)
		w := newScript(t, slices.Concat(burst, []run{calm}, burst[:2], []run{calm}, burst)...)
		err := supervisor.Keep(within(t, time.Hour), p, w.work)
		require.Len(t, w.starts, 10, "3 restarts a minute are allowed: a worker that fails 3 times in a row, runs for 2 minutes, fails 3 times, runs for 2 minutes and fails 4 times must have 10 runs")
		require.ErrorIs(t, err, supervisor.ErrTooManyRestarts, "the worker needed a fourth restart within a minute, and 3 are allowed: Keep must return ErrTooManyRestarts")
	})
}

// Step 5: one for one

// Each worker is kept by itself, and the others notice nothing.
// Only OnExit is shared, and its calls come one at a time.
func TestOneForOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := supervisor.New(supervisor.OneForOne, supervisor.Policy{
			Backoff:     func(n int) time.Duration { return time.Duration(n) * time.Second },
			MaxRestarts: 2,
		})
		steady := newScript(t, after(time.Minute, nil))
		short := newScript(t, after(time.Second, nil))
		often := newScript(t, after(10*time.Second, errDown), after(10*time.Second, errDown), after(0, nil))
		early := newScript(t, after(5*time.Second, errDown), after(5*time.Second, errDown), after(0, nil))
		s.Add("steady", steady.work)
		s.Add("short", short.work)
		s.Add("often", often.work)
		s.Add("early", early.work)

		start := time.Now()
		err := s.Serve(within(t, time.Hour))
		took := time.Since(start)
		time.Sleep(2 * time.Hour) // that Serve waits for everybody is the next koan

		for _, w := range []*script{steady, short, often, early} {
			require.NotEmpty(t, w.starts, "four workers were added: Serve must start all of them")
			require.Zero(t, w.starts[0], "four workers were added: Serve must start all of them at the same time; this one had to wait")
		}
		require.Equal(t, "0s", steady.times(), "other workers failed or were done: a worker that did neither must be started once, and be left alone")
		require.NoError(t, err, "each worker has 2 restarts of its own, none needed more, and in the end all returned nil: Serve must return nil")
		require.Equal(t, time.Minute, took, "one worker was done after 1 s, another after a minute: that one is done must not stop the others, and Serve must return after a minute")
		require.Equal(t, "0s", short.times(), "a worker returned nil: it is done, and must not be started again")
		require.Equal(t, "0s 11s 23s", often.times(), "a worker failed after 10 s, twice; Backoff asks for n seconds, with a row of its own for each worker: these are the times of its starts")
		require.Equal(t, "0s 6s 13s", early.times(), "a worker failed after 5 s, twice; Backoff asks for n seconds, with a row of its own for each worker: these are the times of its starts")
	})

	// Two workers that end at the same moment, again and again. They share nothing,
	// so that nothing but Serve itself keeps the calls of OnExit apart.
	synctest.Test(t, func(t *testing.T) {
		const runs = 5
		var left, right int
		var last string
		s := supervisor.New(supervisor.OneForOne, supervisor.Policy{OnExit: func(name string, err error) {
			last = name
			switch name {
			case "left":
				left++
			case "right":
				right++
			}
		}})
		for _, name := range []string{"left", "right"} {
			s.Add(name, newScript(t, append(slices.Repeat([]run{after(time.Second, errDown)}, runs-1), after(time.Second, nil))...).work)
		}
		err := s.Serve(within(t, time.Hour))
		time.Sleep(2 * time.Hour)
		require.NoError(t, err, "two workers failed some times, and then both returned nil: Serve must return nil")
		require.Equal(t, []int{runs, runs}, []int{left, right}, "two workers, left and right, were run 5 times each: so often must OnExit be called with the name of each")
		require.True(t, last == "left" || last == "right", "the workers are called left and right, and OnExit was given the name %q: it must be given the name of the worker that has returned", last)
	})

	require.Panics(t, func() { supervisor.New(-1, supervisor.Policy{}) }, "New was given a strategy that is none: it must panic")
	s := supervisor.New(supervisor.OneForOne, supervisor.Policy{})
	s.Add("stock", func(context.Context) error { return nil })
	require.Panics(t, func() { s.Add("mail", nil) }, "Add was given a nil worker: it must panic at once, where the mistake was made")
	require.Panics(t, func() { s.Add("stock", func(context.Context) error { return nil }) }, "Add was given a name that another worker has: it must panic")
}

// Serve returns when every worker has returned, and tells whose failure ended it.
// What the others say when they are stopped is an echo. And since Serve takes a ctx
// and returns an error, it can be kept running like any worker.
func TestServeWaitsForEveryWorker(t *testing.T) {
	const tidies = 2 * time.Second
	wait := func(int) time.Duration { return 10 * time.Hour }

	synctest.Test(t, func(t *testing.T) {
		s := supervisor.New(supervisor.OneForOne, supervisor.Policy{Backoff: wait})
		running, waiting := newScript(t, steady(tidies, errDown)), newScript(t, after(time.Second/2, errDown))
		s.Add("running", running.work)
		s.Add("waiting", waiting.work)
		start := time.Now()
		var err error
		var took time.Duration
		go func() {
			err = s.Serve(canceledAfter(time.Second))
			took = time.Since(start)
		}()
		synctest.Wait()
		require.Panics(t, func() { s.Add("late", running.work) }, "Add was called while Serve was running: it must panic")
		require.Panics(t, func() { s.Serve(ended(t)) }, "Serve was called while it was running: it must panic")
		time.Sleep(24 * time.Hour)
		synctest.Wait()

		require.ErrorIs(t, err, context.Canceled, "ctx ended while one worker was running and another waited to be started again: Serve must return ctx's error")
		require.Equal(t, 3*time.Second, took, "ctx ended after 1 s, and a worker took 2 s more to put its things in order: Serve must wait for it, and for nothing else")
		require.Equal(t, []int{1, 1}, []int{len(running.starts), len(waiting.starts)}, "ctx ended: no worker may be started again")
	})

	synctest.Test(t, func(t *testing.T) {
		errPassword, errStopped := errors.New("the password has expired"), errors.New("the connection was closed")
		s := supervisor.New(supervisor.OneForOne, supervisor.Policy{Backoff: wait})
		running := newScript(t, steady(tidies, errStopped))
		polite := newScript(t, steady(0, context.Canceled))
		waiting := newScript(t, after(time.Second/2, errDown))
		hopeless := newScript(t, after(time.Second, fmt.Errorf("%w: %w", errPassword, supervisor.ErrDoNotRestart)))
		s.Add("running", running.work)
		s.Add("polite", polite.work)
		s.Add("waiting", waiting.work)
		s.Add("hopeless", hopeless.work)
		start := time.Now()
		err := s.Serve(within(t, time.Hour))
		took := time.Since(start)
		time.Sleep(24 * time.Hour)

		require.ErrorIs(t, err, errPassword, "a worker returned ErrDoNotRestart, with the reason: it is given up, and Serve must return its error")
		require.ErrorIs(t, err, supervisor.ErrDoNotRestart, "a worker returned ErrDoNotRestart: it is given up, and Serve must return its error")
		require.ErrorContains(t, err, "hopeless", "the worker called hopeless was given up: the text of Serve's error must contain its name")
		require.NotErrorIs(t, err, context.Canceled, "one worker was given up, and so the others were stopped: nobody cancelled Serve, and its error must not say so")
		require.NotErrorIs(t, err, errStopped, "one worker was given up, and so the others were stopped: what they return then must not be part of Serve's error")
		require.Equal(t, 3*time.Second, took, "one worker was given up after 1 s: Serve must end the ctx of the others, wait for the one that took 2 s more to put its things in order, and return after 3 s")
		require.Equal(t, []int{1, 1, 1, 1}, []int{len(running.starts), len(polite.starts), len(waiting.starts), len(hopeless.starts)}, "a worker was given up: no worker may be started again")
	})

	synctest.Test(t, func(t *testing.T) {
		s := supervisor.New(supervisor.OneForOne, supervisor.Policy{MaxRestarts: 1})
		bad := newScript(t, after(time.Second, errDown), after(time.Second, errDown), after(time.Second, errDown), after(time.Second, nil))
		good := newScript(t, steady(tidies, nil), after(time.Minute, nil))
		s.Add("bad", bad.work)
		s.Add("good", good.work)
		var exits []error
		err := supervisor.Keep(within(t, time.Hour), supervisor.Policy{
			MaxRestarts: 3,
			OnExit:      func(_ string, err error) { exits = append(exits, err) },
		}, s.Serve)
		time.Sleep(2 * time.Hour)

		require.NoError(t, err, "Serve was run by Keep: it failed once, and the second time all workers were done, so Keep must return nil")
		require.Len(t, exits, 2, "Serve was run by Keep: it failed once, and the second time all workers were done, so there must be two runs of it")
		require.ErrorIs(t, exits[0], supervisor.ErrTooManyRestarts, "a worker failed twice, and 1 restart was allowed: Serve must return ErrTooManyRestarts")
		require.ErrorIs(t, exits[0], errDown, "a worker failed twice, and 1 restart was allowed: Serve's error must wrap that of the worker's last run")
		require.ErrorContains(t, exits[0], "bad", "the worker called bad was given up: the text of Serve's error must contain its name")
		require.Equal(t, "0s 1s 4s 5s", bad.times(), "a worker was given up after 2 s, another took 2 s more to stop, and Serve was called again: each call counts restarts anew; these are the times of the first worker's starts")
		require.Equal(t, "0s 4s", good.times(), "Serve was called again after it had returned: it must start all workers; these are the times of the second worker's starts")
	})

	synctest.Test(t, func(t *testing.T) {
		s := supervisor.New(supervisor.OneForOne, supervisor.Policy{})
		start := time.Now()
		require.NoError(t, s.Serve(within(t, time.Hour)), "Serve was called without any worker: it must return nil")
		require.Zero(t, time.Since(start), "Serve was called without any worker: it must return at once")

		w := newScript(t)
		s.Add("stock", w.work)
		require.ErrorIs(t, s.Serve(ended(t)), context.Canceled, "ctx had ended before Serve was called: Serve must return ctx's error")
		require.Empty(t, w.starts, "ctx had ended before Serve was called: no worker may be started")
	})
}

// Step 6: one for all

// If one fails, all are stopped; when the last has returned, all start again.
// That is for workers that share something which one of them alone cannot set right.
func TestOneForAll(t *testing.T) {
	const tidies = 2 * time.Second
	errStopped := errors.New("the connection was closed")

	synctest.Test(t, func(t *testing.T) {
		var asked []int
		var last string
		var ofFails, ofSlow, ofPolite, ofShort int
		s := supervisor.New(supervisor.OneForAll, supervisor.Policy{
			ResetAfter:  15 * time.Second,
			MaxRestarts: 3,
			Backoff: func(n int) time.Duration {
				asked = append(asked, n)
				return time.Duration(n) * 5 * time.Second
			},
			OnExit: func(name string, err error) {
				last = name
				switch name {
				case "fails":
					ofFails++
				case "slow":
					ofSlow++
				case "polite":
					ofPolite++
				case "short":
					ofShort++
				}
			},
		})
		fails := newScript(t, after(10*time.Second, errDown), after(10*time.Second, errDown), after(20*time.Second, errDown), after(10*time.Second, errDown))
		slow := newScript(t, slices.Repeat([]run{steady(tidies, errStopped)}, 4)...)
		polite := newScript(t, slices.Repeat([]run{steady(tidies, context.Canceled)}, 4)...)
		short := newScript(t, slices.Repeat([]run{after(time.Second, nil)}, 4)...)
		s.Add("fails", fails.work)
		s.Add("slow", slow.work)
		s.Add("polite", polite.work)
		s.Add("short", short.work)
		start := time.Now()
		err := s.Serve(within(t, time.Hour))
		took := time.Since(start)
		time.Sleep(2 * time.Hour)

		require.Zero(t, slow.inVain, "all were stopped, and then started again: each run needs a ctx that has not ended; so many runs of one worker began with a ctx that had")
		require.Equal(t, []int{1, 2, 1}, asked, "each time one worker failed, and two were stopped for it: that is one failure, not three, and the third run was a healthy one; Backoff must be asked for these n")
		const due = "0s 17s 39s 1m6s"
		when := "one worker failed after 10, 10 and 20 s, two others took 2 s more to stop, and only then the wait begins, of 5 s times n: "
		require.Equal(t, due, slow.times(), when+"these are the times at which the one that was stopped must start")
		require.Equal(t, due, fails.times(), when+"these are the times at which the one that failed must start, together with the others")
		require.Equal(t, due, polite.times(), when+"these are the times at which each of those that were stopped must start")
		require.Equal(t, due, short.times(), when+"these are the times at which one that had returned nil must start, together with the others")

		require.ErrorIs(t, err, supervisor.ErrTooManyRestarts, "3 restarts were allowed, and a fourth was needed: Serve must return ErrTooManyRestarts")
		require.ErrorIs(t, err, errDown, "the workers were given up: Serve's error must wrap the error that came first in the last run")
		require.ErrorContains(t, err, "fails", "the workers were given up because the one called fails had failed: the text of Serve's error must contain its name")
		require.NotErrorIs(t, err, errStopped, "one worker failed, and so the others were stopped: what they return then must not be part of Serve's error")
		require.NotErrorIs(t, err, context.Canceled, "one worker failed, and so the others were stopped: nobody cancelled Serve, and its error must not say so")
		require.Equal(t, 78*time.Second, took, "the fourth run failed after 76 s, and two workers took 2 s more to stop: Serve must wait for them, and return after 78 s")
		require.Equal(t, []int{4, 4, 4, 4}, []int{ofFails, ofSlow, ofPolite, ofShort}, "four workers had four runs each: so often must OnExit be called with the name of each")
		require.True(t, last == "slow" || last == "polite", "the workers slow and polite took longest to stop, and the last name that OnExit was given is %q: it must be called when a worker has returned, with the name of that worker", last)
	})

	synctest.Test(t, func(t *testing.T) {
		errPassword := errors.New("the password has expired")
		s := supervisor.New(supervisor.OneForAll, supervisor.Policy{MaxRestarts: 3})
		worst := newScript(t,
			after(time.Second, errDown),
			run{takes: time.Second, end: func() error { stumble("half a message"); return nil }},
			run{takes: time.Second, end: func() error { runtime.Goexit(); return nil }},
			after(time.Second, fmt.Errorf("%w: %w", errPassword, supervisor.ErrDoNotRestart)))
		twin := newScript(t, after(time.Second, errDown), steady(0, nil), steady(0, nil), steady(0, nil))
		s.Add("worst", worst.work)
		s.Add("twin", twin.work)
		err := s.Serve(within(t, time.Hour))
		time.Sleep(2 * time.Hour)

		require.Equal(t, "0s 1s 2s 3s", worst.times(), "two workers failed at the same moment, then one panicked, then it called runtime.Goexit: each time all must be started again, once; these are the times")
		require.Equal(t, "0s 1s 2s 3s", twin.times(), "two workers failed at the same moment, then the other one panicked, then it called runtime.Goexit: each time all must be started again, once; these are the times")
		require.ErrorIs(t, err, errPassword, "in the fourth run a worker returned ErrDoNotRestart, with the reason: Serve must return its error")
	})

	synctest.Test(t, func(t *testing.T) {
		s := supervisor.New(supervisor.OneForAll, supervisor.Policy{Backoff: func(int) time.Duration { return time.Hour }})
		require.NoError(t, s.Serve(within(t, time.Minute)), "Serve was called without any worker: it must return nil")
		short, long := newScript(t, after(time.Second, nil)), newScript(t, after(time.Minute, nil))
		s.Add("short", short.work)
		s.Add("long", long.work)
		start := time.Now()
		err := s.Serve(within(t, time.Hour))
		require.NoError(t, err, "both workers returned nil, one after the other: Serve must return nil")
		require.Equal(t, time.Minute, time.Since(start), "one worker returned nil after 1 s, the other after a minute: that the first is done must not stop the second")
		require.Equal(t, []int{1, 1}, []int{len(short.starts), len(long.starts)}, "both workers returned nil: none may be started again")
	})

	synctest.Test(t, func(t *testing.T) {
		s := supervisor.New(supervisor.OneForAll, supervisor.Policy{})
		one, other := newScript(t, steady(tidies, errStopped)), newScript(t, steady(0, nil))
		s.Add("one", one.work)
		s.Add("other", other.work)
		start := time.Now()
		err := s.Serve(canceledAfter(time.Second))
		took := time.Since(start)
		time.Sleep(time.Hour)
		require.ErrorIs(t, err, context.Canceled, "ctx ended while all workers were running: Serve must return ctx's error")
		require.Equal(t, 3*time.Second, took, "ctx ended after 1 s, and a worker took 2 s more to put its things in order: Serve must wait for it")
		require.Equal(t, []int{1, 1}, []int{len(one.starts), len(other.starts)}, "ctx ended: no worker may be started again")
	})
}

// A script is a worker that has written down how each of its runs goes. It notes
// when they began.
type script struct {
	t       *testing.T
	began   time.Time
	runs    []run
	starts  []time.Duration
	running bool
	inVain  int // runs that began when ctx had ended
}

// A run with an end lasts for takes and then ends that way, or sooner if ctx
// does. One without lasts until ctx ends, takes tidies to put things in order, and
// returns says.
type run struct {
	takes  time.Duration
	end    func() error
	tidies time.Duration
	says   error
}

// after is a run that takes d and returns err.
func after(d time.Duration, err error) run {
	return run{takes: d, end: func() error { return err }}
}

// steady is a run that lasts until ctx ends, takes d more, and returns err.
func steady(d time.Duration, err error) run {
	return run{tidies: d, says: err}
}

func newScript(t *testing.T, runs ...run) *script {
	return &script{t: t, began: time.Now(), runs: runs}
}

// work is the worker. The script ends before the koan does: whoever starts the
// worker once more is given reasons to stop, so that the koan can say what is
// wrong.
func (s *script) work(ctx context.Context) error {
	if s.running {
		s.t.Error("a worker was started while it was still running: there must never be two runs of one worker at the same time")
	}
	s.running = true
	defer func() { s.running = false }()

	n := len(s.starts)
	s.starts = append(s.starts, time.Since(s.began))
	if ctx.Err() != nil {
		s.inVain++
	}
	if n < len(s.runs) {
		return s.runs[n].play(ctx)
	}
	switch n - len(s.runs) {
	case 0:
		return nil
	case 1:
		<-ctx.Done()
		return ctx.Err()
	}
	s.t.Error("a worker was started again after it had returned nil, and again after ctx had ended: nothing stops it")
	select {}
}

func (r run) play(ctx context.Context) error {
	if r.end == nil {
		<-ctx.Done()
		time.Sleep(r.tidies)
		return r.says
	}
	select {
	case <-time.After(r.takes):
		return r.end()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// times returns when the runs began.
func (s *script) times() string { return list(s.starts) }

// list writes times down as people do.
func list(times []time.Duration) string { return strings.Trim(fmt.Sprint(times), "[]") }

// stumble panics, in a function with a name to look for.
func stumble(v any) { panic(v) }

// within returns a ctx that ends after d. If the koan has failed, it ends too, so
// that whoever listens to it may go, and the failure is reported alone.
func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(func() {
		if t.Failed() {
			cancel()
			time.Sleep(time.Hour)
		}
	})
	return ctx
}

// canceledAfter returns a ctx that is cancelled after d.
func canceledAfter(d time.Duration) context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(d, cancel)
	return ctx
}

// ended returns a ctx that has already ended.
func ended(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
