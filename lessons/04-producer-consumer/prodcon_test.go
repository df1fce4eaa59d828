package prodcon_test

import (
	"cmp"
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

	prodcon "concurrency-koans/lessons/04-producer-consumer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ctx never ends. The koans use it where ctx does not matter.
var ctx = context.Background()

// Step 1: first in, first out

// What is put in first comes out first, and closing loses nothing.
// Nobody has to wait in this koan.
func TestFirstInFirstOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := prodcon.NewQueue[string](3)
		require.Zero(t, q.Len(), "the queue is new: Len must be 0")

		for _, item := range []string{"a", "b", "c"} {
			require.NoError(t, q.Put(ctx, item), "a queue of capacity 3 has room for %s: Put must put it in", item)
		}
		require.Equal(t, 3, q.Len(), "a, b and c were put in: Len must count them")
		for _, want := range []string{"a", "b"} {
			got, err := q.Take(ctx)
			require.NoError(t, err, "there are items in the queue: Take must return the first of them")
			require.Equal(t, want, got, "a, b and c were put in, in this order: Take must return them in the same order")
		}
		for _, item := range []string{"d", "e"} {
			require.NoError(t, q.Put(ctx, item), "three items were put in and two taken out, so there is room for %s: Put must put it in", item)
		}

		q.Close()
		require.ErrorIs(t, q.Put(ctx, "f"), prodcon.ErrClosed, "the queue has been closed: Put must return ErrClosed")
		require.Equal(t, 3, q.Len(), "c, d and e were in the queue when Close was called: they must stay there, and nothing must be added")
		for _, want := range []string{"c", "d", "e"} {
			got, err := q.Take(ctx)
			require.NoError(t, err, "c, d and e were in the queue when it was closed: Take must still return them")
			require.Equal(t, want, got, "c, d and e were in the queue when it was closed: Take must return them in this order")
		}
		for range 2 {
			got, err := q.Take(ctx)
			require.ErrorIs(t, err, prodcon.ErrClosed, "the queue is closed and empty: Take must return ErrClosed, each time")
			require.Zero(t, got, "Take returned an error: the item beside it must be a zero value")
		}
		q.Close() // once more does no harm
		require.ErrorIs(t, q.Put(ctx, "g"), prodcon.ErrClosed, "the queue has been closed: Put must return ErrClosed, also when there is room")
		require.Zero(t, q.Len(), "everything has been taken: Len must be 0")
	})
}

// Step 2: waiting

// A queue takes in exactly its capacity; then Put waits until somebody takes.
// And whoever waits must not hold a lock that others need. This koan and the next
// two run in real time: a bubble takes a goroutine that waits for a lock for one
// that is busy, and its clock would stop for good.
func TestFullQueueMakesPutWait(t *testing.T) {
	defer inRealTime(t)()
	for _, size := range []struct{ capacity, room int }{{1, 1}, {3, 3}, {0, 1}, {-2, 1}} {
		in := fmt.Sprintf("a queue of capacity %d has room for %d", size.capacity, size.room)
		q := prodcon.NewQueue[int](size.capacity)
		puts := make(chan error, 1)
		go callPut(ctx, q, puts, upTo(size.room+1)...)
		untilWaiting(t, 1, "callPut", puts, in+", and one more was put: that Put must wait")
		require.Equal(t, size.room, lenSoon(t, q), "%s, and one more was put: Put must wait when so many are in the queue, and not before", in)

		first := takeSoon(t, q, "a Put was waiting for room: Take must return all the same")
		require.Equal(t, taken{1, nil}, first, "%s, and 1 was put first: Take must return it", in)
		require.NoError(t, soon(t, puts, "an item was taken from a full queue: the Put that waited for room must go on"),
			"an item was taken from a full queue: the Put that waited for room must put its item in")
		for want := 2; want <= size.room+1; want++ {
			require.Equal(t, taken{want, nil}, takeSoon(t, q, "there was an item in the queue: Take must return"),
				"1, 2, 3 and so on were put, the last one after a wait: Take must return them in this order")
		}
		closeSoon(t, q)
	}
}

// Each item lets one waiting Take go on: no fewer, no more, and at that moment.
// And each free place does the same for one waiting Put.
func TestEachItemLetsOneTakeGoOn(t *testing.T) {
	defer inRealTime(t)()
	const waiting = 3
	q := prodcon.NewQueue[int](waiting)
	takes := make(chan taken, waiting)
	for range waiting {
		go callTake(ctx, q, takes)
	}
	untilWaiting(t, waiting, "callTake", takes, "the queue was empty, and 3 Takes were called: each must wait for an item")
	for item := 1; item <= waiting; item++ {
		putSoon(t, q, item)
		require.Equal(t, taken{item, nil}, soon(t, takes, "an item was put: one of the Takes that waited must return"),
			"an item was put: one of the Takes that waited must return it")
		untilWaiting(t, waiting-item, "callTake", takes, "one item was put, and one Take has returned it: the others must go on waiting")
	}
	closeSoon(t, q)

	// Two at once, before those who wait have had the time to stir. Who is quicker is
	// left to chance, so there are many queues.
	const queues = 24
	takes = make(chan taken, 2*queues)
	puts := make(chan error, 2*queues)
	var qs []*prodcon.Queue[int]
	for i := range queues {
		q := prodcon.NewQueue[int](1 + i%2)
		qs = append(qs, q)
		go callTake(ctx, q, takes)
		go callTake(ctx, q, takes)
	}
	untilWaiting(t, 2*queues, "callTake", takes, "the queue was empty, and 2 Takes were called: both must wait for an item")
	for i, q := range qs {
		go callPut(ctx, q, puts, 2*i+1, 2*i+2)
	}
	var items []int
	for range 2 * queues {
		took := soon(t, takes, "two Takes were waiting, and two items were put, one right after the other: both Takes must return")
		require.NoError(t, took.err, "two Takes were waiting, and two items were put: each must return one of them")
		items = append(items, took.item)
	}
	slices.Sort(items)
	require.Equal(t, upTo(2*queues), items, "two Takes were waiting, and two items were put: each must return one of them; these came out of 24 queues")
	for _, q := range qs {
		require.NoError(t, soon(t, puts, "two Takes were waiting, and two items were put: both Puts must return"), "two Takes were waiting: there is room")
		closeSoon(t, q)
	}

	for i := range qs {
		q := prodcon.NewQueue[int](2)
		qs[i] = q
		putSoon(t, q, 1, 2)
		go callPut(ctx, q, puts, 3)
		go callPut(ctx, q, puts, 4)
	}
	untilWaiting(t, 2*queues, "callPut", puts, "the queue was full, and 2 Puts were called: both must wait for room")
	for _, q := range qs {
		go callTake(ctx, q, takes, takes)
	}
	for range 2 * queues {
		require.NoError(t, soon(t, puts, "two Puts were waiting for room, and two items were taken, one right after the other: both Puts must return"),
			"two Puts were waiting for room, and two items were taken: both must put their items in")
	}
	for _, q := range qs {
		emptySoon(t, q, 3, 4)
	}

	// Time tells who looks only now and then whether there is something.
	synctest.Test(t, func(t *testing.T) {
		const pause = 1_234_567_891 * time.Nanosecond // a moment that nobody hits who does
		ctx := untilFailed(t)
		q := prodcon.NewQueue[int](1)
		takes, puts := make(chan taken, 2), make(chan error, 1)
		go callTake(ctx, q, takes)
		elapse(pause)
		require.NoError(t, q.Put(ctx, 1), "there is room: Put must put its item in")
		synctest.Wait()
		require.Equal(t, []taken{{1, nil}}, all(takes), "an item was put while a Take was waiting: Take must return it at that moment")
		callPut(ctx, q, puts, 2)
		<-puts
		go callPut(ctx, q, puts, 3)
		elapse(pause)
		callTake(ctx, q, takes)
		synctest.Wait()
		require.Equal(t, []error{nil}, all(puts), "an item was taken while a Put was waiting for room: Put must return at that moment, with a nil error")
		empty(t, q, 3)
	})
}

// To be woken is a hint: somebody else may have been quicker.
// So whoever is woken looks again, and goes back to waiting if there is nothing.
func TestWokenLooksAgain(t *testing.T) {
	defer inRealTime(t)()
	const queues = 24 // who is quicker is left to chance, so there are many
	takes, puts := make(chan taken, 2*queues), make(chan error, 2*queues)
	var qs []*prodcon.Queue[int]
	for range queues {
		q := prodcon.NewQueue[int](1)
		qs = append(qs, q)
		go callTake(ctx, q, takes)
	}
	untilWaiting(t, queues, "callTake", takes, "the queue was empty, and Take was called: it must wait for an item")
	for _, q := range qs {
		go func() {
			callPut(ctx, q, puts, 1)
			callTake(ctx, q, takes) // perhaps before the other one stirs
		}()
	}
	for range qs {
		require.Equal(t, taken{1, nil}, soon(t, takes, "a Take was waiting, and then somebody put an item and took one: one of the two Takes must return"),
			"a Take was waiting, and then somebody put an item and took one: one of the two Takes must return the item, and the other must go on waiting")
	}
	untilWaiting(t, queues, "callTake", takes, "a Take was waiting, and then somebody put an item and took one: only one of the two Takes may return, and the other must go on waiting")
	for _, q := range qs {
		putSoon(t, q, 2)
		require.Equal(t, taken{2, nil}, soon(t, takes, "an item was put while a Take was still waiting: the Take must return"),
			"an item was put while a Take was still waiting: the Take must return it")
		closeSoon(t, q)
	}

	takes, puts = make(chan taken, queues), make(chan error, 2*queues)
	for i := range qs {
		q := prodcon.NewQueue[int](1)
		qs[i] = q
		putSoon(t, q, 1)
		go callPut(ctx, q, puts, 2)
	}
	untilWaiting(t, queues, "callPut", puts, "the queue was full, and Put was called: it must wait for room")
	for _, q := range qs {
		go func() {
			callTake(ctx, q, takes)
			callPut(ctx, q, puts, 3) // perhaps before the other one stirs
		}()
	}
	for range qs {
		require.NoError(t, soon(t, puts, "a Put was waiting for room, and then somebody took an item and put one: one of the two Puts must return"),
			"a Put was waiting for room, and then somebody took an item and put one: one of the two Puts must put its item in")
	}
	untilWaiting(t, queues, "callPut", puts, "the queue had room for 1, a Put was waiting, and then somebody took an item and put one: only one of the two Puts may return, and the other must go on waiting")
	for _, q := range qs {
		emptySoon(t, q, 2, 3)
	}
}

// Step 3: closing

// Close wakes everybody who waits, on both sides.
// Nothing else will ever wake them. This koan, too, runs in real time.
func TestCloseWakesEverybody(t *testing.T) {
	defer inRealTime(t)()
	const waiting = 3

	q := prodcon.NewQueue[int](2)
	takes := make(chan taken, waiting)
	for range waiting {
		go callTake(ctx, q, takes)
	}
	untilWaiting(t, waiting, "callTake", takes, "the queue was empty, and 3 Takes were called: each must wait for an item")
	closeSoon(t, q)
	for range waiting {
		took := soon(t, takes, "3 Takes were waiting when the queue was closed: all of them must return")
		require.ErrorIs(t, took.err, prodcon.ErrClosed, "Take was waiting when the queue was closed: it must return ErrClosed")
		require.Zero(t, took.item, "Take returned an error: the item beside it must be a zero value")
	}

	q = prodcon.NewQueue[int](2)
	puts := make(chan error, waiting)
	putSoon(t, q, 1, 2)
	for range waiting {
		go callPut(ctx, q, puts, -1)
	}
	untilWaiting(t, waiting, "callPut", puts, "the queue was full, and 3 Puts were called: each must wait for room")
	closeSoon(t, q)
	for range waiting {
		require.ErrorIs(t, soon(t, puts, "3 Puts were waiting when the queue was closed: all of them must return"), prodcon.ErrClosed,
			"Put was waiting for room when the queue was closed: it must return ErrClosed")
	}
	for want := 1; want <= 2; want++ {
		require.Equal(t, taken{want, nil}, takeSoon(t, q, "an item was left in a closed queue: Take must return it"),
			"1 and 2 were in the queue when it was closed: Take must return them, in order")
	}
	require.ErrorIs(t, takeSoon(t, q, "the queue was closed and empty: Take must return").err, prodcon.ErrClosed,
		"3 Puts returned ErrClosed, and all that was in the queue has been taken: Take must return ErrClosed, too")
}

// What was accepted is taken, even if Close comes at that very moment.
// There is a moment when Put has seen an open queue and not yet put in its item.
// Close, and whoever takes what is left, must not fit into it.
func TestPutRacesClose(t *testing.T) {
	defer inRealTime(t)()

	// First with care: Put has to ask for ctx now and then, and each round, one of
	// these questions gives the other side the time to do what it can.
	for round := range 48 {
		q := prodcon.NewQueue[int](1)
		over := make(chan outcome, 1)
		closeAndTake := sync.OnceFunc(func() {
			go func() {
				q.Close()
				over <- takeAll(q)
			}()
		})
		ctx := &interrupted{Context: ctx, at: int64(1 + round%8), before: closeAndTake, after: func() {
			for tries := 0; tries < 100 && len(over) == 0; tries++ {
				runtime.Gosched()
			}
		}}
		put := make(chan error, 1)
		go callPut(ctx, q, put, 1)
		err := soon(t, put, "there was room, and perhaps the queue was closed: Put must return")
		closeAndTake()
		took := soon(t, over, "the queue was closed: Take must return what is left, and then ErrClosed")

		require.ErrorIs(t, took.err, prodcon.ErrClosed, "the queue was closed, and all that was left was taken: Take must return ErrClosed")
		if err == nil {
			require.Equal(t, []int{1}, took.items, "the queue was closed during a Put, which returned nil: before Take returns ErrClosed, it must return the item")
		} else {
			require.ErrorIs(t, err, prodcon.ErrClosed, "the queue was closed during a Put, and its ctx has not ended: its error must be ErrClosed")
			require.Empty(t, took.items, "the queue was closed during a Put, which returned ErrClosed: its item must not come out")
		}
	}

	// Then with force: many at a time, each as fast as it can.
	for range 50 {
		const each = 2
		q := prodcon.NewQueue[int](2)
		puts, takes := make(chan outcome, each), make(chan outcome, each)
		for p := range each {
			go func() { puts <- putUntilRefused(q, p, each) }()
			go func() { takes <- takeAll(q) }()
		}
		runtime.Gosched()
		go q.Close()
		go q.Close()
		var accepted, got []int
		for range each {
			o := soon(t, puts, "the queue was closed while items were being put and taken: every Put must return")
			require.ErrorIs(t, o.err, prodcon.ErrClosed, "the queue was closed while items were being put and taken: from then on Put must return ErrClosed")
			accepted = append(accepted, o.items...)
			o = soon(t, takes, "the queue was closed while items were being put and taken: every Take must return")
			require.ErrorIs(t, o.err, prodcon.ErrClosed, "the queue was closed while items were being put and taken: in the end Take must return ErrClosed")
			got = append(got, o.items...)
		}
		slices.Sort(accepted)
		slices.Sort(got)
		if !slices.Equal(accepted, got) {
			require.Equal(t, accepted, got, "the queue was closed while items were being put and taken: every item whose Put returned nil must be taken, once")
		}
	}
}

// Step 4: ctx

// The end of a ctx ends one wait, and no other.
// Whoever gives up leaves no trace: nothing is put in or taken out later.
func TestCtxEndsOneWait(t *testing.T) {
	defer inRealTime(t)()
	hurry, cancel := context.WithCancel(context.Background())
	defer cancel()

	q := prodcon.NewQueue[int](1)
	patientTakes, hurriedTakes := make(chan taken, 2), make(chan taken, 1)
	go callTake(ctx, q, patientTakes)
	untilWaiting(t, 1, "callTake", patientTakes, "the queue was empty, and Take was called: it must wait for an item")
	go callTake(hurry, q, hurriedTakes)
	untilWaiting(t, 2, "callTake", hurriedTakes, "the queue was empty, and Take was called: it must wait for an item")
	go callTake(ctx, q, patientTakes)
	untilWaiting(t, 3, "callTake", patientTakes, "the queue was empty, and Take was called: it must wait for an item")

	full := prodcon.NewQueue[int](1)
	patientPuts, hurriedPuts := make(chan error, 2), make(chan error, 1)
	putSoon(t, full, 1)
	go callPut(ctx, full, patientPuts, 2)
	untilWaiting(t, 1, "callPut", patientPuts, "the queue was full, and Put was called: it must wait for room")
	go callPut(hurry, full, hurriedPuts, -1)
	untilWaiting(t, 2, "callPut", hurriedPuts, "the queue was full, and Put was called: it must wait for room")
	go callPut(ctx, full, patientPuts, 3)
	untilWaiting(t, 3, "callPut", patientPuts, "the queue was full, and Put was called: it must wait for room")

	cancel()
	gone := soon(t, hurriedTakes, "3 Takes were waiting for an item, and the ctx of the second one ended: that Take must return")
	require.ErrorIs(t, gone.err, context.Canceled, "the ctx of a Take ended while it waited for an item: it must return the ctx's error")
	require.Zero(t, gone.item, "the ctx of a Take ended while it waited for an item: beside the error it must return a zero item")
	untilWaiting(t, 2, "callTake", patientTakes, "3 Takes were waiting for an item, and the ctx of one ended: the others must go on waiting")
	require.ErrorIs(t, soon(t, hurriedPuts, "3 Puts were waiting for room, and the ctx of the second one ended: that Put must return"),
		context.Canceled, "the ctx of a Put ended while it waited for room: it must return the ctx's error")
	untilWaiting(t, 2, "callPut", patientPuts, "3 Puts were waiting for room, and the ctx of one ended: the others must go on waiting")

	for want := 1; want <= 2; want++ {
		putSoon(t, q, want)
		require.Equal(t, taken{want, nil}, soon(t, patientTakes, "one Take gave up, two went on waiting, and then two items were put: both must come to these two"),
			"one Take gave up, two went on waiting, and then 1 and 2 were put: those who wait must get them")
	}
	putSoon(t, q, 3)
	untilWaiting(t, 0, "callTake", patientTakes, "all Takes have returned")
	require.Equal(t, 1, lenSoon(t, q), "one Take gave up, the two others have got 1 and 2, and then 3 was put: it must be in the queue, and nobody may have taken it")
	emptySoon(t, q, 3)
	emptySoon(t, full, 1, 2, 3)

	synctest.Test(t, func(t *testing.T) {
		const pause = 1_234_567_891 * time.Nanosecond
		start, q := time.Now(), prodcon.NewQueue[int](1)
		_, err := q.Take(within(t, pause))
		require.ErrorIs(t, err, context.DeadlineExceeded, "the ctx of a Take ended while it waited for an item: it must return the ctx's error")
		require.Equal(t, pause, time.Since(start), "Take was waiting for an item: it must return at the moment when its ctx ends")
		require.NoError(t, q.Put(ctx, 1), "there is room: Put must put its item in")
		require.ErrorIs(t, q.Put(within(t, pause), 2), context.DeadlineExceeded, "the ctx of a Put ended while it waited for room: it must return the ctx's error")
		require.Equal(t, 2*pause, time.Since(start), "Put was waiting for room: it must return at the moment when its ctx ends")
		empty(t, q, 1)
	})
	synctest.Test(t, func(t *testing.T) {
		q := prodcon.NewQueue[int](2)
		require.NoError(t, q.Put(ctx, 1), "there is room: Put must put its item in")
		for range 50 { // what is left to chance goes wrong in one of them
			require.ErrorIs(t, q.Put(ended(t), -1), context.Canceled, "ctx had ended before Put was called: Put must return the ctx's error, every time of 50, though there is room")
			item, err := q.Take(ended(t))
			require.ErrorIs(t, err, context.Canceled, "ctx had ended before Take was called: Take must return the ctx's error, every time of 50, though there is an item")
			require.Zero(t, item, "Take returned an error: the item beside it must be a zero value")
		}
		require.Equal(t, 1, q.Len(), "Put and Take were called 50 times with a ctx that had ended: the queue must be as it was")
		empty(t, q, 1)
	})
}

// An error means that nothing has happened, and nil that it has.
// A ctx can end at any moment of a call: just before it begins to wait, or between
// its last wait and its return. In each round it ends when the call asks for it the
// first time, the second time, and so on.
func TestErrorMeansNothingHappened(t *testing.T) {
	for i := range int64(20) {
		nth, before := 1+i/2, i%2 == 0
		synctest.Test(t, func(t *testing.T) {
			q := prodcon.NewQueue[int](1)
			err := q.Put(endsAt(t, nth, before), 1)
			if err == nil {
				require.Equal(t, 1, q.Len(), "ctx ended during a Put, and Put returned nil: its item must be in the queue")
			} else {
				require.Zero(t, q.Len(), "ctx ended during a Put, and Put returned an error: its item must not be in the queue")
				require.NoError(t, q.Put(ctx, 1), "there is room: Put must put its item in")
			}
			item, err := q.Take(endsAt(t, nth, before))
			if err == nil {
				require.Equal(t, 1, item, "ctx ended during a Take, and Take returned nil: it must return the item that was in the queue")
			} else {
				require.Zero(t, item, "ctx ended during a Take, and Take returned an error: the item beside it must be a zero value")
				require.Equal(t, 1, q.Len(), "ctx ended during a Take, and Take returned an error: the item must still be in the queue")
				empty(t, q, 1)
			}
			q.Close()
		})
		// Two wait for the same thing, and one of them gives up, perhaps when it comes.
		synctest.Test(t, func(t *testing.T) {
			q := prodcon.NewQueue[int](1)
			defer q.Close() // whoever still waits gets ErrClosed
			hurry, hurried, patient := endsAt(t, nth, before), make(chan taken, 1), make(chan taken, 1)
			go callTake(hurry, q, hurried)
			synctest.Wait()
			if hurry.Context.Err() != nil {
				require.Len(t, hurried, 1, "ctx ended just before a Take began to wait for an item: Take must return")
			}
			go callTake(untilFailed(t), q, patient)
			synctest.Wait()
			require.NoError(t, q.Put(ctx, 1), "there is room: Put must put its item in")
			synctest.Wait()
			got := slices.DeleteFunc(append(all(hurried), all(patient)...), func(o taken) bool { return o.err != nil })
			require.Equal(t, []taken{{1, nil}}, got, "two Takes were waiting, an item was put, and the ctx of one ended at about that moment: one of the two must return the item")
		})
		synctest.Test(t, func(t *testing.T) {
			q := prodcon.NewQueue[int](1)
			defer q.Close()
			hurry, hurried, patient := endsAt(t, nth, before), make(chan error, 1), make(chan error, 1)
			require.NoError(t, q.Put(ctx, 1), "there is room: Put must put its item in")
			go callPut(hurry, q, hurried, 2)
			synctest.Wait()
			if hurry.Context.Err() != nil {
				require.Len(t, hurried, 1, "ctx ended just before a Put began to wait for room: Put must return")
			}
			go callPut(untilFailed(t), q, patient, 3)
			synctest.Wait()
			_, err := q.Take(ctx)
			require.NoError(t, err, "there is an item: Take must return it")
			synctest.Wait()
			require.Equal(t, 1, q.Len(), "two Puts were waiting for room, an item was taken, and the ctx of one Put ended at about that moment: one of the two must put its item in")
			q.Close()
			var put []int
			if <-hurried == nil {
				put = append(put, 2)
			}
			if <-patient == nil {
				put = append(put, 3)
			}
			require.Equal(t, put, takeAll(q).items, "two Puts were waiting for room, and the ctx of one ended: the items whose Put returned nil must come out, and no others")
		})
	}
}

// Step 5: many producers, many consumers

// The work is over when the last producer has returned and every item is consumed.
// The slower side sets the pace; a full queue makes the faster one wait.
func TestRunEndsAfterTheLastProducer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const capacity, consumers = 3, 2
		var calls gauge
		var puts counter
		nothing := func(context.Context, func(int) error) error { return nil }
		fast := puts.producer(0, upTo(10)...)
		slow := puts.producer(20*time.Second, 11, 12)

		done := goRun(untilFailed(t), capacity, consumers, calls.consume, nothing, fast, slow)

		synctest.Wait()
		require.Zero(t, puts.refused.Load(), "one of three producers has returned, and the others are still at work: Run must go on, and no put may fail")
		require.EqualValues(t, capacity+consumers, puts.accepted.Load(), "Run has capacity 3 and 2 consumers, each of them busy with its first item: so many of 10 items have been put, and the next put must wait")
		elapse(5*time.Second + 1)
		most, items := calls.seen()
		require.Equal(t, consumers, most, "Run was told to use 2 consumers: that must be the largest number of calls of consume at the same time")
		require.Len(t, items, 10, "10 items were put as fast as it went, and consume takes 1 s: in 5 s, with 2 consumers, Run must have begun a call for each")
		elapse(time.Hour)
		require.Zero(t, puts.refused.Load(), "two of three producers have returned, and the last was still at work: Run must go on, and no put may fail")
		require.Len(t, done, 1, "all producers have returned, and consume had an hour: Run must return")
		require.NoError(t, <-done, "every producer and every call of consume returned nil: Run must return nil")
		_, items = calls.seen()
		require.ElementsMatch(t, upTo(12), items, "three producers put 1 to 12, the last of them after 40 s: Run must call consume once for each item")
	})
	for _, size := range []int{0, -3} {
		synctest.Test(t, func(t *testing.T) {
			var calls gauge
			var puts counter

			done := goRun(untilFailed(t), size, size, calls.consume, puts.producer(0, upTo(4)...))

			synctest.Wait()
			require.EqualValues(t, 2, puts.accepted.Load(), "Run was given %d as capacity and as consumers, which counts as 1 each: one item is being consumed, one waits in the queue, and so many must have been put", size)
			elapse(4*time.Second + 1)
			require.Len(t, done, 1, "4 items, 1 s for each, and %d consumers, which counts as 1: Run must return after 4 s", size)
			require.NoError(t, <-done, "nothing failed: Run must return nil")
			_, items := calls.seen()
			require.Equal(t, upTo(4), items, "one producer put 1 to 4, and there was one consumer: Run must pass them on in order")

			done = goRun(untilFailed(t), size, size, calls.consume)
			synctest.Wait()
			require.Len(t, done, 1, "Run was given no producers: it must return at once")
			require.NoError(t, <-done, "Run was given no producers: it must return nil")
		})
	}
}

// The first error ends the work on both sides, and Run returns it when all have gone.
// A producer waits for room that nobody will make any more; a consumer waits for
// items that nobody will put.
func TestRunStopsAtTheFirstError(t *testing.T) {
	errFirst, errLater := fmt.Errorf("putting into another queue: %w", prodcon.ErrClosed), errors.New("a later error")
	var told atomic.Bool
	obedient := func(ctx context.Context, _ func(int) error) error {
		<-ctx.Done()
		told.Store(true)
		time.Sleep(2 * time.Second) // puts things in order before it leaves
		return ctx.Err()
	}
	busy := func(_ context.Context, put func(int) error) error {
		for range 1000 {
			if err := put(1); err != nil {
				return err
			}
		}
		return nil
	}
	requireFirst := func(t *testing.T, done <-chan error, calls, want int) {
		t.Helper()
		require.True(t, told.Swap(false), "something failed: Run must end the context that it has given to the producers and to consume")
		require.Len(t, done, 1, "something failed after 1 s, and a producer took 2 s more to leave: Run must return when it has gone")
		err := <-done
		require.ErrorIs(t, err, errFirst, "something failed: Run must return the first error")
		require.NotErrorIs(t, err, context.Canceled, "nobody cancelled Run: it must return the first error, without what the others say because they were stopped")
		require.NotErrorIs(t, err, errLater, "another call failed a second later: Run must return the first error alone")
		require.Equal(t, want, calls, "something failed: Run must not begin another call of consume after that; so many were begun")
	}

	// A consumer fails, while another is at work and the queue is full.
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		done := goRun(untilFailed(t), 3, 2, func(ctx context.Context, _ int) error {
			if calls.Add(1) == 1 {
				time.Sleep(time.Second)
				return errFirst
			}
			<-ctx.Done()
			time.Sleep(time.Second)
			return errLater
		}, busy, obedient)

		elapse(3*time.Second - 1)
		require.Empty(t, done, "consume failed after 1 s, and a producer took 2 s more to leave: Run must wait for it")
		elapse(1)
		requireFirst(t, done, int(calls.Load()), 2)
	})
	// A producer fails, while a consumer is at work and one waits for an item.
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		done := goRun(untilFailed(t), 3, 2, func(context.Context, int) error {
			calls.Add(1)
			time.Sleep(3 * time.Second) // does not look at ctx
			return errLater
		}, func(_ context.Context, put func(int) error) error {
			if err := put(1); err != nil {
				return err
			}
			time.Sleep(time.Second)
			return errFirst
		}, obedient)

		elapse(3*time.Second - 1)
		require.Empty(t, done, "a producer failed after 1 s, while a call of consume took 3 s: Run must wait for it")
		elapse(1)
		requireFirst(t, done, int(calls.Load()), 1)
	})
	// ctx ends, and everybody leaves without a word.
	for range 20 { // what is left to chance goes wrong in one of them
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			var calls atomic.Int64
			done := goRun(ctx, 3, 2, func(context.Context, int) error {
				calls.Add(1)
				time.Sleep(time.Second)
				return nil
			}, func(_ context.Context, put func(int) error) error {
				for i := 0; i < 1000 && put(1) == nil; i++ {
				}
				return nil
			})

			synctest.Wait()
			cancel()
			elapse(time.Hour)
			require.Len(t, done, 1, "ctx ended, and every producer and every call of consume has returned: Run must return")
			require.ErrorIs(t, <-done, context.Canceled, "ctx ended while there were items to consume: Run must return the ctx's error, even if all others return nil")
			require.EqualValues(t, 2, calls.Load(), "ctx ended while 2 calls of consume were at work: Run must not begin another one; so many were begun")
		})
	}
	// ctx ends, and everybody has something to say about it.
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		done := goRun(ctx, 3, 2, func(ctx context.Context, _ int) error {
			<-ctx.Done()
			return errors.New("consume was stopped")
		}, func(ctx context.Context, put func(int) error) error {
			for i := 0; i < 1000 && put(1) == nil; i++ {
			}
			return errors.New("the producer was stopped")
		})

		synctest.Wait()
		cancel()
		elapse(time.Hour)
		require.Len(t, done, 1, "ctx ended, and every producer and every call of consume has returned: Run must return")
		require.ErrorIs(t, <-done, context.Canceled, "ctx ended while there were items to consume, and then the others failed: Run must return the ctx's error, whatever they return")
	})
	// Two fail at the same moment. They share nothing, so that nothing but Run itself
	// keeps them apart.
	synctest.Test(t, func(t *testing.T) {
		failing := func(context.Context, func(int) error) error {
			time.Sleep(time.Second)
			return errFirst
		}
		done := goRun(untilFailed(t), 1, 2, func(context.Context, int) error { return nil }, failing, failing)
		elapse(time.Hour)
		require.Len(t, done, 1, "two producers failed at the same moment: Run must return")
		require.ErrorIs(t, <-done, errFirst, "two producers failed at the same moment: Run must return the error")
	})
	synctest.Test(t, func(t *testing.T) {
		done := goRun(untilFailed(t), 2, 2, func(context.Context, int) error {
			time.Sleep(time.Second)
			return errFirst
		}, func(_ context.Context, put func(int) error) error { return errors.Join(put(1), put(2)) })
		elapse(time.Hour)
		require.Len(t, done, 1, "two calls of consume failed at the same moment: Run must return")
		require.ErrorIs(t, <-done, errFirst, "two calls of consume failed at the same moment: Run must return the error")
	})
}

// Step 6: many items at a time

// A batch leaves when it is full, or when its first item has waited long enough.
// So an item waits a known time at most, be there a rush or a lull.
func TestBatchLeavesFullOrInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size, age, ms = 3, 2 * time.Second, time.Millisecond
		log := &journal{start: time.Now()}
		q := prodcon.NewQueue[int](size)
		ctx := untilFailed(t)
		done := goBatch(ctx, q, size, age, log.flush)
		go func() {
			for i, pause := range []time.Duration{0, 1500 * ms, 8750 * ms, 0, 500 * ms, 750 * ms, 8500 * ms, 0} {
				time.Sleep(pause)
				q.Put(ctx, i+1)
			}
			time.Sleep(500 * ms)
			q.Close()
		}()

		elapse(time.Hour)
		require.Equal(t, []string{"2s: [1 2]"}, log.between(0, 10*time.Second),
			"size 3, age 2 s; 1 came after 0 s, 2 after 1.5 s, and then nothing for long: Batch must flush both when 1 has waited 2 s")
		require.Equal(t, []string{"10.75s: [3 4 5]", "13.5s: [6]"}, log.between(10*time.Second, 20*time.Second),
			"size 3, age 2 s; 3 and 4 came after 10.25 s, 5 after 10.75 s, 6 after 11.5 s: Batch must flush the first three when they are three, and then 6 when it has waited 2 s")
		require.Equal(t, []string{"20.5s: [7 8]"}, log.between(20*time.Second, time.Hour),
			"7 and 8 came after 20 s, and the queue was closed after 20.5 s: nothing more will come, so Batch must flush the rest at once")
		require.Len(t, done, 1, "the queue is closed and empty: Batch must return")
		require.NoError(t, <-done, "the queue is closed and empty: Batch must return nil")
	})
	for _, odd := range []struct {
		name string
		size int
		age  time.Duration
	}{{"size 0, which counts as 1", 0, time.Hour}, {"size -1, which counts as 1", -1, time.Hour}, {"age 0", 3, 0}, {"age -1 s", 3, -time.Second}} {
		synctest.Test(t, func(t *testing.T) {
			log := &journal{start: time.Now()}
			q := prodcon.NewQueue[int](3)
			ctx := untilFailed(t)
			done := goBatch(ctx, q, odd.size, odd.age, log.flush)
			go func() {
				for item := 1; item <= 3; item++ {
					time.Sleep(time.Second)
					q.Put(ctx, item)
				}
				time.Sleep(time.Second)
				q.Close()
			}()

			elapse(time.Hour)
			require.Equal(t, []string{"1s: [1]", "2s: [2]", "3s: [3]"}, log.between(0, time.Hour),
				"Batch was given %s, and 1, 2 and 3 came a second apart: each must be flushed at once, and nothing else", odd.name)
			require.Len(t, done, 1, "the queue is closed and empty: Batch must return")
			require.NoError(t, <-done, "the queue is closed and empty: Batch must return nil")
		})
	}
}

// Every item is in the queue, in Batch's hand, or with flush, and in one place only.
// Whoever has taken an item answers for it, also when the end comes.
func TestBatchLosesNothing(t *testing.T) {
	type key struct{}
	errFlush := fmt.Errorf("putting into another queue: %w", prodcon.ErrClosed)

	// flush keeps the slices it was given, takes its time, and does with them as it likes.
	synctest.Test(t, func(t *testing.T) {
		var kept [][]int
		var calls gauge
		q := filled(t, 10)
		q.Close()
		done := goBatch(untilFailed(t), q, 3, time.Hour, func(_ context.Context, items []int) error {
			defer calls.begin()()
			kept = append(kept, append(items, 0))
			time.Sleep(time.Second)
			return nil
		})
		elapse(4*time.Second - 1)
		require.Empty(t, done, "10 items make 4 batches of at most 3, and flush takes 1 s: Batch must wait for the last flush")
		elapse(time.Hour)
		most, _ := calls.seen()
		require.Equal(t, 1, most, "flush takes its time: Batch must call it for one batch at a time; so many calls ran at once")
		require.Equal(t, [][]int{{1, 2, 3, 0}, {4, 5, 6, 0}, {7, 8, 9, 0}, {10, 0}}, kept, "1 to 10 were in the queue, size is 3, and flush adds a 0 to each slice that it is given, and keeps it: Batch must not touch these slices again")
		require.Len(t, done, 1, "the queue is closed and empty: Batch must return")
		require.NoError(t, <-done, "the queue is closed and empty: Batch must return nil")
	})

	// flush fails, on a full batch or on the rest.
	for _, items := range []int{10, 4} {
		synctest.Test(t, func(t *testing.T) {
			log := &journal{start: time.Now(), fails: map[int]error{2: errFlush}}
			q := filled(t, items)
			if items == 4 {
				q.Close()
			}
			done := goBatch(untilFailed(t), q, 3, time.Hour, log.flush)
			elapse(2 * time.Hour)
			require.Len(t, done, 1, "flush failed: Batch must return")
			require.ErrorIs(t, <-done, errFlush, "flush failed on its second batch: Batch must return the error")
			require.Len(t, log.lines, 2, "flush failed on its second batch: Batch must not call it again")
			empty(t, q, upTo(items)[min(items, 6):]...)
		})
	}

	// ctx ends while Batch waits, with two items in hand or with none.
	for _, fails := range []error{nil, errFlush} {
		synctest.Test(t, func(t *testing.T) {
			log := &journal{start: time.Now(), key: key{}, fails: map[int]error{1: fails}}
			q := filled(t, 2)
			ctx, cancel := context.WithTimeout(context.WithValue(ctx, key{}, "order 17"), time.Second)
			defer cancel()
			done := goBatch(ctx, q, 3, time.Hour, log.flush)
			elapse(time.Minute)
			require.Equal(t, []string{"1s: [1 2] for order 17"}, log.between(0, time.Hour), "ctx ended after 1 s, with 1 and 2 in Batch's hand: they must be flushed at once, with a context that has ctx's values and has not ended")
			require.Len(t, done, 1, "ctx ended: Batch must return after the last flush")
			err := <-done
			require.ErrorIs(t, err, context.DeadlineExceeded, "ctx ended: Batch must return the ctx's error")
			require.ErrorIs(t, err, cmp.Or(fails, context.DeadlineExceeded), "ctx ended, and the last flush failed: Batch must return both errors")
			empty(t, q)
		})
	}
	synctest.Test(t, func(t *testing.T) {
		log := &journal{start: time.Now()}
		q := prodcon.NewQueue[int](1)
		done := goBatch(within(t, time.Second), q, 3, time.Millisecond, log.flush)
		elapse(time.Second)
		require.Len(t, done, 1, "ctx ended while Batch waited for a first item: it must return at once")
		require.ErrorIs(t, <-done, context.DeadlineExceeded, "ctx ended: Batch must return the ctx's error")
		require.Empty(t, log.lines, "ctx ended when Batch had nothing in hand: it must not flush an empty batch")
		empty(t, q)
	})

	// ctx ends while flush is at work, and more is in the queue.
	synctest.Test(t, func(t *testing.T) {
		q := filled(t, 10)
		ctx, cancel := context.WithCancel(context.Background())
		var took time.Duration
		begun := 0
		done := goBatch(ctx, q, 3, time.Hour, func(ctx context.Context, _ []int) error {
			begun++
			start := time.Now()
			select {
			case <-ctx.Done():
			case <-time.After(time.Minute):
			}
			took = time.Since(start)
			return nil // it was nearly done anyway
		})
		time.Sleep(time.Second)
		cancel()
		elapse(time.Hour)
		require.Equal(t, time.Second, took, "ctx ended 1 s after flush had begun: the context that Batch has given to flush must end too")
		require.Len(t, done, 1, "ctx ended: Batch must return")
		require.ErrorIs(t, <-done, context.Canceled, "ctx ended while flush was at work: Batch must return the ctx's error, though flush returned nil")
		require.Equal(t, 1, begun, "ctx ended while flush was at work, with nothing else in Batch's hand: flush must not be called again")
		require.NoError(t, q.Put(within(t, time.Hour), 11), "Batch has returned, and nobody has closed the queue: Put must put its item in")
		empty(t, q, 4, 5, 6, 7, 8, 9, 10, 11)
	})
}

// taken is what a Take returned.
type taken struct {
	item int
	err  error
}

// callTake takes an item for each channel given, and sends there what came of it.
func callTake(ctx context.Context, q *prodcon.Queue[int], takes ...chan taken) {
	for _, to := range takes {
		item, err := q.Take(ctx)
		to <- taken{item, err}
	}
}

// callPut puts items until one is refused, and then sends what the last Put
// returned.
func callPut(ctx context.Context, q *prodcon.Queue[int], puts chan<- error, items ...int) {
	var err error
	for _, item := range items {
		if err = q.Put(ctx, item); err != nil {
			break
		}
	}
	puts <- err
}

// outcome is what came of many calls: the items that were put or taken, and the
// error that ended it.
type outcome struct {
	items []int
	err   error
}

// takeAll takes items until Take returns an error.
func takeAll(q *prodcon.Queue[int]) (o outcome) {
	for o.err == nil && len(o.items) < 100_000 { // who never returns an error has to be stopped
		var item int
		if item, o.err = q.Take(ctx); o.err == nil {
			o.items = append(o.items, item)
		}
	}
	return o
}

// putUntilRefused puts from, from+step, from+2*step, … until Put returns an error.
func putUntilRefused(q *prodcon.Queue[int], from, step int) (o outcome) {
	for item := from; ; item += step {
		if o.err = q.Put(ctx, item); o.err != nil {
			return o
		}
		o.items = append(o.items, item)
		if len(o.items)%8 == 0 {
			runtime.Gosched() // on one processor, Close would have to wait long for its turn
		}
	}
}

// empty takes what must be in the queue, or on its way into it, and closes it.
func empty(t *testing.T, q *prodcon.Queue[int], want ...int) {
	t.Helper()
	var got []int
	for range want {
		item, err := q.Take(within(t, time.Minute))
		require.NoError(t, err, "so far %v of %v have been taken from the queue: one more must be there, and Take must return it", got, want)
		got = append(got, item)
	}
	require.ElementsMatch(t, want, got, "these items were put and not yet taken: Take must return each of them once")
	q.Close()
	item, err := q.Take(within(t, time.Minute))
	require.ErrorIs(t, err, prodcon.ErrClosed, "the queue was closed, and %v have been taken from it: nothing more may be there, yet Take returned %d", got, item)
}

// filled returns a queue that has 1 to n in it.
func filled(t *testing.T, n int) *prodcon.Queue[int] {
	t.Helper()
	q := prodcon.NewQueue[int](n)
	for _, item := range upTo(n) {
		require.NoError(t, q.Put(ctx, item), "there is room: Put must put its item in")
	}
	return q
}

// goRun calls Run in a goroutine.
func goRun(ctx context.Context, capacity, consumers int, consume func(context.Context, int) error, producers ...prodcon.Producer[int]) <-chan error {
	done := make(chan error, 1)
	go func() { done <- prodcon.Run(ctx, capacity, consumers, consume, producers...) }()
	return done
}

// counter counts the items of its producers.
type counter struct{ accepted, refused atomic.Int64 }

// producer returns a producer that puts items, with a pause before each.
func (c *counter) producer(pause time.Duration, items ...int) prodcon.Producer[int] {
	return func(_ context.Context, put func(int) error) error {
		for _, item := range items {
			time.Sleep(pause)
			if err := put(item); err != nil {
				c.refused.Add(1)
				return err
			}
			c.accepted.Add(1)
		}
		return nil
	}
}

// gauge counts the calls that run at once.
type gauge struct {
	mu            sync.Mutex
	running, most int
	items         []int // of the calls of consume that were begun
}

// begin counts a call; the function it returns ends it.
func (g *gauge) begin(items ...int) (end func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.items = append(g.items, items...)
	g.running++
	g.most = max(g.most, g.running)
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.running--
	}
}

// seen returns the largest number of calls at once, and the items so far.
func (g *gauge) seen() (most int, items []int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.most, slices.Clone(g.items)
}

// consume takes a second.
func (g *gauge) consume(_ context.Context, item int) error {
	defer g.begin(item)()
	time.Sleep(time.Second)
	return nil
}

// goBatch calls Batch in a goroutine.
func goBatch(ctx context.Context, q *prodcon.Queue[int], size int, age time.Duration, flush func(context.Context, []int) error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- prodcon.Batch(ctx, q, size, age, flush) }()
	return done
}

// journal notes what was flushed and when. It has no lock: flush must not be called
// twice at once.
type journal struct {
	start time.Time
	key   any           // of a value in the context
	fails map[int]error // by the number of the call, from 1
	times []time.Duration
	lines []string
}

func (j *journal) flush(ctx context.Context, items []int) error {
	at := time.Since(j.start)
	line := fmt.Sprintf("%v: %v", at, items)
	if j.key != nil {
		line += fmt.Sprintf(" for %v", ctx.Value(j.key))
	}
	if err := ctx.Err(); err != nil {
		line += fmt.Sprintf(" with a context that has ended: %v", err)
	}
	j.times, j.lines = append(j.times, at), append(j.lines, line)
	if len(j.lines) > 100 {
		return errors.New("flush was called again and again")
	}
	err := j.fails[len(j.lines)]
	if err != nil {
		time.Sleep(time.Second) // it does not fail at once
	}
	return err
}

// between returns the lines from a while after the start until another.
func (j *journal) between(from, to time.Duration) (lines []string) {
	for i, at := range j.times {
		if from <= at && at < to {
			lines = append(lines, j.lines[i])
		}
	}
	return lines
}

// elapse lets time pass, and then all who are not waiting come to rest.
func elapse(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func upTo(n int) (numbers []int) {
	for i := range n {
		numbers = append(numbers, i+1)
	}
	return numbers
}

// all empties a channel.
func all[T any](c <-chan T) (values []T) {
	for len(c) > 0 {
		values = append(values, <-c)
	}
	return values
}

// within returns a ctx that ends after d.
func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// ended returns a ctx that has already ended.
func ended(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// untilFailed returns a ctx that never ends, unless the koan has failed: then
// whoever listens to it may go, and the failure is reported alone.
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

// interrupted is a ctx. When it is asked for the time of the given number, no matter
// what, something else happens, either before the answer is found or after that.
type interrupted struct {
	context.Context
	asked, at     int64
	before, after func()
}

func (c *interrupted) Done() <-chan struct{} { return interrupt(c, c.Context.Done) }
func (c *interrupted) Err() error            { return interrupt(c, c.Context.Err) }

func interrupt[T any](c *interrupted, ask func() T) T {
	if atomic.AddInt64(&c.asked, 1) != c.at {
		return ask()
	}
	c.before()
	answer := ask()
	c.after()
	return answer
}

// endsAt returns a ctx that ends when it is asked for the nth time, and lets
// everybody know before it goes on: just before it answers, or just after.
func endsAt(t *testing.T, nth int64, before bool) *interrupted {
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	end := func() {
		cancel()
		for range 100 {
			runtime.Gosched()
		}
	}
	if before {
		return &interrupted{Context: ctx, at: nth, before: end, after: func() {}}
	}
	return &interrupted{Context: ctx, at: nth, before: func() {}, after: end}
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

// takeSoon takes an item that must be there, in real time.
func takeSoon(t *testing.T, q *prodcon.Queue[int], otherwise string) taken {
	t.Helper()
	takes := make(chan taken, 1)
	go callTake(ctx, q, takes)
	return soon(t, takes, otherwise)
}

// putSoon puts items for which there is room, in real time.
func putSoon(t *testing.T, q *prodcon.Queue[int], items ...int) {
	t.Helper()
	puts := make(chan error, 1)
	go callPut(ctx, q, puts, items...)
	require.NoError(t, soon(t, puts, "there was room in the queue: Put must return, no matter who else waits"), "there was room in the queue: Put must put its item in")
}

// closeSoon closes a queue in real time.
func closeSoon(t *testing.T, q *prodcon.Queue[int]) {
	t.Helper()
	closed := make(chan bool, 1)
	go func() { q.Close(); closed <- true }()
	soon(t, closed, "Close was called: it must return at once, no matter who waits in Put or Take")
}

// emptySoon takes what must be in a queue, or on its way into it, and closes it.
func emptySoon(t *testing.T, q *prodcon.Queue[int], want ...int) {
	t.Helper()
	var got []int
	for range want {
		took := takeSoon(t, q, "an item was in the queue: Take must return")
		require.NoError(t, took.err, "an item was in the queue: Take must return it")
		got = append(got, took.item)
	}
	require.ElementsMatch(t, want, got, "these items were put and not yet taken: Take must return each of them once")
	closeSoon(t, q)
}

// lenSoon asks for the length of a queue in real time.
func lenSoon(t *testing.T, q *prodcon.Queue[int]) int {
	t.Helper()
	length := make(chan int, 1)
	go func() { length <- q.Len() }()
	return soon(t, length, "others were waiting in Put or Take: Len must return all the same")
}

// inRealTime begins a koan that runs in no bubble. The function it returns ends the
// koan: one that has passed must have left no goroutine behind. What koans that
// failed have left before does not count.
func inRealTime(t *testing.T) (end func()) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	clear(left)
	for _, g := range goroutines() {
		left[g.id] = true
	}
	return func() {
		t.Helper()
		if !t.Failed() {
			goleak.VerifyNone(t, before)
		}
	}
}

// left are the goroutines that were there when the koan began.
var left = map[string]bool{}

// untilWaiting returns when n goroutines are waiting inside the function named, no
// matter what for, and nobody is left who could let them go on. It fails the koan
// if one comes back before that. It asks the runtime what each goroutine does,
// since only a bubble has a better way to know.
func untilWaiting[T any](t *testing.T, n int, function string, back <-chan T, otherwise string) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Second); len(back) == 0 && time.Now().Before(deadline); {
		for range 20 {
			runtime.Gosched() // to ask stops everybody, so let them first get on
		}
		waiting, busy := 0, 0
		for _, g := range goroutines()[1:] { // the first is the one that asks
			switch {
			case left[g.id]:
			case strings.HasPrefix(g.state, "run"):
				busy += strings.Count(g.frames, "prodcon")
			case strings.Contains(g.frames, "."+function+"("):
				waiting++
			}
		}
		if waiting == n && busy == 0 {
			return
		}
	}
	require.Fail(t, "it did not wait", otherwise)
}

// goroutine is what the runtime says of one.
type goroutine struct{ id, state, frames string }

func goroutines() (all []goroutine) {
	stacks := make([]byte, 1<<18)
	for _, g := range strings.Split(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
		head, frames, _ := strings.Cut(g, "\n") // goroutine 45 [chan send]:
		id, state, _ := strings.Cut(head, " [")
		frames, _, _ = strings.Cut(frames, "created by ")
		all = append(all, goroutine{id, state, frames})
	}
	return all
}
