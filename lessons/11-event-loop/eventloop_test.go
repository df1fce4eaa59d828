package eventloop_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	eventloop "concurrency-koans/lessons/11-event-loop"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pause is longer than anybody's patience.
const pause = time.Hour + 1_234_567_891*time.Nanosecond

// Step 1: one at a time

// A loop runs what was posted, one function after another, in the order of the posts.
// It does so while Run runs, and at no other time.
func TestHandlersRunOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		loop, r := newLoop(t), openReceipt()
		defer func() {
			if t.Failed() {
				time.Sleep(time.Hour) // for those who are still busy
			}
		}()
		for _, item := range []string{"lamp", "chair", "table"} {
			post(t, loop, func() {
				time.Sleep(time.Second)
				r.add(item)
			})
		}
		post(t, loop, loop.Stop)
		require.Empty(t, r.read(), "three functions were posted, and Run has not been called: Post must not run any of them")

		err := loop.Run(t.Context())
		require.NoError(t, err, "the last function that was posted called Stop: Run must return nil")
		require.Equal(t, []string{"lamp after 1s", "chair after 2s", "table after 3s"}, r.read(),
			"three functions of 1 s were posted, and then Run was called: Run must run them one after the other, in their order, before it returns")
	})
}

// Anybody may post at any time, and Post never waits.
// Not even a handler has to: it would wait for itself.
func TestPostNeverWaits(t *testing.T) {
	// In real time, because for one who is always busy, time in a bubble stands still.
	forReal(t, func() {
		loop := newLoop(t)
		ended := startForReal(t, loop)
		untilQuiet(t, nil, "", "Run was called, and nothing has been posted: Run must wait, and not look into its inbox again and again")
		post(t, loop, loop.Stop)
		require.NoError(t, soon(t, ended, "Run was waiting, and Stop was posted: Run must wake up and return"), "Stop was posted: Run must return nil")
	})

	// Some who post, each at a time of its own, while the loop has nothing else to
	// do. What they share is only what the loop guards itself.
	synctest.Test(t, func(t *testing.T) {
		loop, r := newLoop(t), openReceipt()
		ended := start(t, loop)
		const moment = 123_456_789 * time.Nanosecond // that nobody hits who only looks now and then
		for i, item := range []string{"lamp", "chair", "table"} {
			go func() {
				time.Sleep(time.Duration(i) * moment)
				assert.NoError(t, loop.Post(func() { r.add(item) }), "nobody has called Stop: Post must accept the function")
			}()
		}
		time.Sleep(3 * moment)
		post(t, loop, loop.Stop)
		requireNil(t, ended)
		require.Equal(t, []string{"lamp after 0s", "chair after 123.456789ms", "table after 246.913578ms"}, r.read(),
			"three goroutines have posted, with pauses in between: Run must wait, and run each function at the moment when it is posted")
	})

	// A handler that posts more than anybody has room for.
	synctest.Test(t, func(t *testing.T) {
		const many = 12_000
		loop := newLoop(t)
		var ran []int
		inside, refused, took := 0, 0, time.Duration(0)
		post(t, loop, func() {
			start := time.Now()
			for i := range many {
				if loop.Post(func() { ran = append(ran, i) }) != nil {
					refused++
				}
			}
			inside, took = len(ran), time.Since(start)
			loop.Post(loop.Stop)
		})
		requireNil(t, start(t, loop))
		require.Zero(t, refused, "a handler called Post 12000 times, before anybody called Stop: Post must accept each function")
		require.Zero(t, inside, "a handler called Post: Post must not run the function, whose turn comes when that handler has returned")
		require.Zero(t, took, "a handler called Post 12000 times: Post must not wait, not even once")
		requireInOrder(t, many, ran, "a handler posted 12000 functions")
	})

	// Somebody who posts while a handler takes its time.
	synctest.Test(t, func(t *testing.T) {
		loop, r := newLoop(t), openReceipt()
		ended := start(t, loop)
		post(t, loop, func() {
			time.Sleep(pause)
			r.add("lamp")
		})
		synctest.Wait()
		post(t, loop, func() { r.add("chair") })
		post(t, loop, loop.Stop)
		require.Zero(t, time.Since(r.opened), "a handler was running, and Post was called: Post must not wait for that handler")
		requireNil(t, ended)
		require.Equal(t, []string{"lamp after 1h0m1.234567891s", "chair after 1h0m1.234567891s"}, r.read(),
			"a function was posted while a handler was running: Run must run it when that handler has returned")
	})

	// Many at once.
	synctest.Test(t, func(t *testing.T) {
		const posters, each = 4, 250
		loop := newLoop(t)
		ended := start(t, loop)
		var ran [posters][]int
		var all sync.WaitGroup
		for poster := range posters {
			all.Go(func() {
				for i := range each {
					loop.Post(func() { ran[poster] = append(ran[poster], i) })
				}
			})
		}
		all.Wait()
		post(t, loop, loop.Stop)
		requireNil(t, ended)
		for _, ran := range ran {
			requireInOrder(t, each, ran, "four goroutines posted 250 functions each, at the same time")
		}
	})

	// At the very moment at which the loop has found nothing and is about to wait. It
	// has to ask for ctx now and then, and each round, something is posted during one of
	// these questions.
	const overlooked = "a function was posted at the very moment when Run was about to wait: Run must not overlook it"
	for question := range 8 {
		synctest.Test(t, func(t *testing.T) {
			loop, r := newLoop(t), openReceipt()
			posted := make(chan time.Time, 1)
			ctx := &interrupted{Context: t.Context(), at: int64(1 + question), by: func() {
				go func() {
					if now := time.Now(); loop.Post(func() { r.add("lamp") }) == nil {
						posted <- now
					}
				}()
				for tries := 0; tries < 5000 && len(posted) == 0; tries++ {
					runtime.Gosched()
				}
			}}
			ended := startWith(ctx, t, loop)
			time.Sleep(pause)
			loop.Post(loop.Stop)
			requireNil(t, ended)
			synctest.Wait()
			if len(posted) == 0 {
				return // there were not that many questions
			}
			if at := (<-posted).Sub(r.opened); at < pause {
				require.Equal(t, []string{"lamp after " + at.String()}, r.read(), overlooked)
			}
		})
	}

	// The same for one who asks for nothing. Many times, somebody posts just after a
	// handler, each time a little later. That takes two who really run at the same
	// time, and ends after a while where they do not.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(max(2, runtime.GOMAXPROCS(0))))
	var late atomic.Bool
	defer time.AfterFunc(100*time.Millisecond, func() { late.Store(true) }).Stop() // in real time
	synctest.Test(t, func(t *testing.T) {
		const rounds = 8000
		loop := newLoop(t)
		ended := start(t, loop)
		var handler, poster atomic.Int64
		meet := func(other *atomic.Int64, round, most int64) bool {
			for tries := int64(0); tries < most && other.Load() < round && !late.Load(); tries++ {
			}
			return other.Load() >= round
		}
		for round := int64(1); round <= rounds && !late.Load(); round++ {
			f := func() {
				handler.Store(round)
				meet(&poster, round, 20_000)
			}
			poster.Store(round - 1) // and that handler goes on
			for range round % 64 * (1 + round/64%16) {
				handler.Load()
			}
			loop.Post(f)
			if runtime.Gosched(); !meet(&handler, round, 20_000) {
				synctest.Wait()
				require.Equal(t, round, handler.Load(), overlooked)
			}
		}
		poster.Store(rounds)
		post(t, loop, loop.Stop)
		requireNil(t, ended)
	})

	require.Panics(t, func() { newLoop(t).Post(nil) }, "Post was given a nil function: Post must panic at once, where the mistake was made")
}

// Step 2: sources

// Events are handled one at a time, wherever they come from, and in the order of their source.
// So all handlers can change the same receipt, with no lock. And when Run has
// returned, nobody reads the sources any more, though all of them are still open.
func TestSourcesShareOneGoroutine(t *testing.T) {
	// Two at the same moment, and each takes its time.
	synctest.Test(t, func(t *testing.T) {
		loop, r := newLoop(t), openReceipt()
		ended := start(t, loop)
		var sources [2]chan string
		for i := range sources {
			sources[i] = make(chan string, 1)
			sources[i] <- "event"
			eventloop.Attach(loop, sources[i], func(item string) {
				time.Sleep(time.Second)
				r.add(item)
			})
		}
		time.Sleep(pause)
		post(t, loop, loop.Stop)
		requireNil(t, ended)
		synctest.Wait()
		for _, source := range sources {
			close(source) // for one who would go on reading; the next part sees whether anybody does
		}
		require.Equal(t, []string{"event after 1s", "event after 2s"}, r.read(),
			"two sources had an event at the same moment, and handle takes 1 s: Attach must have the loop call handle, so that the second event waits for the first")
	})

	synctest.Test(t, func(t *testing.T) {
		loop, r := newLoop(t), openReceipt()
		scanner, keys, card := make(chan string), make(chan int), make(chan bool)

		eventloop.Attach(loop, scanner, func(item string) { r.add(item) })
		ended := start(t, loop)
		eventloop.Attach(loop, keys, func(n int) { r.add("key " + strconv.Itoa(n)) })
		post(t, loop, func() {
			eventloop.Attach(loop, card, func(bool) { r.add("card") })
		})

		// Each at a time of its own, and nothing but the loop between them.
		go send(t, scanner, 1*time.Second, 3*time.Second, "lamp", "chair")
		go send(t, keys, 2*time.Second, 3*time.Second, 7, 8)
		go send(t, card, 3*time.Second, 3*time.Second, true, true)
		time.Sleep(pause)
		post(t, loop, func() { r.add("total") })
		post(t, loop, loop.Stop)
		requireNil(t, ended)
		require.Equal(t, []string{"lamp after 1s", "key 7 after 2s", "card after 3s", "chair after 4s", "key 8 after 5s", "card after 6s", "total after " + pause.String()}, r.read(),
			"one source was attached before Run, one while it ran, and one by a handler: Attach must have each event handled once, at the moment when it is sent")
	})

	// All as fast as they can.
	synctest.Test(t, func(t *testing.T) {
		const sources, each = 3, 100
		loop := newLoop(t)
		ended := start(t, loop)
		var got [sources][]int
		var all sync.WaitGroup
		for i := range sources {
			source := make(chan int, i)
			eventloop.Attach(loop, source, func(n int) { got[i] = append(got[i], n) })
			all.Go(func() { send(t, source, 0, 0, numbers(each)...) })
		}
		all.Wait()
		time.Sleep(time.Second)
		post(t, loop, loop.Stop)
		requireNil(t, ended)
		for _, got := range got {
			requireInOrder(t, each, got, "100 events were sent to each of three sources, at the same time")
		}
	})

	require.Panics(t, func() { eventloop.Attach[int](newLoop(t), make(chan int), nil) },
		"Attach was given a nil function: Attach must panic at once, where the mistake was made")
}

// A source that is closed has no more events, and the loop goes on without it.
// Receiving from a closed channel never blocks, and what comes out is not an event.
func TestClosedSourceDetaches(t *testing.T) {
	// In real time, because for one who is always busy, time in a bubble stands still.
	forReal(t, func() {
		loop := newLoop(t)
		ended, phantom, scanner := startForReal(t, loop), make(chan string, 1), make(chan string)
		eventloop.Attach(loop, scanner, func(item string) {
			if item == "" && len(phantom) == 0 {
				phantom <- item
			}
		})
		select {
		case scanner <- "lamp":
		case <-time.After(2 * time.Second):
			require.Fail(t, "nothing happened for two seconds", "a source was attached, and an event sent: Attach must have the loop take it")
		}
		close(scanner)
		untilQuiet(t, phantom, "the only source was closed, without a further event: Attach must not have handle called any more",
			"the only source was closed, and there is nothing else to do: Attach must forget it, and not look at it again and again")
		loop.Stop()
		require.NoError(t, soon(t, ended, "Stop was called: Run must return"), "Stop was called: Run must return nil")
	})

	synctest.Test(t, func(t *testing.T) {
		loop, r := newLoop(t), openReceipt()
		ended := start(t, loop)
		keys, scanner, gone := make(chan int, 3), make(chan string), make(chan string)
		close(gone)
		count := func(item string) {
			r.add(item)
			if len(r.lines) > 20 {
				time.Sleep(pause) // or it would never end
			}
		}
		eventloop.Attach(loop, keys, func(n int) { count("key " + strconv.Itoa(n)) })
		eventloop.Attach(loop, scanner, count)
		eventloop.Attach(loop, gone, count)
		eventloop.Attach(loop, nil, count)
		keys <- 0
		keys <- 7
		keys <- 0
		close(keys)
		time.Sleep(time.Second)
		send(t, scanner, 0, 0, "", "lamp")
		close(scanner)
		time.Sleep(pause)
		post(t, loop, func() { count("total") })
		post(t, loop, loop.Stop)
		requireNil(t, ended)
		require.Equal(t, []string{"key 0 after 0s", "key 7 after 0s", "key 0 after 0s", " after 1s", "lamp after 1s", "total after " + (pause + time.Second).String()}, r.read(),
			"two sources had events, zeros too, and then all sources were closed, one of them from the start: Attach must have all events handled, and no others")
	})
}

// Events wait in their source until it is their turn, and their turn comes.
// The inbox would take them all, and so a fast source would fill the memory.
func TestEventsWaitForTheirTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const events = 100
		loop := newLoop(t)
		scanner := make(chan int, events)
		for n := range events {
			scanner <- n
		}
		var handled []int
		eventloop.Attach(loop, scanner, func(n int) {
			time.Sleep(time.Minute)
			handled = append(handled, n)
		})
		time.Sleep(pause)
		require.Len(t, scanner, events, "Attach was called, and Run was not: Attach must not take any event yet")

		ended := start(t, loop)
		time.Sleep(30 * time.Second)
		require.GreaterOrEqual(t, len(scanner), events-2, "100 events wait in a source, and handle is busy with the first one: Attach must take only one more, and leave the others in the source")
		time.Sleep(10 * time.Minute)
		require.GreaterOrEqual(t, len(scanner), events-12, "100 events wait in a source, and handle is busy with the eleventh one: Attach must take only one more, and leave the others in the source")
		turn := -1
		post(t, loop, func() { turn = len(handled) })
		time.Sleep(events * time.Minute)
		post(t, loop, loop.Stop)
		requireNil(t, ended)
		requireInOrder(t, events, handled, "100 events were waiting in a source, and time enough has passed for all")
		require.Less(t, turn, events, "a function was posted while 90 events were waiting in a source: Run must give it a turn before that source is empty; it waited for so many")
	})

	synctest.Test(t, func(t *testing.T) {
		const rounds = 1000
		loop := newLoop(t)
		ended := start(t, loop)
		scanner := make(chan string)
		round, turn := 0, -1
		eventloop.Attach(loop, scanner, func(string) { turn = round })
		var again func()
		again = func() {
			time.Sleep(time.Millisecond)
			if round++; round < rounds {
				loop.Post(again)
			}
		}
		post(t, loop, again)
		go send(t, scanner, 10*time.Millisecond, 0, "lamp")
		time.Sleep(pause)
		post(t, loop, loop.Stop)
		requireNil(t, ended)
		require.Equal(t, rounds, round, "a handler posted itself 999 times: Run must run it 1000 times")
		require.Less(t, turn, rounds, "an event was sent while a handler posted itself again and again: Run must give the event a turn before the last of 1000 rounds; it waited for so many")
	})
}

// Step 3: timers

// The function of a timer is a handler like the others, and its turn comes at its moment.
// So it, too, can change the receipt with no lock.
func TestAfterRunsOnTheLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		loop, r := newLoop(t), openReceipt()
		ended := start(t, loop)
		loop.After(2*time.Second, func() { r.add("lamp") })
		loop.After(1*time.Second, func() { r.add("chair") })
		post(t, loop, func() {
			loop.After(3*time.Second, func() {
				r.add("table")
				loop.After(pause, func() { r.add("bed") })
			})
		})
		time.Sleep(4 * time.Second)
		loop.After(-time.Hour, func() { r.add("rug") })
		time.Sleep(time.Second)
		loop.After(0, func() { r.add("vase") })
		time.Sleep(2 * pause)
		post(t, loop, loop.Stop)
		requireNil(t, ended)
		require.Equal(t, []string{"chair after 1s", "lamp after 2s", "table after 3s", "rug after 4s", "vase after 5s", "bed after " + (3*time.Second + pause).String()}, r.read(),
			"After was called with different times, also from a handler, also with zero and less: After must have each function run once, and exactly at its moment")
	})

	// Two at the same moment, and each takes its time.
	synctest.Test(t, func(t *testing.T) {
		loop, r := newLoop(t), openReceipt()
		ended := start(t, loop)
		for range 2 {
			loop.After(time.Second, func() {
				time.Sleep(time.Second)
				r.add("time is up")
			})
		}
		time.Sleep(pause)
		post(t, loop, loop.Stop)
		requireNil(t, ended)
		require.Equal(t, []string{"time is up after 2s", "time is up after 3s"}, r.read(),
			"two timers of 1 s expired at the same moment, and their functions take 1 s: After must have the loop call them, so that the second waits for the first")
	})

	// Not before the others have had their turn, and not for ever after them.
	synctest.Test(t, func(t *testing.T) {
		const rounds = 1000
		loop := newLoop(t)
		ended := start(t, loop)
		round, turn := 0, -1
		var again func()
		again = func() {
			time.Sleep(time.Millisecond)
			if round++; round < rounds {
				loop.Post(again)
			}
		}
		post(t, loop, again)
		post(t, loop, func() { loop.After(10*time.Millisecond, func() { turn = round }) })
		time.Sleep(pause)
		post(t, loop, loop.Stop)
		requireNil(t, ended)
		require.Less(t, turn, rounds, "a timer expired while a handler posted itself again and again: Run must give its function a turn before the last of 1000 rounds; it waited for so many")
		require.NotEqual(t, -1, turn, "a timer expired while a handler posted itself again and again: Run must run its function, too")
	})

	require.Panics(t, func() { newLoop(t).After(0, nil) }, "After was given a nil function: After must panic at once, where the mistake was made")
}

// A timer that is cancelled never runs its function, not even when its moment has come.
// Between that moment and its turn, a handler may have decided otherwise.
func TestCancelledTimerNeverRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		loop, r := newLoop(t), openReceipt()
		ended := start(t, loop)

		cancel := loop.After(time.Second, func() { r.add("cancelled in time") })
		ran := loop.After(time.Second, func() { r.add("lamp") })
		time.Sleep(time.Second - 1)
		require.True(t, cancel(), "a timer of 1 s was cancelled just before that: After's cancel must report that it has prevented the function")
		require.False(t, cancel(), "a timer had been cancelled already: After's cancel prevents nothing the second time, and must report that")
		time.Sleep(2)
		require.False(t, ran(), "the function of a timer has run: After's cancel came too late, and must report that")

		// While the loop is busy, timers expire.
		var inTime, again, now, own bool
		post(t, loop, func() {
			cancel := loop.After(time.Second, func() { r.add("cancelled while it waited") })
			cancelNow := loop.After(0, func() { r.add("cancelled at once") })
			loop.After(2*time.Second, func() { r.add("chair") })
			time.Sleep(3 * time.Second)
			inTime, again, now = cancel(), cancel(), cancelNow()
		})
		post(t, loop, func() {
			var itself func() bool
			itself = loop.After(time.Second, func() {
				own = itself()
				r.add("table")
			})
		})
		time.Sleep(pause)

		post(t, loop, func() { time.Sleep(3 * time.Second) })
		cancel = loop.After(time.Second, func() { r.add("cancelled by another goroutine") })
		time.Sleep(2 * time.Second)
		before := time.Now()
		require.True(t, cancel(), "a timer had expired while a handler was running, and its function was waiting: After's cancel must prevent it, and report that")
		require.Zero(t, time.Since(before), "cancel was called while a handler was running: After's cancel must not wait")
		time.Sleep(pause)
		post(t, loop, loop.Stop)
		requireNil(t, ended)

		require.True(t, inTime, "a timer had expired while a handler was running, and that handler called cancel: After's cancel must prevent the function, and report that")
		require.False(t, again, "a timer had been cancelled already: After's cancel prevents nothing the second time, and must report that")
		require.True(t, now, "a handler called After with zero, and then cancel: the function cannot have run meanwhile, so After's cancel must prevent it, and report that")
		require.False(t, own, "the function of a timer called its own cancel: it has begun to run, so After's cancel must report that it has prevented nothing")
		require.Equal(t, []string{"lamp after 1s", "chair after 4.000000001s", "table after 5.000000001s"}, r.read(),
			"some timers were cancelled, before they expired or while their functions were waiting for their turn: After must have none of these run, and all others, as soon as the loop is free")
	})

	// All at the same moment, many times: one of them wins.
	synctest.Test(t, func(t *testing.T) {
		const timers, callers = 500, 2
		loop := newLoop(t)
		ended := start(t, loop)
		var ran [timers]int
		var prevented [callers][timers]int
		var arrived [timers]atomic.Int32
		var all sync.WaitGroup
		var cancels [timers]func() bool
		for i := range timers {
			cancels[i] = loop.After(time.Second, func() { ran[i]++ })
		}
		for caller := range callers {
			all.Go(func() {
				time.Sleep(time.Second)
				for i, cancel := range cancels {
					arrived[i].Add(1)
					for tries := 0; tries < 1000 && arrived[i].Load() < callers; tries++ {
						runtime.Gosched()
					}
					if cancel() {
						prevented[caller][i]++
					}
				}
			})
		}
		all.Wait()
		time.Sleep(time.Second)
		post(t, loop, loop.Stop)
		requireNil(t, ended)
		for i := range timers {
			require.Equal(t, 1, ran[i]+prevented[0][i]+prevented[1][i], "500 timers were cancelled by two goroutines, at the moment at which they expired: After must run the function, or have one cancel report that it has prevented it. For one timer, so many of that happened")
		}
	})
}

// A regular timer keeps its beat, and what the loop has missed does not pile up.
// A slow handler delays one run. Afterwards, nobody wants to have all of them at once.
func TestEveryKeepsItsBeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		loop, r := newLoop(t), openReceipt()
		ended := start(t, loop)
		runs := 0
		var cancel func()
		post(t, loop, func() {
			cancel = loop.Every(time.Second, func() {
				r.add("tick")
				time.Sleep(time.Second / 4)
				if runs++; runs == 4 {
					cancel()
					cancel()
				}
			})
		})
		time.Sleep(pause)
		post(t, loop, loop.Stop)
		requireNil(t, ended)
		require.Equal(t, []string{"tick after 1s", "tick after 2s", "tick after 3s", "tick after 4s"}, r.read(),
			"Every was called with 1 s, its function takes 0.25 s, and calls cancel the fourth time: Every must have it run each second from the start on, four times")
	})

	synctest.Test(t, func(t *testing.T) {
		loop, r := newLoop(t), openReceipt()
		ended := start(t, loop)
		cancel := loop.Every(time.Second, func() { r.add("tick") })
		time.Sleep(time.Second / 2)
		post(t, loop, func() { time.Sleep(3750 * time.Millisecond) })
		time.Sleep(6 * time.Second)
		cancel()
		time.Sleep(pause)
		post(t, loop, loop.Stop)
		requireNil(t, ended)
		require.Equal(t, []string{"tick after 4.25s", "tick after 5s", "tick after 6s"}, r.read(),
			"Every was called with 1 s, another handler kept the loop busy from 0.5 s to 4.25 s, and cancel was called after 6.5 s: four moments were missed, and Every must make up for all of them with one run")
	})

	synctest.Test(t, func(t *testing.T) {
		loop, r := newLoop(t), openReceipt()
		ended := start(t, loop)
		slow := 3500 * time.Millisecond
		cancel := loop.Every(time.Second, func() {
			r.add("tick")
			time.Sleep(slow)
			slow = 0
		})
		time.Sleep(6500 * time.Millisecond)

		post(t, loop, func() { time.Sleep(time.Second) })
		time.Sleep(750 * time.Millisecond)
		cancel()
		cancel()
		time.Sleep(pause)
		post(t, loop, loop.Stop)
		requireNil(t, ended)
		r.lines = slices.DeleteFunc(r.lines, func(l line) bool { return l.at.Sub(r.opened) == 4500*time.Millisecond })
		require.Equal(t, []string{"tick after 1s", "tick after 5s", "tick after 6s"}, r.read(),
			"Every was called with 1 s, the first run took 3.5 s, and cancel was called after 7.25 s, when a run was waiting: Every must not let runs pile up, or begin after cancel (a run after 4.5 s is left out)")
	})

	// Timers may be set before Run, and then their moments may pass.
	synctest.Test(t, func(t *testing.T) {
		loop, ticks, others := newLoop(t), openReceipt(), openReceipt()
		cancel := loop.Every(time.Second, func() { ticks.add("tick") })
		loop.After(2*time.Second, func() { others.add("lamp") })
		loop.After(5*time.Second, func() { others.add("chair") })
		time.Sleep(3500 * time.Millisecond)
		require.Empty(t, append(ticks.read(), others.read()...), "Every and After were called, and Run was not: Every and After must not run any function, even if its moment has come")
		ended := start(t, loop)
		time.Sleep(2 * time.Second)
		cancel()
		post(t, loop, loop.Stop)
		requireNil(t, ended)
		require.Equal(t, []string{"tick after 3.5s", "tick after 4s", "tick after 5s"}, ticks.read(), "Every was called with 1 s, and Run 3.5 s later: Every must make up with one run for what was missed, and the others come at their moments")
		require.Equal(t, []string{"lamp after 3.5s", "chair after 5s"}, others.read(), "After was called with 2 s and with 5 s, and Run 3.5 s later: After must have the first function run then, and the other one at its moment")
	})

	nop := func() {}
	require.Panics(t, func() { newLoop(t).Every(0, nop) }, "Every was given a time of zero: Every must panic at once")
	require.Panics(t, func() { newLoop(t).Every(-time.Second, nop) }, "Every was given a negative time: Every must panic at once")
	require.Panics(t, func() { newLoop(t).Every(time.Second, nil) }, "Every was given a nil function: Every must panic at once")
}

// Step 4: the end

// Stop finishes what was accepted, and lets nothing else begin.
// What was accepted has been promised to somebody; everything else has not happened yet.
func TestStopFinishesWhatWasAccepted(t *testing.T) {
	// Timers. What has not begun does not begin any more.
	synctest.Test(t, func(t *testing.T) {
		loop, r := newLoop(t), openReceipt()
		ended := start(t, loop)
		post(t, loop, func() {
			time.Sleep(time.Second)
			r.add("lamp")
		})
		loop.After(time.Second/4, func() { r.add("expired, but not begun") })
		loop.After(3*time.Second/4, func() { r.add("expired after Stop") })
		loop.After(24*time.Hour, func() { r.add("expired too late") })
		loop.Every(time.Second/4, func() { r.add("tick") })
		time.Sleep(time.Second / 2)
		loop.Stop()
		loop.After(0, func() { r.add("set too late") })
		loop.Every(time.Second/4, func() { r.add("set too late") })()
		require.NoError(t, result(t, ended), "Stop was called: Run must return nil when everything is done")
		require.Equal(t, []string{"lamp after 1s"}, r.read(), "a function of 1 s was running, some timers had expired meanwhile, and Stop was called after 0.5 s: Stop must let no function of a timer begin any more")
		require.Equal(t, time.Second, time.Since(r.opened), "Stop was called when there was 0.5 s of work left: Run must return when that is done, whatever timers are set")
		loop.After(0, func() { r.add("set too late") })()
		loop.Every(time.Second, func() { r.add("set too late") })()
		time.Sleep(pause)
		require.Len(t, r.lines, 1, "Run has returned: After and Every must not run anything any more")
	})

	// What was posted. It still runs, and nothing else is accepted.
	synctest.Test(t, func(t *testing.T) {
		loop, r := newLoop(t), openReceipt()
		ended := start(t, loop)
		for _, item := range []string{"lamp", "chair", "table"} {
			post(t, loop, func() {
				time.Sleep(time.Second)
				r.add(item)
				if loop.Post(func() { r.add("posted too late") }) == nil {
					r.add("no ErrStopped")
				}
			})
		}
		time.Sleep(time.Second / 2)
		loop.Stop()
		loop.Stop()
		require.Equal(t, time.Second/2, time.Since(r.opened), "a handler was running, and others were waiting: Stop must not wait for them")
		require.ErrorIs(t, loop.Post(func() { r.add("posted too late") }), eventloop.ErrStopped, "Stop was called, and the loop still has things to do: Post must return ErrStopped")

		require.NoError(t, result(t, ended), "Stop was called: Run must return nil when everything is done")
		require.Equal(t, []string{"lamp after 1s", "chair after 2s", "table after 3s"}, r.read(),
			"three functions of 1 s were posted, and Stop was called after 0.5 s: Run must run the three, and nothing that was posted after Stop")
		require.Equal(t, 3*time.Second, time.Since(r.opened), "Stop was called when there were 2.5 s of work left: Run must return when that is done, and not later")
		require.ErrorIs(t, loop.Post(func() {}), eventloop.ErrStopped, "Run has returned: Post must return ErrStopped")
		loop.Stop()
		time.Sleep(pause)
		require.Len(t, r.lines, 3, "Run has returned: Run must have left nothing that could still run")
	})

	// With nothing to do, and before Run.
	synctest.Test(t, func(t *testing.T) {
		loop, open := newLoop(t), make(chan int)
		eventloop.Attach(loop, open, func(int) {})
		loop.After(24*time.Hour, func() {})
		ended := start(t, loop)
		time.Sleep(pause)
		before := time.Now()
		loop.Stop()
		requireNil(t, ended)
		require.Zero(t, time.Since(before), "the loop had nothing to do, and Stop was called: Run must return at once, whatever timers are set, and whatever sources are open")
		eventloop.Attach(loop, open, func(int) {})

		loop = newLoop(t)
		ran := 0
		post(t, loop, func() { ran++ })
		eventloop.Attach(loop, open, func(int) {})
		loop.Stop()
		eventloop.Attach(loop, open, func(int) {})
		require.ErrorIs(t, loop.Post(func() {}), eventloop.ErrStopped, "Stop was called, before Run: Post must return ErrStopped")
		requireNil(t, start(t, loop))
		require.Equal(t, 1, ran, "a function was posted, then Stop was called, and then Run: Run must run the function, and return nil")
	})

	// What the loop has taken from a source has been accepted, and nothing else. What
	// is left to chance goes wrong in one of these rounds.
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			const sources, events = 8, 5
			loop := newLoop(t)
			var source [sources]chan int
			var handled, before [sources]int
			for i := range source {
				source[i] = make(chan int, events)
				for n := range events {
					source[i] <- n
				}
				eventloop.Attach(loop, source[i], func(int) {
					time.Sleep(time.Second)
					handled[i]++
					if loop.Post(func() {}) == nil {
						loop.Stop()
						for i := range source {
							before[i] = events - len(source[i])
						}
					}
				})
			}
			requireNil(t, start(t, loop))
			for i := range source {
				taken := events - len(source[i])
				require.Equal(t, before[i], taken, "5 events were waiting in each of 8 sources, and the first handler called Stop: Attach must take no more from then on. From one source, %d had been taken by then, and in the end %d", before[i], taken)
				require.Equal(t, taken, handled[i], "5 events were waiting in each of 8 sources, and the first handler called Stop: Run must have all handled that had been taken by then. From one source, %d were taken, and %d of them handled", taken, handled[i])
			}
		})
		synctest.Test(t, func(t *testing.T) {
			loop, pressed := newLoop(t), 0
			keys := make(chan int)
			eventloop.Attach(loop, keys, func(int) { pressed++ })
			ended := start(t, loop)
			synctest.Wait()
			send(t, keys, 0, 0, 7)
			loop.Stop()
			requireNil(t, ended)
			require.Equal(t, 1, pressed, "an event was taken from a source, and right after that Stop was called: Run must not return before the event has been handled")
		})
	}

	// Post, as fast as it can, until it is refused.
	for range 100 {
		synctest.Test(t, func(t *testing.T) {
			const posters = 4
			loop := newLoop(t)
			ended := start(t, loop)
			ran, accepted := 0, [posters]int{}
			var all sync.WaitGroup
			for poster := range posters {
				all.Go(func() {
					for accepted[poster] < 300 && loop.Post(func() { ran++ }) == nil {
						if accepted[poster]++; poster == 0 && accepted[poster] == 10 {
							loop.Stop()
						}
					}
				})
			}
			all.Wait()
			requireNil(t, ended)
			require.Equal(t, accepted[0]+accepted[1]+accepted[2]+accepted[3], ran, "four goroutines called Post until it was refused, and one of them called Stop: Run must run each function once that Post has accepted, and no other")
		})
	}
}

// When its ctx ends, Run returns as soon as it can, and nothing runs after that.
// Not even Run itself: a loop runs once.
func TestCtxEndsTheLoop(t *testing.T) {
	// Busy. What is left to chance goes wrong in one of these rounds.
	for range 40 {
		synctest.Test(t, func(t *testing.T) {
			loop, r := newLoop(t), openReceipt()
			ctx, cancel := context.WithCancel(context.Background())
			scanner := make(chan string, 10)
			eventloop.Attach(loop, scanner, func(item string) { r.add(item) })
			ended := startWith(ctx, t, loop)
			synctest.Wait()
			post(t, loop, func() {
				time.Sleep(2 * time.Second)
				cancel()
				time.Sleep(2 * time.Second)
				r.add("lamp")
			})
			synctest.Wait()
			for range 10 {
				post(t, loop, func() { r.add("dropped") })
				scanner <- "dropped"
				loop.After(time.Second, func() { r.add("dropped") })
			}
			time.Sleep(3 * time.Second)
			loop.Stop()
			require.ErrorIs(t, result(t, ended), context.Canceled, "ctx ended while a handler was running: Run must return ctx's error, even if Stop is called meanwhile")
			require.Equal(t, 4*time.Second, time.Since(r.opened), "ctx ended while a handler was running: Run must return when that handler has")
			time.Sleep(pause)
			require.Equal(t, []string{"lamp after 4s"}, r.read(), "ctx ended while a handler was running: Run must make it the last one, and drop all that was waiting")
			require.ErrorIs(t, loop.Post(func() {}), eventloop.ErrStopped, "Run has returned because its ctx had ended: Post must return ErrStopped")
		})
	}

	// Idle, and on the way to its end.
	synctest.Test(t, func(t *testing.T) {
		loop, r := newLoop(t), openReceipt()
		ctx, cancel := context.WithTimeout(context.Background(), pause)
		defer cancel()
		scanner := make(chan string, 10)
		eventloop.Attach(loop, scanner, func(item string) { r.add(item) })
		loop.Every(40*time.Minute, func() { r.add("tick") })
		loop.After(2*pause, func() { r.add("expired too late") })
		require.ErrorIs(t, result(t, startWith(ctx, t, loop)), context.DeadlineExceeded, "ctx ended while there was nothing to do: Run must return ctx's error")
		require.Equal(t, pause, time.Since(r.opened), "ctx ended while there was nothing to do: Run must return at that moment")
		scanner <- "lamp"
		time.Sleep(2 * pause)
		require.Equal(t, []string{"tick after 40m0s"}, r.read(), "ctx ended while there was nothing to do: Run must leave nothing that runs a timer's function or handles an event")
		require.Len(t, scanner, 1, "ctx ended while there was nothing to do: Run must leave nobody who takes an event from a source")

		loop, r = newLoop(t), openReceipt()
		ctx, cancel = context.WithTimeout(context.Background(), 2500*time.Millisecond)
		defer cancel()
		for range 4 {
			post(t, loop, func() {
				time.Sleep(time.Second)
				r.add("lamp")
			})
		}
		loop.Stop()
		require.ErrorIs(t, result(t, startWith(ctx, t, loop)), context.DeadlineExceeded, "Stop was called with 4 s of work left, and ctx ended after 2.5 s: Run must return ctx's error")
		require.Equal(t, []string{"lamp after 1s", "lamp after 2s", "lamp after 3s"}, r.read(), "Stop was called with four functions of 1 s waiting, and ctx ended after 2.5 s: Run must make the third one the last one")
	})

	// Over before it begins.
	for range 40 {
		synctest.Test(t, func(t *testing.T) {
			loop := newLoop(t)
			scanner, ran := make(chan int, 1), 0
			scanner <- 1
			post(t, loop, func() { ran++ })
			eventloop.Attach(loop, scanner, func(int) { ran++ })
			loop.After(0, func() { ran++ })
			time.Sleep(time.Second)
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			require.ErrorIs(t, result(t, startWith(ctx, t, loop)), context.Canceled, "ctx had ended before Run was called: Run must return its error")
			time.Sleep(time.Second)
			require.Zero(t, ran, "ctx had ended before Run was called: Run must not run any handler; it ran so many")
		})
	}

	// Once more.
	synctest.Test(t, func(t *testing.T) {
		loop := newLoop(t)
		ended := start(t, loop)
		synctest.Wait()
		require.ErrorIs(t, result(t, start(t, loop)), eventloop.ErrStarted, "Run was called while another Run was running: Run must return ErrStarted at once")
		var inside error
		ran := 0
		post(t, loop, func() { inside = loop.Run(context.Background()) })
		post(t, loop, func() { ran++ })
		post(t, loop, loop.Stop)
		requireNil(t, ended)
		require.ErrorIs(t, inside, eventloop.ErrStarted, "Run was called by a handler: Run must return ErrStarted at once")
		require.Equal(t, 1, ran, "Run was called a second time: Run must make no difference then to the first one, which has a function to run")
		require.ErrorIs(t, result(t, start(t, loop)), eventloop.ErrStarted, "Run was called after the first Run had returned: Run must return ErrStarted at once")
	})

	// Those who read sources have to be gone when Run returns, and not soon after. As
	// long as only one goroutine runs at a time, whoever has not been waited for has not
	// even heard of the end.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for range 3 {
		synctest.Test(t, func(t *testing.T) {
			const sources = 10
			loop, handled := newLoop(t), 0
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			for i := range sources {
				source := make(chan int, 2)
				if i%2 == 0 {
					source <- 1
					source <- 2
				}
				eventloop.Attach(loop, source, func(int) {
					time.Sleep(time.Second)
					if handled++; handled == 3 {
						cancel()
					}
				})
			}
			before := len(working())
			err := loop.Run(ctx)
			left := len(working()) - before
			if left < sources/2 {
				left = 0 // these may have been in their very last instructions
			}
			require.ErrorIs(t, err, context.Canceled, "a handler ended ctx: Run must return ctx's error")
			require.Zero(t, left, "a handler ended ctx, with 10 sources attached: Run must not return before all goroutines have that read them; so many were left")
		})
	}
}

// Step 5: a handler that panics

// A handler that panics is reported, and the loop goes on.
// One broken barcode is no reason to close the till.
func TestPanicIsContained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, reports := openReceipt(), 0
		loop := eventloop.New(func(*eventloop.PanicError) { reports++ })
		ended := start(t, loop)
		post(t, loop, func() { stumble("barcode") })
		time.Sleep(time.Second)
		require.False(t, len(ended) > 0, "a handler panicked: Run must not return, but go on with the next handler")

		scanner := make(chan string, 2)
		scanner <- "lamp"
		scanner <- "chair"
		eventloop.Attach(loop, scanner, func(item string) {
			r.add(item)
			stumble("scanner")
		})
		time.Sleep(time.Second)
		post(t, loop, loop.Stop)
		requireNil(t, ended)
		require.Equal(t, []string{"lamp after 1s", "chair after 1s"}, r.read(), "the handler of a source panicked, and there was one more event: Attach must keep the source attached")
		require.Equal(t, 3, reports, "three handlers panicked: Run must call onPanic for each of them")
	})

	synctest.Test(t, func(t *testing.T) {
		errBarcode := errors.New("no such barcode")
		r := openReceipt()
		var reports []*eventloop.PanicError
		var loop *eventloop.Loop
		loop = eventloop.New(func(p *eventloop.PanicError) {
			time.Sleep(time.Second / 10)
			reports = append(reports, p)
			r.add("report")
			loop.Post(func() { r.add("posted by report") })
		})
		ended := start(t, loop)

		post(t, loop, func() {
			loop.Post(func() { r.add("next") })
			stumble(errBarcode)
		})
		time.Sleep(time.Second)
		scanner := make(chan string)
		eventloop.Attach(loop, scanner, func(item string) {
			r.add(item)
			stumble("scanner")
		})
		go send(t, scanner, time.Second, time.Second, "lamp", "chair")
		time.Sleep(3500 * time.Millisecond)
		loop.After(time.Second/2, func() { stumble("timer") })
		time.Sleep(time.Second)
		cancel := loop.Every(time.Second, func() { stumble("every") })
		time.Sleep(2500 * time.Millisecond)
		cancel()
		post(t, loop, loop.Stop)
		requireNil(t, ended)

		require.Equal(t, []string{
			"report after 100ms", "next after 100ms", "posted by report after 100ms",
			"lamp after 2s", "report after 2.1s", "posted by report after 2.1s", "chair after 3s", "report after 3.1s", "posted by report after 3.1s",
			"report after 5.1s", "posted by report after 5.1s",
			"report after 6.6s", "posted by report after 6.6s", "report after 7.6s", "posted by report after 7.6s",
		}, r.read(), "handlers panicked: a posted one, that of a source, twice, that of a timer, and that of an Every, twice: Run must report each, which takes 0.1 s, before the next handler runs, and then go on")
		for i, want := range []any{errBarcode, "scanner", "scanner", "timer", "every", "every"} {
			require.NotNil(t, reports[i], "a handler panicked: Run must call onPanic with a *PanicError")
			require.Equal(t, want, reports[i].Value, "a handler panicked: Run must report what it panicked with, as the Value of report %d", i+1)
			require.True(t, strings.Contains(string(reports[i].Stack), "stumble"), "a handler panicked in a function called stumble: Run must take the Stack of the report where it recovers, so that it shows that function")
		}
		require.ErrorIs(t, reports[0], errBarcode, "a handler panicked with an error: Run must report it as the Value, so that errors.Is finds it")
	})

	require.Panics(t, func() { eventloop.New(nil) }, "New was given a nil function: New must panic at once, where the mistake was made")
}

// Step 6: slow work

// Slow work is done beside the loop, and its answer comes back on it.
// The loop is free meanwhile. And when it ends, so does the work.
func TestAwaitBringsTheAnswerBack(t *testing.T) {
	// Several at the same time, and nothing but the loop between them.
	synctest.Test(t, func(t *testing.T) {
		loop, r := newLoop(t), openReceipt()
		errCard := errors.New("card refused")
		var answers []string
		var errs []error
		ended := start(t, loop)
		for i, answer := range []string{"", "paid", "refused"} {
			work := func(context.Context) (string, error) {
				time.Sleep(time.Duration(i) * time.Second)
				if i == 2 {
					return answer, errCard
				}
				return answer, nil
			}
			ask := func() {
				if eventloop.Await(loop, work, func(answer string, err error) {
					r.add("answer")
					answers, errs = append(answers, answer), append(errs, err)
				}) != nil {
					r.add("not accepted")
				}
			}
			if i == 1 {
				ask() // from another goroutine, the others from a handler
				continue
			}
			post(t, loop, ask)
		}
		time.Sleep(500 * time.Millisecond)
		post(t, loop, func() { r.add("lamp") })
		time.Sleep(pause)
		post(t, loop, loop.Stop)
		requireNil(t, ended)
		require.Equal(t, []string{"answer after 0s", "lamp after 500ms", "answer after 1s", "answer after 2s"}, r.read(),
			"Await was called for work of 0, 1 and 2 s, and a function was posted after 0.5 s: Await must have the works run at the same time, beside the loop, and each answer come at once")
		require.Equal(t, []string{"", "paid", "refused"}, answers, "the works have returned: Await must have then called with the value that work returned")
		require.Equal(t, []error{nil, nil, errCard}, errs, "the works have returned: Await must have then called with the error that work returned")
	})

	// Stop waits for what was accepted.
	synctest.Test(t, func(t *testing.T) {
		loop, r := newLoop(t), openReceipt()
		ended := start(t, loop)
		var late, posted error
		require.NoError(t, eventloop.Await(loop, func(ctx context.Context) (int, error) {
			return 7, sleep(ctx, time.Minute)
		}, func(n int, err error) {
			if err != nil {
				r.add("cancelled")
			}
			r.add("answer " + strconv.Itoa(n))
			late = eventloop.Await(loop, func(context.Context) (int, error) { return 0, nil }, func(int, error) { r.add("too late") })
			posted = loop.Post(func() { r.add("too late") })
		}), "nobody has called Stop: Await must accept the work")
		time.Sleep(time.Second)
		loop.Stop()
		require.ErrorIs(t, eventloop.Await(loop, func(context.Context) (int, error) { panic("not accepted") }, func(int, error) { r.add("too late") }),
			eventloop.ErrStopped, "Stop was called: Await must return ErrStopped")
		requireNil(t, ended)
		require.Equal(t, []string{"answer 7 after 1m0s"}, r.read(), "Stop was called while work was being done: Run must wait for it, without cancelling it, and have its answer handled")
		require.ErrorIs(t, late, eventloop.ErrStopped, "Await was called by a handler that ran after Stop: Await must return ErrStopped")
		require.ErrorIs(t, posted, eventloop.ErrStopped, "Post was called by a handler that ran after Stop: Post must return ErrStopped")

		// A moment after Await.
		loop, r = newLoop(t), openReceipt()
		require.NoError(t, eventloop.Await(loop, func(context.Context) (int, error) { return 7, nil }, func(int, error) { r.add("answer") }), "nobody has called Stop: Await must accept the work")
		loop.Stop()
		requireNil(t, start(t, loop))
		require.Len(t, r.lines, 1, "Await was called, then Stop, and then Run: the work was accepted, so Run must wait for it, and have its answer handled")
	})

	// The end of ctx does not.
	synctest.Test(t, func(t *testing.T) {
		loop, r := newLoop(t), openReceipt()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		ended := startWith(ctx, t, loop)
		const works = 3
		var tidy [works]bool
		for i := range works {
			require.NoError(t, eventloop.Await(loop, func(ctx context.Context) (int, error) {
				err := sleep(ctx, time.Hour)
				time.Sleep(time.Duration(i) * time.Second)
				tidy[i] = true
				return 7, err
			}, func(int, error) { r.add("answer") }), "nobody has called Stop: Await must accept the work")
		}
		require.ErrorIs(t, result(t, ended), context.DeadlineExceeded, "Run's ctx ended while work was being done: Run must return ctx's error")
		took := time.Since(r.opened)
		require.LessOrEqual(t, took, time.Minute+2*time.Second, "Run's ctx ended after 1 m, while work was being done that heeds its own ctx, and then takes 2 s to tidy up: Await must give work a ctx that ends, too")
		require.Equal(t, time.Minute+2*time.Second, took, "Run's ctx ended after 1 m, while work was being done, which then took up to 2 s to tidy up: Run must return when all of the work has")
		require.Equal(t, [works]bool{true, true, true}, tidy, "Run's ctx ended while work was being done: Run must not return before all of the work has")
		time.Sleep(pause)
		require.Empty(t, r.read(), "Run's ctx ended while work was being done: Await must not have then called any more")
		err := eventloop.Await(loop, func(context.Context) (int, error) { panic("not accepted") }, func(int, error) {})
		require.ErrorIs(t, err, eventloop.ErrStopped, "Run has returned: Await must return ErrStopped")
	})

	// A panic of the work, which nobody else could recover from.
	synctest.Test(t, func(t *testing.T) {
		loop := newLoop(t)
		value, err, begun := -1, error(nil), false
		work := func(context.Context) (int, error) {
			begun = true
			stumble("card reader")
			return 1, nil
		}
		require.NoError(t, eventloop.Await(loop, work, func(v int, e error) { value, err = v, e }), "Await was called before Run: Await must accept the work")
		time.Sleep(pause)
		require.False(t, begun, "Await was called, and Run was not: Await must not begin the work yet")
		ended := start(t, loop)
		time.Sleep(time.Second)
		post(t, loop, loop.Stop)
		requireNil(t, ended)
		var p *eventloop.PanicError
		require.ErrorAs(t, err, &p, "work panicked: Await must have then called with a *PanicError, and nobody else hear of it")
		require.Equal(t, "card reader", p.Value, "work panicked: Await must put what it panicked with into the Value of the PanicError")
		require.True(t, strings.Contains(string(p.Stack), "stumble"), "work panicked in a function called stumble: Await must take the Stack of the PanicError where it recovers, so that it shows that function")
		require.Zero(t, value, "work panicked: Await must have then called with a zero value beside the error")
	})

	fine := func(context.Context) (int, error) { return 0, nil }
	require.Panics(t, func() { eventloop.Await(newLoop(t), nil, func(int, error) {}) }, "Await was given a nil work: Await must panic at once")
	require.Panics(t, func() { eventloop.Await(newLoop(t), fine, nil) }, "Await was given a nil then: Await must panic at once")
}

// newLoop makes a loop whose handlers do not panic.
func newLoop(t *testing.T) *eventloop.Loop {
	t.Helper()
	loop := eventloop.New(func(p *eventloop.PanicError) {
		t.Errorf("no handler of this koan panics by itself, but one did: %v\n%s", p.Value, p.Stack)
	})
	require.NotNil(t, loop, "New must return a loop")
	return loop
}

// start calls Run in a goroutine of its own, in a bubble, and returns the channel
// that brings what Run returns.
func start(t *testing.T, loop *eventloop.Loop) <-chan error {
	t.Helper()
	return startWith(t.Context(), t, loop)
}

// forReal calls f outside of a bubble, and checks that it leaves no goroutine
// behind, apart from those that a failed koan before it had.
func forReal(t *testing.T, f func()) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	f()
	goleak.VerifyNone(t, before)
}

// startForReal is start outside of a bubble.
func startForReal(t *testing.T, loop *eventloop.Loop) <-chan error {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- loop.Run(t.Context()) }()
	t.Cleanup(func() {
		if t.Failed() {
			go loop.Stop()
		}
	})
	return ended
}

// startWith is start with a ctx. A loop whose koan has failed is brought to its
// end, in an hour that costs nothing.
func startWith(ctx context.Context, t *testing.T, loop *eventloop.Loop) <-chan error {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- loop.Run(ctx) }()
	t.Cleanup(func() {
		if t.Failed() {
			go loop.Stop()
			time.Sleep(time.Hour)
		}
	})
	return ended
}

// result returns what Run has returned, or will within a day: where there are
// timers that could go on for ever, it takes more than a deadlock to end the koan.
func result(t *testing.T, ended <-chan error) error {
	t.Helper()
	select {
	case err := <-ended:
		return err
	case <-time.After(24 * time.Hour):
		require.Fail(t, "Run did not return", "Stop was called, or ctx has ended, or Run was called before, and there is nothing more to do: Run must return")
		panic("unreachable")
	}
}

// requireNil requires that Run returns nil.
func requireNil(t *testing.T, ended <-chan error) {
	t.Helper()
	require.NoError(t, <-ended, "Stop was called: Run must return nil when everything is done")
}

// post posts a function that the loop has to accept.
func post(t *testing.T, loop *eventloop.Loop, f func()) {
	t.Helper()
	require.NoError(t, loop.Post(f), "nobody has called Stop: Post must accept the function")
}

// send sends events, the first one after a while, the others at a distance. It
// gives up when the koan ends.
func send[E any](t *testing.T, source chan<- E, first, distance time.Duration, events ...E) {
	wait := first
	for _, event := range events {
		time.Sleep(wait)
		wait = distance
		select {
		case source <- event:
		case <-t.Context().Done():
			return
		}
	}
}

// numbers returns 0, 1, 2, … up to n.
func numbers(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// requireInOrder requires the numbers 0, 1, 2, … up to n.
func requireInOrder(t *testing.T, n int, got []int, what string) {
	t.Helper()
	require.Equal(t, n, len(got), "%s: Run must handle each of them once", what)
	for i := range got {
		require.Equal(t, i, got[i], "%s: Run must handle them in their order", what)
	}
}

// openReceipt opens a receipt, now.
func openReceipt() *receipt { return &receipt{opened: time.Now()} }

// receipt is what handlers change. It has no lock, since no two of them run at the
// same time. So it can be read before Run is called, and after it has returned.
type receipt struct {
	opened time.Time
	lines  []line
}

type line struct {
	item string
	at   time.Time
}

// add is for handlers. It uses nothing that would put those in order who call it.
func (r *receipt) add(item string) { r.lines = append(r.lines, line{item, time.Now()}) }

// read returns what is on the receipt, and when it came there.
func (r *receipt) read() []string {
	read := make([]string, len(r.lines))
	for i, line := range r.lines {
		read[i] = fmt.Sprintf("%s after %v", line.item, line.at.Sub(r.opened))
	}
	return read
}

// interrupted is a ctx. Before it answers the question of the given number, whatever
// that is, something else happens.
type interrupted struct {
	context.Context
	asked, at int64
	by        func()
}

func (c *interrupted) count() {
	if atomic.AddInt64(&c.asked, 1) == c.at {
		c.by()
	}
}

func (c *interrupted) Done() <-chan struct{} { c.count(); return c.Context.Done() }
func (c *interrupted) Err() error            { c.count(); return c.Context.Err() }

// stumble panics, in a function with a name to look for.
func stumble(v any) { panic(v) }

// sleep takes d, or less if ctx ends, whose error it then returns.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
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

// untilQuiet returns when nobody is busy in the lesson's package, and fails the
// koan if that takes too long, or if there is an event that nobody has sent. It asks
// the runtime what each goroutine does.
func untilQuiet(t *testing.T, phantom <-chan string, otherwise, orElse string) {
	t.Helper()
	quiet := 0
	for deadline := time.Now().Add(2 * time.Second); quiet < 20 && time.Now().Before(deadline); runtime.Gosched() {
		require.Empty(t, phantom, otherwise)
		quiet++
		for _, state := range working() {
			if strings.Contains(state, "[run") {
				quiet = 0
			}
		}
	}
	if quiet < 20 {
		require.Fail(t, "somebody is still busy", orElse)
	}
}

// working returns the states of all goroutines that are in a function of the
// lesson's package.
func working() (states []string) {
	stacks := make([]byte, 1<<18)
	for _, g := range strings.Split(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
		state, frames, _ := strings.Cut(g, "\n")
		frames, _, _ = strings.Cut(frames, "created by ")
		if strings.Contains(frames, "/11-event-loop.") {
			states = append(states, state)
		}
	}
	return states
}
