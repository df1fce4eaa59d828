package timeouts_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/hedgepolicy"
	"github.com/failsafe-go/failsafe-go/timeout"
	"golang.org/x/sync/errgroup"

	timeouts "concurrency-koans/solutions/07-timeouts-cancellation"
)

// request is something that listens to its context.
type request = func(context.Context) (int, error)

// atOnce is a request that takes no time.
func atOnce(context.Context) (int, error) { return 7, nil }

// What does a limit cost, on a function that does nothing?
func BenchmarkLimit(b *testing.B) {
	ctx := context.Background()

	// A function that listens. The context alone ends it, but does not say whose
	// limit it was.
	b.Run("call=Call/context", func(b *testing.B) {
		measure(b, func() (int, error) {
			ctx, cancel := context.WithTimeout(ctx, time.Minute)
			defer cancel()
			return atOnce(ctx)
		})
	})
	// This one, too, waits for the function, and says that it was the limit. But it
	// drops a success that is late.
	minute := failsafe.With(timeout.New[int](time.Minute))
	b.Run("call=Call/failsafe", func(b *testing.B) {
		measure(b, func() (int, error) { return under(ctx, minute, atOnce) })
	})
	b.Run("call=Call/reference", func(b *testing.B) {
		measure(b, func() (int, error) { return timeouts.Call(ctx, time.Minute, atOnce) })
	})

	// A function that does not listen. What it takes at least, without a limit:
	deaf := func() (int, error) { return 7, nil }
	b.Run("call=Bound/goroutine", func(b *testing.B) {
		measure(b, func() (int, error) {
			done := make(chan int, 1)
			go func() {
				v, _ := deaf()
				done <- v
			}()
			return <-done, nil
		})
	})
	// With a limit, as it is mostly written: a panic ends the process, and a result
	// may be lost.
	b.Run("call=Bound/context", func(b *testing.B) {
		measure(b, func() (int, error) {
			ctx, cancel := context.WithTimeout(ctx, time.Minute)
			defer cancel()
			done := make(chan int, 1)
			go func() {
				v, _ := deaf()
				done <- v
			}()
			select {
			case v := <-done:
				return v, nil
			case <-ctx.Done():
				return 0, ctx.Err()
			}
		})
	})
	b.Run("call=Bound/reference", func(b *testing.B) {
		measure(b, func() (int, error) { return timeouts.Bound(ctx, time.Minute, deaf) })
	})

	nothing := func(context.Context) error { return nil }
	b.Run("call=Finally/context", func(b *testing.B) {
		measure(b, func() (_ int, err error) {
			defer func() {
				ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
				defer cancel()
				err = errors.Join(err, nothing(ctx))
			}()
			return 7, nothing(ctx)
		})
	})
	b.Run("call=Finally/reference", func(b *testing.B) {
		measure(b, func() (int, error) { return 7, timeouts.Finally(ctx, time.Minute, nothing, nothing) })
	})
}

// What does it cost to ask several, who answer at once?
func BenchmarkSeveral(b *testing.B) {
	ctx := context.Background()
	for _, n := range []int{1, 2, 8} {
		fs := slices.Repeat([]request{atOnce}, n)
		b.Run(fmt.Sprintf("functions=%d/errgroup", n), func(b *testing.B) {
			measure(b, func() (int, error) { return firstOfGroup(ctx, fs...) })
		})
		b.Run(fmt.Sprintf("functions=%d/reference", n), func(b *testing.B) {
			measure(b, func() (int, error) { return timeouts.First(ctx, fs...) })
		})
	}
}

// What does it cost to be ready to ask once more, when the answer is there at once?
// The policy promises less: a failure is taken for an answer, and it does not wait
// for the attempts that have lost.
func BenchmarkReady(b *testing.B) {
	ctx := context.Background()
	b.Run("failsafe", func(b *testing.B) {
		hedge := failsafe.With(hedgepolicy.NewWithDelay[int](time.Minute))
		measure(b, func() (int, error) { return under(ctx, hedge, atOnce) })
	})
	b.Run("reference", func(b *testing.B) {
		measure(b, func() (int, error) {
			return timeouts.Hedge(ctx, time.Minute, 2, func(ctx context.Context, _ int) (int, error) { return atOnce(ctx) })
		})
	})
}

// How long do the unlucky wait, one in a hundred? A server answers within 5 ms, but
// one time in twenty it takes 100 ms. What counts as the time of an operation is the
// time in which all but one in a hundred have their answer; half of them have it
// within p50.
func BenchmarkTail(b *testing.B) {
	const after = 15 * time.Millisecond
	once := func(ctx context.Context, f request) (int, error) { return f(ctx) }

	b.Run("call=Hedge/once", func(b *testing.B) { tail(b, once) })
	b.Run("call=Hedge/failsafe", func(b *testing.B) {
		hedge := failsafe.With(hedgepolicy.NewWithDelay[int](after))
		tail(b, func(ctx context.Context, f request) (int, error) { return under(ctx, hedge, f) })
	})
	b.Run("call=Hedge/reference", func(b *testing.B) {
		tail(b, func(ctx context.Context, f request) (int, error) {
			return timeouts.Hedge(ctx, after, 2, func(ctx context.Context, _ int) (int, error) { return f(ctx) })
		})
	})

	b.Run("call=First/once", func(b *testing.B) { tail(b, once) })
	b.Run("call=First/errgroup", func(b *testing.B) {
		tail(b, func(ctx context.Context, f request) (int, error) { return firstOfGroup(ctx, f, f) })
	})
	b.Run("call=First/reference", func(b *testing.B) {
		tail(b, func(ctx context.Context, f request) (int, error) { return timeouts.First(ctx, f, f) })
	})
}

// tail has four hundred customers ask at the same time, by way of ask, for each
// operation.
func tail(b *testing.B, ask func(context.Context, request) (int, error)) {
	const customers = 400
	var calls atomic.Int64
	server := func(ctx context.Context) (int, error) {
		calls.Add(1)
		d := 5 * time.Millisecond
		if rand.N(20) == 0 {
			d = 100 * time.Millisecond
		}
		answer := time.NewTimer(d)
		defer answer.Stop()
		select {
		case <-answer.C:
			return 7, nil
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	took := make([]time.Duration, customers*b.N)
	for turn := range slices.Chunk(took, customers) {
		var all sync.WaitGroup
		for i := range turn {
			all.Go(func() {
				start := time.Now()
				if _, err := ask(context.Background(), server); err != nil {
					b.Error(err)
				}
				turn[i] = time.Since(start)
			})
		}
		all.Wait()
	}
	slices.Sort(took)
	p50, p99 := took[len(took)/2], took[len(took)*99/100]
	b.ReportMetric(float64(p99), "ns/op")
	b.ReportMetric(float64(p50)/float64(time.Millisecond), "ms-p50")
	b.ReportMetric(float64(calls.Load())/float64(len(took)), "calls")
}

// How long does a sleep really take? The metric is the mean in lengths of what
// was asked for.
func BenchmarkSleep(b *testing.B) {
	sleeps := func(d time.Duration, sleep func()) func(*testing.B) {
		return func(b *testing.B) {
			start := time.Now()
			for range b.N {
				sleep()
			}
			b.ReportMetric(float64(time.Since(start))/float64(b.N)/float64(d), "of-asked")
		}
	}
	for _, ms := range []float64{0.01, 0.1, 1, 10} {
		d := time.Duration(ms * float64(time.Millisecond))
		b.Run(fmt.Sprintf("d=%vms/time-sleep", ms), sleeps(d, func() { time.Sleep(d) }))
		b.Run(fmt.Sprintf("d=%vms/reference", ms), sleeps(d, func() {
			if err := timeouts.Sleep(context.Background(), d); err != nil {
				b.Error(err)
			}
		}))
	}
}

// measure calls f again and again.
func measure(b *testing.B, f func() (int, error)) {
	b.Helper()
	b.ReportAllocs()
	for range b.N {
		v, err := f()
		if err != nil {
			b.Fatal(err)
		}
		runtime.KeepAlive(v)
	}
}

// under calls f as the policies say, with a context that ends with ctx.
func under(ctx context.Context, policies failsafe.Executor[int], f request) (int, error) {
	return policies.WithContext(ctx).GetWithExecution(func(exec failsafe.Execution[int]) (int, error) {
		return f(exec.Context())
	})
}

// errWon is for a group that is to end with the first success.
var errWon = errors.New("won")

// firstOfGroup is how First is written with errgroup, which cancels at the first
// error: so success has to be one. It does not tell why all have failed, and a
// panic is still a panic.
func firstOfGroup(ctx context.Context, fs ...request) (int, error) {
	g, ctx := errgroup.WithContext(ctx)
	var once sync.Once
	var winner int
	for _, f := range fs {
		g.Go(func() error {
			v, err := f(ctx)
			if err != nil {
				return nil
			}
			once.Do(func() { winner = v })
			return errWon
		})
	}
	if g.Wait() != errWon {
		return 0, errors.New("all have failed")
	}
	return winner, nil
}
