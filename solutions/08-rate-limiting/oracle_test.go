package ratelimit_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/time/rate"

	ratelimit "concurrency-koans/solutions/08-rate-limiting"
)

// tick is the grain of all times here. Multiples of it, in units of an every that
// is a power of two of it, are exact in floating point too, so that the two
// limiters have to agree to the nanosecond.
const tick = time.Second / 512

// limiter is what the reference and x/time/rate have in common.
type limiter interface {
	AllowN(n int) bool
	Wait(ctx context.Context) error
}

type oracle struct{ *rate.Limiter }

func (o oracle) AllowN(n int) bool { return o.Limiter.AllowN(time.Now(), n) }

// call is one call of a schedule.
type call struct {
	at    time.Duration
	n     int           // for AllowN; 0 means that it is a Wait
	limit time.Duration // of the Wait's ctx; 0 means none
}

// outcome is what came of a call.
type outcome struct {
	ok    bool
	after time.Duration // from the call to its return
}

func TestAgreesWithTheOracle(t *testing.T) {
	t.Parallel()
	granted, refused, waited := 0, 0, 0
	for seed := range uint64(200) {
		dice := rand.New(rand.NewPCG(seed, 8))
		every, burst := tick<<dice.IntN(10), 1+dice.IntN(8)
		var schedule []call
		for at := time.Duration(0); len(schedule) < 120; {
			c := call{at: at, n: 1 + dice.IntN(burst+1)}
			if dice.IntN(2) == 0 {
				c.n = 0
				if dice.IntN(3) > 0 {
					// Half a tick off, lest token and deadline come at the same moment.
					c.limit = time.Duration(dice.IntN(4*int(every/tick)))*tick + tick/2
				}
			}
			schedule = append(schedule, c)
			switch dice.IntN(8) {
			case 0: // the next call comes at the same moment
			case 1: // or after a long pause
				at += time.Duration(dice.IntN(4*burst)) * every
			default:
				at += time.Duration(1+dice.IntN(int(every/tick))) * tick
			}
		}

		synctest.Test(t, func(t *testing.T) {
			ours, err := ratelimit.New(every, burst)
			require.NoError(t, err)
			have := play(ours, schedule)
			want := play(oracle{rate.NewLimiter(rate.Every(every), burst)}, schedule)
			for i, c := range schedule {
				require.Equal(t, want[i], have[i], "seed %d, every %v, burst %d: call %d, %+v", seed, every, burst, i, c)
				switch {
				case want[i].after > 0:
					waited++
				case want[i].ok:
					granted++
				default:
					refused++
				}
			}
		})
	}
	t.Logf("%d granted at once, %d after a wait, %d refused", granted, waited, refused)
	require.Greater(t, min(granted, refused, waited), 2000, "the schedules must bring all of it about")
}

// play makes every call of a schedule at its time.
func play(l limiter, schedule []call) []outcome {
	outcomes := make([]outcome, len(schedule))
	start := time.Now()
	var waits sync.WaitGroup
	for i, c := range schedule {
		time.Sleep(c.at - time.Since(start))
		synctest.Wait() // all that is due has happened
		if c.n > 0 {
			outcomes[i].ok = l.AllowN(c.n)
			continue
		}
		waits.Go(func() {
			ctx := context.Background()
			if c.limit > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, c.limit)
				defer cancel()
			}
			called := time.Now()
			err := l.Wait(ctx)
			outcomes[i] = outcome{ok: err == nil, after: time.Since(called)}
		})
		synctest.Wait() // so that the order of those who wait is that of the schedule
	}
	waits.Wait()
	return outcomes
}

// Where somebody gives up in the middle of the queue, the two differ on purpose:
// those behind move up here, and keep their places there. The README says so.
func TestMovesUpWhereTheOracleDoesNot(t *testing.T) {
	t.Parallel()
	served := func(l limiter) (after [3]time.Duration) {
		require.True(t, l.AllowN(1))
		start := time.Now()
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(time.Second/2, cancel)
		var waits sync.WaitGroup
		for i, ctx := range []context.Context{ctx, context.Background(), context.Background()} {
			waits.Go(func() {
				l.Wait(ctx)
				after[i] = time.Since(start)
			})
			synctest.Wait()
		}
		waits.Wait()
		return after
	}
	synctest.Test(t, func(t *testing.T) {
		ours, err := ratelimit.New(time.Second, 1)
		require.NoError(t, err)
		require.Equal(t, [3]time.Duration{time.Second / 2, 1 * time.Second, 2 * time.Second}, served(ours))
		require.Equal(t, [3]time.Duration{time.Second / 2, 2 * time.Second, 3 * time.Second}, served(oracle{rate.NewLimiter(rate.Every(time.Second), 1)}))
	})
}
