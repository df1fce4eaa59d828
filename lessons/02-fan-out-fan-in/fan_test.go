package fan_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	fan "concurrency-koans/lessons/02-fan-out-fan-in"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Step 1: Merge, from many channels to one

// A merge of no inputs closes at once, for nobody will ever send.
func TestMergeOfNothingCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := fan.Merge[int](context.Background())

		requireClosed(t, out, "Merge was given no inputs: its output must be closed, or its reader waits for ever")
	})
}

// The output closes once, and only after the last input has closed.
// The koan does the same many times, because a count that is wrong for a moment
// shows only when goroutines happen to start in a certain order.
func TestMergeClosesAfterTheLastInput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tooEarly := 0
		for range 50 {
			first, last := make(chan int), make(chan int)
			out := fan.Merge(context.Background(), first, last)

			if isClosed(out) {
				tooEarly++
			}
			close(first)
			if isClosed(out) {
				tooEarly++
			}
			close(last)
			requireClosed(t, out, "Merge was given two inputs and both have been closed: its output must be closed too")
		}
		require.Zero(t, tooEarly, "Merge was given two inputs, 50 times: its output must stay open while one of them is open; so often it was closed too early")
	})
}

// A silent input holds up no other, and each input keeps its own order.
func TestMergeTakesFromWhoeverIsReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var odd, even []int
		for i := range 50 {
			odd, even = append(odd, 2*i+1), append(even, 2*i+2)
		}
		silent := make(chan int)
		out := fan.Merge(context.Background(), silent, stream(odd...), stream(even...))

		early := readReady(out)
		close(silent)
		late := readAll(t, out)

		require.Empty(t, late, "Merge was given one silent input and two busy ones: it must deliver the values of the busy ones without waiting for the silent one to close; these came only after that")
		require.Len(t, early, len(odd)+len(even), "Merge was given 50 odd and 50 even numbers: each must come out exactly once")
		require.Equal(t, odd, keep(early, func(v int) bool { return v%2 == 1 }), "one input carried the odd numbers in rising order: Merge must keep the order within an input")
		require.Equal(t, even, keep(early, func(v int) bool { return v%2 == 0 }), "one input carried the even numbers in rising order: Merge must keep the order within an input")
	})
}

// Step 2: FanOut, from one channel to n workers

// FanOut keeps n calls in flight: never more, and never fewer while work is left.
// One item takes nine seconds and nine items take one second each. Two workers
// need nine seconds if the one that is free always takes the next item.
func TestFanOutKeepsNCallsInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		work := append([]time.Duration{9 * time.Second}, slices.Repeat([]time.Duration{time.Second}, 9)...)

		run := func(n int, items []time.Duration) (results []time.Duration, took time.Duration, most int) {
			var calls gauge
			start := time.Now()
			results = readAll(t, fan.FanOut(context.Background(), n, stream(items...), func(_ context.Context, d time.Duration) time.Duration {
				defer calls.begin()()
				time.Sleep(d)
				return d
			}))
			return results, time.Since(start), calls.most
		}

		results, took, most := run(2, work)
		require.ElementsMatch(t, work, results, "FanOut was given ten items: f must be called once for each, and each result must come out")
		require.Equal(t, 2, most, "FanOut was told to make 2 calls at a time: that must be the largest number of calls that ran at once")
		require.Equal(t, 9*time.Second, took, "2 at a time, one item of 9s and nine of 1s: while one call is busy with the long item, the other worker must do all the short ones")

		for _, n := range []int{0, -3} {
			results, took, most = run(n, work)
			require.ElementsMatch(t, work, results, "FanOut was given n = %d, which counts as 1: every item must still be done", n)
			require.Equal(t, 1, most, "FanOut was given n = %d, which counts as 1: that must be the largest number of calls that ran at once", n)
			require.Equal(t, 18*time.Second, took, "FanOut was given n = %d, which counts as 1: the items must be done one after another", n)
		}

		results, _, most = run(2, nil)
		require.Empty(t, results, "FanOut was given an input that closes without a value: its output must close without one, too")
		require.Zero(t, most, "FanOut was given an input that closes without a value: f must not be called")
	})
}

// FanOut waits for its reader: it is never more than 3n values ahead.
// A result that nobody has received still takes up a worker.
func TestFanOutWaitsForItsReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n, items = 4, 1000
		in, taken := countedStream(items)
		out := fan.FanOut(context.Background(), n, in, func(_ context.Context, v int) int { return v })

		synctest.Wait()
		ahead := *taken
		results := readAll(t, out)

		require.LessOrEqual(t, ahead, 3*n, "FanOut makes 4 calls at a time and nobody reads its output: it must take no more than 12 values from its input; so many did it take")
		require.Len(t, results, items, "FanOut was given 1000 values, and its output was read to the end: there must be one result for each")
	})
}

// Step 3: MapAll, a slice of work that can fail

// Every result has its place, so it does not matter who finishes first.
func TestMapAllPutsResultsInTheirPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The callbacks of this first part share nothing, so that nothing but
		// MapAll itself keeps its workers apart.
		late := []time.Duration{3 * time.Second, 2 * time.Second, 1 * time.Second}
		sleep := func(_ context.Context, d time.Duration) (time.Duration, error) {
			time.Sleep(d)
			return d, nil
		}
		results, err := fan.MapAll(context.Background(), 5, late, sleep)
		require.NoError(t, err, "MapAll was given three items and none of them failed")
		require.Equal(t, late, results, "MapAll was given items of which the last finishes first: the result of items[i] must be at index i")

		work := append([]time.Duration{9 * time.Second}, slices.Repeat([]time.Duration{time.Second}, 9)...)
		for _, want := range []struct {
			n, most int
			took    time.Duration
		}{{2, 2, 9 * time.Second}, {0, 1, 18 * time.Second}, {-3, 1, 18 * time.Second}} {
			var calls gauge
			start := time.Now()
			results, err = fan.MapAll(context.Background(), want.n, work, func(ctx context.Context, d time.Duration) (time.Duration, error) {
				defer calls.begin()()
				return sleep(ctx, d)
			})
			require.NoError(t, err, "MapAll was given ten items and none of them failed")
			require.Equal(t, work, results, "MapAll was given ten items: the result of items[i] must be at index i")
			require.Equal(t, want.most, calls.most, "MapAll was given n = %d (below 1 counts as 1): that must be the largest number of calls that ran at once", want.n)
			require.Equal(t, want.took, time.Since(start), "n = %d, one item of 9s and nine of 1s: whoever is free must take the next item", want.n)
		}

		results, err = fan.MapAll(context.Background(), 2, nil, sleep)
		require.NoError(t, err, "MapAll was given no items: that is no error")
		require.Empty(t, results, "MapAll was given no items: there are no results")
	})
}

// The first error cancels the other calls, and is the one that is returned.
func TestMapAllReturnsTheFirstError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		errFirst, errLater := errors.New("the first error"), errors.New("a later error")
		var told atomic.Bool

		results, err := fan.MapAll(context.Background(), 3, []string{"obeys", "fails", "is deaf"}, func(ctx context.Context, item string) (string, error) {
			switch item {
			case "obeys": // stops when it is cancelled, and says so
				select {
				case <-ctx.Done():
					told.Store(true)
				case <-time.After(time.Hour):
				}
				return item, ctx.Err()
			case "fails":
				time.Sleep(1 * time.Second)
				return item, errFirst
			default: // does not look at ctx, and fails on its own account
				time.Sleep(2 * time.Second)
				return item, errLater
			}
		})
		time.Sleep(2 * time.Hour) // whether MapAll has waited for all three is the next koan's matter

		require.Error(t, err, "one of the calls returned an error: MapAll must return it")
		require.True(t, told.Load(), "one of the calls returned an error: the context of the other calls must be cancelled, so that they can stop")
		require.ErrorIs(t, err, errFirst, "one call failed after 1s, another one later: MapAll must return the error that came first")
		require.NotErrorIs(t, err, context.Canceled, "nobody cancelled MapAll: it must return the error that was the cause, without what the other calls say because they were stopped")
		require.NotErrorIs(t, err, errLater, "one call failed after 1s, another one after 2s: MapAll must return the first error alone")
		require.Nil(t, results, "one of the calls returned an error: the results must be nil, for some of them are missing")
	})
}

// After an error no call begins, and MapAll returns after the last one has returned.
func TestMapAllWaitsForEveryCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		errBroken := errors.New("broken")
		var calls gauge
		start := time.Now()

		_, err := fan.MapAll(context.Background(), 2, []int{0, 1, 2, 3, 4, 5}, func(ctx context.Context, item int) (int, error) {
			defer calls.begin()()
			if item == 0 {
				time.Sleep(1 * time.Second)
				return 0, errBroken
			}
			<-ctx.Done()
			time.Sleep(2 * time.Second) // puts things in order before it stops
			return 0, ctx.Err()
		})
		took, left := time.Since(start), calls.running()
		time.Sleep(time.Minute)

		require.ErrorIs(t, err, errBroken, "the call for items[0] returned an error: MapAll must return it")
		require.Zero(t, left, "MapAll has returned its error: so many calls of f were still running, and it must wait for them")
		require.Equal(t, 2, calls.begun, "2 at a time, and the first call failed: no call may begin for the items that were not begun yet")
		require.Equal(t, 3*time.Second, took, "one call failed after 1s and the other needed 2s more to stop: MapAll must return right after that")
	})
}

// Step 4: Ordered, n at a time and yet in order

// Results come out in the order of the values, though n calls run at once.
func TestOrderedKeepsTheOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run := func(n int, takes func(i int) time.Duration) (results []int, took time.Duration, most int) {
			var calls gauge
			start := time.Now()
			results = readAll(t, fan.Ordered(context.Background(), n, stream(0, 1, 2, 3, 4, 5, 6, 7, 8, 9), func(_ context.Context, i int) int {
				defer calls.begin()()
				time.Sleep(takes(i))
				return i
			}))
			return results, time.Since(start), calls.most
		}
		inOrder := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
		falling := func(i int) time.Duration { return time.Duration(10-i) * time.Second }
		even := func(int) time.Duration { return time.Second }

		results, _, most := run(3, falling)
		require.Equal(t, inOrder, results, "each call takes less time than the one before it: the results must still come out in the order of the values")
		require.Equal(t, 3, most, "Ordered was told to make 3 calls at a time: that must be the largest number of calls that ran at once")

		results, took, most := run(3, even)
		require.Equal(t, inOrder, results, "all calls take the same time: the results must come out in the order of the values")
		require.Equal(t, 3, most, "Ordered was told to make 3 calls at a time: that must be the largest number of calls that ran at once")
		require.Equal(t, 4*time.Second, took, "ten values, 3 at a time, 1s each: four rounds")

		for _, n := range []int{0, -3} {
			results, took, _ = run(n, even)
			require.Equal(t, inOrder, results, "Ordered was given n = %d, which counts as 1: every value must still be done", n)
			require.Equal(t, 10*time.Second, took, "Ordered was given n = %d, which counts as 1: the values must be done one after another", n)
		}

		require.Empty(t, readAll(t, fan.Ordered(context.Background(), 3, stream[int](), func(_ context.Context, i int) int { return i })),
			"Ordered was given an input that closes without a value: its output must close without one, too")
	})
}

// Ordered looks no further ahead than 3n, however slow the first one is.
// Results that are ready and wait for their turn are memory.
func TestOrderedLooksAheadWithinBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n, items = 3, 1000
		in, taken := countedStream(items)
		goOn := make(chan struct{})
		out := fan.Ordered(context.Background(), n, in, func(_ context.Context, v int) int {
			if v == 0 {
				<-goOn
			}
			return v
		})

		synctest.Wait()
		aheadOfFirst := *taken
		close(goOn)
		synctest.Wait()
		aheadOfReader := *taken
		results := readAll(t, out)

		require.LessOrEqual(t, aheadOfFirst, 3*n, "Ordered makes 3 calls at a time and the first one does not end: no more than 9 values must be taken from the input; so many were")
		require.LessOrEqual(t, aheadOfReader, 3*n, "Ordered makes 3 calls at a time and nobody reads its output: no more than 9 values must be taken from the input; so many were")
		require.Len(t, results, items, "Ordered was given 1000 values, and its output was read to the end: there must be one result for each")
		require.True(t, slices.IsSorted(results), "Ordered was given 0 to 999: the results must come out in that order")
	})
}

// Step 5: when ctx ends, everyone goes home

// Who waits for an input or for a reader gives up when ctx ends.
func TestCancelFreesWhoeverWaits(t *testing.T) {
	echo := func(_ context.Context, v int) int { return v }
	streams := []struct {
		name string
		from func(ctx context.Context, in <-chan int) <-chan int
	}{
		{"Merge", func(ctx context.Context, in <-chan int) <-chan int { return fan.Merge(ctx, in, in) }},
		{"FanOut", func(ctx context.Context, in <-chan int) <-chan int { return fan.FanOut(ctx, 2, in, echo) }},
		{"Ordered", func(ctx context.Context, in <-chan int) <-chan int { return fan.Ordered(ctx, 2, in, echo) }},
	}
	for _, s := range streams {
		// The input has values, and nobody ever reads the output. Whoever still waits
		// at the end of a bubble is left behind, and reported.
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			s.from(ctx, stream(0, 1, 2, 3, 4, 5, 6, 7, 8, 9))

			synctest.Wait()
			cancel()
		})
		// The input is silent and is never closed.
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			silent := make(chan int)
			out := s.from(ctx, silent)

			time.Sleep(time.Hour) // silence is no reason to give up, however long it lasts
			require.False(t, isClosed(out), "%s was given an input that is silent, and ctx has not ended: its output must stay open", s.name)
			cancel()
			gaveUp := isClosed(out)
			if !gaveUp {
				close(silent) // let go who waits, so that this message is all that remains to be said
			}
			require.True(t, gaveUp, "%s was waiting for an input that is silent, and ctx ended: it must give up and close its output", s.name)
		})
		// The input is nil, which is as silent as can be.
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			out := s.from(ctx, nil)

			require.False(t, isClosed(out), "%s was given a nil input, which never closes, and ctx has not ended: its output must stay open", s.name)
			cancel()
			require.True(t, isClosed(out), "%s was waiting for a nil input, and ctx ended: it must give up and close its output", s.name)
		})
	}
}

// After cancel no call begins, and the end comes after the last call has returned.
// A select with two cases ready takes either one, so the koan does the same many
// times.
func TestCancelWaitsForTheCallsThatRun(t *testing.T) {
	const n = 4
	hundred := make([]int, 100)
	for i := range hundred {
		hundred[i] = i
	}
	for range 25 {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			var calls gauge
			out := fan.FanOut(ctx, n, stream(hundred...), untilCancelled(&calls))

			synctest.Wait()
			cancel()
			readAll(t, out)
			left := calls.running()
			time.Sleep(time.Minute)

			require.Zero(t, left, "ctx ended while calls of f were running: FanOut must close its output after the last of them has returned; so many were still running")
			require.Equal(t, n, calls.begun, "ctx ended while 4 calls of f were running: FanOut must not begin another one; so many were begun in all")
		})
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			var calls gauge
			_ = time.AfterFunc(time.Second, cancel)
			results, err := fan.MapAll(ctx, n, hundred, func(ctx context.Context, v int) (int, error) {
				return untilCancelled(&calls)(ctx, v), nil
			})
			left := calls.running()
			time.Sleep(time.Minute)

			require.ErrorIs(t, err, context.Canceled, "ctx ended when 4 of 100 items had been begun: MapAll must return the error of ctx, though no call returned one")
			require.Nil(t, results, "ctx ended when 4 of 100 items had been begun: the results must be nil, for most of them are missing")
			require.Zero(t, left, "ctx ended while calls of f were running: MapAll must return after the last of them has returned; so many were still running")
			require.Equal(t, n, calls.begun, "ctx ended while 4 calls of f were running: MapAll must not begin another one; so many were begun in all")
		})
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			var calls gauge
			out := fan.Ordered(ctx, n, stream(hundred...), untilCancelled(&calls))

			synctest.Wait()
			cancel()
			results := readAll(t, out)
			left := calls.running()
			time.Sleep(time.Minute)

			require.Zero(t, left, "ctx ended while calls of f were running: Ordered must close its output after the last of them has returned; so many were still running")
			require.Equal(t, n, calls.begun, "ctx ended while 4 calls of f were running: Ordered must not begin another one; so many were begun in all")
			for i, v := range results {
				require.Equal(t, i, v, "ctx ended, and these results came out: %v; there must be no gap, so once a result has been dropped no later one may be sent", results)
			}
		})
	}
}

// untilCancelled is work that stops when it is told to, and needs a second to.
func untilCancelled(calls *gauge) func(context.Context, int) int {
	return func(ctx context.Context, v int) int {
		defer calls.begin()()
		<-ctx.Done()
		time.Sleep(time.Second)
		return v
	}
}

// isClosed reports whether ch is closed once everybody has come to rest. Values
// that wait in its buffer do not matter, and are lost.
func isClosed[T any](ch <-chan T) bool {
	synctest.Wait()
	for range len(ch) {
		<-ch
	}
	select {
	case _, open := <-ch:
		return !open
	default:
		return false
	}
}

// requireClosed requires that ch is closed once everybody has come to rest.
func requireClosed[T any](t *testing.T, ch <-chan T, msg string) {
	t.Helper()
	require.True(t, isClosed(ch), msg)
}

// stream returns a channel that holds the values and is closed.
func stream[T any](values ...T) <-chan T {
	ch := make(chan T, len(values))
	for _, v := range values {
		ch <- v
	}
	close(ch)
	return ch
}

// countedStream sends 0 to n-1, closes, and counts what was taken from it.
func countedStream(n int) (ch <-chan int, taken *int) {
	send := make(chan int)
	taken = new(int)
	go func() {
		defer close(send)
		for i := range n {
			send <- i
			*taken++
		}
	}()
	return send, taken
}

// readAll reads from ch until it is closed. When nothing happens for an hour of
// virtual time, nothing will ever happen.
func readAll[T any](t *testing.T, ch <-chan T) []T {
	t.Helper()
	var got []T
	for {
		select {
		case v, open := <-ch:
			if !open {
				return got
			}
			got = append(got, v)
			require.Less(t, len(got), 10_000, "values keep coming without end: whoever receives must notice that its input is closed")
		case <-time.After(time.Hour):
			require.Failf(t, "the channel was never closed",
				"%d values were read; then no more came, and the channel was not closed: whoever reads from it waits for ever", len(got))
		}
	}
}

// readReady reads from ch until it is closed, or silent once everybody has come to rest.
func readReady[T any](ch <-chan T) (values []T) {
	for {
		synctest.Wait()
		select {
		case v, open := <-ch:
			if !open {
				return values
			}
			values = append(values, v)
		default:
			return values
		}
	}
}

// keep returns the values for which want is true.
func keep(values []int, want func(int) bool) (kept []int) {
	for _, v := range values {
		if want(v) {
			kept = append(kept, v)
		}
	}
	return kept
}

// gauge counts the calls that are begun and those that run at once.
type gauge struct {
	mu                sync.Mutex
	begun, most, runs int
}

// begin counts one more call, and returns what to do at its end.
func (g *gauge) begin() (end func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.begun++
	g.runs++
	g.most = max(g.most, g.runs)
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.runs--
	}
}

// running returns how many calls run now.
func (g *gauge) running() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.runs
}
