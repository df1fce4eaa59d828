package ratelimit_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	ratelimit "concurrency-koans/lessons/08-rate-limiting"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Step 1: a fixed rate

// A limit without a meaning is refused, and one with a meaning starts nothing.
// There is no Close, so there must be nothing that somebody would have to stop:
// whoever is still there at the end of a bubble is left behind, and reported.
func TestNewRefusesNonsense(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, limit := range []struct {
			every time.Duration
			burst int
		}{{0, 1}, {-time.Second, 1}, {time.Second, 0}, {time.Second, -1}, {-time.Second, -1}} {
			limiter, err := ratelimit.New(limit.every, limit.burst)
			require.Error(t, err, "New was given every=%v and burst=%d, which is no limit: it must return an error", limit.every, limit.burst)
			require.Nil(t, limiter, "New returned an error: there must be no limiter beside it")
		}
		for _, every := range []time.Duration{time.Nanosecond, time.Second, 24 * time.Hour} {
			limiter, err := ratelimit.New(every, 1)
			require.NoError(t, err, "New was given every=%v and burst=1, which is a limit like any other", every)
			require.NotNil(t, limiter, "New returned no error: there must be a limiter")
		}
	})
}

// With a burst of one, two grants are never closer than every, and a refusal costs nothing.
// Who asks too early may ask again, and gets the next grant when it is due.
func TestAllowKeepsItsDistance(t *testing.T) {
	for _, every := range []time.Duration{250 * time.Millisecond, 2 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			limiter := newLimiter(t, every, 1)

			require.True(t, limiter.Allow(), "nobody has asked before: the first Allow must be granted at once")
			require.False(t, limiter.Allow(), "every is %v, burst is 1, and one was granted at this very moment: the next Allow must be refused", every)
			time.Sleep(every - time.Second/512)
			require.False(t, limiter.Allow(), "every is %v, burst is 1, and the last grant is a little less than that ago: Allow must be refused", every)
			time.Sleep(time.Second / 512)
			require.True(t, limiter.Allow(), "every is %v, burst is 1, and the last grant is that long ago: Allow must be granted, and that it was asked and refused meanwhile must not matter", every)

			requireTimes(t, multiples(every, 1, 2, 3, 4, 5, 6, 7, 8), grants(limiter, every/8, 64),
				"every is %v, burst is 1, and Allow was called eight times as often: it must be granted as soon as every has passed, and no refusal may put that off", every)
		})
	}
}

// Step 2: a bucket of tokens

// A bucket starts full, holds burst and no more, and gives all that is asked for or nothing.
func TestBucketHoldsABurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limiter := newLimiter(t, time.Second, 5)

		require.True(t, limiter.AllowN(3), "every is 1s, burst is 5, and nobody has asked before: the bucket starts full, so AllowN(3) must be granted")
		require.False(t, limiter.AllowN(3), "2 of 5 tokens are left: AllowN(3) must be refused")
		require.True(t, limiter.AllowN(2), "2 of 5 tokens are left, and an AllowN(3) was refused, which takes nothing: AllowN(2) must be granted")
		require.False(t, limiter.Allow(), "all 5 tokens have been taken: Allow must be refused")

		require.True(t, limiter.AllowN(0), "the bucket is empty, and nothing was asked for: AllowN(0) must be granted")
		require.False(t, limiter.AllowN(-5), "AllowN was called with a negative number: it must be refused")
		require.False(t, limiter.Allow(), "the bucket is empty, and then came AllowN(0) and AllowN(-5): neither may put a token into it")

		for range 2 {
			time.Sleep(time.Hour)
			granted := 0
			for range 100 {
				if limiter.Allow() {
					granted++
				}
			}
			require.Equal(t, 5, granted, "every is 1s, burst is 5, and nobody asked for an hour: then 100 calls of Allow came at once; as many as the bucket holds must be granted")
		}

		time.Sleep(time.Hour)
		require.False(t, limiter.AllowN(6), "burst is 5: AllowN(6) must be refused, however long the bucket has had to fill")
		require.False(t, limiter.AllowN(-1), "AllowN was called with a negative number: it must be refused, also when the bucket is full")
		require.True(t, limiter.AllowN(5), "burst is 5, the bucket is full, and refusals take nothing: AllowN(5) must be granted")
	})
}

// In no stretch of time are there more grants than burst + T/every, however many ask at once.
// The stretch may begin anywhere, also just before the end of a minute.
func TestNoWindowHoldsMore(t *testing.T) {
	// One who asks as it suits them, with long pauses.
	synctest.Test(t, func(t *testing.T) {
		const every, burst = time.Second, 4
		limiter := newLimiter(t, every, burst)
		start := time.Now()
		ask := func(times int) (granted []time.Duration) {
			for range times {
				if limiter.Allow() {
					granted = append(granted, time.Since(start))
				}
			}
			return granted
		}

		granted := ask(1)
		time.Sleep(burst*every - every/8)
		granted = append(granted, ask(20)...)
		time.Sleep(every / 8)
		granted = append(granted, ask(20)...)
		requireWithin(t, granted, every, burst, "the limiter")

		dice := rand.New(rand.NewPCG(8, 8))
		for range 300 {
			time.Sleep(time.Duration(dice.IntN(40)) * every / 8)
			granted = append(granted, ask(dice.IntN(8))...)
		}
		requireWithin(t, granted, every, burst, "the limiter")
	})

	// Many, each at a time of its own. What they share is only what the limiter
	// guards itself.
	synctest.Test(t, func(t *testing.T) {
		limiter := newLimiter(t, time.Second, 1)
		var granted [16]bool
		var all sync.WaitGroup
		for i := range granted {
			all.Go(func() {
				time.Sleep(time.Duration(i) * time.Second)
				granted[i] = limiter.Allow()
			})
		}
		all.Wait()
		for i := range granted {
			require.True(t, granted[i], "every is 1s, burst is 1, and 16 goroutines called Allow one second after the other: each must be granted")
		}
	})

	// Many at the same moment, each until it is refused, and that until they have
	// often enough got in each other's way. On a busy machine they take turns, and
	// it takes longer until one of them is stopped at the worst place.
	const burst, callers = 400, 8
	attempt, met := 0, 0
	for end := time.Now().Add(150 * time.Millisecond); met < 50 && time.Now().Before(end); attempt++ {
		synctest.Test(t, func(t *testing.T) {
			limiter := newLimiter(t, time.Second, burst)
			var granted [callers]int
			var all sync.WaitGroup
			for caller := range granted {
				all.Go(func() {
					for granted[caller] <= burst && limiter.Allow() {
						granted[caller]++
					}
				})
			}
			all.Wait()
			sum := 0
			for _, n := range granted {
				sum += n
			}
			require.Equal(t, burst, sum, "burst is 400, the bucket was full, and 8 goroutines called Allow at the same moment until it was refused: 400 must be granted in all (this was attempt %d)", attempt+1)
			if slices.Max(granted[:]) < burst {
				met++
			}
		})
	}
}

// A bucket fills little by little, and no call takes away what has dripped in so far.
// A token and a half is one token now and another one half as long after that.
func TestBucketFillsDropByDrop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limiter := newLimiter(t, time.Second, 3)
		require.True(t, limiter.AllowN(3), "nobody has asked before: the bucket starts full, so AllowN(3) must be granted")

		// A token each second, and a call each 3/8 s: the first call that finds the
		// n-th token comes up to 3/8 s after it.
		const step = 3 * time.Second / 8
		var want []time.Duration
		for n := range 30 {
			complete := time.Duration(n+1) * time.Second
			want = append(want, (complete+step-1)/step*step)
		}
		requireTimes(t, want, grants(limiter, step, 80),
			"every is 1s, the bucket was empty, and Allow was called each 375ms: the first call after each full second must be granted, since what had dripped in beyond a token counts for the next")

		require.False(t, limiter.Allow(), "30 tokens have dripped in within 30 s, and all have been taken: Allow must be refused")
		time.Sleep(2500 * time.Millisecond)
		require.False(t, limiter.AllowN(3), "every is 1s, and the bucket has been filling for 2.5 s: it holds two tokens and a half, so AllowN(3) must be refused")
		require.True(t, limiter.AllowN(2), "every is 1s, and the bucket has been filling for 2.5 s: it holds two tokens and a half, so AllowN(2) must be granted")
		require.False(t, limiter.Allow(), "half a token is left: Allow must be refused")
		time.Sleep(500 * time.Millisecond)
		require.True(t, limiter.Allow(), "every is 1s, half a token was left, and another 0.5 s have passed: Allow must be granted")
		require.False(t, limiter.Allow(), "there was one token, and it has been taken: Allow must be refused")
	})

	synctest.Test(t, func(t *testing.T) {
		const every = time.Second / 64
		limiter := newLimiter(t, every, 1)
		require.True(t, limiter.Allow(), "nobody has asked before: the first Allow must be granted at once")
		want := make([]time.Duration, 640)
		for n := range want {
			want[n] = time.Duration(n+1) * every
		}
		requireTimes(t, want, grants(limiter, every/8, 5120),
			"64 tokens in a second (every is %v), and Allow was called 512 times in a second for 10 s: it must be granted each time that every has passed, in the long run too", every)

		time.Sleep(every * 3 / 2)
		require.True(t, limiter.Allow(), "every is %v, burst is 1, and the last grant is half as long again ago: Allow must be granted", every)
		time.Sleep(every * 3 / 4)
		require.False(t, limiter.Allow(), "every is %v, burst is 1, and the last grant is three quarters of that ago: Allow must be refused; the time counts from that grant, and not by a fixed beat", every)
		time.Sleep(every / 4)
		require.True(t, limiter.Allow(), "every is %v, burst is 1, and the last grant is exactly that long ago: Allow must be granted", every)
	})
}

// Step 3: waiting for a token

// Wait returns when its token comes, or when ctx ends.
func TestWaitReturnsWithItsToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const every = time.Second / 256 // a moment that nobody hits who only looks now and then
		limiter := newLimiter(t, every, 2)
		start := time.Now()
		wait := func(want time.Duration, why string) {
			t.Helper()
			require.NoError(t, limiter.Wait(context.Background()), "ctx has not ended: Wait must return nil")
			requireAbout(t, want, time.Since(start), why)
		}

		wait(0, "burst is 2, and nobody has asked before: the first Wait must return at once")
		wait(0, "burst is 2, and one token has been taken: the second Wait must return at once")
		for n := range 4 {
			wait(time.Duration(n+1)*every, "the bucket was empty, and one Wait came after the other: each must return at the moment at which the next token is complete")
			require.False(t, limiter.Allow(), "Wait has taken the token: Allow must be refused")
		}

		time.Sleep(every * 3 / 2)
		wait(every*11/2, "a token and a half had dripped in: Wait must return at once")
		wait(every*6, "half a token was left: Wait must return when the other half has dripped in")

		time.Sleep(every / 2)
		require.False(t, limiter.Allow(), "there is half a token: Allow must be refused")
		wait(every*7, "half a token had dripped in, and an Allow was refused, which takes nothing: Wait must return when the other half has dripped in")
	})

	synctest.Test(t, func(t *testing.T) {
		limiter := newLimiter(t, time.Second, 1)
		for range 50 { // what is left to chance goes wrong in one of them
			require.ErrorIs(t, limiter.Wait(ended()), context.Canceled, "ctx had ended before Wait was called: it must return ctx's error, though there is a token, every time of 50")
		}
		require.True(t, limiter.Allow(), "ctx had ended before Wait was called: it must not take the token")

		start := time.Now()
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(time.Second/4, cancel)
		require.ErrorIs(t, limiter.Wait(ctx), context.Canceled, "ctx ended while Wait waited for a token: it must return ctx's error")
		require.Equal(t, time.Second/4, time.Since(start), "ctx ended after 250 ms, long before the next token: Wait must return at that moment")
	})
}

// A Wait that waits holds up nobody else.
// So it must not hold a lock that others need. This koan runs in real time: a
// bubble takes a goroutine that waits for a lock for one that is busy, and its
// clock would stop for good.
func TestWaitingHoldsUpNobody(t *testing.T) {
	defer verifyNoLeak(t, goleak.IgnoreCurrent())
	limiter := newLimiter(t, time.Hour, 1)
	require.True(t, limiter.Allow(), "nobody has asked before: the first Allow must be granted at once")

	patientCtx, release := context.WithCancel(context.Background())
	defer release()
	patient := make(chan error, 1)
	go callWait(patientCtx, limiter, patient)
	untilWaiting(t, 1, patient, "every is 1h, and the token has been taken: Wait must wait for the next one")

	tried := make(chan bool, 1)
	go func() { tried <- limiter.Allow() }()
	require.False(t, soon(t, tried, "all tokens are taken, and a Wait was waiting for the next one: Allow must return all the same, and at once"),
		"all tokens are taken, and a Wait was waiting for the next one: Allow must be refused")

	hurriedCtx, cancel := context.WithCancel(context.Background())
	defer cancel()
	hurried := make(chan error, 1)
	go callWait(hurriedCtx, limiter, hurried)
	untilWaiting(t, 2, hurried, "every is 1h, and Wait was called twice: both must wait")
	cancel()
	require.ErrorIs(t, soon(t, hurried, "two Waits were waiting, and the ctx of the second one ended: that Wait must return, though the other still waits"),
		context.Canceled, "Wait's ctx ended while it waited: it must return ctx's error")

	release()
	require.ErrorIs(t, soon(t, patient, "Wait's ctx ended while it waited for a token: it must return"),
		context.Canceled, "Wait's ctx ended while it waited: it must return ctx's error")
}

// Those who wait are served one by one, in the order in which they came.
// Nobody pushes in, not even an Allow that comes at the right moment.
func TestWaitersAreServedInTurn(t *testing.T) {
	const every = 250 * time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		limiter := newLimiter(t, every, 2)
		start := time.Now()
		var all sync.WaitGroup
		var served [40]time.Duration
		for i := range served {
			all.Go(func() {
				if limiter.Wait(context.Background()) == nil {
					served[i] = time.Since(start)
				}
			})
			synctest.Wait() // this one waits, or is done; then the next one comes
		}

		nothing := limiter.AllowN(0)
		pushedIn := grants(limiter, every/4, 4*20)
		all.Wait()

		for _, after := range pushedIn {
			require.Failf(t, "Allow pushed in", "every is 250ms, and Waits were waiting for every token that came: Allow must be refused meanwhile, and after %v it was granted", after)
		}
		for i := range served {
			requireAbout(t, time.Duration(max(i-1, 0))*every, served[i], "every is 250ms, burst is 2, and Wait was called 40 times at the same moment, one after the other: number %d must return at this time, and after those that came before it", i+1)
		}
		require.True(t, nothing, "AllowN(0) was called while others waited for a token: it asks for nothing, so AllowN must grant it")
		time.Sleep(time.Microsecond) // a Wait may return some nanoseconds late, and what follows with it
		requireTimes(t, multiples(every, 1, 2, 3), grants(limiter, every/4, 12), "the last Wait has its token, and nobody waits any more: from now on Allow must be granted once in 250 ms")
	})

	// One who comes at the very moment at which the token does.
	synctest.Test(t, func(t *testing.T) {
		for round := range 50 { // what is left to chance goes wrong in one of them
			limiter := newLimiter(t, every, 1)
			require.True(t, limiter.Allow(), "nobody has asked before: the first Allow must be granted at once")
			start := time.Now()
			var patient, late time.Duration
			var all sync.WaitGroup
			all.Go(func() {
				time.Sleep(every)
				limiter.Wait(context.Background())
				late = time.Since(start)
			})
			synctest.Wait()
			all.Go(func() {
				limiter.Wait(context.Background())
				patient = time.Since(start)
			})
			all.Wait()
			requireAbout(t, every, patient, "every is 250ms; a Wait was waiting when another one came, at the very moment at which the token did: the one who has waited must get it (this was attempt %d)", round+1)
			requireAbout(t, 2*every, late, "every is 250ms; a Wait was waiting when another one came, at the very moment at which the token did: the one who came late must get the next (this was attempt %d)", round+1)
		}
	})

	// Many at the same moment, again and again.
	synctest.Test(t, func(t *testing.T) {
		const burst, callers, rounds = 40, 8, 10
		limiter := newLimiter(t, every, burst)
		var done [callers][rounds]time.Duration
		var all sync.WaitGroup
		for caller := range callers {
			all.Go(func() {
				for round := range rounds {
					start := time.Now()
					for range burst/callers + 1 {
						limiter.Wait(context.Background())
					}
					done[caller][round] = time.Since(start)
					time.Sleep(time.Hour - done[caller][round])
				}
			})
		}
		all.Wait()
		for round := range rounds {
			last := time.Duration(0)
			for caller := range callers {
				last = max(last, done[caller][round])
			}
			requireAbout(t, callers*every, last, "every is 250ms, burst is 40, the bucket was full, and 8 goroutines called Wait 6 times each: of these 48, the last one must return after 8 times every (this was attempt %d)", round+1)
		}
	})
}

// Step 4: giving up

// A Wait that gives up has taken nothing, and those behind it move up.
func TestGivingUpCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limiter := newLimiter(t, time.Second, 1)
		require.True(t, limiter.Allow(), "nobody has asked before: the first Allow must be granted at once")
		for range 100 {
			ctx, cancel := context.WithCancel(context.Background())
			time.AfterFunc(time.Second/256, cancel)
			require.ErrorIs(t, limiter.Wait(ctx), context.Canceled, "ctx ended while Wait waited for a token: it must return ctx's error")
		}
		time.Sleep(time.Second*156/256 - time.Second/512)
		require.False(t, limiter.Allow(), "every is 1s, and the last token was taken a little less than 1 s ago; 100 Waits have given up since, and Allow must still be refused")
		time.Sleep(time.Second / 512)
		require.True(t, limiter.Allow(), "every is 1s, and the last token was taken 1 s ago; 100 Waits have given up since, which takes nothing: Allow must be granted")
	})

	synctest.Test(t, func(t *testing.T) {
		limiter := newLimiter(t, time.Second, 1)
		require.True(t, limiter.Allow(), "nobody has asked before: the first Allow must be granted at once")
		start := time.Now()
		const waiters = 6
		var returned [waiters]time.Duration
		var errs [waiters]error
		var cancel [waiters]context.CancelFunc
		var all sync.WaitGroup
		for i := range waiters {
			var ctx context.Context
			ctx, cancel[i] = context.WithCancel(context.Background())
			all.Go(func() {
				errs[i] = limiter.Wait(ctx)
				returned[i] = time.Since(start)
			})
			synctest.Wait()
		}

		time.Sleep(500 * time.Millisecond)
		cancel[0]() // at the head: the second is to get the token after 1 s
		time.Sleep(time.Second)
		cancel[3]() // in the middle, after 1.5 s: the third is to get the token after 2 s, the fifth the one after 3 s
		time.Sleep(time.Second)
		cancel[5]() // at the end, after 2.5 s
		all.Wait()

		for _, i := range []int{0, 3, 5} {
			require.ErrorIs(t, errs[i], context.Canceled, "the ctx of number %d of 6 Waits ended while it waited: Wait must return ctx's error", i+1)
		}
		for _, i := range []int{1, 2, 4} {
			require.NoError(t, errs[i], "the ctx of number %d of 6 Waits did not end: Wait must return nil", i+1)
		}
		for _, w := range []struct {
			number int
			want   time.Duration
			why    string
		}{
			{1, 500 * time.Millisecond, "its ctx ended after 0.5 s"},
			{2, 1 * time.Second, "the first gave up, so the second gets the token that comes after 1 s"},
			{3, 2 * time.Second, "only the second was served before the third, so this one gets the token that comes after 2 s"},
			{4, 1500 * time.Millisecond, "its ctx ended after 1.5 s"},
			{5, 3 * time.Second, "the first and the fourth gave up, so the fifth gets the token that comes after 3 s"},
			{6, 2500 * time.Millisecond, "its ctx ended after 2.5 s"},
		} {
			requireAbout(t, w.want, returned[w.number-1], "every is 1s, an empty bucket, and Wait was called 6 times; some gave up. Number %d returned at the wrong time: %s", w.number, w.why)
		}
		time.Sleep(time.Microsecond) // a Wait may return some nanoseconds late, and what follows with it
		requireTimes(t, multiples(time.Second, 1, 2), grants(limiter, time.Second/8, 16), "the last token was taken by a Wait, and nobody waits any more: from now on Allow must be granted once a second")
	})

	// The only one gives up, and others come after it.
	synctest.Test(t, func(t *testing.T) {
		limiter := newLimiter(t, time.Second, 1)
		for range 3 {
			require.True(t, limiter.Allow(), "nobody has asked for an hour: Allow must be granted")
			start := time.Now()
			ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
			time.AfterFunc(500*time.Millisecond, cancel)
			require.ErrorIs(t, limiter.Wait(ctx), context.Canceled, "ctx ended while Wait waited for a token: it must return ctx's error")
			var returned [3]time.Duration
			var all sync.WaitGroup
			for i := range returned {
				all.Go(func() {
					limiter.Wait(context.Background())
					returned[i] = time.Since(start)
				})
				synctest.Wait()
			}
			all.Wait()
			for i := range returned {
				requireAbout(t, time.Duration(i+1)*time.Second, returned[i], "every is 1s, an empty bucket; the only Wait gave up after 0.5 s, and then 3 others came: number %d of these must return at this time", i+1)
			}
			time.Sleep(time.Hour)
		}

		// And then nobody comes.
		given := func() weak.Pointer[ratelimit.Limiter] {
			limiter := newLimiter(t, 24*time.Hour, 1)
			require.True(t, limiter.Allow(), "nobody has asked before: the first Allow must be granted at once")
			ctx, cancel := context.WithCancel(context.Background())
			time.AfterFunc(time.Second, cancel)
			require.ErrorIs(t, limiter.Wait(ctx), context.Canceled, "ctx ended while Wait waited for a token: it must return ctx's error")
			return weak.Make(limiter)
		}()
		time.Sleep(time.Hour) // the runtime forgets a stopped timer when it comes to it
		runtime.GC()
		require.Nil(t, given.Value(), "every is 24h; the only Wait has given up, and nobody uses the limiter any more, but something of that Wait still holds on to it for a day: when Wait returns, nothing of it must be left, no timer either")
	})

	// Giving up at the very moment at which the token comes: one of the two wins.
	synctest.Test(t, func(t *testing.T) {
		const waiters, rounds = 8, 100
		limiter := newLimiter(t, 250*time.Millisecond, 1)
		for round := range rounds {
			time.Sleep(time.Hour)
			require.True(t, limiter.Allow(), "nobody has asked for an hour: Allow must be granted")
			ctx, cancel := context.WithCancel(context.Background())
			var errs [waiters]error
			var all sync.WaitGroup
			for i := range waiters {
				all.Go(func() { errs[i] = limiter.Wait(ctx) })
			}
			synctest.Wait()
			time.AfterFunc(250*time.Millisecond, cancel)
			all.Wait()
			time.Sleep(time.Microsecond)

			tokens := 0
			for _, err := range errs {
				if err == nil {
					tokens++
				}
			}
			if limiter.Allow() {
				tokens++
			}
			require.Equal(t, 1, tokens, "burst is 1, and the ctx of 8 Waits ended at the very moment at which a token came: one Wait must have it, and return nil, or Allow must find it in the bucket. Added up, in attempt %d", round+1)
		}
	})
}

// A Wait that cannot end well does not begin.
// If the token will come after the deadline, it is known now, and the caller can do something else.
func TestWaitRefusesInVain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limiter := newLimiter(t, time.Second, 1)
		wait := func(limit time.Duration) (took time.Duration, err error) {
			ctx, cancel := context.WithTimeout(context.Background(), limit)
			defer cancel()
			called := time.Now()
			err = limiter.Wait(ctx)
			return time.Since(called), err
		}

		took, err := wait(time.Millisecond)
		require.NoError(t, err, "there is a token, and ctx has 1 ms left: Wait must take the token")
		require.Zero(t, took, "there is a token: Wait must return at once")

		for range 50 {
			took, err := wait(900 * time.Millisecond)
			require.ErrorIs(t, err, context.DeadlineExceeded, "the next token comes after 1 s, and ctx ends after 0.9 s: Wait must return an error that says so")
			require.Zero(t, took, "the next token comes after 1 s, and ctx ends after 0.9 s: Wait must return at once, and not when ctx ends")
		}
		took, err = wait(1100 * time.Millisecond)
		require.NoError(t, err, "the next token comes after 1 s, and ctx ends after 1.1 s; 50 Waits were refused before, which takes nothing: Wait must get the token")
		requireAbout(t, time.Second, took, "the next token comes after 1 s, and ctx ends after 1.1 s: Wait must return when the token comes")

		first := make(chan error, 1)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		go callWait(ctx, limiter, first)
		synctest.Wait()
		took, err = wait(1900 * time.Millisecond)
		require.ErrorIs(t, err, context.DeadlineExceeded, "another Wait gets the token that comes after 1 s, so the next one comes after 2 s, and ctx ends after 1.9 s: Wait must return an error that says so")
		require.Zero(t, took, "another Wait gets the token that comes after 1 s, so the next one comes after 2 s, and ctx ends after 1.9 s: Wait must return at once")
		took, err = wait(2100 * time.Millisecond)
		require.NoError(t, err, "another Wait gets the token that comes after 1 s, so the next one comes after 2 s, and ctx ends after 2.1 s: Wait must get that token")
		requireAbout(t, 2*time.Second, took, "another Wait gets the token that comes after 1 s: this Wait must return when the next one comes")
		require.NoError(t, <-first, "a Wait with all the time it needs must get its token, though another one was refused meanwhile")

		go callWait(ctx, limiter, first)
		synctest.Wait()
		cancel()
		require.ErrorIs(t, <-first, context.Canceled, "ctx ended while Wait waited for a token: it must return ctx's error")
		took, err = wait(1100 * time.Millisecond)
		require.NoError(t, err, "the Wait in front has given up, so the token that comes after 1 s is free, and ctx ends after 1.1 s: Wait must get the token")
		requireAbout(t, time.Second, took, "the Wait in front has given up: this Wait must return when the next token comes, after 1 s")
	})
}

// Step 5: a limit for each key

// Each key has a bucket of its own, from the first moment on, whoever asks first.
func TestKeysAreIndependent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, limit := range []struct {
			every time.Duration
			burst int
			idle  time.Duration
		}{{0, 1, time.Hour}, {-time.Second, 1, time.Hour}, {time.Second, 0, time.Hour}, {time.Second, -1, time.Hour},
			{time.Second, 1, 0}, {time.Second, 1, -time.Hour}, {time.Second, 10, 9 * time.Second}} {
			keyed, err := ratelimit.NewKeyed[string](limit.every, limit.burst, limit.idle)
			require.Error(t, err, "NewKeyed was given every=%v, burst=%d and idle=%v: NewKeyed must return an error, as New would, or since a key that is forgotten so soon would gain by it", limit.every, limit.burst, limit.idle)
			require.Nil(t, keyed, "NewKeyed returned an error: there must be no Keyed beside it")
		}

		keyed := newKeyed[string](t, time.Second, 2, 2*time.Second)
		for _, key := range []string{"ann", "bob", ""} {
			require.True(t, keyed.Allow(key), "NewKeyed was given burst=2, and nobody has asked for key %q before: the first Allow must be granted", key)
			require.True(t, keyed.Allow(key), "NewKeyed was given burst=2, and only one was granted to key %q so far: the second Allow must be granted", key)
			require.False(t, keyed.Allow(key), "NewKeyed was given burst=2, and two have just been granted to key %q: the third Allow must be refused", key)
		}
		time.Sleep(time.Second)
		require.True(t, keyed.Allow("ann"), "NewKeyed was given every=1s, and 1 s ago the bucket of the key was emptied: Allow must be granted")
		require.False(t, keyed.Allow("ann"), "NewKeyed was given every=1s, and the one token that had dripped in was just taken: Allow must be refused")
		require.True(t, keyed.Allow("bob"), "NewKeyed was given every=1s, and 1 s ago the bucket of the key was emptied: Allow must be granted, whatever another key has taken since")
	})

	// Many, each at a time of its own. What they share is only what the Keyed
	// guards itself.
	synctest.Test(t, func(t *testing.T) {
		keyed := newKeyed[int](t, time.Second, 1, time.Second)
		var granted [16]bool
		var all sync.WaitGroup
		for i := range granted {
			all.Go(func() {
				time.Sleep(time.Duration(i) * time.Second)
				granted[i] = keyed.Allow(i % 4)
			})
		}
		all.Go(func() {
			time.Sleep(1500 * time.Millisecond)
			keyed.Len()
		})
		all.Wait()
		for i := range granted {
			require.True(t, granted[i], "NewKeyed was given every=1s and burst=1, and 16 goroutines called Allow one second after the other: each must be granted")
		}
	})

	// Many at the same moment, for a key that is new to all of them, until they have
	// often enough got in each other's way.
	synctest.Test(t, func(t *testing.T) {
		const news, callers = 40, 4
		rounds := 250
		if runtime.GOMAXPROCS(0) == 1 {
			rounds = 5 // they hardly ever meet
		}
		for round, met := 0, 0; met < 60 && round < rounds; round++ {
			var keyed [news]*ratelimit.Keyed[string]
			for i := range keyed {
				keyed[i] = newKeyed[string](t, time.Second, 1, time.Hour)
			}
			var granted [callers][news]int
			var all sync.WaitGroup
			for caller := range granted {
				all.Go(func() {
					for i := range keyed {
						if keyed[i].Allow("new") {
							granted[caller][i] = 1
						}
					}
				})
			}
			all.Wait()
			for i := range keyed {
				sum := 0
				for caller := range granted {
					sum += granted[caller][i]
				}
				if sum != 1 {
					require.Equal(t, 1, sum, "NewKeyed was given burst=1, and 4 goroutines called Allow at the same moment for the same new key: exactly one must be granted (this was attempt %d)", round*news+i+1)
				}
			}
			if !slices.ContainsFunc(granted[:], func(of [news]int) bool { return !slices.Contains(of[:], 0) }) {
				met++
			}
		}
	})
}

// Keys that are idle are forgotten, by the calls that come along, and nobody gains by it.
// Otherwise every address that has ever asked stays in memory for as long as the server runs.
func TestIdleKeysAreForgotten(t *testing.T) {
	const every, burst, idle = time.Second, 2, 4 * time.Second

	synctest.Test(t, func(t *testing.T) {
		keyed := newKeyed[int](t, every, burst, idle)
		require.Zero(t, keyed.Len(), "nobody has asked yet: Len must be 0")
		askForAll := func() {
			for key := range 100 {
				keyed.Allow(key)
				keyed.Allow(key)
			}
		}
		askForAll()
		require.Equal(t, 100, keyed.Len(), "100 keys have just been asked for: Len must count all of them")
		time.Sleep(every / 2)
		askForAll()

		time.Sleep(3875 * time.Millisecond)
		require.Equal(t, 100, keyed.Len(), "NewKeyed was given idle=4s, and 100 keys were asked for 3.875 s ago, and refused: Len must count all of them")
		keyed.Allow(7)
		time.Sleep(2 * time.Second)
		keyed.Allow(7)
		time.Sleep(2125 * time.Millisecond)
		require.Equal(t, 1, keyed.Len(), "NewKeyed was given idle=4s; 100 keys were asked for 8 s ago, and one of them twice since then: Len must count that one alone")
		time.Sleep(2 * idle)
		require.Zero(t, keyed.Len(), "NewKeyed was given idle=4s, and no key was asked for in the last 8 s: Len must be 0")
		require.True(t, keyed.Allow(7), "NewKeyed was given burst=2, and a key that was forgotten came back with a full bucket: Allow must be granted")
		require.True(t, keyed.Allow(7), "NewKeyed was given burst=2, and a key that was forgotten came back with a full bucket: the second Allow must be granted, too")
		require.False(t, keyed.Allow(7), "NewKeyed was given burst=2, and two have just been granted to the key: the third Allow must be refused")
	})

	// Keys that come and go as they like.
	synctest.Test(t, func(t *testing.T) {
		keyed := newKeyed[int](t, every, burst, idle)
		dice := rand.New(rand.NewPCG(8, 12))
		last := map[int]time.Time{}
		for range 500 {
			time.Sleep(time.Duration(dice.IntN(16)) * every / 8)
			if key := dice.IntN(12); dice.IntN(4) > 0 {
				keyed.Allow(key)
				last[key] = time.Now()
				continue
			}
			must, may := 0, 0
			for _, at := range last {
				if time.Since(at) < idle {
					must++
				}
				if time.Since(at) < 2*idle {
					may++
				}
			}
			got := keyed.Len()
			require.LessOrEqual(t, got, may, "NewKeyed was given idle=4s, and keys were asked for now and then: Len must not count those that nobody has asked for in 8 s")
			require.GreaterOrEqual(t, got, must, "NewKeyed was given idle=4s, and keys were asked for now and then: Len must count all that somebody has asked for in the last 4 s")
		}
	})

	// Nobody calls Len here: a server has no reason to.
	synctest.Test(t, func(t *testing.T) {
		keyed := newKeyed[*visitor](t, every, burst, idle)
		var visitors [100]weak.Pointer[visitor]
		for i := range visitors {
			visitors[i] = visit(keyed)
		}
		time.Sleep(2 * idle)
		keyed.Allow(nil) // some other key
		runtime.GC()
		runtime.KeepAlive(keyed)
		kept := 0
		for _, v := range visitors {
			if v.Value() != nil {
				kept++
			}
		}
		require.Less(t, kept, 10, "NewKeyed was given idle=4s, 100 keys were asked for 8 s ago, and then another one: that Allow must forget the 100, also if nobody calls Len; so many were still in memory")
	})

	synctest.Test(t, func(t *testing.T) {
		keyed := newKeyed[int](t, every, burst, idle)
		start := time.Now()
		var granted []time.Duration
		for range 30 * 8 {
			for range 3 {
				if keyed.Allow(1) {
					granted = append(granted, time.Since(start))
				}
			}
			time.Sleep(every / 8)
		}
		requireWithin(t, granted, every, burst, "NewKeyed")
	})
}

// newLimiter makes a limiter that New has to make.
func newLimiter(t *testing.T, every time.Duration, burst int) *ratelimit.Limiter {
	t.Helper()
	limiter, err := ratelimit.New(every, burst)
	require.NoError(t, err, "New was given every=%v and burst=%d, which is a limit like any other", every, burst)
	require.NotNil(t, limiter, "New returned no error: there must be a limiter")
	return limiter
}

// newKeyed makes a Keyed that NewKeyed has to make.
func newKeyed[K comparable](t *testing.T, every time.Duration, burst int, idle time.Duration) *ratelimit.Keyed[K] {
	t.Helper()
	keyed, err := ratelimit.NewKeyed[K](every, burst, idle)
	require.NoError(t, err, "NewKeyed was given every=%v, burst=%d and idle=%v: nothing is wrong with that", every, burst, idle)
	require.NotNil(t, keyed, "NewKeyed returned no error: there must be a Keyed")
	return keyed
}

// multiples returns the given multiples of d.
func multiples(d time.Duration, of ...int) (all []time.Duration) {
	for _, n := range of {
		all = append(all, time.Duration(n)*d)
	}
	return all
}

// grants calls Allow once after each step, n times, and returns when it was
// granted, counted from now.
func grants(limiter *ratelimit.Limiter, step time.Duration, n int) (at []time.Duration) {
	start := time.Now()
	for range n {
		time.Sleep(step)
		if limiter.Allow() {
			at = append(at, time.Since(start))
		}
	}
	return at
}

// requireTimes requires that something happened at the given times, and no more
// often.
func requireTimes(t *testing.T, want, got []time.Duration, msg string, args ...any) {
	t.Helper()
	for i := range min(len(want), len(got)) {
		requireAbout(t, want[i], got[i], fmt.Sprintf("grant %d: ", i+1)+msg, args...)
	}
	require.Equalf(t, len(want), len(got), "number of grants: "+msg, args...)
}

// requireWithin requires that in no stretch of time Allow was granted more often
// than it may be. If it was, the shortest such stretch is told.
func requireWithin(t *testing.T, granted []time.Duration, every time.Duration, burst int, made string) {
	t.Helper()
	var from, to time.Duration
	n := 0
	for i := range granted {
		for j := i + burst; j < len(granted); j++ {
			length := granted[j] - granted[i]
			if time.Duration(j-i+1-burst)*every > length && (n == 0 || length < to-from) {
				from, to, n = granted[i], granted[j], j-i+1
			}
		}
	}
	if n > 0 {
		require.Failf(t, "too many grants", "%s was given every=%v and burst=%d, and Allow was granted %d times in the %v from %v to %v after the start: there may be %d and one more for each %v",
			made, every, burst, n, to-from, from, to, burst, every)
	}
}

// requireAbout requires a time, give or take the few nanoseconds that the rounding
// of fractions may cost.
func requireAbout(t *testing.T, want, got time.Duration, msg string, args ...any) {
	t.Helper()
	if (got - want).Abs() > 50*time.Nanosecond {
		require.Equalf(t, want, got, msg, args...)
	}
}

// ended returns a ctx that has already ended.
func ended() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// visitor is a key that tells whether somebody still holds it.
type visitor struct{ _ [64]byte }

// visit asks for a new visitor, and lets go of it.
//
//go:noinline
func visit(keyed *ratelimit.Keyed[*visitor]) weak.Pointer[visitor] {
	v := new(visitor)
	keyed.Allow(v)
	return weak.Make(v)
}

// callWait waits for a token and sends the outcome.
func callWait(ctx context.Context, limiter *ratelimit.Limiter, outcome chan<- error) {
	outcome <- limiter.Wait(ctx)
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

// untilWaiting returns when n goroutines are waiting inside callWait, no matter
// what for, and fails the koan if one comes back before that. It asks the runtime
// what each goroutine does, since only a bubble has a better way to know.
func untilWaiting(t *testing.T, n int, outcome <-chan error, otherwise string) {
	t.Helper()
	stacks := make([]byte, 1<<20)
	for deadline := time.Now().Add(2 * time.Second); len(outcome) == 0 && time.Now().Before(deadline); runtime.Gosched() {
		waiting := 0
		for _, g := range strings.Split(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
			state, frames, _ := strings.Cut(g, "\n")
			frames, _, _ = strings.Cut(frames, "created by ")
			if strings.Contains(frames, ".callWait(") && !strings.Contains(state, "[run") {
				waiting++
			}
		}
		if waiting == n {
			return
		}
	}
	require.Fail(t, "it did not wait", otherwise)
}

// verifyNoLeak checks that a koan which passed has left no goroutine behind, apart
// from those that a failed koan before it had.
func verifyNoLeak(t *testing.T, before goleak.Option) {
	t.Helper()
	if !t.Failed() {
		goleak.VerifyNone(t, before)
	}
}
