package pipeline_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	pipeline "concurrency-koans/lessons/01-pipeline"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Nearly every koan runs in a synctest bubble. Inside it, time is virtual: it
// jumps ahead as soon as every goroutine is waiting, so a second costs nothing
// and is exact. synctest.Wait returns when everybody else is waiting. And when
// the bubble ends, nobody may be left in it.

// Step 1: a source closes its channel

// A source sends every value in order, then closes its channel.
// The sender closes, because only the sender knows that nothing more will come.
func TestSourceSendsThenCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := pipeline.Source(context.Background(), slices.Values([]int{1, 2, 3}))

		synctest.Wait() // the reader comes late; the source waits for it
		require.Equal(t, []int{1, 2, 3}, readAll(t, out),
			"Source was given 1, 2, 3 and read to the end: it must send each of them, in order")

		out = pipeline.Source(context.Background(), slices.Values([]int{}))
		require.Empty(t, readAll(t, out),
			"Source was given an empty sequence: it must close its channel without sending anything")
	})
}

// Step 2: a stage between two channels

// A stage turns each value into one result, in order, and closes when its input closes.
// So the end travels down the pipeline as each stage closes its own channel.
func TestMapKeepsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := filled(1, 2, 3, 4, 5)
		close(in)

		out := pipeline.Map(untilFailed(t), in, func(v int) string {
			time.Sleep(time.Duration(10-v) * time.Second) // the first takes longest
			return "#" + strconv.Itoa(v)
		})

		require.Equal(t, []string{"#1", "#2", "#3", "#4", "#5"}, readAll(t, out),
			"Map was given 1 to 5 and a function that puts # before a number: it must send each result once, in the order of the input, also when the first takes longest")

		none := make(chan int)
		close(none)
		require.Empty(t, readAll(t, pipeline.Map(context.Background(), none, strconv.Itoa)),
			"Map was given an input that is closed and empty: it must close its channel without sending anything")
	})
}

// While one stage works on a value, the stage before it works on the next.
// That overlap is what a pipeline is for.
func TestStagesOverlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		addOne := func(v int) int {
			time.Sleep(time.Second)
			return v + 1
		}
		ctx, start := untilFailed(t), time.Now()

		out := pipeline.Source(ctx, upTo(10))
		for range 3 {
			out = pipeline.Map(ctx, out, addOne)
		}

		require.Equal(t, []int{4, 5, 6, 7, 8, 9, 10, 11, 12, 13}, readAll(t, out),
			"1 to 10 went through three stages that add one each")
		require.Equal(t, 12*time.Second, time.Since(start),
			"ten values went through three stages of one second each: the first comes out after 3 s, then one every second, which makes 12 s; one stage after the other makes 30 s, and less than 12 s means that a stage worked on several values at once")
	})
}

// When nobody reads, nobody works ahead.
// A stage that waits for its reader slows down the one before it, and so on up
// to the source. This is backpressure; it bounds the memory of a pipeline.
func TestStagesWaitForTheirReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		source := pipeline.Source(context.Background(), func(yield func(int) bool) {
			for asked < 100 {
				asked++
				if !yield(asked) {
					return
				}
			}
		})

		synctest.Wait()
		ahead := asked
		require.Len(t, readAll(t, source), 100, "Source was given 100 values, and its reader came late: all 100 must come")
		require.LessOrEqual(t, ahead, 4,
			"nobody had read from Source yet: it must wait with at most 4 values in hand, and not fetch the whole sequence")
	})

	synctest.Test(t, func(t *testing.T) {
		in := filled(slices.Collect(upTo(100))...)
		close(in)
		calls := 0
		out := pipeline.Map(context.Background(), in, func(v int) int {
			calls++
			return v
		})

		synctest.Wait()
		received, worked := 100-len(in), calls
		require.Len(t, readAll(t, out), 100, "Map was given 100 values, and its reader came late: all 100 results must come")
		require.LessOrEqual(t, received, 4,
			"nobody had read from Map yet: it must wait with at most 4 values in hand, and not empty its input")
		require.LessOrEqual(t, worked, 4,
			"nobody had read from Map yet: it must not work more than 4 values ahead")
	})
}

// Step 3: ctx ends every wait

// A stage that is sending gives up when ctx ends.
// Its reader may have gone for good; without ctx the stage would wait for it for ever.
func TestSendingStopsWithContext(t *testing.T) {
	same := func(v int) int { return v }

	// Whoever still waits at the end of a bubble is left behind, and reported.
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		pipeline.Map(ctx, pipeline.Source(ctx, upTo(100)), same)

		synctest.Wait() // both have a value, and nobody takes it
		cancel()
	})

	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		stopped, cleanedUp := false, false
		source := pipeline.Source(ctx, func(yield func(int) bool) {
			defer func() { cleanedUp = true }()
			for v := 1; v < 100; v++ {
				if !yield(v) {
					stopped = true
					return
				}
			}
		})
		in := filled(1, 2, 3)
		close(in)
		mapped := pipeline.Map(ctx, in, same)

		synctest.Wait()
		cancel()
		requireClosed(t, source, "ctx ended while Source waited for its reader: it must close its channel on this way out too")
		requireClosed(t, mapped, "ctx ended while Map waited for its reader: it must close its channel on this way out too")
		require.True(t, cleanedUp,
			"ctx ended while Source waited for its reader: it must let the sequence run its deferred clean-up")
		require.True(t, stopped,
			"ctx ended while Source waited for its reader: it must leave its loop over the sequence, and not run through the other values; a break inside a select leaves the select only")
	})
}

// A stage that is receiving gives up when ctx ends.
// An input that stays silent and is never closed must not pin the stage.
func TestReceivingStopsWithContext(t *testing.T) {
	for _, silent := range []string{"an input that stays silent", "a nil input"} {
		newInput := func() chan int {
			if silent == "a nil input" {
				return nil
			}
			return make(chan int)
		}

		// Whoever still waits at the end of a bubble is left behind, and reported.
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			pipeline.Map(ctx, newInput(), strconv.Itoa)

			synctest.Wait()
			cancel()
		})

		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			out := pipeline.Map(ctx, newInput(), strconv.Itoa)

			time.Sleep(time.Hour)
			requireOpen(t, out, "Map was given %s and ctx has not ended: its channel must stay open and silent too", silent)
			cancel()
			requireClosed(t, out, "ctx ended while Map waited for %s: it must close its channel on this way out too", silent)
		})
	}
}

// Once ctx has ended, no new work is started.
// A select among several ready cases takes any of them: an ended ctx does not win by itself.
func TestNoWorkAfterContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rounds = 200 // what is left to chance goes wrong in one of them
		calls := 0
		for range rounds {
			ctx, cancel := context.WithCancel(context.Background())
			in := filled(1, 2, 3)
			close(in)
			out := pipeline.Map(ctx, in, func(v int) int {
				calls++
				cancel() // while the first value is being worked on
				time.Sleep(time.Second)
				return v
			})
			readAll(t, out)
			time.Sleep(time.Minute) // lets a call that is under way finish
			synctest.Wait()
		}
		require.Equal(t, rounds, calls,
			"Map had three values waiting, 200 times over, and ctx ended during the first call of f: that makes 200 calls, and none may follow, though more values are waiting and a reader is ready")
	})
}

// Step 4: take what you need, release the rest

// Take passes on n values and asks for no more.
// What it received beyond that would be lost to everybody.
func TestTakePassesOnN(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := untilFailed(t)

		in := filled(1, 2, 3, 4, 5)
		require.Equal(t, []int{1, 2, 3}, readAll(t, pipeline.Take(ctx, in, 3, func() {})),
			"Take was asked for 3 of 1 to 5: it must pass on the first three and close its channel")
		require.Len(t, in, 2,
			"Take was asked for 3 of 1 to 5: the other two must still be waiting in its input")

		close(in)
		require.Equal(t, []int{4, 5}, readAll(t, pipeline.Take(ctx, in, 3, func() {})),
			"Take was asked for 3 values, and its input closed after two: it must pass on the two and close its channel")

		for _, n := range []int{0, -1} {
			in := filled(1, 2, 3, 4, 5)
			require.Empty(t, readAll(t, pipeline.Take(ctx, in, n, func() {})),
				"Take was asked for %d values: it must close its channel without sending anything", n)
			require.Len(t, in, 5, "Take was asked for %d values: it must not touch its input", n)
		}
	})
}

// When Take has what it needs, everything upstream stops.
// Otherwise the stages upstream wait for ever for a reader that has gone.
func TestTakeReleasesUpstream(t *testing.T) {
	// Whoever still waits at the end of a bubble is left behind, and reported.
	synctest.Test(t, func(t *testing.T) {
		upstream, stop := context.WithCancel(context.Background())
		ids := pipeline.Map(upstream, pipeline.Source(upstream, endless), strconv.Itoa)

		require.Equal(t, []string{"1", "2", "3"},
			readAll(t, pipeline.Take(context.Background(), ids, 3, stop)),
			"Take was asked for the first 3 values of a sequence without end: it must pass them on, and call stop when it needs no more, and not before")
	})

	released := func(upstream context.Context, when string) {
		t.Helper()
		synctest.Wait()
		require.Error(t, upstream.Err(), "Take ended because %s: it must call stop on this way out too", when)
	}

	synctest.Test(t, func(t *testing.T) {
		upstream, stop := context.WithCancel(context.Background())
		readAll(t, pipeline.Take(context.Background(), filled(1, 2, 3), 0, stop))
		released(upstream, "nothing was wanted")

		upstream, stop = context.WithCancel(context.Background())
		in := filled(1, 2)
		close(in)
		readAll(t, pipeline.Take(context.Background(), in, 3, stop))
		released(upstream, "its input closed early")

		upstream, stop = context.WithCancel(context.Background())
		ctx, cancel := context.WithCancel(context.Background())
		silent := pipeline.Take(ctx, make(chan int), 3, stop)
		synctest.Wait()
		cancel()
		requireClosed(t, silent, "ctx ended while Take waited for its input: it must close its channel")
		released(upstream, "ctx ended while it waited for its input")

		upstream, stop = context.WithCancel(context.Background())
		ctx, cancel = context.WithCancel(context.Background())
		unread := pipeline.Take(ctx, filled(1, 2, 3), 3, stop)
		synctest.Wait()
		cancel()
		requireClosed(t, unread, "ctx ended while Take waited for its reader: it must close its channel")
		released(upstream, "ctx ended while it waited for its reader")
	})
}

// Step 5: a pipeline that can fail

// Run carries every value through every stage, and all of them work at the same time.
// The sequence and the sink take their part in that.
func TestRunOverlapsStages(t *testing.T) {
	second := func(v string) string {
		time.Sleep(time.Second)
		return v
	}
	mark := func(with string) pipeline.Stage[string] {
		return func(_ context.Context, v string) (string, error) { return second(v + with), nil }
	}

	synctest.Test(t, func(t *testing.T) {
		var got []string
		sink := func(v string) error {
			got = append(got, v)
			return nil
		}
		start := time.Now()

		err := pipeline.Run(context.Background(), texts(10), sink, mark("a"), mark("b"), mark("c"))

		require.NoError(t, err, "ten values went through, and nothing failed")
		require.Equal(t, []string{"1abc", "2abc", "3abc", "4abc", "5abc", "6abc", "7abc", "8abc", "9abc", "10abc"}, got,
			"1 to 10 went through stages that append a, b and c: sink must get each of them once, in order, marked by every stage in turn")
		require.Equal(t, 12*time.Second, time.Since(start),
			"ten values went through three stages of one second each: if the stages work at the same time, each on one value, that makes 12 s")
	})

	synctest.Test(t, func(t *testing.T) {
		slowly := func(yield func(string) bool) {
			for v := range texts(10) {
				if !yield(second(v)) {
					return
				}
			}
		}
		var got []string
		sink := func(v string) error {
			got = append(got, second(v))
			return nil
		}
		start := time.Now()

		err := pipeline.Run(context.Background(), slowly, sink, mark("a"))

		require.NoError(t, err, "ten values went through, and nothing failed")
		require.Len(t, got, 10, "ten values went through: sink must get each of them")
		require.Equal(t, 12*time.Second, time.Since(start),
			"the sequence, one stage and sink take one second each, and ten values went through: if all three work at the same time, that makes 12 s")
	})

	synctest.Test(t, func(t *testing.T) {
		var got []int
		sink := func(v int) error {
			got = append(got, v)
			return nil
		}
		require.NoError(t, pipeline.Run(context.Background(), upTo(3), sink), "Run was given no stages, and nothing failed")
		require.Equal(t, []int{1, 2, 3}, got, "Run was given no stages: sink must get the values of the sequence")

		got = nil
		require.NoError(t, pipeline.Run(context.Background(), upTo(0), sink), "Run was given an empty sequence, and nothing failed")
		require.Empty(t, got, "Run was given an empty sequence: sink must not be called")
	})
}

// The first error stops everything, and Run returns it.
// What the other stages say when they are stopped is no cause, only its echo.
func TestRunReturnsTheFirstError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		errDown := errors.New("the database is down")
		asked := 0
		seq := func(yield func(int) bool) {
			for asked < 100 {
				asked++
				if !yield(asked) {
					return
				}
			}
		}
		waitOn3 := func(ctx context.Context, v int) (int, error) {
			if v == 3 {
				<-ctx.Done()
				time.Sleep(time.Second) // the echo comes last
				return v, ctx.Err()
			}
			return v, nil
		}
		// Two stages use the same database, and notice at the same moment.
		failOn := func(value int) pipeline.Stage[int] {
			return func(_ context.Context, v int) (int, error) {
				if v == value {
					time.Sleep(time.Second)
					return v, errDown
				}
				return v, nil
			}
		}
		reached := 0
		sink := func(int) error {
			reached++
			return nil
		}

		err := pipeline.Run(context.Background(), seq, sink, waitOn3, failOn(2), failOn(1))
		time.Sleep(time.Minute) // that Run waits for its stages is the next koan
		synctest.Wait()

		require.ErrorIs(t, err, errDown,
			"two stages failed because the database was down, which stopped a third: Run must return the error of the two")
		require.NotErrorIs(t, err, context.Canceled,
			"two stages failed because the database was down, which stopped a third: nobody cancelled Run, so its error must not say so")
		require.Less(t, asked, 100, "a stage failed on the first value: Run must stop the sequence, and must not have read far ahead of its stages")
		require.Zero(t, reached, "a stage failed on the first value: no value may reach sink")
	})

	synctest.Test(t, func(t *testing.T) {
		errFull := errors.New("the disk is full")
		for range 100 { // what is left to chance goes wrong in one of them
			slowOn2 := func(_ context.Context, v int) (int, error) {
				if v == 2 {
					time.Sleep(time.Second) // meanwhile sink fails on 1
				}
				return v, nil
			}
			stored := 0
			sink := func(int) error {
				stored++
				return errFull
			}

			err := pipeline.Run(context.Background(), endless, sink, slowOn2)
			time.Sleep(time.Minute)
			synctest.Wait()

			require.ErrorIs(t, err, errFull, "sink failed: Run must return sink's error")
			require.NotErrorIs(t, err, context.Canceled, "sink failed, and nobody cancelled Run: its error must not say so")
			require.Equal(t, 1, stored,
				"sink failed on its first value, while a stage was at work on the second: sink must not be given that one")
		}
	})
}

// Run returns when the last stage has gone, and not before.
// Then the caller may close the files that the stages were using.
func TestRunWaitsForItsStages(t *testing.T) {
	errDown := errors.New("the database is down")
	tidyUp := func(ctx context.Context, v int) (int, error) {
		<-ctx.Done()
		time.Sleep(2 * time.Second)
		return v, ctx.Err()
	}
	passFirst := func(ctx context.Context, v int) (int, error) {
		if v == 1 {
			return v, nil
		}
		return tidyUp(ctx, v)
	}
	failAfterASecond := func(_ context.Context, v int) (int, error) {
		time.Sleep(time.Second)
		return v, errDown
	}
	ignore := func(int) error { return nil }

	// run reports what Run returned, and when. Then it lets finish what was left behind.
	run := func(ctx context.Context, seq iter.Seq[int], sink func(int) error, stages ...pipeline.Stage[int]) (time.Duration, error) {
		start := time.Now()
		err := pipeline.Run(ctx, seq, sink, stages...)
		took := time.Since(start)
		time.Sleep(time.Minute)
		return took, err
	}

	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(time.Second, cancel)

		took, err := run(ctx, endless, ignore, passFirst, tidyUp)

		require.ErrorIs(t, err, context.Canceled, "ctx was cancelled while values were under way: Run must say so")
		require.Equal(t, 3*time.Second, took,
			"ctx was cancelled after 1 s, and the stages then took 2 s to tidy up: Run must wait for them, and return after 3 s")
	})

	synctest.Test(t, func(t *testing.T) {
		took, err := run(context.Background(), endless, ignore, passFirst, failAfterASecond)

		require.ErrorIs(t, err, errDown, "a stage failed: Run must return its error")
		require.Equal(t, 3*time.Second, took,
			"a stage failed after 1 s, and the one before it then took 2 s to tidy up: Run must wait for it, and return after 3 s")
	})

	synctest.Test(t, func(t *testing.T) {
		sink := func(int) error {
			time.Sleep(time.Second)
			return errDown
		}

		took, err := run(context.Background(), endless, sink, passFirst)

		require.ErrorIs(t, err, errDown, "sink failed: Run must return its error")
		require.Equal(t, 3*time.Second, took,
			"sink failed after 1 s, and a stage then took 2 s to tidy up: Run must wait for it, and return after 3 s")
	})

	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(time.Second, cancel)
		cleansUp := func(yield func(int) bool) {
			defer time.Sleep(2 * time.Second)
			endless(yield)
		}
		untilEnd := func(ctx context.Context, v int) (int, error) {
			<-ctx.Done()
			return v, ctx.Err()
		}

		took, err := run(ctx, cleansUp, ignore, untilEnd)

		require.ErrorIs(t, err, context.Canceled, "ctx was cancelled while values were under way: Run must say so")
		require.Equal(t, 3*time.Second, took,
			"ctx was cancelled after 1 s, and the sequence then took 2 s to clean up: Run must wait for the sequence too, and return after 3 s")
	})

	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		worked := 0
		work := func(_ context.Context, v int) (int, error) {
			worked++
			return v, nil
		}

		for range 50 { // what is left to chance goes wrong in one of them
			_, err := run(ctx, endless, ignore, work)
			synctest.Wait()
			require.ErrorIs(t, err, context.Canceled, "ctx had ended before Run was called: Run must say so")
		}
		require.Zero(t, worked, "ctx had ended before Run was called, 50 times over: no stage may be started")
	})
}

// upTo yields 1, 2, … n.
func upTo(n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for v := 1; v <= n && yield(v); v++ {
		}
	}
}

// texts yields "1", "2", … up to n.
func texts(n int) iter.Seq[string] {
	return func(yield func(string) bool) {
		for v := range upTo(n) {
			if !yield(strconv.Itoa(v)) {
				return
			}
		}
	}
}

// endless yields 1, 2, … until nobody wants more. It counts on being stopped
// long before its emergency brake.
func endless(yield func(int) bool) {
	for v := 1; v < 100_000 && yield(v); v++ {
	}
}

// untilFailed returns a context that never ends, unless the koan has failed:
// then whoever listens to it may go, and the failure is reported alone.
func untilFailed(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() {
		if t.Failed() {
			cancel()
			time.Sleep(time.Hour)
		}
	})
	return ctx
}

// filled returns a channel with the values waiting in it.
func filled(values ...int) chan int {
	ch := make(chan int, len(values))
	for _, v := range values {
		ch <- v
	}
	return ch
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
			if got = append(got, v); len(got) == 1000 {
				require.Failf(t, "values keep coming",
					"1000 values were read (%v, …), and they go on without end: a stage must notice that its input is closed, and then close its own channel", got[:10])
			}
		case <-time.After(time.Hour):
			require.Failf(t, "the channel was never closed",
				"%d values were read (%v); then no more came, and the channel was not closed: whoever reads from it waits for ever", len(got), got)
		}
	}
}

// requireClosed requires that ch is closed once everybody has come to rest.
// Values that are left in its buffer do not matter.
func requireClosed[T any](t *testing.T, ch <-chan T, msg string, args ...any) {
	t.Helper()
	synctest.Wait()
	for range len(ch) {
		<-ch
	}
	closed := false
	select {
	case _, open := <-ch:
		closed = !open
	default:
	}
	require.Truef(t, closed, msg, args...)
}

// requireOpen requires that ch is open, with nothing to read.
func requireOpen[T any](t *testing.T, ch <-chan T, msg string, args ...any) {
	t.Helper()
	synctest.Wait()
	silent := false
	select {
	case <-ch:
	default:
		silent = true
	}
	require.Truef(t, silent, msg, args...)
}
