package pubsub_test

import (
	"context"
	"math"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	pubsub "concurrency-koans/lessons/06-pub-sub"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Step 1: one message, every subscriber

// A message goes to every subscriber of its topic, and to nobody else.
// Each has a channel of its own. Two who read from one channel share the messages
// out between them, and each gets half of the story.
func TestMessageGoesToEverySubscriber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker := newBroker(t)
		first := subscribe(t, broker, "prices", 20, pubsub.Block)
		second := subscribe(t, broker, "prices", 20, pubsub.Block)
		other := subscribe(t, broker, "stock", 20, pubsub.Block)

		delivered := 0
		for v := range 19 {
			n, err := broker.Publish(t.Context(), "prices", v+1)
			require.NoError(t, err, "all subscribers have room: Publish must return no error")
			delivered += n
		}
		require.Equal(t, 2*19, delivered, "19 messages were published on prices, which has 2 subscribers with room: Publish must return 2 each time, which makes 38")
		late := subscribe(t, broker, "prices", 20, pubsub.Block)
		require.Equal(t, 3, publish(t, broker, "prices", 20), "a third has subscribed to prices: the next Publish must return 3")

		all := []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20}
		require.Equal(t, all, waiting(first), "Publish was called on prices for 1 to 20, one after the other: the first subscriber must get each of them, in order")
		require.Equal(t, all, waiting(second), "the first subscriber has read 1 to 20: Publish must send each message to the second as well, whatever the first has read")
		require.Equal(t, []int{20}, waiting(late), "the third called Subscribe after 1 to 19 had been published, and before 20: it must get 20 alone")
		require.Empty(t, waiting(other), "Publish was called 20 times on prices: a subscriber of stock must get none of these messages")
		require.Zero(t, publish(t, broker, "colours", 1), "nobody has subscribed to colours: Publish must return 0")

		for range 50 { // what is left to chance goes wrong in one of them
			for _, v := range all {
				_, err := broker.Publish(t.Context(), "prices", v)
				require.NoError(t, err, "all subscribers have room: Publish must return no error")
			}
			require.Equal(t, all, waiting(first), "Publish was called for 1 to 20 as fast as it goes, 50 times over: they must come in order, every time")
			waiting(second)
			waiting(late)
		}
	})
}

// Step 2: leaving

// Whoever unsubscribes reads what is still waiting, and then the channel is closed.
// A closed channel ends the reader's loop. It is also all that a reader has to see
// that nothing more will come.
func TestUnsubscribeClosesC(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker := newBroker(t)
		before := subscribe(t, broker, "prices", 10, pubsub.Block)
		leaves := subscribe(t, broker, "prices", 10, pubsub.Block)
		after := subscribe(t, broker, "prices", 10, pubsub.Block)
		publish(t, broker, "prices", 1)
		publish(t, broker, "prices", 2)

		leaves.Unsubscribe()

		require.Equal(t, 2, publish(t, broker, "prices", 3), "one of 3 subscribers has called Unsubscribe: the next message must go to 2")
		require.Equal(t, []int{1, 2}, readAll(t, leaves, nil), "1 and 2 were waiting when Unsubscribe was called: they must still come, nothing after them, and then C must be closed")
		require.Equal(t, []int{1, 2, 3}, waiting(before), "Unsubscribe was called for another one: whoever subscribed before it must get all messages")
		require.Equal(t, []int{1, 2, 3}, waiting(after), "Unsubscribe was called for another one: whoever subscribed after it must get all messages")

		leaves.Unsubscribe() // once more, which does nothing
		for range 3 {
			go after.Unsubscribe() // three at once, of which two do nothing
		}
		require.Empty(t, readAll(t, after, nil), "Unsubscribe was called three times at once: C must be closed")
		require.Equal(t, 1, publish(t, broker, "prices", 4), "2 of 3 subscribers have called Unsubscribe, more than once: the next message must go to 1")
	})

	synctest.Test(t, func(t *testing.T) {
		broker := newBroker(t)
		sub := subscribe(t, broker, "prices", 10, pubsub.Block)
		for v := range 5 {
			publish(t, broker, "prices", v+1)
		}

		got := readAll(t, sub, func(v int) {
			if v == 3 {
				sub.Unsubscribe()
			}
		})
		require.Equal(t, []int{1, 2, 3, 4, 5}, got, "the reader called Unsubscribe from inside its loop, when 4 and 5 were waiting: they must still come, and then the loop must end")

		for range 50 { // what is left to chance goes wrong in one of them
			visitor := subscribe(t, broker, "prices", 10, pubsub.Block)
			visitor.Unsubscribe()
			closed := false
			select {
			case _, open := <-visitor.C():
				closed = !open
			default:
			}
			require.True(t, closed, "nothing was waiting when Unsubscribe was called: C must be closed when Unsubscribe returns, and not a moment later, each of 50 times")
		}
	})

	synctest.Test(t, func(t *testing.T) {
		broker := newBroker(t)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		for range 1500 { // what is left to chance goes wrong in one of them
			visitor, err := broker.Subscribe(ctx, "prices", 10, pubsub.Block)
			require.NoError(t, err, "the broker is open: Subscribe must return no error")
			var ready atomic.Int32
			var closed [2]bool
			var both sync.WaitGroup
			for i := range closed {
				both.Go(func() {
					for ready.Add(1); ready.Load() < 2; { // neither is a wake-up ahead
						runtime.Gosched()
					}
					visitor.Unsubscribe()
					select {
					case _, open := <-visitor.C():
						closed[i] = !open
					default:
					}
				})
			}
			both.Wait()
			require.Equal(t, [2]bool{true, true}, closed, "Unsubscribe was called twice at the same moment: C must be closed when either call returns, each of 1500 times")
		}
	})
}

// A topic that nobody subscribes to takes no memory.
// Topics often have the name of an order or of a customer in them. Over the weeks
// there are millions of those, and a broker that keeps a little for each keeps all.
func TestTopicWithoutSubscribersTakesNoMemory(t *testing.T) {
	// 64 times 16 kB are 1 MB. What may be kept is a tenth of that.
	const times, size, limit = 64, 16 << 10, 100

	synctest.Test(t, func(t *testing.T) {
		broker := newBroker(t)
		visit := func(topic string, buffer int) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			sub, err := broker.Subscribe(ctx, topic, buffer, pubsub.Block)
			require.NoError(t, err, "the broker is open: Subscribe must return no error")
			broker.Publish(ctx, topic, 1)
			sub.Unsubscribe()
		}

		before := heap()
		for i := range times {
			broker.Publish(t.Context(), longName(i, size), 1)
		}
		unheard := heap()
		require.Less(t, unheard-before, limit, "Publish was called once on each of 64 topics that nobody has subscribed to, and their names take 1 MB: nothing must be kept of them; this is the growth in kB")

		for i := range times {
			visit(longName(i, size), 1)
		}
		deserted := heap()
		require.Less(t, deserted-unheard, limit, "64 topics had one subscriber each, who has called Unsubscribe, and their names take 1 MB: nothing must be kept of them; this is the growth in kB")

		subscribe(t, broker, "prices", times, pubsub.Block)
		for range times {
			visit("prices", size/8)
		}
		visited := heap()
		require.Less(t, visited-deserted, limit, "64 subscribers of one topic have called Unsubscribe, another one stays, and their buffers take 1 MB: nothing must be kept of the 64; this is the growth in kB")
	})
}

// Step 3: when there is no room

// With Block, Publish waits for room, and for no longer than its ctx allows.
// The price is paid by the one who publishes; in return, nothing is lost.
func TestBlockWaitsForRoom(t *testing.T) {
	const took = time.Hour + 1_234_567_891*time.Nanosecond // a moment that nobody hits who only looks now and then

	for _, room := range []int{0, 1, 3} {
		synctest.Test(t, func(t *testing.T) {
			broker := newBroker(t)
			sub := subscribe(t, broker, "prices", room, pubsub.Block)

			start := time.Now()
			var want []int
			for v := range room {
				require.Equal(t, 1, publish(t, broker, "prices", v), "the buffer is %d and %d are waiting: there is room, so Publish must return 1", room, v)
				want = append(want, v)
			}
			require.Zero(t, time.Since(start), "the buffer is %d: so many calls of Publish must return without waiting", room)

			late := startPublish(context.Background(), broker, "prices", room)
			time.Sleep(took)
			require.Empty(t, late, "the buffer is %d and so many are waiting: the next Publish must wait until one of them has been read", room)
			got := []int{<-sub.C()}
			out := returned(t, late, "a message has been read: the Publish that waited for room must return")
			require.NoError(t, out.err, "a message has been read, so there was room in the end: Publish must return no error")
			require.Equal(t, 1, out.delivered, "a message has been read, so there was room in the end: Publish must return 1")
			require.Equal(t, took, time.Since(start), "Publish must return at the moment when there is room")

			want = append(want, room)
			require.Equal(t, want, append(got, waiting(sub)...), "the buffer is %d, and Publish has been called once more than that: all must come, in order", room)
			require.Zero(t, sub.Dropped(), "with Block nothing is dropped: Dropped must be 0")
		})
	}

	for range 20 { // what is left to chance goes wrong in one of them
		synctest.Test(t, func(t *testing.T) {
			broker := newBroker(t)
			full := subscribe(t, broker, "prices", 1, pubsub.Block)
			roomy := subscribe(t, broker, "prices", 10, pubsub.Block)
			publish(t, broker, "prices", 1)

			start := time.Now()
			late := startPublish(within(t, took), broker, "prices", 2)
			time.Sleep(took)
			out := returned(t, late, "ctx ended while Publish waited for room: Publish must return")
			require.ErrorIs(t, out.err, context.DeadlineExceeded, "ctx ended while Publish waited for room: Publish must return the ctx's error")
			require.Equal(t, 1, out.delivered, "ctx ended while Publish waited for one of 2 subscribers: the other had room and must have the message, so Publish must return 1 beside the error")
			require.Equal(t, took, time.Since(start), "Publish must return at the moment its ctx ends")

			require.Equal(t, []int{1}, waiting(full), "ctx ended while Publish waited for room: the message must not come later")
			require.Equal(t, []int{1, 2}, waiting(roomy), "Publish gave up on one of 2 subscribers: the other had room, and must get the message")
			require.Zero(t, full.Dropped(), "ctx ended while Publish waited for room: that is an error of Publish and no drop, so Dropped must be 0")

			for range 50 {
				n, err := broker.Publish(ended(), "prices", 3)
				require.ErrorIs(t, err, context.Canceled, "ctx had ended before Publish was called: there is room, and still Publish must return the ctx's error, each of 50 times")
				require.Zero(t, n, "ctx had ended before Publish was called: nobody must get the message")
			}
			require.Empty(t, waiting(roomy), "ctx had ended before Publish was called: nobody must get the message")
		})
	}
}

// DropNewest keeps what is waiting and drops what comes.
// To keep one message, a subscription needs room for one: 0 is no buffer for a
// policy that drops.
func TestDropNewestKeepsWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker := newBroker(t)
		sampler := subscribe(t, broker, "prices", 2, pubsub.DropNewest)
		reader := subscribe(t, broker, "prices", 10, pubsub.Block)

		start := time.Now()
		var delivered []int
		for v := range 5 {
			delivered = append(delivered, publish(t, broker, "prices", v+1))
		}
		require.Zero(t, time.Since(start), "one buffer was full, with DropNewest: Publish must drop the message and not wait")
		require.Equal(t, []int{2, 2, 1, 1, 1}, delivered, "1 to 5 were published for 2 subscribers, and one had room for 2: Publish must not count who has dropped the message")
		require.EqualValues(t, 3, sampler.Dropped(), "1 to 5 were published, with a buffer of 2 and DropNewest: Dropped must be 3")
		require.Equal(t, []int{1, 2}, waiting(sampler), "Publish was called for 1 to 5, with a buffer of 2 and DropNewest: 1 and 2 must be waiting")
		require.Equal(t, []int{1, 2, 3, 4, 5}, waiting(reader), "Publish was called for 1 to 5, and another subscriber has dropped some: this one had room, and must get all")

		publish(t, broker, "prices", 6)
		require.Equal(t, []int{6}, waiting(sampler), "what was waiting has been read, and Publish was called for 6: there is room again, so 6 must come")
		require.EqualValues(t, 3, sampler.Dropped(), "6 found room: Dropped must stay 3")
	})

	synctest.Test(t, func(t *testing.T) {
		broker := newBroker(t)
		for _, bad := range []struct {
			buffer   int
			overflow pubsub.Overflow
			because  string
		}{
			{0, pubsub.DropNewest, "DropNewest needs a buffer of at least 1"},
			{0, pubsub.DropOldest, "DropOldest needs a buffer of at least 1"},
			{-1, pubsub.Block, "a buffer cannot be negative"},
			{-1, pubsub.DropOldest, "a buffer cannot be negative"},
			{1, pubsub.DropOldest + 1, "there is no such policy"},
			{1, pubsub.Block - 1, "there is no such policy"},
		} {
			sub, err := broker.Subscribe(context.Background(), "prices", bad.buffer, bad.overflow)
			require.ErrorIs(t, err, pubsub.ErrInvalid, "Subscribe was given buffer %d and policy %d, but %s: it must return ErrInvalid", bad.buffer, bad.overflow, bad.because)
			require.Nil(t, sub, "Subscribe returned an error: there must be no subscription")
		}
		require.Zero(t, publish(t, broker, "prices", 1), "every Subscribe has failed: there must be nobody to get the message")
	})
}

// DropOldest makes room for what comes by dropping what has waited longest.
// It is the policy for those who want to know how things are, and not how they were.
func TestDropOldestKeepsWhatIsNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker := newBroker(t)
		three := subscribe(t, broker, "prices", 3, pubsub.DropOldest)
		latest := subscribe(t, broker, "prices", 1, pubsub.DropOldest)

		start := time.Now()
		for v := range 5 {
			require.Equal(t, 2, publish(t, broker, "prices", v+1), "2 subscribers with DropOldest: each gets every new message, full or not, so Publish must return 2")
		}
		require.Zero(t, time.Since(start), "the buffers were full, with DropOldest: Publish must make room and not wait")
		require.EqualValues(t, 2, three.Dropped(), "1 to 5 were published, with a buffer of 3 and DropOldest: Dropped must be 2")
		require.EqualValues(t, 4, latest.Dropped(), "1 to 5 were published, with a buffer of 1 and DropOldest: Dropped must be 4")
		require.Equal(t, []int{3, 4, 5}, waiting(three), "Publish was called for 1 to 5, with a buffer of 3 and DropOldest: 3, 4 and 5 must be waiting, in order")
		require.Equal(t, []int{5}, waiting(latest), "Publish was called for 1 to 5, with a buffer of 1 and DropOldest: 5 must be waiting")

		publish(t, broker, "prices", 6)
		require.Equal(t, []int{6}, waiting(three), "what was waiting has been read, and Publish was called for 6: there is room again, so 6 alone must come")
		require.EqualValues(t, 2, three.Dropped(), "6 found room: Dropped must stay 2")
	})

	synctest.Test(t, func(t *testing.T) {
		const callers, each = 4, 3
		broker := newBroker(t)
		sub := subscribe(t, broker, "prices", 1, pubsub.DropOldest)
		ctx, start := within(t, time.Hour), time.Now()

		for range 100 { // what is left to chance goes wrong in one of them
			before := sub.Dropped()
			atOnce(t, callers, "4 goroutines called Publish at the same time, with DropOldest: whoever makes room must be the one who uses it, and none must wait", func(int) {
				for v := range each {
					n, err := broker.Publish(ctx, "prices", v)
					assert.NoError(t, err, "4 goroutines called Publish at the same time, with DropOldest: none of them must wait")
					assert.Equal(t, 1, n, "4 goroutines called Publish at the same time, with DropOldest: each must return 1")
				}
			})
			require.Zero(t, time.Since(start), "4 goroutines called Publish at the same time, with DropOldest: none of them must wait")
			require.EqualValues(t, callers*each-1, sub.Dropped()-before, "4 goroutines called Publish 3 times each, with a buffer of 1 and DropOldest: Dropped must count all messages but 1")
			require.Len(t, waiting(sub), 1, "4 goroutines called Publish 3 times each, with a buffer of 1 and DropOldest: 1 message must be waiting")
		}
	})

	// A reader who is as quick as the broker, until they have often enough wanted the
	// same message.
	met := 0
	for end := time.Now().Add(150 * time.Millisecond); met < 20 && time.Now().Before(end); {
		synctest.Test(t, func(t *testing.T) {
			const messages = 2000
			broker := newBroker(t)
			sub := subscribe(t, broker, "prices", 1, pubsub.DropOldest)
			read := make(chan int, 1)
			go func() {
				n := 0
				for range sub.C() {
					n++
				}
				read <- n
			}()
			all := started(func() {
				for v := range messages {
					broker.Publish(t.Context(), "prices", v)
				}
			})
			<-all // a Publish that waits for a message that the reader has taken waits for ever
			sub.Unsubscribe()
			got, dropped := returned(t, read, "Unsubscribe was called: C must be closed"), int(sub.Dropped())
			require.Equal(t, messages, got+dropped, "2000 messages were published, with DropOldest, to a reader who was quick: each must be read, or counted by Dropped")
			if got > 1 && dropped > 0 {
				met++
			}
		})
	}
}

// Step 4: a full subscriber is nobody else's problem

// A Publish that waits holds up no other call.
// So it must not hold a lock that others need. This koan runs in real time: a
// bubble takes a goroutine that waits for a lock for one that is busy, and its
// clock would stop for good.
func TestWaitingPublishHoldsUpNobody(t *testing.T) {
	leaveNothing(t)
	broker := pubsub.New[int]()
	slow := subscribeSoon(t, t.Context(), broker, "prices", 1, "nothing is going on: Subscribe must return")
	patient := startPublish(context.Background(), broker, "prices", 1)
	require.Equal(t, outcome{1, nil}, soon(t, patient, "there is room: Publish must return"), "there is room: Publish must deliver to the 1 subscriber")

	patient = startPublish(context.Background(), broker, "prices", 2)
	untilWaiting(t, 1, patient, "the buffer is full: Publish must wait for room")

	stock := subscribeSoon(t, t.Context(), broker, "stock", 1, "a Publish was waiting for a subscriber of prices: Subscribe to another topic must return all the same")
	require.Equal(t, outcome{1, nil}, soon(t, startPublish(context.Background(), broker, "stock", 1),
		"a Publish was waiting for a subscriber of prices: a Publish on another topic must return all the same"), "the subscriber of the other topic has room: Publish must deliver to it")
	newcomer := subscribeSoon(t, t.Context(), broker, "prices", 1, "a Publish was waiting for a subscriber of prices: Subscribe to the same topic must return all the same")

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	hurried := startPublish(ctx, broker, "prices", 3)
	untilWaiting(t, 2, hurried, "the buffer of one subscriber is full: a second Publish must wait for room as well")
	cancel()
	out := soon(t, hurried, "Publish was waiting twice for the same subscriber, and the ctx of one call ended: that one must return, though the other still waits")
	require.ErrorIs(t, out.err, context.Canceled, "Publish's ctx ended while it waited: it must return the ctx's error")

	soon(t, started(func() { stock.Unsubscribe(); newcomer.Unsubscribe(); newcomer.Unsubscribe() }),
		"a Publish was waiting for a subscriber: Unsubscribe of others must return all the same")
	soon(t, started(func() { slow.Dropped() }), "a Publish was waiting for a subscriber: Dropped must return all the same")
	require.Equal(t, 1, soon(t, slow.C(), "a message of Publish is waiting: it must come"), "Publish was called for 1, 2 and 3, in this order: 1 must come first")
	require.Equal(t, outcome{1, nil}, soon(t, patient, "a message has been read: the Publish that waited for room must return"),
		"a message has been read: the Publish that waited for room must deliver to the 1 subscriber it waited for")
	require.Equal(t, 2, soon(t, slow.C(), "a message of Publish is waiting: it must come"), "Publish waited for room for 2, and there was some: 2 must come next")
	soon(t, started(func() { slow.Unsubscribe(); broker.Close() }), "nobody is waiting any more: Unsubscribe and Close must return")
}

// Each subscriber gets a message as soon as it has room, whoever else has none.
// If a Publish waited for one after the other, the first customer in a tunnel
// would make all who come after it wait.
func TestFullSubscriberHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker := newBroker(t)
		var roomy, full []*pubsub.Subscription[int]
		for range 3 { // those with room come before, between and after those without
			roomy = append(roomy, subscribe(t, broker, "prices", 5, pubsub.Block))
			full = append(full, subscribe(t, broker, "prices", 1, pubsub.Block))
		}
		roomy = append(roomy, subscribe(t, broker, "prices", 5, pubsub.DropNewest), subscribe(t, broker, "prices", 1, pubsub.DropOldest))
		publish(t, broker, "prices", 1)

		late := startPublish(context.Background(), broker, "prices", 2)
		time.Sleep(time.Hour)
		require.Empty(t, late, "3 of 8 subscribers have no room, and nobody has read: Publish must wait")
		for i, sub := range roomy[:4] {
			require.Equal(t, []int{1, 2}, waiting(sub), "Publish found 3 of 8 subscribers without room: the others must get the message at once (this is number %d of them)", i+1)
		}
		require.Equal(t, []int{2}, waiting(roomy[4]), "Publish found 3 of 8 subscribers without room: the one with DropOldest must get the message at once")

		for i := range full {
			last := full[len(full)-1-i] // the order in which they find time is not that in which they came
			require.Equal(t, []int{1, 2}, waiting(last), "Publish found 3 subscribers without room, and one has now read what was waiting: it must get the message at once, whether or not the others have room")
		}
		out := returned(t, late, "all subscribers have read: Publish must return")
		require.Equal(t, outcome{8, nil}, out, "in the end each of the 8 subscribers has got the message: Publish must say so")
	})
}

// Whoever leaves releases the Publish that waits for it.
// Nobody will ever read there again, so there is nothing left to wait for.
func TestLeavingReleasesPublish(t *testing.T) {
	requireReleased(t, "the subscriber called Unsubscribe", func(_ *pubsub.Broker[int], full *pubsub.Subscription[int], _ context.CancelFunc) {
		full.Unsubscribe()
	})
}

// Step 5: every end

// A subscription ends with its ctx, and leaves nothing behind if it ends before.
// A ctx can last as long as the program. What waits for its end must be told when
// there is nothing left to wait for.
func TestCtxEndsSubscription(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker := newBroker(t)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		visitor, err := broker.Subscribe(ctx, "prices", 5, pubsub.Block)
		require.NoError(t, err, "the broker is open, and ctx has not ended: Subscribe must return no error")
		stays := subscribe(t, broker, "prices", 5, pubsub.Block)

		publish(t, broker, "prices", 1)
		time.Sleep(time.Hour)
		require.Equal(t, 2, publish(t, broker, "prices", 2), "neither of 2 subscribers has left, and no ctx has ended: Publish must return 2")
		cancel()
		require.Equal(t, []int{1, 2}, readAll(t, visitor, nil), "the ctx given to Subscribe ended when 1 and 2 were waiting: they must still come, and then C must be closed")
		require.Equal(t, 1, publish(t, broker, "prices", 3), "the ctx given to Subscribe has ended, for one of 2 subscriptions: the next message must go to 1")
		require.Equal(t, []int{1, 2, 3}, waiting(stays), "the ctx given to Subscribe has ended, for another subscription: this one must go on")
		visitor.Unsubscribe() // after the end, which does nothing

		for range 50 {
			sub, err := broker.Subscribe(ended(), "prices", 5, pubsub.Block)
			require.ErrorIs(t, err, context.Canceled, "ctx had ended before Subscribe was called: Subscribe must return the ctx's error")
			require.Nil(t, sub, "Subscribe returned an error: there must be no subscription")
		}
		require.Equal(t, 1, publish(t, broker, "prices", 4), "Subscribe has returned errors: nobody has been added, so the message must go to 1")

		before := heap()
		for range 64 {
			ctx, cancel := context.WithCancel(context.Background())
			_, err := broker.Subscribe(ctx, "prices", 2<<10, pubsub.Block)
			require.NoError(t, err, "the broker is open, and ctx has not ended: Subscribe must return no error")
			cancel()
		}
		require.Less(t, heap()-before, 100, "Subscribe was called 64 times, each ctx has ended, and the buffers take 1 MB: nothing must be kept of them; this is the growth in kB")
	})

	// Whoever still waits at the end of a bubble is left behind, and reported.
	synctest.Test(t, func(t *testing.T) {
		broker := newBroker(t)
		ctx := newLasting()
		for range 2 {
			sub, err := broker.Subscribe(ctx, "prices", 5, pubsub.Block)
			require.NoError(t, err, "the broker is open, and ctx has not ended: Subscribe must return no error")
			sub.Unsubscribe()
		}
		synctest.Wait()
		require.Zero(t, ctx.held.Load(), "2 subscriptions have ended by Unsubscribe, and their ctx goes on: it must not hold on to them; context.AfterFunc returns a function for that")
	})

	requireReleased(t, "the ctx given to Subscribe ended", func(_ *pubsub.Broker[int], _ *pubsub.Subscription[int], cancel context.CancelFunc) {
		cancel()
	})
}

// Close ends every subscription, and after it everything is ErrClosed.
func TestCloseEndsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker := pubsub.New[int]()
		sub := subscribe(t, broker, "prices", 5, pubsub.Block)
		same := subscribe(t, broker, "prices", 5, pubsub.DropOldest)
		other := subscribe(t, broker, "stock", 0, pubsub.Block)
		publish(t, broker, "prices", 1)

		broker.Close()

		require.Equal(t, []int{1}, readAll(t, sub, nil), "a message was waiting when Close was called: it must still come, and then C must be closed")
		require.Equal(t, []int{1}, readAll(t, same, nil), "Close was called: the channel of every subscriber of a topic must be closed")
		require.Empty(t, readAll(t, other, nil), "Close was called: the channels of every topic must be closed")

		n, err := broker.Publish(context.Background(), "prices", 2)
		require.ErrorIs(t, err, pubsub.ErrClosed, "Close was called: Publish must return ErrClosed")
		require.Zero(t, n, "Close was called: Publish must deliver to nobody")
		_, err = broker.Publish(context.Background(), "colours", 2)
		require.ErrorIs(t, err, pubsub.ErrClosed, "Close was called: Publish must return ErrClosed, on every topic")
		none, err := broker.Subscribe(context.Background(), "prices", 5, pubsub.Block)
		require.ErrorIs(t, err, pubsub.ErrClosed, "Close was called: Subscribe must return ErrClosed")
		require.Nil(t, none, "Subscribe returned an error: there must be no subscription")

		sub.Unsubscribe() // from here on, everything has ended before
		broker.Close()
		for range 3 {
			go broker.Close()
			go same.Unsubscribe()
		}
	})

	synctest.Test(t, func(t *testing.T) {
		broker := pubsub.New[int]()
		ctx := newLasting()
		_, err := broker.Subscribe(ctx, "prices", 5, pubsub.Block)
		require.NoError(t, err, "the broker is open, and ctx has not ended: Subscribe must return no error")
		broker.Close()
		synctest.Wait()
		require.Zero(t, ctx.held.Load(), "a subscription has ended by Close, and its ctx goes on: it must not hold on to the subscription")
	})

	requireReleased(t, "Close was called", func(broker *pubsub.Broker[int], _ *pubsub.Subscription[int], _ context.CancelFunc) {
		broker.Close()
	})
}

// A Publish that races the end of a subscription never sends on a closed channel.
// There is a moment when Publish has found a subscriber and not yet sent to it.
// Closing the channel must not fit into it.
func TestPublishRacesTheEnd(t *testing.T) {
	leaveNothing(t)

	// First with care: nobody reads while messages are published, since a message
	// that has been read puts the two goroutines in order.
	for round := range 8 {
		for _, end := range []func(*pubsub.Broker[int], *pubsub.Subscription[int], context.CancelFunc){
			func(_ *pubsub.Broker[int], sub *pubsub.Subscription[int], _ context.CancelFunc) { sub.Unsubscribe() },
			func(_ *pubsub.Broker[int], _ *pubsub.Subscription[int], cancel context.CancelFunc) { cancel() },
			func(broker *pubsub.Broker[int], _ *pubsub.Subscription[int], _ context.CancelFunc) { broker.Close() },
		} {
			broker := pubsub.New[int]()
			ctx, cancel := context.WithCancel(context.Background())
			var subs []*pubsub.Subscription[int]
			room := []int{100, 1}[round%2] // in the second case, both wait until the end
			for overflow, buffer := range []int{pubsub.Block: room, pubsub.DropNewest: 2, pubsub.DropOldest: 2} {
				sub, err := broker.Subscribe(ctx, "prices", buffer, pubsub.Overflow(overflow))
				require.NoError(t, err, "the broker is open: Subscribe must return no error")
				subs = append(subs, sub)
			}
			published := make(chan error, 2)
			for who := range 2 {
				go func() { published <- publishMany(context.Background(), broker, who, 20) }()
			}
			for tries := 0; tries < 100 && len(subs[0].C()) == 0; tries++ {
				runtime.Gosched()
			}
			for _, sub := range subs {
				sub.Dropped()
				soon(t, started(func() { end(broker, sub, cancel) }), "Publish was at work, and a subscription or the broker was to end: that must not take long")
			}
			for range 2 {
				err := soon(t, published, "subscriptions have ended, or the broker was closed: every Publish must return")
				if err != nil {
					require.ErrorIs(t, err, pubsub.ErrClosed, "subscriptions or the broker were closed: Publish must return nil or ErrClosed")
				}
			}
			cancel()
			soon(t, started(broker.Close), "Close must return, whatever has ended before")
			for _, sub := range subs {
				requireInOrder(t, sub)
			}
		}
	}

	// Then all at once: nobody must get lost when many come in the same moment, and
	// nobody stay behind when they leave.
	for range 100 {
		broker := pubsub.New[int]()
		subs := make([]*pubsub.Subscription[int], 4)
		atOnce(t, len(subs), "4 subscribe at the same time: each Subscribe must return", func(i int) {
			subs[i], _ = broker.Subscribe(context.Background(), "prices", 1, pubsub.Block)
		})
		n, _ := broker.Publish(context.Background(), "prices", 1)
		require.Equal(t, len(subs), n, "4 called Subscribe, all at the same time: a message must go to 4")
		atOnce(t, len(subs), "4 leave at the same time: each Unsubscribe must return", func(i int) { subs[i].Unsubscribe() })
		n, _ = broker.Publish(context.Background(), "prices", 2)
		require.Zero(t, n, "4 called Unsubscribe, all at the same time: a message must go to nobody")
		broker.Close()
	}

	// Then with force: subscribers come and go while two publish as fast as they can.
	const visitors, visits = 4, 10
	broker := pubsub.New[int]()
	published, left := make(chan error, 2), make(chan struct{}, visitors)
	for who := range 2 {
		go func() { published <- publishMany(t.Context(), broker, who, math.MaxInt) }()
	}
	for range visitors {
		go func() {
			defer func() { left <- struct{}{} }()
			for visit := range visits {
				sub, err := broker.Subscribe(t.Context(), "prices", visit%2, pubsub.Block)
				if !assert.NoError(t, err, "the broker is open: Subscribe must return no error") {
					return
				}
				<-sub.C()
				<-sub.C()
				sub.Unsubscribe()
				for range sub.C() {
				}
			}
		}()
	}
	for range visitors {
		soon(t, left, "subscribers came, read two messages and called Unsubscribe, while others published: all of them must come to an end")
	}
	soon(t, started(broker.Close), "Close was called while messages were published: it must return")
	for range 2 {
		require.ErrorIs(t, soon(t, published, "Close was called: every Publish must return"), pubsub.ErrClosed, "Close was called: Publish must return ErrClosed in the end")
	}
}

// newBroker makes a broker for a bubble, and closes it in the end, when the bubble's
// context has ended and those who listen to it have gone. If the koan has failed,
// whoever is still at it may come to an end before and after that, so that the
// failure is reported alone.
func newBroker(t *testing.T) *pubsub.Broker[int] {
	broker := pubsub.New[int]()
	t.Cleanup(func() {
		if t.Failed() {
			time.Sleep(time.Second)
			defer time.Sleep(time.Hour)
		} else {
			synctest.Wait()
		}
		broker.Close()
	})
	return broker
}

// subscribe makes a subscription that the broker has to allow, for as long as the
// koan lasts. If the koan has failed, it lets go those who wait for a reader.
func subscribe(t *testing.T, broker *pubsub.Broker[int], topic string, buffer int, overflow pubsub.Overflow) *pubsub.Subscription[int] {
	t.Helper()
	sub, err := broker.Subscribe(t.Context(), topic, buffer, overflow)
	require.NoError(t, err, "the broker is open: Subscribe with buffer %d and policy %d must return no error", buffer, overflow)
	require.NotNil(t, sub, "Subscribe returned no error: there must be a subscription")
	t.Cleanup(func() {
		if t.Failed() {
			go drain(sub)
		}
	})
	return sub
}

func drain(sub *pubsub.Subscription[int]) {
	for {
		select {
		case _, open := <-sub.C():
			if !open {
				return
			}
		case <-time.After(time.Minute):
			return
		}
	}
}

// publish publishes a message that must find its way within an hour, and returns
// how many have got it.
func publish(t *testing.T, broker *pubsub.Broker[int], topic string, v int) int {
	t.Helper()
	out := returned(t, startPublish(within(t, time.Hour), broker, topic, v), "nobody has to be waited for: Publish must return")
	require.NoError(t, out.err, "nobody has to be waited for: Publish must return no error")
	return out.delivered
}

// outcome is what a Publish returned.
type outcome struct {
	delivered int
	err       error
}

// startPublish calls Publish in a goroutine of its own and sends the outcome.
func startPublish(ctx context.Context, broker *pubsub.Broker[int], topic string, v int) <-chan outcome {
	out := make(chan outcome, 1)
	go callPublish(ctx, broker, topic, v, out)
	return out
}

func callPublish(ctx context.Context, broker *pubsub.Broker[int], topic string, v int, out chan<- outcome) {
	n, err := broker.Publish(ctx, topic, v)
	out <- outcome{n, err}
}

// publishMany publishes n messages, or as many as it can, and says from whom each is.
func publishMany(ctx context.Context, broker *pubsub.Broker[int], who, n int) error {
	for i := range n {
		if _, err := broker.Publish(ctx, "prices", 2*i+who); err != nil {
			return err
		}
		if i%8 == 7 {
			runtime.Gosched() // on one processor, the others would have to wait long for their turn
		}
	}
	return nil
}

// atOnce calls f for 0 to n-1 in goroutines that start at the same time, as far as
// that can be had, and waits for them.
func atOnce(t *testing.T, n int, otherwise string, f func(i int)) {
	t.Helper()
	var ready, all sync.WaitGroup
	ready.Add(n)
	for i := range n {
		all.Go(func() {
			ready.Done()
			ready.Wait()
			f(i)
		})
	}
	soon(t, started(all.Wait), otherwise)
}

// requireInOrder requires that a subscription has ended, with the messages of two
// who ran publishMany in the order in which each of them published.
func requireInOrder(t *testing.T, sub *pubsub.Subscription[int]) {
	t.Helper()
	last := [2]int{-1, -1}
	for {
		select {
		case v, open := <-sub.C():
			if !open {
				return
			}
			require.Greater(t, v, last[v%2], "Publish was called by 2 at a time: a subscriber must get the messages of each of them in order, and once")
			last[v%2] = v
		case <-time.After(2 * time.Second):
			require.Fail(t, "nothing happened for two seconds", "a subscription has ended: C must be closed")
		}
	}
}

// requireReleased requires that two Publishes that wait for one of two subscribers
// return when that one has ended, and that this takes nobody's reading. It runs in
// real time, for here somebody may be waiting for a lock.
func requireReleased(t *testing.T, when string, end func(*pubsub.Broker[int], *pubsub.Subscription[int], context.CancelFunc)) {
	t.Helper()
	leaveNothing(t)
	for _, buffer := range []int{0, 1} {
		broker := pubsub.New[int]()
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		full := subscribeSoon(t, ctx, broker, "prices", buffer, "nothing is going on: Subscribe must return")
		if buffer > 0 {
			soon(t, startPublish(context.Background(), broker, "prices", 1), "there is room: Publish must return")
		}
		roomy := subscribeSoon(t, t.Context(), broker, "prices", 5, "nobody is waiting: Subscribe must return")
		first, second := startPublish(context.Background(), broker, "prices", 2), startPublish(context.Background(), broker, "prices", 2)
		for range 2 {
			require.Equal(t, 2, soon(t, roomy.C(), "Publish found one of 2 subscribers without room: the other must get the message all the same"), "Publish was called twice for 2: it must come")
		}
		untilWaiting(t, 2, first, "one of 2 subscribers has no room, and Publish was called twice: both calls must wait")

		soon(t, started(func() { end(broker, full, cancel) }), "Publish was waiting for room, twice, and "+when+": that must not wait for a reader")
		for _, call := range []<-chan outcome{first, second} {
			out := soon(t, call, "Publish was waiting for room, and "+when+": Publish must return")
			if out.err != nil && when == "Close was called" {
				require.ErrorIs(t, out.err, pubsub.ErrClosed, "Publish was waiting for room, and %s: if it returns an error, that must be ErrClosed", when)
				continue
			}
			require.NoError(t, out.err, "Publish was waiting for room, and %s: that is no error of Publish", when)
			require.Equal(t, 1, out.delivered, "Publish was waiting for one of 2 subscribers, and %s: the other one has got the message, so Publish must return 1", when)
		}
		for range buffer {
			require.Equal(t, 1, soon(t, full.C(), "a message of Publish was waiting: it must come"), "%s when 1 was waiting: Publish had delivered it, so it must still come", when)
		}
		_, open := soonClosed(t, full)
		require.False(t, open, "%s while Publish was waiting, twice: the message must not come any more, and C must be closed", when)
		soon(t, started(func() { roomy.Unsubscribe(); broker.Close() }), "nobody is waiting any more: Unsubscribe and Close must return")
	}
}

// subscribeSoon makes a subscription with Block in real time.
func subscribeSoon(t *testing.T, ctx context.Context, broker *pubsub.Broker[int], topic string, buffer int, otherwise string) *pubsub.Subscription[int] {
	t.Helper()
	var sub *pubsub.Subscription[int]
	var err error
	soon(t, started(func() { sub, err = broker.Subscribe(ctx, topic, buffer, pubsub.Block) }), otherwise)
	require.NoError(t, err, "the broker is open, and ctx has not ended: Subscribe must return no error")
	return sub
}

// soonClosed receives once from a subscription that has ended.
func soonClosed(t *testing.T, sub *pubsub.Subscription[int]) (v int, open bool) {
	t.Helper()
	select {
	case v, open = <-sub.C():
		return v, open
	case <-time.After(2 * time.Second):
		require.Fail(t, "nothing happened for two seconds", "a subscription has ended: C must be closed")
		panic("unreachable")
	}
}

// returned receives from a call, for which it waits an hour of virtual time.
func returned[T any](t *testing.T, call <-chan T, otherwise string) T {
	t.Helper()
	select {
	case v := <-call:
		return v
	case <-time.After(time.Hour):
		require.Fail(t, "nothing happened for an hour", otherwise)
		panic("unreachable")
	}
}

// waiting reads what is waiting in a subscription, once everybody has come to rest.
func waiting(sub *pubsub.Subscription[int]) (got []int) {
	for {
		synctest.Wait()
		select {
		case v, open := <-sub.C():
			if !open {
				return got
			}
			got = append(got, v)
		default:
			return got
		}
	}
}

// readAll reads until C is closed, and calls then, if it is given, for each message.
// When nothing happens for an hour of virtual time, nothing will ever happen.
func readAll(t *testing.T, sub *pubsub.Subscription[int], then func(v int)) (got []int) {
	t.Helper()
	for {
		select {
		case v, open := <-sub.C():
			if !open {
				return got
			}
			got = append(got, v)
			if then != nil {
				then(v)
			}
		case <-time.After(time.Hour):
			require.Failf(t, "C was never closed", "a subscription has ended, and %v were read from it; then nothing came, and C was not closed: whoever ranges over it waits for ever", got)
		}
	}
}

// heap returns how many kB are in use, once everybody has come to rest.
func heap() int {
	synctest.Wait()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc >> 10)
}

// longName returns a topic's name of the given size, which differs for each i.
func longName(i, size int) string {
	return strings.Repeat(string(rune('a'+i%26)), size-i/26)
}

// within returns a ctx that ends after d.
func within(t *testing.T, d time.Duration) context.Context {
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

// lasting is a ctx that never ends. It counts what holds on to it by
// context.AfterFunc, or by a context derived from it.
type lasting struct {
	context.Context
	done chan struct{}
	held atomic.Int64
}

func newLasting() *lasting {
	return &lasting{Context: context.Background(), done: make(chan struct{})}
}

func (c *lasting) Done() <-chan struct{} { return c.done }

// AfterFunc is what context.AfterFunc uses if a ctx has it.
func (c *lasting) AfterFunc(func()) (stop func() bool) {
	c.held.Add(1)
	return sync.OnceValue(func() bool {
		c.held.Add(-1)
		return true
	})
}

// started calls f in a goroutine of its own; the channel is closed when it returns.
func started(f func()) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	return done
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

// untilWaiting returns when n goroutines are waiting inside callPublish, no matter
// what for, and fails the koan if one comes back before that. It asks the runtime
// what each goroutine does, since only a bubble has a better way to know.
func untilWaiting(t *testing.T, n int, call <-chan outcome, otherwise string) {
	t.Helper()
	stacks := make([]byte, 1<<20)
	for deadline := time.Now().Add(2 * time.Second); len(call) == 0 && time.Now().Before(deadline); runtime.Gosched() {
		waiting := 0
		for _, g := range strings.Split(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
			state, frames, _ := strings.Cut(g, "\n")
			frames, _, _ = strings.Cut(frames, "created by ")
			if strings.Contains(frames, ".callPublish(") && !strings.Contains(state, "[run") {
				waiting++
			}
		}
		if waiting == n {
			return
		}
	}
	require.Fail(t, "it did not wait", otherwise)
}

// leaveNothing checks that a koan which passed has left no goroutine behind when its
// context has ended, apart from those that were there before.
func leaveNothing(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() {
		if !t.Failed() {
			goleak.VerifyNone(t, before)
		}
	})
}
