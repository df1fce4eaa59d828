package timeouts_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	timeouts "concurrency-koans/lessons/07-timeouts-cancellation"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// All koans run in synctest bubbles, so every moment is exact: what has to
// return after one second returns after one second, not a nanosecond later.

// Two reasons why something fails here. The second one is a cause: it is given
// to the function that cancels, and context.Cause brings it back.
var (
	errDown   = errors.New("the carrier's server is down")
	errClosed = errors.New("the customer closed the page")
)

// Step 1: a wait that can be called off

// A wait ends when its time has passed or when ctx ends, and then it says why.
func TestSleepEndsWithCtx(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, d := range []time.Duration{time.Second, 0, -time.Second} {
			start := time.Now()
			require.NoError(t, timeouts.Sleep(context.Background(), d), "Sleep(%v) was not called off: it must return nil", d)
			require.Equal(t, max(d, 0), time.Since(start), "Sleep(%v) must take exactly that long, and no time at all if that is zero or less", d)
		}
	})

	// Whoever still waits at the end of a bubble is left behind, and reported.
	synctest.Test(t, func(t *testing.T) {
		const moment = 1_234_567_891 * time.Nanosecond // that nobody hits who only looks now and then
		ctx, cancel := context.WithCancelCause(context.Background())
		time.AfterFunc(moment, func() { cancel(errClosed) })

		start := time.Now()
		err := timeouts.Sleep(ctx, time.Hour)

		require.Equal(t, moment, time.Since(start), "ctx ended while Sleep waited: it must return at that very moment")
		require.ErrorIs(t, err, errClosed, "ctx was cancelled with a cause: Sleep must return context.Cause(ctx), where ctx.Err() knows only that it was cancelled")

		start = time.Now()
		err = timeouts.Sleep(within(t, moment), time.Hour)
		require.Equal(t, moment, time.Since(start), "ctx had a deadline, long before the time to sleep had passed: Sleep must return when the deadline passes, and not before")
		require.ErrorIs(t, err, context.DeadlineExceeded, "the deadline of ctx passed: Sleep must return ctx's cause")
	})

	synctest.Test(t, func(t *testing.T) {
		ctx := ended(errClosed)
		for range 50 { // what is left to chance goes wrong in one of them
			for _, d := range []time.Duration{time.Hour, 0, -time.Second} {
				start := time.Now()
				err := timeouts.Sleep(ctx, d)
				require.ErrorIs(t, err, errClosed, "ctx had ended before Sleep(%v) was called: it must return ctx's cause, each of 50 times", d)
				require.Zero(t, time.Since(start), "ctx had ended before Sleep(%v) was called: it must return at once", d)
			}
		}
	})
}

// Step 2: a limit for what does not listen

// A limit ends the wait, and not the work.
// Nobody can stop a function from outside. All that its caller can do is to
// leave it alone, in a way that lets it come to its end.
func TestBoundEndsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		got, err := timeouts.Bound(context.Background(), 2*time.Second, func() (string, error) {
			time.Sleep(time.Second)
			return "half a price", errDown
		})

		require.Equal(t, time.Second, time.Since(start), "f took 1 s and the limit is 2 s: Bound must return when f does")
		require.ErrorIs(t, err, errDown, "f returned an error in time: Bound must return it")
		require.Equal(t, "half a price", got, "f returned a value beside its error: Bound must return both")
	})

	// Whoever waits for ever is left behind at the end of a bubble, and reported.
	synctest.Test(t, func(t *testing.T) {
		defer rest()
		finished := false
		start := time.Now()
		got, err := timeouts.Bound(context.Background(), time.Second, func() (string, error) {
			time.Sleep(3 * time.Second)
			finished = true
			return "a price", nil
		})

		require.Equal(t, time.Second, time.Since(start), "f takes 3 s and the limit is 1 s: Bound must return after 1 s, and leave f alone")
		requireTimeout(t, err, time.Second, "f takes 3 s and Bound's limit of 1 s has passed")
		require.Zero(t, got, "Bound gave up on f: beside the error it must return a zero value")

		rest() // f comes to its end
		require.True(t, finished, "Bound gave up on f: f must go on to its end all the same")
	})
}

// What comes first decides: the result, the limit, or the end of ctx.
// And the error says which it was. Whoever reads it wants to know whether the
// carrier was slow or the customer has gone.
func TestBoundGoesByWhatCameFirst(t *testing.T) {
	slow := func() (string, error) {
		time.Sleep(3 * time.Second)
		return "a price", nil
	}
	// bound lets Bound give up on slow, and reports when and how it did.
	bound := func(ctx context.Context, d time.Duration) (time.Duration, string, error) {
		start := time.Now()
		got, err := timeouts.Bound(ctx, d, slow)
		took := time.Since(start)
		rest() // slow comes to its end
		return took, got, err
	}

	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(context.Background())
		time.AfterFunc(time.Second, func() { cancel(errClosed) })
		took, got, err := bound(ctx, 2*time.Second)
		require.Equal(t, time.Second, took, "ctx was cancelled after 1 s, and the limit is 2 s: Bound must return after 1 s")
		require.ErrorIs(t, err, errClosed, "ctx was cancelled before the limit had passed: Bound must return ctx's cause")
		requireNoTimeout(t, err, "ctx was cancelled before Bound's limit had passed")
		require.Zero(t, got, "Bound gave up on f: beside the error it must return a zero value")

		took, _, err = bound(within(t, time.Second), 2*time.Second)
		require.Equal(t, time.Second, took, "the caller's ctx had 1 s left, and the limit is 2 s: the earlier of the two counts")
		require.ErrorIs(t, err, context.DeadlineExceeded, "the deadline of the caller's ctx passed: Bound must return ctx's cause")
		requireNoTimeout(t, err, "it was the deadline of the caller's ctx that passed, and not Bound's limit")

		took, _, err = bound(within(t, 2*time.Second), time.Second)
		require.Equal(t, time.Second, took, "the caller's ctx had 2 s left, and the limit is 1 s: the earlier of the two counts")
		requireTimeout(t, err, time.Second, "Bound's limit of 1 s passed before the deadline of the caller's ctx")
	})

	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		count := func() (string, error) {
			calls.Add(1)
			return "a price", nil
		}
		for range 50 { // what is left to chance goes wrong in one of them
			_, err := timeouts.Bound(context.Background(), 0, count)
			requireTimeout(t, err, 0, "Bound was given no time at all")
			_, err = timeouts.Bound(context.Background(), -time.Second, count)
			requireTimeout(t, err, -time.Second, "Bound was given less than no time")
			_, err = timeouts.Bound(ended(errClosed), time.Second, count)
			require.ErrorIs(t, err, errClosed, "ctx had ended before the call: Bound must return ctx's cause")
			_, err = timeouts.Bound(ended(errClosed), 0, count)
			require.ErrorIs(t, err, errClosed, "ctx had ended before the call, and there was no time either: ctx goes first, so Bound must return its cause")
		}
		synctest.Wait()
		require.Zero(t, calls.Load(), "ctx had ended before the call, or there was no time, 200 calls of Bound in all: f must not be called for any of them")
	})

	// Here f returns at once. Bound has to ask ctx something before it can wait for
	// it, and this ctx takes its time to answer. Meanwhile f's goroutine leaves, then
	// ctx ends, and only then does it answer.
	synctest.Test(t, func(t *testing.T) {
		defer rest()
		before := inBubble()
		for range 30 { // what is left to chance goes wrong in one of them
			ctx, cancel := context.WithCancelCause(context.Background())
			var returned atomic.Bool
			thinking := thoughtful{ctx, func() {
				for range 20 {
					runtime.Gosched()
				}
				if returned.Load() && inBubble() == before {
					cancel(errClosed)
				}
			}}
			got, err := timeouts.Bound(thinking, time.Second, func() (string, error) {
				defer returned.Store(true)
				return "a price", nil
			})
			cancel(nil)
			synctest.Wait()
			require.NoError(t, err, "f returned, then ctx ended, and only then did Bound get to look: a result that came first counts; where several cases are ready, select takes any")
			require.Equal(t, "a price", got, "f returned before ctx ended: Bound must return what f returned")
		}
	})
}

// A panic in a goroutine of your own is yours to catch, and nobody else can.
// Uncaught, it ends the whole process, with every other customer's order in it.
func TestBoundCatchesPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got, err := timeouts.Bound(context.Background(), time.Second, func() (string, error) {
			stumble(errDown)
			return "a price", nil
		})
		var panicked *timeouts.PanicError
		require.ErrorAs(t, err, &panicked, "f panicked: Bound must return a *PanicError")
		require.Zero(t, got, "f panicked: beside the error there must be a zero value")
		require.Equal(t, errDown, panicked.Value, "PanicError.Value must be what f panicked with")
		require.Contains(t, string(panicked.Stack), "stumble",
			"PanicError.Stack must show the function that panicked, and that was stumble: the stack has to be taken before it is unwound")
	})

	synctest.Test(t, func(t *testing.T) {
		defer rest() // f panics after all, and nothing must come of it
		_, err := timeouts.Bound(context.Background(), time.Second, func() (string, error) {
			time.Sleep(3 * time.Second)
			stumble("nobody is listening any more")
			return "a price", nil
		})
		requireTimeout(t, err, time.Second, "f panics after 3 s, and Bound's limit of 1 s has passed")
	})
}

// Step 3: a limit for what listens

// A limit that travels in ctx ends the work itself.
// So the caller can wait until it has really ended, and nothing is left behind.
func TestCallStopsTheWork(t *testing.T) {
	type key struct{}
	customer := context.WithValue(context.Background(), key{}, "customer 7")

	// call gives Call a function that works for as long as it may, and then tidies
	// up for two seconds. It reports when f was told to stop and why, and when Call
	// returned.
	call := func(t *testing.T, ctx context.Context, d time.Duration) (told time.Duration, why error, took time.Duration) {
		t.Helper()
		start := time.Now()
		_, err := timeouts.Call(ctx, d, func(ctx context.Context) (string, error) {
			why = work(ctx, time.Hour)
			told = time.Since(start)
			time.Sleep(2 * time.Second)
			return "", why
		})
		took = time.Since(start)
		require.Error(t, err, "f was told to stop, and returned an error: Call must return an error too")
		require.Greater(t, took, 2*time.Second, "f takes 2 s to tidy up after it is told to stop: Call must wait until f has returned")
		return told, why, took
	}

	synctest.Test(t, func(t *testing.T) {
		defer rest()
		var given context.Context
		start := time.Now()
		got, err := timeouts.Call(customer, 2*time.Second, func(ctx context.Context) (string, error) {
			given = ctx
			return "a price", work(ctx, time.Second)
		})
		require.Equal(t, time.Second, time.Since(start), "f took 1 s and the limit is 2 s: Call must return when f does")
		require.NoError(t, err, "f succeeded in time: Call must succeed")
		require.Equal(t, "a price", got, "f succeeded in time: Call must return its value")
		require.Equal(t, "customer 7", given.Value(key{}), "the context that f gets must carry the values of ctx")
		require.Error(t, given.Err(), "Call has returned: the context that f got must have ended, or what listens to it waits on until the limit passes")

		got, err = timeouts.Call(customer, 2*time.Second, func(context.Context) (string, error) { return "half a price", errDown })
		require.ErrorIs(t, err, errDown, "f returned an error in time: Call must return it")
		require.Equal(t, "half a price", got, "f returned a value beside its error: Call must return both")

		require.PanicsWithValue(t, "a bug in f", func() {
			timeouts.Call(customer, time.Hour, func(ctx context.Context) (string, error) {
				given = ctx
				panic("a bug in f")
			})
		}, "f panicked: the panic must reach the caller of Call, with its value")
		require.Error(t, given.Err(), "f panicked: the context that f got must have ended on this way out too")
	})

	synctest.Test(t, func(t *testing.T) {
		defer rest()
		told, why, took := call(t, customer, time.Second)
		require.Equal(t, time.Second, told, "the limit is 1 s: f's context must end after 1 s")
		require.Equal(t, 3*time.Second, took, "f was told to stop after 1 s and took 2 s to tidy up: Call must return after 3 s")
		requireTimeout(t, why, time.Second, "f's context ended because Call's limit of 1 s had passed: context.Cause must say so to f")

		ctx, cancel := context.WithCancelCause(customer)
		time.AfterFunc(time.Second, func() { cancel(errClosed) })
		told, why, _ = call(t, ctx, 2*time.Second)
		require.Equal(t, time.Second, told, "ctx was cancelled after 1 s, and the limit is 2 s: f's context must end after 1 s")
		require.ErrorIs(t, why, errClosed, "f's context ended because ctx was cancelled: context.Cause must say so to f")

		told, why, _ = call(t, within(t, time.Second), 2*time.Second)
		require.Equal(t, time.Second, told, "the caller's ctx had 1 s left, and the limit is 2 s: the earlier of the two counts")
		requireNoTimeout(t, why, "f's context ended because of the caller's deadline, and not because of Call's limit")

		told, why, _ = call(t, within(t, 2*time.Second), time.Second)
		require.Equal(t, time.Second, told, "the caller's ctx had 2 s left, and the limit is 1 s: the earlier of the two counts")
		requireTimeout(t, why, time.Second, "f's context ended because Call's limit of 1 s had passed: context.Cause must say so to f")
	})

	synctest.Test(t, func(t *testing.T) {
		defer rest()
		var calls atomic.Int64
		count := func(context.Context) (string, error) {
			calls.Add(1)
			return "a price", nil
		}
		for range 50 { // what is left to chance goes wrong in one of them
			for _, d := range []time.Duration{0, -time.Second} {
				_, err := timeouts.Call(context.Background(), d, count)
				requireTimeout(t, err, d, "Call was given no time at all")
			}
			for _, d := range []time.Duration{time.Second, 0} {
				_, err := timeouts.Call(ended(errClosed), d, count)
				require.ErrorIs(t, err, errClosed, "ctx had ended before the call: Call must return ctx's cause, whatever the limit")
			}
		}
		synctest.Wait()
		require.Zero(t, calls.Load(), "ctx had ended before the call, or there was no time, 200 calls of Call in all: f must not be called for any of them")
	})
}

// An error says what went wrong and why it was stopped, and nothing that is not true.
// A function that is told to stop returns what it likes. Only Call knows which
// limit has passed, and whether any has.
func TestCallSaysWhyItEnded(t *testing.T) {
	// tidying works until it is told to stop, and returns err two seconds later.
	tidying := func(err error) func(context.Context) (string, error) {
		return func(ctx context.Context) (string, error) {
			work(ctx, time.Hour)
			time.Sleep(2 * time.Second)
			return "half a price", err
		}
	}
	// cancelledAfter returns a ctx that somebody cancels after d.
	cancelledAfter := func(d time.Duration) context.Context {
		ctx, cancel := context.WithCancelCause(context.Background())
		time.AfterFunc(d, func() { cancel(errClosed) })
		return ctx
	}

	synctest.Test(t, func(t *testing.T) {
		defer rest()
		var asking error
		_, err := timeouts.Call(context.Background(), time.Second, func(ctx context.Context) (string, error) {
			work(ctx, time.Hour)
			asking = fmt.Errorf("asking for a price: %w", ctx.Err())
			return "", asking
		})
		requireTimeout(t, err, time.Second, "Call's limit of 1 s passed, and f returned the error of its context, wrapped")
		require.ErrorIs(t, err, asking, "f said in its error what it was doing: Call's error must match that too")

		got, err := timeouts.Call(context.Background(), time.Second, tidying(errDown))
		requireTimeout(t, err, time.Second, "Call's limit of 1 s passed, and f returned some other error, as many libraries do when they are told to stop")
		require.Equal(t, "half a price", got, "f returned a value beside its error, when it had been told to stop: Call must return both")
		require.ErrorIs(t, err, errDown, "f returned an error after it was told to stop: Call's error must match that too")

		_, err = timeouts.Call(cancelledAfter(time.Second), time.Hour, tidying(errDown))
		require.ErrorIs(t, err, errClosed, "ctx was cancelled, and f then failed: Call's error must match ctx's cause")
		require.ErrorIs(t, err, errDown, "ctx was cancelled, and f then failed: Call's error must match what f returned")
		requireNoTimeout(t, err, "ctx was cancelled before Call's limit had passed")
	})

	synctest.Test(t, func(t *testing.T) {
		defer rest()
		_, err := timeouts.Call(cancelledAfter(2*time.Second), time.Second, tidying(errDown))
		requireTimeout(t, err, time.Second, "Call's limit of 1 s passed, ctx was cancelled 1 s later, and then f returned: the limit came first")
		require.NotErrorIs(t, err, errClosed, "Call's limit passed first, and ctx was cancelled while f was already tidying up: the error must not blame ctx")

		_, err = timeouts.Call(cancelledAfter(time.Second), 2*time.Second, tidying(errDown))
		require.ErrorIs(t, err, errClosed, "ctx was cancelled, the limit passed 1 s later, and then f returned: ctx came first")
		requireNoTimeout(t, err, "ctx was cancelled first, and Call's limit passed while f was already tidying up")

		_, err = timeouts.Call(context.Background(), time.Second, func(ctx context.Context) (string, error) {
			return timeouts.Call(ctx, time.Hour, tidying(errDown))
		})
		requireTimeout(t, err, time.Second, "of two Calls, one within the other, the outer one's limit of 1 s passed and the inner one's of 1 h did not")
	})

	synctest.Test(t, func(t *testing.T) {
		defer rest()
		errDriver := fmt.Errorf("no free connection: %w", context.DeadlineExceeded)
		_, err := timeouts.Call(context.Background(), time.Hour, func(context.Context) (string, error) {
			return "", errDriver
		})
		require.ErrorIs(t, err, errDriver, "f failed in time: Call must return its error")
		requireNoTimeout(t, err, "f failed in time, because of some limit of its own, and Call's limit had not passed")

		got, err := timeouts.Call(context.Background(), time.Second, func(context.Context) (string, error) {
			time.Sleep(2 * time.Second)
			return "a price", nil
		})
		require.NoError(t, err, "f did not listen, and succeeded after the limit had passed: Call has waited for it anyway, so it must succeed too")
		require.Equal(t, "a price", got, "f succeeded after the limit had passed: Call must return its value")
	})
}

// Step 4: the first answer of several

// The first success wins, and a failure ends nothing.
// Only when all have failed has First failed, and then for all their reasons.
func TestFirstTakesTheFirstSuccess(t *testing.T) {
	errSlow := errors.New("the carrier's queue is full")

	synctest.Test(t, func(t *testing.T) {
		defer rest()
		start := time.Now()
		got, err := timeouts.First(context.Background(),
			carrier{after: time.Second, price: "half", err: errDown}.ask,
			carrier{after: 2 * time.Second, price: "a price"}.ask,
			carrier{after: time.Second, price: "half", err: errSlow}.ask,
		)
		require.Equal(t, 2*time.Second, time.Since(start), "three carriers were asked: two failed after 1 s, and the third succeeded after 2 s: First must return then")
		require.NoError(t, err, "one carrier succeeded: First must succeed, though others failed before")
		require.Equal(t, "a price", got, "one carrier succeeded: First must return its value")
	})

	synctest.Test(t, func(t *testing.T) {
		defer rest()
		start := time.Now()
		got, err := timeouts.First(context.Background(),
			carrier{after: 2 * time.Second, price: "half", err: errSlow}.ask,
			carrier{after: time.Second, price: "half", err: errDown}.ask,
			carrier{after: 3 * time.Second, panics: true}.ask,
		)
		require.Equal(t, 3*time.Second, time.Since(start), "three carriers failed, the last one after 3 s: First must wait for a success until then")
		require.ErrorIs(t, err, errDown, "all carriers failed: the error must match each of theirs")
		require.ErrorIs(t, err, errSlow, "all carriers failed: the error must match each of theirs")
		var panicked *timeouts.PanicError
		require.ErrorAs(t, err, &panicked, "all carriers failed, and one of them by a panic: the error must match a *PanicError too")
		require.NotEmpty(t, panicked.Stack, "a carrier panicked: PanicError.Stack must show where")
		require.NotErrorIs(t, err, context.Canceled, "all carriers failed, and nobody cancelled anything: the error must not say so")
		require.Zero(t, got, "all carriers failed: beside the error there must be a zero value")
	})

	synctest.Test(t, func(t *testing.T) {
		defer rest()
		_, err := timeouts.First[string](context.Background())
		require.ErrorIs(t, err, timeouts.ErrNoFunctions, "First was given no functions: it must say so, at once")

		var calls atomic.Int64
		count := func(context.Context) (string, error) {
			calls.Add(1)
			return "a price", nil
		}
		for range 50 { // what is left to chance goes wrong in one of them
			_, err := timeouts.First(ended(errClosed), count, count)
			require.ErrorIs(t, err, errClosed, "ctx had ended before the call: First must return ctx's cause")
		}
		synctest.Wait()
		require.Zero(t, calls.Load(), "ctx had ended before the call, 50 times over: First must not call anything")
		_, err = timeouts.First[string](ended(errClosed))
		require.ErrorIs(t, err, errClosed, "ctx had ended before the call, and there were no functions either: ctx goes first, so First must return its cause")
	})
}

// The losers are told to stop, and First waits until they have.
// Told is not gone: what they use may be closed as soon as First has returned.
func TestFirstWaitsForTheLosers(t *testing.T) {
	type key struct{}

	synctest.Test(t, func(t *testing.T) {
		defer rest()
		var contexts [2]context.Context
		var told time.Duration
		start := time.Now()
		got, err := timeouts.First(context.WithValue(context.Background(), key{}, "customer 7"),
			func(ctx context.Context) (string, error) { // the loser
				contexts[0] = ctx
				work(ctx, time.Hour)
				told = time.Since(start)
				time.Sleep(2 * time.Second)
				return "too late", nil
			},
			func(ctx context.Context) (string, error) { // the winner
				contexts[1] = ctx
				return "a price", work(ctx, time.Second)
			},
		)
		require.Equal(t, 3*time.Second, time.Since(start), "one succeeded after 1 s, and the other, told to stop, took 2 s to tidy up: First must return after 3 s")
		require.Equal(t, time.Second, told, "one succeeded after 1 s: the context of the other must end then")
		require.NoError(t, err, "one succeeded: First must succeed")
		require.Equal(t, "a price", got, "First must return the value of the one that was the first to succeed, whatever another returns later")
		require.Equal(t, "customer 7", contexts[1].Value(key{}), "the context that a function gets must carry the values of ctx")
		require.Error(t, contexts[0].Err(), "First has returned: the context of the loser must have ended")
		require.Error(t, contexts[1].Err(), "First has returned: the context of the winner must have ended too")
	})

	synctest.Test(t, func(t *testing.T) {
		defer rest()
		ctx, cancel := context.WithCancelCause(context.Background())
		time.AfterFunc(time.Second, func() { cancel(errClosed) })
		tidyUp := func(ctx context.Context) (string, error) {
			work(ctx, time.Hour)
			time.Sleep(2 * time.Second)
			return "", errDown
		}

		start := time.Now()
		_, err := timeouts.First(ctx, tidyUp, tidyUp)
		require.Equal(t, 3*time.Second, time.Since(start), "ctx was cancelled after 1 s, and the functions took 2 s to tidy up: First must wait for them, and return after 3 s")
		require.ErrorIs(t, err, errClosed, "ctx was cancelled, and then all failed: the error must match ctx's cause")
		require.ErrorIs(t, err, errDown, "ctx was cancelled, and then all failed: the error must match what the functions returned")

		start = time.Now()
		ctx, cancel = context.WithCancelCause(context.Background())
		time.AfterFunc(time.Second, func() { cancel(errClosed) })
		got, err := timeouts.First(ctx, tidyUp, func(context.Context) (string, error) {
			time.Sleep(2 * time.Second)
			return "a price", nil
		})
		require.Equal(t, 3*time.Second, time.Since(start), "ctx was cancelled after 1 s, and a function took 2 s to tidy up: First must wait for it, and return after 3 s")
		require.NoError(t, err, "ctx was cancelled after 1 s, and a function that did not listen succeeded after 2 s: that success counts")
		require.Equal(t, "a price", got, "a function succeeded after the end of ctx: First must return its value")

		var given context.Context
		timeouts.First(context.Background(), func(ctx context.Context) (string, error) {
			given = ctx
			return "", errDown
		})
		require.Error(t, given.Err(), "all failed, and First has returned: the contexts must have ended on this way out too")
	})
}

// Step 5: ask once more

// When an answer is late, ask once more, and take whichever comes first.
// The late one is not given up: it may still be the first.
func TestHedgeAsksOnceMoreWhenLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		defer rest()
		seconds := func(attempts int, took ...time.Duration) (d *diary, got string, err error) {
			d = new(diary)
			start := time.Now()
			got, err = timeouts.Hedge(context.Background(), time.Second, attempts, func(ctx context.Context, attempt int) (string, error) {
				d.began(attempt, start)
				return fmt.Sprint("the answer of attempt ", attempt), work(ctx, took[min(attempt, 3)])
			})
			d.took = time.Since(start)
			return d, got, err
		}
		const never = time.Hour

		d, got, err := seconds(4, 500*time.Millisecond, never, never, never)
		require.Equal(t, "0s", d.all(t), "attempt 0 succeeded after 0.5 s, and the next one was due after 1 s: this is when each attempt began")
		require.Equal(t, 500*time.Millisecond, d.took, "attempt 0 succeeded after 0.5 s: Hedge must return then")
		require.Equal(t, "the answer of attempt 0", got, "attempt 0 was the first to succeed: Hedge must return its value")
		require.NoError(t, err, "attempt 0 succeeded: Hedge must succeed")

		d, got, err = seconds(4, 2500*time.Millisecond, never, never, never)
		require.Equal(t, 2500*time.Millisecond, d.took, "attempt 0 succeeded after 2.5 s, before all others: Hedge must have let it go on, and return then")
		require.Equal(t, "the answer of attempt 0", got, "attempt 0 was the first to succeed: Hedge must return its value")
		require.NoError(t, err, "attempt 0 succeeded: Hedge must succeed")
		require.Equal(t, "0s, 1s, 2s", d.all(t), "nothing came for 2.5 s, and a further attempt was due every second: this is when each attempt began")

		d, got, err = seconds(4, never, never, 700*time.Millisecond, never)
		require.Equal(t, 2700*time.Millisecond, d.took, "attempt 2 was due after 2 s, and took 0.7 s: Hedge must return after 2.7 s")
		require.Equal(t, "the answer of attempt 2", got, "attempt 2 was the first to succeed: Hedge must return its value")
		require.NoError(t, err, "attempt 2 succeeded: Hedge must succeed")

		for attempts := 2; attempts >= -1; attempts-- {
			want := []string{"0s", "0s, 1s"}[max(attempts, 1)-1]
			d, got, err = seconds(attempts, 5*time.Second, never, never, never)
			require.Equal(t, 5*time.Second, d.took, "attempt 0 succeeded after 5 s: Hedge must return then")
			require.NoError(t, err, "attempt 0 succeeded: Hedge must succeed")
			require.Equal(t, "the answer of attempt 0", got, "attempt 0 was the first to succeed: Hedge must return its value")
			require.Equal(t, want, d.all(t), "Hedge was given attempts=%d, and nothing came for 5 s: this is when each attempt began", attempts)
		}
	})

	synctest.Test(t, func(t *testing.T) {
		defer rest()
		type key struct{}
		ctx := context.WithValue(context.Background(), key{}, "customer 7")
		for _, after := range []time.Duration{0, -time.Second} {
			var d diary
			start := time.Now()
			got, err := timeouts.Hedge(ctx, after, 3, func(ctx context.Context, attempt int) (any, error) {
				d.began(attempt, start)
				return ctx.Value(key{}), work(ctx, time.Second)
			})
			require.NoError(t, err, "all attempts would succeed: Hedge must succeed")
			require.Equal(t, "customer 7", got, "the context that an attempt gets must carry the values of ctx")
			require.Equal(t, "0s, 0s, 0s", d.all(t), "Hedge was given after=%v: all 3 attempts must begin at once", after)
		}

		var calls atomic.Int64
		for range 50 { // what is left to chance goes wrong in one of them
			_, err := timeouts.Hedge(ended(errClosed), time.Second, 3, func(context.Context, int) (string, error) {
				calls.Add(1)
				return "a price", nil
			})
			require.ErrorIs(t, err, errClosed, "ctx had ended before the call: Hedge must return ctx's cause")
		}
		synctest.Wait()
		require.Zero(t, calls.Load(), "ctx had ended before the call, 50 times over: Hedge must not call f")
	})
}

// A failure is answered at once, and nothing begins when all is decided.
// To wait with the next attempt would be to wait for nothing. But an attempt that
// was told to stop comes back as a failure as well, and that one needs no answer.
func TestHedgeAnswersFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		defer rest()
		var d diary
		start := time.Now()
		got, err := timeouts.Hedge(context.Background(), time.Second, 5, func(ctx context.Context, attempt int) (string, error) {
			d.began(attempt, start)
			switch attempt {
			case 0:
				return "half", errors.Join(work(ctx, 400*time.Millisecond), errDown)
			case 1:
				panic("a bug in f")
			case 2:
				work(ctx, time.Hour)
				time.Sleep(2 * time.Second) // tidies up
				return "too late", nil
			default:
				return "a price", work(ctx, 500*time.Millisecond)
			}
		})
		took := time.Since(start)
		require.Equal(t, "0s, 400ms, 400ms, 1.4s", d.all(t),
			"attempt 0 failed after 0.4 s and attempt 1 panicked at once: the next was due at once each time, the one after that 1 s later, and none once attempt 3 had succeeded; this is when each began")
		require.Equal(t, 3900*time.Millisecond, took, "attempt 3 was due after 1.4 s and took 0.5 s, and attempt 2, told to stop, took 2 s to tidy up: Hedge must return after 3.9 s")
		require.NoError(t, err, "attempt 3 succeeded: Hedge must succeed, though others failed before it")
		require.Equal(t, "a price", got, "attempt 3 was the first to succeed: Hedge must return its value, whatever another returns later")
	})

	synctest.Test(t, func(t *testing.T) {
		defer rest()
		errs := []error{errors.New("north is down"), errors.New("south is down"), errors.New("west is down")}
		var d diary
		var given context.Context
		start := time.Now()
		got, err := timeouts.Hedge(context.Background(), time.Hour, len(errs), func(ctx context.Context, attempt int) (string, error) {
			d.began(attempt, start)
			given = ctx
			if attempt >= len(errs) {
				return "one too many", nil
			}
			if attempt == 1 {
				work(ctx, time.Second)
				panic(errs[attempt])
			}
			return "half", errors.Join(work(ctx, time.Second), errs[attempt])
		})
		require.Equal(t, 3*time.Second, time.Since(start), "three attempts failed one after the other, each after 1 s, and there was no fourth: Hedge must return after 3 s")
		require.Equal(t, "0s, 1s, 2s", d.all(t), "each attempt failed after 1 s, and the next was due at once: this is when each began")
		var panicked *timeouts.PanicError
		require.ErrorAs(t, err, &panicked, "all attempts failed, one of them by a panic: the error must match a *PanicError")
		require.NotEmpty(t, panicked.Stack, "an attempt panicked: PanicError.Stack must show where")
		for _, want := range errs {
			require.ErrorIs(t, err, want, "all attempts failed, one of them by a panic with an error: the error must match each of theirs")
		}
		require.NotErrorIs(t, err, context.Canceled, "all attempts failed, and nobody cancelled anything: the error must not say so")
		require.Zero(t, got, "all attempts failed: beside the error there must be a zero value")
		require.Error(t, given.Err(), "all attempts failed, and Hedge has returned: the contexts must have ended on this way out too")

		start = time.Now()
		got, err = timeouts.Hedge(context.Background(), time.Second, 2, func(ctx context.Context, attempt int) (string, error) {
			if attempt > 0 {
				return "half", errDown
			}
			return "a price", work(ctx, 3*time.Second)
		})
		require.Equal(t, 3*time.Second, time.Since(start), "attempt 0 took 3 s, and attempt 1, the last one, failed after 1 s: as long as an attempt is under way, it may succeed, so Hedge must return after 3 s")
		require.NoError(t, err, "attempt 0 succeeded after the last attempt had failed: Hedge must succeed")
		require.Equal(t, "a price", got, "attempt 0 succeeded after the last attempt had failed: Hedge must return its value")
	})

	synctest.Test(t, func(t *testing.T) {
		defer rest()
		for _, stubborn := range []bool{false, true} {
			ctx, cancel := context.WithCancelCause(context.Background())
			time.AfterFunc(1500*time.Millisecond, func() { cancel(errClosed) })
			var d diary
			start := time.Now()
			got, err := timeouts.Hedge(ctx, time.Second, 5, func(ctx context.Context, attempt int) (string, error) {
				d.began(attempt, start)
				work(ctx, time.Hour)
				time.Sleep(2 * time.Second) // tidies up
				if stubborn && attempt == 0 {
					return "a price", nil
				}
				return "", errDown
			})
			require.Equal(t, 3500*time.Millisecond, time.Since(start), "ctx was cancelled after 1.5 s, and the attempts took 2 s to tidy up: Hedge must wait for them, and return after 3.5 s")
			require.Equal(t, "0s, 1s", d.all(t), "ctx was cancelled after 1.5 s: no attempt may begin after that; this is when each began")
			if stubborn {
				require.NoError(t, err, "ctx was cancelled, and then an attempt succeeded all the same: that success counts")
				require.Equal(t, "a price", got, "an attempt succeeded after the end of ctx: Hedge must return its value")
				continue
			}
			require.ErrorIs(t, err, errClosed, "ctx was cancelled, and then all attempts failed: the error must match ctx's cause")
			require.ErrorIs(t, err, errDown, "ctx was cancelled, and then all attempts failed: the error must match what they returned")
		}
	})
}

// Step 6: clean up

// Clean-up gets a ctx that is alive, and time of its own.
// It is needed most when ctx has just ended; with that ctx it could do nothing.
func TestCleanUpHasTimeOfItsOwn(t *testing.T) {
	type key struct{}
	customer := context.WithValue(context.Background(), key{}, "customer 7")

	synctest.Test(t, func(t *testing.T) {
		defer rest()
		ctx, cancel := context.WithCancelCause(customer)
		time.AfterFunc(time.Second, func() { cancel(errClosed) })
		reserve := func(ctx context.Context) error { return work(ctx, time.Hour) }
		var given context.Context
		var alive, why error
		var whose any
		var told time.Duration
		release := func(ctx context.Context) error {
			given, alive, whose = ctx, ctx.Err(), ctx.Value(key{})
			began := time.Now()
			why = work(ctx, time.Hour)
			told = time.Since(began)
			time.Sleep(time.Second) // does not stop at once
			return nil
		}

		start := time.Now()
		err := timeouts.Finally(ctx, 2*time.Second, reserve, release)
		took := time.Since(start)

		require.NoError(t, alive, "ctx was cancelled during work: the context that cleanup gets must be alive all the same")
		require.Equal(t, "customer 7", whose, "the context that cleanup gets must carry the values of ctx")
		require.Equal(t, 2*time.Second, told, "grace is 2 s: the context of cleanup must end 2 s after cleanup was called")
		requireTimeout(t, why, 2*time.Second, "the context of cleanup ended because its grace of 2 s had passed: context.Cause must say so to cleanup")
		require.Equal(t, 4*time.Second, took, "work took 1 s, grace was 2 s, and cleanup took 1 s more: Finally must wait for cleanup, and return after 4 s")
		require.ErrorIs(t, err, errClosed, "work failed: Finally must return its error")
		requireNoTimeout(t, err, "cleanup succeeded, though late")
		require.Error(t, given.Err(), "Finally has returned: the context that cleanup got must have ended")
	})

	synctest.Test(t, func(t *testing.T) {
		defer rest()
		var given context.Context
		var told time.Duration
		long := func(ctx context.Context) error { return work(ctx, 10*time.Second) }
		until := func(d time.Duration) func(context.Context) error {
			return func(ctx context.Context) error {
				given = ctx
				began := time.Now()
				err := work(ctx, d)
				told = time.Since(began)
				return err
			}
		}

		err := timeouts.Finally(customer, 2*time.Second, long, until(time.Hour))
		require.Error(t, err, "cleanup ran out of grace, and returned an error: Finally must return it")
		require.Equal(t, 2*time.Second, told, "work took 10 s and grace is 2 s: grace counts from the moment when cleanup is called")

		ctx, cancel := context.WithCancel(customer)
		time.AfterFunc(11*time.Second, cancel)
		err = timeouts.Finally(ctx, 3*time.Second, long, until(2*time.Second))
		require.NoError(t, err, "work took 10 s, cleanup 2 s of 3 s, and ctx was cancelled in between: cleanup must not hear of that")
		require.Error(t, given.Err(), "Finally has returned: the context that cleanup got must have ended, though its grace has not passed")

		for _, grace := range []time.Duration{0, -time.Second} {
			called := false
			var why error
			timeouts.Finally(customer, grace, long, func(ctx context.Context) error {
				called, why = true, context.Cause(ctx)
				return nil
			})
			require.True(t, called, "grace is %v: cleanup must be called all the same", grace)
			requireTimeout(t, why, grace, fmt.Sprintf("grace is %v, and the context of cleanup has ended already", grace))
		}
	})
}

// Clean-up runs once, whatever came of the work, and no error is lost.
// Work that has failed, panicked or never begun may still leave something to undo.
func TestCleanUpAlwaysRuns(t *testing.T) {
	errStuck := errors.New("the reservation could not be released")

	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			ctx           context.Context
			work, cleanup error
			calls         []string
		}{
			{context.Background(), nil, nil, []string{"work", "cleanup"}},
			{context.Background(), errDown, nil, []string{"work", "cleanup"}},
			{context.Background(), nil, errStuck, []string{"work", "cleanup"}},
			{context.Background(), errDown, errStuck, []string{"work", "cleanup"}},
			{ended(errClosed), errClosed, nil, []string{"cleanup"}},
			{ended(errClosed), errClosed, errStuck, []string{"cleanup"}},
		} {
			var calls []string
			log := func(name string, err error) func(context.Context) error {
				return func(context.Context) error {
					time.Sleep(time.Second)
					calls = append(calls, name)
					return err
				}
			}
			err := timeouts.Finally(c.ctx, 10*time.Second, log("work", c.work), log("cleanup", c.cleanup))

			if len(c.calls) == 1 {
				require.Equal(t, c.calls, calls, "ctx had ended before the call: work must not be called, and cleanup must be")
			}
			require.Equal(t, c.calls, calls, "Finally must call work, wait for it, and then call cleanup, once each, whatever work returns")
			if c.work != nil {
				require.ErrorIs(t, err, c.work, "work failed, or could not begin: Finally's error must say why, whatever cleanup returns")
			}
			if c.cleanup != nil {
				require.ErrorIs(t, err, c.cleanup, "cleanup failed: Finally's error must match its error, whatever work returned")
			}
			if c.work == nil && c.cleanup == nil {
				require.NoError(t, err, "work and cleanup succeeded: Finally must return nil")
			}
		}
	})

	synctest.Test(t, func(t *testing.T) {
		cleaned := 0
		succeed := func(context.Context) error { return nil }
		clean := func(ctx context.Context) error {
			cleaned++
			return work(ctx, time.Second)
		}
		bug := func(context.Context) error { panic("a bug") }

		require.PanicsWithValue(t, "a bug", func() { timeouts.Finally(context.Background(), 2*time.Second, bug, clean) },
			"work panicked: the panic must reach the caller of Finally, with its value")
		require.Equal(t, 1, cleaned, "work panicked: cleanup must have been called, once")
		require.PanicsWithValue(t, "a bug", func() { timeouts.Finally(context.Background(), 2*time.Second, succeed, bug) },
			"cleanup panicked: the panic must reach the caller of Finally, with its value")
	})
}

// work takes d, or less if ctx ends, whose cause it then returns.
func work(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// carrier answers after a while, unless it is told to stop before.
type carrier struct {
	after  time.Duration
	price  string
	err    error
	panics bool
}

func (c carrier) ask(ctx context.Context) (string, error) {
	if err := work(ctx, c.after); err != nil {
		return "", err
	}
	if c.panics {
		panic("a bug in the carrier's client")
	}
	return c.price, c.err
}

// diary keeps when each attempt of Hedge began. Every attempt has a line of its
// own, so that it orders no attempt before another.
type diary struct {
	lines [8]struct{ times, at atomic.Int64 }
	took  time.Duration // how long Hedge took in all
}

func (d *diary) began(attempt int, start time.Time) {
	line := &d.lines[min(max(attempt, 0), len(d.lines)-1)]
	line.times.Add(1)
	line.at.Store(int64(time.Since(start)))
}

// all returns when attempts 0, 1, 2, … began.
func (d *diary) all(t *testing.T) string {
	t.Helper()
	var all []string
	for attempt := range d.lines {
		if times := d.lines[attempt].times.Load(); times > 0 {
			require.Len(t, all, attempt, "attempt %d began, and one with a smaller number did not: attempts are counted from 0, one by one", attempt)
			require.EqualValues(t, 1, times, "each number must be given to one attempt; this is how many were called attempt %d", attempt)
			all = append(all, time.Duration(d.lines[attempt].at.Load()).String())
		}
	}
	return strings.Join(all, ", ")
}

// thoughtful is a ctx that thinks before it answers.
type thoughtful struct {
	context.Context
	think func()
}

func (c thoughtful) Done() <-chan struct{} { c.think(); return c.Context.Done() }
func (c thoughtful) Err() error            { c.think(); return c.Context.Err() }

// inBubble returns how many goroutines the caller's bubble holds, from what the
// runtime prints of them all. It starts with the caller:
//
//	goroutine 9 [running, synctest bubble 3]:
func inBubble() int {
	stacks := make([]byte, 1<<16)
	stacks = stacks[:runtime.Stack(stacks, true)]
	header, _, _ := bytes.Cut(stacks, []byte("\n"))
	_, bubble, _ := bytes.Cut(header, []byte(", "))
	return bytes.Count(stacks, bubble)
}

// stumble panics, in a function with a name to look for.
func stumble(v any) { panic(v) }

// within returns a ctx that ends after d.
func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// ended returns a ctx that has already been cancelled, with a cause.
func ended(cause error) context.Context {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(cause)
	return ctx
}

// rest lets all that still runs come to its end. An hour costs nothing in a
// bubble. That functions are waited for, and told to stop, is asserted by time.
func rest() {
	time.Sleep(2 * time.Hour)
	synctest.Wait()
}

// requireTimeout requires that err says that this limit has passed.
func requireTimeout(t *testing.T, err error, limit time.Duration, when string) {
	t.Helper()
	var timeout *timeouts.TimeoutError
	require.ErrorAs(t, err, &timeout, "%s: the error must be a *TimeoutError, wrapped or as it is", when)
	require.Equal(t, limit, timeout.Limit, "%s: the Limit of the *TimeoutError must be the limit that passed", when)
}

// requireNoTimeout requires that err does not say that a limit has passed which
// has not.
func requireNoTimeout(t *testing.T, err error, when string) {
	t.Helper()
	var timeout *timeouts.TimeoutError
	require.NotErrorAs(t, err, &timeout, "%s: the error must not be a *TimeoutError", when)
}
