package resourcepool_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	resourcepool "concurrency-koans/lessons/12-resource-pool"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Step 1: made once, used again

// A resource is made when it is needed for the first time, and used again after that.
// At the end of every koan, the pool is closed, and all that was made must be destroyed.
func TestMadeOnceUsedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{}
		pool := newPool(t, s.config(3))
		defer closePool(t, pool, s)
		synctest.Wait()
		require.Zero(t, s.made(), "New was called, and nobody has asked for a connection yet: none must be made in advance")

		first := acquire(t, pool)
		one := first.Value()
		require.NotNil(t, one, "Acquire was called for the first time: the lease must have the connection that Config.New made")
		first.Release()
		for range 5 {
			lease := acquire(t, pool)
			require.Same(t, one, lease.Value(), "one connection had been made, and it was idle: Acquire must lease it again")
			lease.Release()
		}
		require.Equal(t, 1, s.made(), "connections were leased one after the other, and each was released before the next: one must do for all")
		runtime.GC()
		runtime.GC()
		lease := acquire(t, pool)
		require.Same(t, one, lease.Value(), "a connection was idle, and the garbage collector has run: the pool must have kept it, for it is not garbage")
		lease.Release()

		a, b := acquire(t, pool), acquire(t, pool)
		require.NotSame(t, a.Value(), b.Value(), "two leases were held at the same time, and had the same connection: Acquire must not lease what somebody has")
		a.Release()
		b.Release()
		a, b = acquire(t, pool), acquire(t, pool)
		require.NotSame(t, a.Value(), b.Value(), "two leases were held at the same time, and had the same connection: Acquire must not lease what somebody has")
		require.Equal(t, 2, s.made(), "two connections had been made, and both were idle: Acquire was called twice, and must lease them again")
		a.Release()
		b.Release()
		synctest.Wait()
		require.Zero(t, s.destroyed(), "connections were released to an open pool: Release must keep them")
	})

	// With nothing to be done at the end.
	synctest.Test(t, func(t *testing.T) {
		config := (&server{}).config(2)
		config.Destroy = nil
		pool := newPool(t, config)
		acquire(t, pool).Release()
		require.NoError(t, pool.Close(within(t, time.Minute)), "Config.Destroy was nil, so there is nothing to be done for the connection that was idle: Close must return nil")
	})

	connect := (&server{}).connect
	for _, c := range []struct {
		why    string
		config resourcepool.Config[*conn]
	}{
		{"Max was 0", resourcepool.Config[*conn]{Max: 0, New: connect}},
		{"Max was -1", resourcepool.Config[*conn]{Max: -1, New: connect}},
		{"Config.New was nil", resourcepool.Config[*conn]{Max: 1}},
	} {
		pool, err := resourcepool.New(c.config)
		require.Error(t, err, "%s: nobody could ever get anything, so New must return an error", c.why)
		require.Nil(t, pool, "New returned an error: there must be no pool beside it")
	}
}

// A lease ends once: a second Release does nothing, also when somebody else has the resource by then.
func TestReleaseCountsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{}
		pool := newPool(t, s.config(3))
		defer closePool(t, pool, s)

		lease := acquire(t, pool)
		lease.Release()
		lease.Release()
		a, b := acquire(t, pool), acquire(t, pool)
		require.NotSame(t, a.Value(), b.Value(), "a lease was released twice, and the next two leases had the same connection, which had come back once: the second Release must do nothing")

		shared := a.Value()
		a.Release()
		c := acquire(t, pool)
		require.Same(t, shared, c.Value(), "one connection was idle: Acquire must lease it")
		require.Same(t, shared, a.Value(), "a lease had ended, and its connection was leased again: Value must return it as before")
		a.Release()
		d := acquire(t, pool)
		require.NotSame(t, c.Value(), d.Value(), "a lease was released, its connection was leased to somebody else, and then the first lease was released again, which took it away from there: the second Release must do nothing")
		for _, lease := range []*resourcepool.Lease[*conn]{b, c, d} {
			lease.Release()
		}
	})

	// Several goroutines, one lease.
	synctest.Test(t, func(t *testing.T) {
		s := &server{}
		pool := newPool(t, s.config(5))
		defer closePool(t, pool, s)
		for round := range 50 {
			lease := acquire(t, pool)
			var all sync.WaitGroup
			for range 4 {
				all.Go(lease.Release)
			}
			all.Wait()
			a, b := acquire(t, pool), acquire(t, pool)
			require.NotSame(t, a.Value(), b.Value(), "4 goroutines called Release on one lease, and the next two leases had the same connection: all but the first Release must do nothing (this was attempt %d)", round+1)
			a.Release()
			b.Release()
		}
	})

	// Two, as close together as can be.
	defer verifyNoLeak(t, goleak.IgnoreCurrent())
	s := &server{}
	pool := newPool(t, s.config(3))
	atOnce(t, "2 goroutines called Release on one lease at the same moment, and what was called then did not return: one Release must do nothing", func() (one, other func(), after func() bool) {
		lease := take(t, pool)
		return lease.Release, lease.Release, func() bool {
			a, b := take(t, pool), take(t, pool)
			defer b.Release()
			defer a.Release()
			return assert.NotSame(t, a.Value(), b.Value(), "2 goroutines called Release on one lease at the same moment, and the next two leases had the same connection: one Release must do nothing, however close behind")
		}
	})
	if !t.Failed() {
		finishSoon(t, pool, s)
	}
}

// Step 2: many at once, and never more than Max

// While a resource is being made, nobody else has to wait.
// So it must not be made under a lock. This koan runs in real time: a bubble takes
// a goroutine that waits for a lock for one that is busy, and its clock would stop.
func TestSlowNewHoldsUpNobody(t *testing.T) {
	defer verifyNoLeak(t, goleak.IgnoreCurrent())
	s := &server{}
	config := s.config(3)
	entered, hold := make(chan struct{}, 1), make(chan struct{})
	let := sync.OnceFunc(func() { close(hold) })
	defer let()
	config.New = func(ctx context.Context) (*conn, error) {
		c, err := s.connect(ctx)
		if c.id == 2 {
			entered <- struct{}{}
			<-hold
		}
		return c, err
	}
	pool := newPool(t, config)

	first := soon(t, try(context.Background(), pool), "the pool is empty, and Config.New returns at once: Acquire must return").lease
	require.NotNil(t, first, "Config.New made a connection: Acquire must return a lease")
	slow := try(context.Background(), pool)
	soon(t, entered, "one connection was leased, and Max is 3: a second Acquire must have another one made")

	third := soon(t, try(context.Background(), pool), "Config.New was still busy with one connection, and Max is 3: another Acquire must have one made at the same time").lease
	require.NotNil(t, third, "Config.New made a connection: Acquire must return a lease")
	soon(t, run(first.Release), "Config.New was still busy with one connection: Release of another one must not wait for that")
	again := soon(t, try(context.Background(), pool), "Config.New was still busy with one connection, and another one was idle: Acquire must lease it at once").lease
	require.NotNil(t, again, "a connection was idle: Acquire must return a lease")

	let()
	second := soon(t, slow, "Config.New has returned: so must the Acquire that was waiting for it").lease
	require.NotNil(t, second, "Config.New made a connection: Acquire must return a lease")
	finishSoon(t, pool, s, second, third, again)
}

// There are never more than Max resources, and each has one owner at a time.
// Who comes when all are leased waits until one comes back.
func TestNeverMoreThanMax(t *testing.T) {
	for _, limit := range []int{1, 3, 20} {
		synctest.Test(t, func(t *testing.T) {
			s := &server{dial: 30 * time.Millisecond}
			pool := newPool(t, s.config(limit))
			defer closePool(t, pool, s)

			start, ctx := time.Now(), within(t, time.Hour)
			peaks := make([]int, 4*limit)
			var all sync.WaitGroup
			for i := range peaks {
				all.Go(func() {
					lease, err := pool.Acquire(ctx)
					if !assert.NoError(t, err, "all connections were leased, and would come back: Acquire must wait, and return one") {
						return
					}
					// The connection has no lock of its own: it has one owner.
					c := lease.Value()
					c.users++
					peaks[i] = c.users
					time.Sleep(time.Second)
					peaks[i] = max(peaks[i], c.users)
					c.users--
					lease.Release()
				})
			}
			all.Wait()
			require.LessOrEqual(t, s.peak(), limit, "Max is %d, and %d goroutines called Acquire at once: there were too many connections at the same time, counting those that were being made", limit, 4*limit)
			require.Equal(t, 1, slices.Max(peaks), "a connection was leased to several at the same time: each must have one owner")
			require.Equal(t, 4*time.Second+30*time.Millisecond, time.Since(start), "Max is %d, a connection takes 30ms to make, and %d goroutines held one for 1 s each: with all in use at all times, it must take this long", limit, 4*limit)
			require.Equal(t, limit, s.made(), "Max is %d, and %d goroutines wanted a connection at once: wrong number of connections made", limit, 4*limit)
		})
	}

	// As fast as they can.
	synctest.Test(t, func(t *testing.T) {
		const limit, callers, turns = 3, 8, 100
		s := &server{}
		pool := newPool(t, s.config(limit))
		defer closePool(t, pool, s)
		ctx := within(t, time.Hour)
		var used [callers]map[*conn]bool
		var all sync.WaitGroup
		for i := range callers {
			used[i] = map[*conn]bool{}
			all.Go(func() {
				for range turns {
					lease, err := pool.Acquire(ctx)
					if !assert.NoError(t, err, "8 goroutines leased 3 connections in turn: Acquire must wait, and return one") {
						return
					}
					lease.Value().uses++
					used[i][lease.Value()] = true
					lease.Release()
				}
			})
		}
		all.Wait()
		sum, seen := 0, map[*conn]bool{}
		for i := range used {
			for c := range used[i] {
				if !seen[c] {
					seen[c] = true
					sum += c.uses
				}
			}
		}
		require.Equal(t, callers*turns, sum, "8 goroutines used a connection 100 times each, and every use counted itself in the connection, which has no lock: it must have one owner at a time")
		require.LessOrEqual(t, s.peak(), limit, "Max is 3, and 8 goroutines leased and released as fast as they could: there were too many connections at the same time")
	})

	// Somebody comes at the very moment at which it comes back.
	defer verifyNoLeak(t, goleak.IgnoreCurrent())
	s := &server{}
	pool := newPool(t, s.config(1))
	atOnce(t, "Max is 1, and Acquire was called when the connection was released: Acquire must return", func() (one, other func(), after func() bool) {
		lease := take(t, pool)
		var next *resourcepool.Lease[*conn]
		return lease.Release, func() { next = take(t, pool) }, func() bool {
			next.Release()
			return assert.Equal(t, 1, s.made(), "Max is 1, and Acquire was called when the connection was released, and made another one: Release must put it down before it lets anybody in")
		}
	})
	if !t.Failed() {
		finishSoon(t, pool, s)
	}
}

// Step 3: waiting, in turn and with ctx

// Those who wait are served in the order in which they came.
// Nobody pushes in, not even an Acquire that comes at the right moment.
func TestWaitersAreServedInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const waiters = 6
		s := &server{}
		pool := newPool(t, s.config(1))
		defer closePool(t, pool, s)
		require.Equal(t, resourcepool.Stats{}, pool.Stats(), "nobody has asked for anything yet: all numbers of Stats must be zero")

		for range 10 {
			lease, ctx := acquire(t, pool), within(t, time.Minute)
			var served []int
			var all sync.WaitGroup
			for i := range waiters {
				all.Go(func() {
					next, err := pool.Acquire(ctx)
					if !assert.NoError(t, err, "one connection was passed on from one to the next: each Acquire must get it in the end") {
						return
					}
					served = append(served, i)
					time.Sleep(time.Second)
					next.Release()
				})
				synctest.Wait() // this one waits; then the next one comes
			}
			require.Equal(t, resourcepool.Stats{Live: 1, Idle: 0, Waiting: waiters}, pool.Stats(), "Max is 1, the connection was leased, and 6 were waiting for it: that is what Stats must say")

			all.Go(func() { pool.Stats() }) // at any time, from any goroutine
			lease.Release()
			last := acquire(t, pool) // right behind the Release, and yet behind all others
			served = append(served, waiters)
			last.Release()
			all.Wait()
			require.Equal(t, []int{0, 1, 2, 3, 4, 5, 6}, served, "0 to 5 were waiting, in this order, when the connection was released; at once 6 called Acquire: the connection must go from one to the next in this order")
			require.Equal(t, resourcepool.Stats{Live: 1, Idle: 1, Waiting: 0}, pool.Stats(), "the one connection was released, and nobody wanted it: that is what Stats must say")
		}
	})
}

// Who gives up leaves no gap, not even in the moment in which a resource is handed over.
func TestGivingUpLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{}
		pool := newPool(t, s.config(2))
		defer closePool(t, pool, s)
		for range 50 { // what is left to chance goes wrong in one of them
			_, err := pool.Acquire(ended())
			require.ErrorIs(t, err, context.Canceled, "ctx had ended before Acquire was called: it must return ctx's error, though there is room")
		}
		require.Zero(t, s.made(), "ctx had ended before Acquire was called: nothing must be made for it")
		acquire(t, pool).Release()
		for range 50 {
			lease, err := pool.Acquire(ended())
			require.ErrorIs(t, err, context.Canceled, "ctx had ended before Acquire was called: it must return ctx's error, though a connection is idle, every time of 50")
			require.Nil(t, lease, "Acquire returned an error: there must be no lease beside it")
		}

		a, b := acquire(t, pool), acquire(t, pool)
		start := time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		head := try(t.Context(), pool)
		synctest.Wait()
		middle := try(ctx, pool)
		synctest.Wait()
		tail := try(t.Context(), pool)
		time.Sleep(250 * time.Millisecond)
		cancel()
		gaveUp := arrived(t, middle, "three were waiting, and the ctx of the second one ended: its Acquire must return at that moment")
		require.ErrorIs(t, gaveUp.err, context.Canceled, "ctx ended while Acquire waited: it must return ctx's error")
		require.Equal(t, 250*time.Millisecond, gaveUp.at.Sub(start), "ctx ended while Acquire waited: it must return at that moment")
		require.Equal(t, 2, pool.Stats().Waiting, "three were waiting, and one of them has given up: Stats must say how many still wait")
		a.Release()
		next := arrived(t, head, "the second of three had given up, and a connection was released: the first must have it").lease
		b.Release()
		last := arrived(t, tail, "the second of three had given up, and a second connection was released: the third must have it").lease
		require.NotNil(t, next, "a connection was released: Acquire must return a lease for it")
		require.NotNil(t, last, "a connection was released: Acquire must return a lease for it")
		next.Release()
		last.Release()
	})

	// At the very moment of a hand-over.
	synctest.Test(t, func(t *testing.T) {
		s := &server{}
		pool := newPool(t, s.config(1))
		defer closePool(t, pool, s)
		for round := range 150 {
			lease := acquire(t, pool)
			ctx, cancel := context.WithCancel(t.Context())
			hurried := try(ctx, pool)
			synctest.Wait()
			patient := try(t.Context(), pool)
			synctest.Wait()
			switch round % 3 {
			case 0:
				cancel()
				lease.Release()
			case 1:
				lease.Release()
				cancel()
			case 2:
				go cancel()
				lease.Release()
			}
			h := arrived(t, hurried, "ctx ended while Acquire waited: it must return")
			if h.err == nil {
				h.lease.Release()
			} else {
				require.ErrorIs(t, h.err, context.Canceled, "ctx ended while Acquire waited: it must return ctx's error, or nil with a lease")
			}
			p := arrived(t, patient, "two were waiting, and a connection was released in the moment in which the first one gave up: the connection is lost, for the second one never got it")
			require.NoError(t, p.err, "a connection was released, and ctx had not ended: Acquire must return a lease")
			p.lease.Release()
			cancel()
		}
		require.Equal(t, 1, s.made(), "Max is 1, and the connection was always given back: it must do for all")
	})
}

// Step 4: when nothing can be made

// A New that fails costs nothing but its own Acquire: the next one has its turn.
func TestFailedNewLeavesNoGap(t *testing.T) {
	errBusy := errors.New("the server is busy")
	synctest.Test(t, func(t *testing.T) {
		s := &server{dial: time.Second}
		config := s.config(1)
		calls := 0 // one call at a time, since Max is 1
		config.New = func(ctx context.Context) (*conn, error) {
			calls++
			if calls <= 4 {
				time.Sleep(time.Second)
				return &conn{}, errBusy
			}
			return s.connect(ctx)
		}
		pool := newPool(t, config)
		defer closePool(t, pool, s)

		for range 2 {
			lease, err := pool.Acquire(within(t, time.Minute))
			require.ErrorIs(t, err, errBusy, "Config.New returned an error: Acquire must return it; and it must find room again the next time")
			require.Nil(t, lease, "Acquire returned an error: there must be no lease beside it")
		}
		synctest.Wait()
		require.Zero(t, pool.Stats().Live, "Config.New failed, and that twice, so no connection exists and none is being made: Acquire must count back what it has counted")

		start := time.Now()
		var queue [4]<-chan outcome
		for i := range queue {
			queue[i] = try(t.Context(), pool)
			synctest.Wait()
		}
		time.Sleep(10 * time.Second)
		for i, call := range queue[:2] {
			o := arrived(t, call, "Config.New failed, for the first of those who wait, and then for the second: each must return")
			require.ErrorIs(t, o.err, errBusy, "Config.New returned an error: the Acquire for which it was called must return it")
			require.Equal(t, time.Duration(i+1)*time.Second, o.at.Sub(start), "Max is 1, and Config.New takes 1 s to fail: number %d must have its error after this time", i+1)
		}
		third := arrived(t, queue[2], "Config.New failed for the first two: the room is free again, so the third must have New called for itself")
		require.NoError(t, third.err, "Config.New made a connection at last: Acquire must return a lease")
		require.Equal(t, 3*time.Second, third.at.Sub(start), "Max is 1, and Config.New takes 1 s: the third must have its connection after this time")
		third.lease.Release()
		last := arrived(t, queue[3], "a connection was released, and one was waiting: it must have it")
		require.NoError(t, last.err, "a connection was released: Acquire must return a lease")
		last.lease.Release()
	})

	// New and ctx.
	synctest.Test(t, func(t *testing.T) {
		s := &server{dial: time.Second}
		config := s.config(1)
		deaf := false
		config.New = func(ctx context.Context) (*conn, error) {
			if deaf {
				return s.connect(context.Background())
			}
			return s.connect(ctx)
		}
		pool := newPool(t, config)
		defer closePool(t, pool, s)

		start := time.Now()
		_, err := pool.Acquire(within(t, time.Second/4))
		require.ErrorIs(t, err, context.DeadlineExceeded, "ctx ended while Config.New was busy, and New returned ctx's error: so must Acquire")
		require.Equal(t, time.Second/4, time.Since(start), "Config.New listens to ctx, and would have returned when that ended: Acquire must give it its own ctx")

		deaf = true
		start = time.Now()
		lease, err := pool.Acquire(within(t, time.Second/4))
		require.NoError(t, err, "ctx ended while Config.New was busy, but New did not listen, and made a connection: Acquire must return it")
		require.Equal(t, time.Second, time.Since(start), "Config.New did not listen to ctx: Acquire must wait for it")
		lease.Release()
	})

	// A panic.
	synctest.Test(t, func(t *testing.T) {
		s := &server{}
		config := s.config(1)
		calls := 0
		config.New = func(ctx context.Context) (*conn, error) {
			calls++
			if calls <= 2 {
				time.Sleep(time.Second)
				panic("cannot read the address")
			}
			return s.connect(ctx)
		}
		pool := newPool(t, config)
		defer closePool(t, pool, s)

		panicked := [2]chan any{make(chan any, 1), make(chan any, 1)}
		for _, c := range panicked {
			go func() {
				defer func() { c <- recover() }()
				pool.Acquire(t.Context())
			}()
			synctest.Wait()
		}
		third := try(t.Context(), pool)
		time.Sleep(10 * time.Second)
		for _, c := range panicked {
			v := arrived(t, c, "Config.New panicked, and the next in the queue has its turn: each Acquire must end")
			require.Equal(t, "cannot read the address", v, "Config.New panicked: the panic must go on to the caller of Acquire, with its value")
		}
		o := arrived(t, third, "Config.New panicked twice: the room must be free again, so the third must have its turn")
		require.NoError(t, o.err, "Config.New made a connection at last: Acquire must return a lease")
		require.Equal(t, 1, pool.Stats().Live, "Config.New panicked twice, and then made a connection, the only one that exists: Acquire must count back what it has counted, also in a panic")
		o.lease.Release()
	})
}

// Step 5: what is bad is destroyed

// A discarded resource is destroyed, and somebody else makes another one.
// Until it is destroyed, it takes up room.
func TestDiscardedIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{hangUp: time.Second}
		pool := newPool(t, s.config(2))
		defer closePool(t, pool, s)

		a, b := acquire(t, pool), acquire(t, pool)
		start := time.Now()
		first := try(t.Context(), pool)
		synctest.Wait()
		second := try(t.Context(), pool)
		synctest.Wait()
		run(a.Discard)
		time.Sleep(10 * time.Second)
		o := arrived(t, first, "Max is 2, two were leased, and one of them was discarded: the first of those who wait must have another one made")
		require.NoError(t, o.err, "a connection was discarded, so there is room: Acquire must return a lease")
		require.NotSame(t, a.Value(), o.lease.Value(), "a connection was discarded, and was leased again: Discard must destroy it, and not put it down")
		require.Equal(t, 1, s.destroyed(), "one connection was discarded: Discard must destroy it")
		require.LessOrEqual(t, s.peak(), 2, "Max is 2, and a connection was discarded, which takes 1 s to destroy, and exists until then: Discard must destroy it before there is room for another one")
		require.Equal(t, time.Second, o.at.Sub(start), "a connection was discarded, which takes 1 s to destroy: at that moment Discard must give its room to the first of those who wait")
		requireWaiting(t, second, "one connection was discarded, and two were waiting: there is room for one of them, and not for the second")

		a.Discard()
		a.Release()
		require.Equal(t, 1, s.destroyed(), "a lease was discarded, and then came another Discard, and a Release: the second Discard must do nothing, nor must the Release")
		b.Release()
		b.Discard()
		p := arrived(t, second, "a connection was released, and one was waiting: it must have it")
		require.NoError(t, p.err, "a connection was released: Acquire must return a lease")
		require.Same(t, b.Value(), p.lease.Value(), "a connection was released to the one who was waiting, and only then came a Discard on the same lease: Discard must do nothing")
		time.Sleep(10 * time.Second)
		require.Equal(t, 1, s.destroyed(), "a lease was released, and only then came a Discard, with somebody else having the connection: Discard must do nothing")
		o.lease.Discard()
		p.lease.Discard()
		time.Sleep(10 * time.Second)
		require.Equal(t, resourcepool.Stats{}, pool.Stats(), "all connections were discarded: Discard must count them back")
	})

	// At the very moment at which somebody gives up.
	synctest.Test(t, func(t *testing.T) {
		s := &server{}
		config := s.config(1)
		config.Destroy = nil
		pool := newPool(t, config)
		defer func() { pool.Close(within(t, time.Minute)) }()
		for round := range 100 {
			lease := acquire(t, pool)
			ctx, cancel := context.WithCancel(t.Context())
			hurried := try(ctx, pool)
			synctest.Wait()
			patient := try(t.Context(), pool)
			synctest.Wait()
			if round%2 == 0 {
				cancel()
				lease.Discard()
			} else {
				lease.Discard()
				cancel()
			}
			h := arrived(t, hurried, "ctx ended while Acquire waited: it must return")
			if h.err == nil {
				h.lease.Release()
			}
			p := arrived(t, patient, "two were waiting, and a connection was discarded in the moment in which the first one gave up: its room is lost, for the second one never got it")
			require.NoError(t, p.err, "a connection was discarded, so there is room, and ctx had not ended: Acquire must return a lease")
			p.lease.Release()
			cancel()
		}
	})

	// In real time, since this is about locks.
	defer verifyNoLeak(t, goleak.IgnoreCurrent())
	s := &server{}
	config := s.config(2)
	entered, hold := make(chan struct{}, 1), make(chan struct{})
	let := sync.OnceFunc(func() { close(hold) })
	defer let()
	config.Destroy = func(c *conn) {
		if c.id == 1 {
			entered <- struct{}{}
			<-hold
		}
		s.disconnect(c)
	}
	pool := newPool(t, config)
	a, b := acquireSoon(t, pool), acquireSoon(t, pool)
	discarded := run(a.Discard)
	soon(t, entered, "a lease was discarded: the connection must be destroyed")
	soon(t, run(b.Release), "Config.Destroy was still busy with one connection: Release of another one must not wait for that")
	again := soon(t, try(context.Background(), pool), "Config.Destroy was still busy with one connection, and another one was idle: Acquire must lease it at once").lease
	require.NotNil(t, again, "a connection was idle: Acquire must return a lease")
	let()
	soon(t, discarded, "the connection was destroyed: Discard must return")
	finishSoon(t, pool, s, again)

	// A lease ends once, whichever comes first.
	s = &server{}
	pool = newPool(t, s.config(2))
	atOnce(t, "Release and Discard were called on one lease at the same moment, and what was called then did not return: of Release and Discard, one must do nothing", func() (one, other func(), after func() bool) {
		lease := take(t, pool)
		return lease.Release, lease.Discard, func() bool {
			next := take(t, pool)
			defer next.Release()
			return assert.False(t, next.Value().destroyed, "Release and Discard were called on one lease at the same moment, and a connection was leased that was destroyed: of Release and Discard, one must do nothing")
		}
	})
	if !t.Failed() {
		finishSoon(t, pool, s)
	}
}

// A resource that is broken, or has been idle for too long, is never leased again.
func TestUnfitIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{hangUp: time.Second}
		config := s.config(1)
		asked := 0
		config.Healthy = func(c *conn) bool { asked++; return !c.broken }
		pool := newPool(t, config)
		defer closePool(t, pool, s)

		lease := acquire(t, pool)
		require.Zero(t, asked, "the pool was empty, and a connection has just been made, which nobody has used: Acquire must not ask Healthy about it")
		lease.Release()
		time.Sleep(time.Hour)
		lease.Value().broken = true // while it was idle
		next := acquire(t, pool)
		require.NotSame(t, lease.Value(), next.Value(), "a connection was idle, and is not healthy any more: Acquire must not lease it")
		require.Equal(t, 1, asked, "one connection was idle, is not healthy, and another one has just been made: Acquire must ask Healthy about the first, and not about the one just made")
		require.Equal(t, 1, s.destroyed(), "Max is 1, and the connection that was idle is not healthy: Acquire must destroy it before it has another one made")

		waiting := try(t.Context(), pool)
		synctest.Wait()
		next.Value().broken = true
		run(next.Release)
		time.Sleep(10 * time.Second)
		o := arrived(t, waiting, "one was waiting, and the connection that was released is not healthy: a new one must be made")
		require.NoError(t, o.err, "there was room for a new connection: Acquire must return a lease")
		require.NotSame(t, next.Value(), o.lease.Value(), "one was waiting, and the connection that was released is not healthy, and was leased: Acquire must ask Healthy also about what it has waited for")
		require.Equal(t, 2, s.destroyed(), "two connections were not healthy: Acquire must destroy them")
		require.Equal(t, 1, s.peak(), "Max is 1, and a connection that is not healthy takes 1 s to destroy: Acquire must not have another one made before")
		o.lease.Release()
	})

	synctest.Test(t, func(t *testing.T) {
		s := &server{}
		config := s.config(3)
		errBusy := errors.New("the server is busy")
		broken, busy := false, false
		config.Healthy = func(c *conn) bool { return !c.broken && !broken }
		config.New = func(ctx context.Context) (*conn, error) {
			if busy || s.made() == 30 {
				return nil, errBusy
			}
			return s.connect(ctx)
		}
		pool := newPool(t, config)
		defer closePool(t, pool, s)

		a, b, c := acquire(t, pool), acquire(t, pool), acquire(t, pool)
		a.Release()
		b.Release()
		c.Release()
		a.Value().broken, c.Value().broken = true, true
		lease := acquire(t, pool)
		require.Same(t, b.Value(), lease.Value(), "three connections were idle, and the second one is healthy: Acquire must find it, and make no other")
		require.Equal(t, 3, s.made(), "one of three idle connections is healthy: none must be made")
		lease.Release()

		broken, busy = true, true
		_, err := pool.Acquire(within(t, time.Minute))
		require.ErrorIs(t, err, errBusy, "no idle connection is healthy, and Config.New returned an error: Acquire must return it")
		busy = false
		for range 5 {
			lease, err := pool.Acquire(within(t, time.Minute))
			require.NoError(t, err, "no connection is healthy once it was released: Acquire must return one that was just made, and not ask Healthy about that")
			lease.Release()
		}
		require.Equal(t, 8, s.made(), "no connection stays healthy, and 5 times one was leased: each time a new one must be made, and only one")
	})

	synctest.Test(t, func(t *testing.T) {
		s := &server{}
		config := s.config(1)
		config.MaxIdle = time.Minute
		config.Healthy = func(c *conn) bool { return !c.broken }
		pool := newPool(t, config)
		defer closePool(t, pool, s)

		lease := acquire(t, pool)
		for range 5 {
			lease.Release()
			time.Sleep(time.Minute - time.Millisecond)
			again := acquire(t, pool)
			require.Same(t, lease.Value(), again.Value(), "MaxIdle is 1m, and the connection was used every 59.999 s: the time counts from when it was last given back: Acquire must lease it again")
			lease = again
		}
		waiting := try(t.Context(), pool)
		time.Sleep(time.Hour)
		lease.Release()
		o := arrived(t, waiting, "a connection was released, and one was waiting: it must have it")
		require.NoError(t, o.err, "a connection was released: Acquire must return a lease")
		require.Same(t, lease.Value(), o.lease.Value(), "MaxIdle is 1m, and the connection was in use for an hour, which is not idle: Release must give it to the one who waits")

		o.lease.Release()
		time.Sleep(time.Minute + time.Millisecond)
		next := acquire(t, pool)
		require.NotSame(t, o.lease.Value(), next.Value(), "MaxIdle is 1m, and the connection was idle for 60.001 s: Acquire must not lease it")
		require.Equal(t, 1, s.destroyed(), "Max is 1, MaxIdle is 1m, and the connection was idle for longer: Acquire must destroy it before it has another one made")
		require.Equal(t, 1, s.peak(), "Max is 1, and a connection was idle for too long: Acquire must destroy it before it has another one made")
		next.Value().broken = true
		next.Release()
		time.Sleep(time.Second)
		last := acquire(t, pool)
		require.NotSame(t, next.Value(), last.Value(), "MaxIdle is 1m, and the connection was idle for 1 s, but is not healthy: Acquire must not lease it")
		last.Release()
	})

	// One is too old, the other is not, whichever is looked at first.
	for _, older := range []int{0, 1} {
		synctest.Test(t, func(t *testing.T) {
			s := &server{}
			config := s.config(2)
			config.MaxIdle = time.Minute
			pool := newPool(t, config)
			defer closePool(t, pool, s)
			leases := []*resourcepool.Lease[*conn]{acquire(t, pool), acquire(t, pool)}
			leases[older].Release()
			time.Sleep(40 * time.Second)
			leases[1-older].Release()
			time.Sleep(30 * time.Second)
			a := acquire(t, pool)
			require.Same(t, leases[1-older].Value(), a.Value(), "MaxIdle is 1m, and two connections were idle for 70 s and for 30 s: Acquire must lease the second one")
			b := acquire(t, pool)
			require.NotSame(t, leases[older].Value(), b.Value(), "MaxIdle is 1m, and a connection was idle for 70 s: Acquire must not lease it")
			require.LessOrEqual(t, s.peak(), 2, "Max is 2, and a connection was idle for too long: Acquire must destroy it before it has another one made")
			a.Release()
			b.Release()
		})
	}

	for _, none := range []time.Duration{0, -time.Second} {
		synctest.Test(t, func(t *testing.T) {
			s := &server{}
			config := s.config(1)
			config.MaxIdle = none
			pool := newPool(t, config)
			defer closePool(t, pool, s)
			lease := acquire(t, pool)
			lease.Release()
			time.Sleep(1000 * time.Hour)
			again := acquire(t, pool)
			require.Same(t, lease.Value(), again.Value(), "MaxIdle is %v, which is no limit, and a connection was idle for 1000 hours: Acquire must lease it", none)
			again.Release()
		})
	}

	// In real time, since this is about locks.
	defer verifyNoLeak(t, goleak.IgnoreCurrent())
	s := &server{}
	config := s.config(2)
	entered, hold := make(chan struct{}, 2), make(chan struct{})
	let := sync.OnceFunc(func() { close(hold) })
	defer let()
	config.Healthy = func(c *conn) bool {
		if c.id == 1 {
			entered <- struct{}{}
			<-hold
		}
		return true
	}
	pool := newPool(t, config)
	a, b := acquireSoon(t, pool), acquireSoon(t, pool)
	released, slow := run(a.Release), try(context.Background(), pool)
	soon(t, entered, "a connection was given back, and Acquire was called: Healthy must be asked about it")
	soon(t, run(b.Release), "Config.Healthy was still busy with one connection: Release of another one must not wait for that")
	let()
	soon(t, released, "a connection was released: Release must return")
	lease := soon(t, slow, "two connections were released: Acquire must return one of them").lease
	require.NotNil(t, lease, "two connections were released: Acquire must return a lease")
	finishSoon(t, pool, s, lease)

	// While one is asked about, another one comes back, and lies where that one lay.
	for unfit := range 2 {
		s := &server{}
		config := s.config(3)
		var asked atomic.Int64
		entered, hold := make(chan struct{}, 1), make(chan struct{})
		let := sync.OnceFunc(func() { close(hold) })
		defer let()
		config.Healthy = func(*conn) bool {
			n := int(asked.Add(1)) - 1
			if n == unfit {
				entered <- struct{}{}
				<-hold
			}
			return n >= unfit
		}
		pool := newPool(t, config)
		a, b, c := acquireSoon(t, pool), acquireSoon(t, pool), acquireSoon(t, pool)
		soon(t, run(a.Release), "a connection was released: Release must return")
		soon(t, run(b.Release), "a connection was released: Release must return")
		slow := try(context.Background(), pool)
		soon(t, entered, "two connections were idle, and Acquire was called: it must ask Healthy about one, and about the other if the first is not healthy")
		soon(t, run(c.Release), "Config.Healthy was still busy with one connection: Release of another one must not wait for that")
		let()
		o := soon(t, slow, "Config.Healthy has returned, and said yes: Acquire must return")
		require.NoError(t, o.err, "Config.Healthy has returned, and said yes: Acquire must return a lease")
		next := acquireSoon(t, pool)
		require.NotSame(t, o.lease.Value(), next.Value(), "while Healthy was asked about an idle connection, another one was released, and two leases have the same one now: Acquire must lease the one that it took and asked about")
		finishSoon(t, pool, s, o.lease, next)
	}

	// What is not fit takes long to destroy.
	s = &server{}
	config = s.config(3)
	config.Healthy = func(c *conn) bool { return c.id != 1 }
	destroying, leave := slowToDestroy(t, &config, s)
	pool = newPool(t, config)
	a, b = acquireSoon(t, pool), acquireSoon(t, pool)
	soon(t, run(a.Release), "a connection was released: Release must return")
	slow = try(context.Background(), pool)
	soon(t, destroying, "a connection was idle that is not healthy, and Acquire was called: it must destroy it")
	soon(t, run(func() { pool.Stats() }), "Acquire had a connection destroyed that is not healthy, and Config.Destroy was still busy with it, and Stats did not return: Acquire must not hold a lock meanwhile")
	soon(t, run(b.Release), "Acquire had a connection destroyed that is not healthy, and Config.Destroy was still busy with it, and Release of another one did not return: Acquire must not hold a lock meanwhile")
	again := acquireSoon(t, pool)
	leave()
	o := soon(t, slow, "Config.Destroy has returned: so must the Acquire that called it")
	require.NoError(t, o.err, "Config.Destroy has returned, and there is room: Acquire must return a lease")
	finishSoon(t, pool, s, again, o.lease)
}

// Step 6: a lease that cannot be forgotten

// With gives the resource back, whatever f does.
func TestWithGivesBack(t *testing.T) {
	errSold := errors.New("sold out")
	synctest.Test(t, func(t *testing.T) {
		s := &server{}
		pool := newPool(t, s.config(1))
		defer closePool(t, pool, s)

		var had *conn
		for _, want := range []error{nil, errSold, nil} {
			before := had
			err := pool.With(within(t, time.Minute), func(c *conn) error {
				had = c
				return want
			})
			require.ErrorIs(t, err, want, "With must return what f returned")
			require.NotNil(t, had, "With must call f with a connection")
			if before != nil {
				require.Same(t, before, had, "f returned, with an error or without: With must release the connection, so that the next call has the same one")
			}
		}

		called := false
		err := pool.With(ended(), func(*conn) error { called = true; return nil })
		require.ErrorIs(t, err, context.Canceled, "ctx had ended before With was called: it must return the error of Acquire")
		require.False(t, called, "Acquire failed, so there is no connection: With must not call f")

		var waiting <-chan outcome
		require.PanicsWithValue(t, "no such lamp", func() {
			pool.With(within(t, time.Minute), func(c *conn) error {
				waiting = try(t.Context(), pool)
				synctest.Wait()
				panic("no such lamp")
			})
		}, "f panicked: the panic must go on to the caller of With, with its value")
		o := arrived(t, waiting, "f panicked, and somebody was waiting: there is room for another connection: With must let the one who waits have it")
		require.NoError(t, o.err, "f panicked: With must leave room for another connection")
		require.NotSame(t, had, o.lease.Value(), "f panicked, and nobody knows in what state it has left the connection, which was leased again: With must discard it")
		require.Equal(t, 1, s.destroyed(), "f panicked: With must discard the connection, so that it is destroyed")
		o.lease.Release()

		exited := run(func() {
			pool.With(context.Background(), func(*conn) error {
				runtime.Goexit() // as t.FailNow does
				return nil
			})
		})
		arrived(t, exited, "f called runtime.Goexit: it must end the goroutine that called With")
		require.Equal(t, 2, s.destroyed(), "f called runtime.Goexit, and nobody knows in what state it has left the connection: With must discard it")
		require.NoError(t, pool.With(within(t, time.Minute), func(*conn) error { return nil }), "f called runtime.Goexit: With must leave room for another connection")
	})
}

// Step 7: the end

// Close turns away who waits, destroys what is idle, and waits for what is leased.
func TestCloseWaitsForLeases(t *testing.T) {
	// In real time, since this is about locks.
	defer verifyNoLeak(t, goleak.IgnoreCurrent())
	for _, idle := range []bool{true, false} {
		s := &server{}
		config := s.config(2)
		entered, leave := slowToDestroy(t, &config, s)
		pool := newPool(t, config)
		a, b := acquireSoon(t, pool), acquireSoon(t, pool)
		var busy, who string
		var slow <-chan error
		if idle {
			who, busy = "Close", "Close was called, and Config.Destroy was still busy with a connection that was idle"
			soon(t, run(a.Release), "a connection was released: Release must return")
			slow = closing(context.Background(), pool)
			soon(t, entered, "a connection was idle when Close was called: Close must destroy it")
		} else {
			who, busy = "Release", "a connection was released to a closed pool, and Config.Destroy was still busy with it"
			err := soon(t, closing(ended(), pool), "two connections were leased, and ctx had ended before Close was called: Close must not wait")
			require.ErrorIs(t, err, context.Canceled, "two connections were leased, and ctx had ended before Close was called: Close must return ctx's error")
			go a.Release()
			soon(t, entered, "Close had been called, and then a connection was released: Release must destroy it")
			slow = closing(context.Background(), pool)
		}
		soon(t, run(func() { pool.Stats() }), busy+", and Stats did not return: "+who+" must not hold a lock meanwhile")
		o := soon(t, try(context.Background(), pool), busy+", and Acquire did not return: "+who+" must not hold a lock meanwhile")
		require.ErrorIs(t, o.err, resourcepool.ErrClosed, busy+": Acquire must return ErrClosed")
		err := soon(t, closing(ended(), pool), busy+": another Close, whose ctx has ended, must not wait")
		require.ErrorIs(t, err, context.Canceled, busy+": another Close, whose ctx has ended, must return ctx's error")
		soon(t, run(b.Release), busy+", and Release of another one did not return: "+who+" must not hold a lock meanwhile")
		leave()
		err = soon(t, slow, "every lease has ended, the last one after Close was called, and Close did not return: Release must destroy what comes back to a closed pool, and Close must return then")
		require.NoError(t, err, "every lease had ended, and every connection was destroyed: Close must return nil")
		require.Zero(t, s.read().twice, "a connection was leased when Close was called, and was destroyed twice in the end: Close must not destroy what somebody has")
		s.verify(t)
	}

	synctest.Test(t, func(t *testing.T) {
		const hangUp = 65 * time.Second / 256 // a moment that nobody hits who only looks now and then
		s := &server{hangUp: hangUp}
		pool := newPool(t, s.config(2))
		defer closePool(t, pool, s)
		a, b := acquire(t, pool), acquire(t, pool)
		waiters := []<-chan outcome{try(t.Context(), pool), try(t.Context(), pool)}
		synctest.Wait()

		start := time.Now()
		var closed [3]<-chan error
		for i := range closed {
			closed[i] = closing(within(t, time.Hour), pool)
		}
		synctest.Wait()
		for _, waiter := range waiters {
			o := arrived(t, waiter, "Acquires were waiting when Close was called: all of them must return at once")
			require.ErrorIs(t, o.err, resourcepool.ErrClosed, "Acquire was waiting when Close was called: it must return ErrClosed")
		}
		_, err := pool.Acquire(within(t, time.Minute))
		require.ErrorIs(t, err, resourcepool.ErrClosed, "Close had been called: Acquire must return ErrClosed")
		time.Sleep(time.Second)
		require.Zero(t, s.destroyed(), "connections were leased when Close was called, and somebody uses them: Close must not destroy them")
		a.Release()
		a.Release()
		time.Sleep(time.Second / 2)
		require.Equal(t, 1, s.destroyed(), "Close had been called, and then one connection was released: Release must destroy it")
		for _, c := range closed {
			requireWaiting(t, c, "Close was called by three, and one connection was still leased: each must wait for it")
		}
		_, err = pool.Acquire(within(t, time.Minute))
		require.ErrorIs(t, err, resourcepool.ErrClosed, "Close had been called: Acquire must return ErrClosed, also when a connection was released after that")

		time.Sleep(2*time.Second - time.Since(start))
		run(b.Discard)
		time.Sleep(hangUp / 2)
		early := len(closed[0])+len(closed[1])+len(closed[2]) > 0
		time.Sleep(hangUp - hangUp/2)
		require.False(t, early, "the last connection was discarded, and Close returned while Config.Destroy was still busy with it: Discard must count it back when it is gone")
		for _, c := range closed {
			err := arrived(t, c, "Close was called by three, and by now the last connection is destroyed: each must return at that moment, and not before and not after")
			require.NoError(t, err, "all connections were destroyed in time: Close must return nil")
		}
		require.NoError(t, pool.Close(within(t, time.Minute)), "the pool was closed and empty, and Close was called again: it must return nil")
		b.Release()
		called := false
		err = pool.With(within(t, time.Minute), func(*conn) error { called = true; return nil })
		require.ErrorIs(t, err, resourcepool.ErrClosed, "the pool was closed: With must return ErrClosed")
		require.False(t, called, "the pool was closed: With must not call f")
	})

	// Out of time.
	synctest.Test(t, func(t *testing.T) {
		s := &server{}
		pool := newPool(t, s.config(3))
		defer closePool(t, pool, s)
		a, b, c := acquire(t, pool), acquire(t, pool), acquire(t, pool)
		a.Release()
		b.Release()

		defer c.Release() // when the koan fails, so that it ends

		err := arrived(t, closing(ended(), pool), "a connection was leased, and ctx had ended before Close was called: Close must not wait")
		require.ErrorIs(t, err, context.Canceled, "a connection was leased, and ctx had ended before Close was called: Close must return ctx's error")
		synctest.Wait()
		require.Equal(t, 2, s.destroyed(), "two of three connections were idle when Close was called: Close must destroy them, whatever ctx says")
		_, err = pool.Acquire(within(t, time.Minute))
		require.ErrorIs(t, err, resourcepool.ErrClosed, "Close was called, with a ctx that had ended: the pool must be closed all the same")

		start := time.Now()
		err = pool.Close(within(t, time.Second))
		require.ErrorIs(t, err, context.DeadlineExceeded, "a connection was leased for longer than the ctx of Close: Close must return ctx's error")
		require.Equal(t, time.Second, time.Since(start), "a connection was leased for longer than the ctx of Close: Close must return when its ctx ends")
		last := closing(within(t, time.Minute), pool)
		synctest.Wait()
		requireWaiting(t, last, "a connection was still leased, and Close was called again: it must wait, as the first one did")
		c.Release()
		err = arrived(t, last, "the last connection was released and destroyed: the Close that waits must return")
		require.NoError(t, err, "the last connection was released and destroyed: Close must return nil")
		require.Equal(t, 3, s.destroyed(), "Close had run out of time, and then the last connection was released: Release must destroy it all the same")
	})
}

// Whoever meets Close in the middle of something, nothing is forgotten.
func TestCloseMeetsEverything(t *testing.T) {
	// Something unfit has come to Acquire, which asks about it, or destroys it.
	for _, when := range []time.Duration{time.Second / 2, 3 * time.Second / 2} {
		synctest.Test(t, func(t *testing.T) {
			s := &server{hangUp: time.Second}
			config := s.config(1)
			config.Healthy = func(*conn) bool { time.Sleep(time.Second); return false }
			pool := newPool(t, config)
			defer closePool(t, pool, s)
			acquire(t, pool).Release()

			call := try(t.Context(), pool)
			time.Sleep(when)
			closed := closing(within(t, time.Hour), pool)
			time.Sleep(7*time.Second/4 - when)
			early := len(closed) > 0
			time.Sleep(time.Hour / 2)
			require.False(t, early, "an idle connection was not healthy, and Close returned while Acquire was still having it destroyed: Acquire must count it back when it is gone")
			o := arrived(t, call, "an idle connection was not healthy, and was destroyed while Close was called: Acquire must return")
			if o.err == nil {
				requireWaiting(t, closed, "Acquire had an unfit connection destroyed, then Close was called, and has returned, though Acquire made another one, which is leased: Acquire must keep its place in between, and Close wait")
				o.lease.Discard()
				time.Sleep(time.Minute)
			} else {
				require.ErrorIs(t, o.err, resourcepool.ErrClosed, "Close was called while Acquire had one connection destroyed: Acquire must return the lease of another one, or ErrClosed")
			}
			require.NoError(t, arrived(t, closed, "no connection is left: Close must return"), "nothing is left: Close must return nil")
		})
	}

	// Destroy is running.
	for _, by := range []string{"Discard", "Release", "Close"} {
		synctest.Test(t, func(t *testing.T) {
			s := &server{hangUp: time.Second}
			pool := newPool(t, s.config(1))
			defer closePool(t, pool, s)
			lease := acquire(t, pool)
			switch by {
			case "Discard":
				run(lease.Discard)
			case "Release":
				pool.Close(ended())
				run(lease.Release)
			case "Close":
				lease.Release()
				closing(within(t, time.Hour), pool)
			}
			time.Sleep(time.Second / 2)
			closed := closing(within(t, time.Hour), pool)
			time.Sleep(time.Second / 4)
			early := len(closed) > 0
			time.Sleep(time.Minute)
			require.False(t, early, "%[1]s had a connection destroyed, and Close, called meanwhile, returned before Config.Destroy: %[1]s must count it back when it is gone", by)
			require.NoError(t, arrived(t, closed, "every connection was destroyed: Close must return"), "every connection was destroyed: Close must return nil")
		})
	}

	// New is running.
	for _, fails := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := &server{dial: time.Second}
			config := s.config(2)
			if fails {
				config.New = func(context.Context) (*conn, error) {
					time.Sleep(time.Second)
					return nil, errors.New("the server is busy")
				}
			}
			pool := newPool(t, config)
			defer closePool(t, pool, s)
			calls := []<-chan outcome{try(t.Context(), pool), try(t.Context(), pool)}
			time.Sleep(time.Second / 2)
			closed := closing(within(t, time.Hour), pool)
			synctest.Wait()
			requireWaiting(t, closed, "Config.New was running when Close was called: Close must wait for what it makes")
			time.Sleep(time.Second)
			for _, call := range calls {
				o := arrived(t, call, "Config.New was running when Close was called, and has returned: so must Acquire")
				if o.err == nil {
					synctest.Wait()
					requireWaiting(t, closed, "a connection was made while Close was called, and is leased: Close must wait for it")
					o.lease.Release()
				} else if !fails {
					require.ErrorIs(t, o.err, resourcepool.ErrClosed, "Config.New succeeded, but Close had been called: Acquire must return the lease, or ErrClosed")
				}
			}
			require.NoError(t, arrived(t, closed, "Config.New has returned, and no connection is left: Close must return"), "nothing is left: Close must return nil")
		})
	}

	// Many come back, from two sides, and Close comes in between.
	synctest.Test(t, func(t *testing.T) {
		const half = 40
		for round := range 20 {
			s := &server{}
			pool := newPool(t, s.config(2*half))
			leases := make([]*resourcepool.Lease[*conn], 2*half)
			for i := range leases {
				leases[i] = acquire(t, pool)
			}
			var ready atomic.Int64
			release := func(leases []*resourcepool.Lease[*conn], closeAt int) {
				for ready.Add(1); ready.Load() < 2; {
					runtime.Gosched()
				}
				for i, lease := range leases {
					if i == closeAt {
						pool.Close(ended())
					}
					lease.Release()
				}
			}
			one := run(func() { release(leases[:half], half) })
			other := run(func() { release(leases[half:], 1+round) })
			arrived(t, one, "80 leases were released, and Close was called in between: Release must return")
			arrived(t, other, "80 leases were released, and Close was called in between: Release must return, and so must Close, for its ctx had ended")
			err := arrived(t, closing(within(t, time.Minute), pool), "80 leases were released, and Close was called in between: by now every connection must be destroyed, and Close must return")
			require.NoError(t, err, "every lease has ended: Close must return nil")
			if s.verify(t); t.Failed() {
				return
			}
		}
	})

	// Everybody at the same moment.
	synctest.Test(t, func(t *testing.T) {
		for round := range 80 {
			s := &server{}
			pool := newPool(t, s.config(4))
			held := []*resourcepool.Lease[*conn]{acquire(t, pool), acquire(t, pool), acquire(t, pool), acquire(t, pool)}
			held[3].Release()
			if round%2 == 0 {
				held[3] = acquire(t, pool)
			}
			ctx, cancel := context.WithCancel(t.Context())
			var calls []<-chan outcome
			for range 2 {
				calls = append(calls, try(ctx, pool), try(t.Context(), pool))
			}
			if round%2 == 0 {
				synctest.Wait() // they wait; otherwise they come at the same moment
			}
			releases := run(func() {
				for _, lease := range held[:2] {
					lease.Release()
				}
			})
			var closed <-chan error
			if round%4 < 2 {
				closed = closing(within(t, time.Minute), pool)
			}
			discards := run(func() {
				for _, lease := range held[2:] {
					lease.Discard()
				}
			})
			go cancel()
			if closed == nil {
				closed = closing(within(t, time.Minute), pool)
			}
			for _, call := range calls {
				o := arrived(t, call, "Acquire and Close were called at the same moment: Acquire must return")
				if o.err == nil {
					o.lease.Release()
				} else if !errors.Is(o.err, context.Canceled) {
					require.ErrorIs(t, o.err, resourcepool.ErrClosed, "Acquire and Close were called at the same moment: Acquire must return a lease, or ErrClosed")
				}
			}
			arrived(t, releases, "Release and Close were called at the same moment: Release must return")
			arrived(t, discards, "Discard and Close were called at the same moment: Discard must return")
			err := arrived(t, closed, "Close was called while others acquired and released, and by now every lease has ended: Close must return")
			require.NoError(t, err, "every lease has ended: Close must return nil")
			if s.verify(t); t.Failed() {
				return
			}
		}
	})
}

// server is the other side: it is where connections lead to, and it keeps the
// books.
type server struct {
	dial, hangUp time.Duration // how long it takes to make a connection, and to destroy it

	mu    sync.Mutex
	books books
}

type books struct{ open, peak, made, destroyed, twice int }

// conn is a connection. It has no lock, since it has one owner at a time.
type conn struct {
	id          int
	uses, users int
	broken      bool
	destroyed   bool // the server's
}

// config returns a Config that has connections to the server made and destroyed.
func (s *server) config(limit int) resourcepool.Config[*conn] {
	return resourcepool.Config[*conn]{Max: limit, New: s.connect, Destroy: s.disconnect}
}

func (s *server) connect(ctx context.Context) (*conn, error) {
	s.mu.Lock()
	s.books.open++
	s.books.peak = max(s.books.peak, s.books.open)
	s.mu.Unlock()
	if s.dial > 0 {
		select {
		case <-time.After(s.dial):
		case <-ctx.Done():
			s.mu.Lock()
			defer s.mu.Unlock()
			s.books.open--
			return nil, ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.books.made++
	return &conn{id: s.books.made}, nil
}

func (s *server) disconnect(c *conn) {
	time.Sleep(s.hangUp)
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.destroyed {
		s.books.twice++
		return
	}
	c.destroyed = true
	s.books.open--
	s.books.destroyed++
}

// slowToDestroy makes Destroy busy with the first connection, from when it tells
// entered until leave is called.
func slowToDestroy(t *testing.T, config *resourcepool.Config[*conn], s *server) (entered <-chan struct{}, leave func()) {
	in, hold := make(chan struct{}, 1), make(chan struct{})
	leave = sync.OnceFunc(func() { close(hold) })
	t.Cleanup(leave)
	config.Destroy = func(c *conn) {
		if c.id == 1 {
			in <- struct{}{}
			<-hold
		}
		s.disconnect(c)
	}
	return in, leave
}

func (s *server) read() books {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.books
}

func (s *server) made() int      { return s.read().made }
func (s *server) destroyed() int { return s.read().destroyed }

// peak is how many connections there were at most at the same time.
func (s *server) peak() int { return s.read().peak }

// verify checks the books of a pool that is closed.
func (s *server) verify(t *testing.T) {
	t.Helper()
	books := s.read()
	assert.Equal(t, books.made, books.destroyed, "every lease had ended, and Close has returned: every connection that was made must have been destroyed")
	assert.Zero(t, books.twice, "a connection must be destroyed once; this many times one was destroyed that was gone already")
}

func newPool(t *testing.T, c resourcepool.Config[*conn]) *resourcepool.Pool[*conn] {
	t.Helper()
	pool, err := resourcepool.New(c)
	require.NoError(t, err, "New was given Max=%d and a New: there is nothing wrong with that", c.Max)
	require.NotNil(t, pool, "New returned no error: there must be a pool")
	return pool
}

// closePool ends a koan's pool. If the koan has failed, it says no more.
func closePool(t *testing.T, pool *resourcepool.Pool[*conn], s *server) {
	t.Helper()
	err := pool.Close(within(t, time.Minute))
	if !t.Failed() {
		assert.NoError(t, err, "every lease had ended, and Close was called: it must return nil")
		s.verify(t)
	}
}

// acquire leases a connection that is to be had within a minute.
func acquire(t *testing.T, pool *resourcepool.Pool[*conn]) *resourcepool.Lease[*conn] {
	t.Helper()
	lease, err := pool.Acquire(within(t, time.Minute))
	require.NoError(t, err, "a connection was to be had: Acquire must return a lease")
	require.NotNil(t, lease, "Acquire returned no error: there must be a lease")
	return lease
}

// acquireSoon does so in real time.
func acquireSoon(t *testing.T, pool *resourcepool.Pool[*conn]) *resourcepool.Lease[*conn] {
	t.Helper()
	o := soon(t, try(context.Background(), pool), "a connection was to be had: Acquire must return")
	require.NoError(t, o.err, "a connection was to be had: Acquire must return a lease")
	return o.lease
}

// finishSoon ends leases and their pool, in real time.
func finishSoon(t *testing.T, pool *resourcepool.Pool[*conn], s *server, leases ...*resourcepool.Lease[*conn]) {
	t.Helper()
	for _, lease := range leases {
		soon(t, run(lease.Release), "a lease was released: Release must return")
	}
	err := soon(t, closing(context.Background(), pool), "every lease had ended, and Close was called: it must return")
	require.NoError(t, err, "every lease had ended, and Close was called: it must return nil")
	s.verify(t)
}

// outcome is what came of an Acquire, and when.
type outcome struct {
	lease *resourcepool.Lease[*conn]
	err   error
	at    time.Time
}

// try calls Acquire in a goroutine.
func try(ctx context.Context, pool *resourcepool.Pool[*conn]) <-chan outcome {
	c := make(chan outcome, 1)
	go func() {
		lease, err := pool.Acquire(ctx)
		c <- outcome{lease, err, time.Now()}
	}()
	return c
}

// run calls f in a goroutine.
func run(f func()) <-chan struct{} {
	done := make(chan struct{}, 1)
	go func() {
		defer func() { done <- struct{}{} }()
		f()
	}()
	return done
}

// atOnce calls two functions at the same moment, from two goroutines, and then a
// third, which says whether to go on. It does so again and again with what next
// returns, until they have met often enough, or their time is over. What is left to
// chance goes wrong in one of them. They wait for each other without sleep: to wake
// up takes longer than that in which they are to meet.
func atOnce(t *testing.T, otherwise string, next func() (one, other func(), after func() bool)) {
	t.Helper()
	var (
		other       func()
		start, late time.Time    // when both are to begin, and when the other one has
		begun, over atomic.Int64 // rounds
		stop        atomic.Bool
	)
	come := func(n *atomic.Int64, round int64) bool {
		for spins := 1; n.Load() < round; spins++ {
			if spins%100 == 0 {
				if stop.Load() {
					return false
				}
				runtime.Gosched()
			}
		}
		return true
	}
	at := func(start time.Time) time.Time {
		for {
			if now := time.Now(); !now.Before(start) {
				return now
			}
		}
	}
	second := run(func() {
		for round := int64(1); come(&begun, round); round++ {
			late = at(start)
			for range round % 4 * 5 { // sometimes a little later than the other
				begun.Load()
			}
			other()
			over.Store(round)
		}
	})
	first := run(func() {
		defer stop.Store(true)
		met, end := 0, time.Now().Add(75*time.Millisecond)
		for round := int64(1); round <= 2000 && met < 200 && time.Now().Before(end); round++ {
			var one func()
			var after func() bool
			one, other, after = next()
			start = time.Now().Add(2 * time.Microsecond)
			begun.Store(round)
			mine := at(start)
			for range round / 4 % 4 * 5 {
				begun.Load()
			}
			one()
			if !come(&over, round) || !after() {
				return
			}
			if mine.Sub(late).Abs() < time.Microsecond {
				met++
			}
		}
	})
	defer stop.Store(true)
	soon(t, first, otherwise)
	soon(t, second, otherwise)
}

// take leases a connection, for those who are not the koan's own goroutine.
func take(t *testing.T, pool *resourcepool.Pool[*conn]) *resourcepool.Lease[*conn] {
	lease, err := pool.Acquire(context.Background())
	if !assert.NoError(t, err, "a connection was to be had: Acquire must return a lease") {
		runtime.Goexit()
	}
	return lease
}

// closing calls Close in a goroutine.
func closing(ctx context.Context, pool *resourcepool.Pool[*conn]) <-chan error {
	c := make(chan error, 1)
	go func() { c <- pool.Close(ctx) }()
	return c
}

// arrived receives what must have come by now: all that can happen at this moment
// of a bubble has happened.
func arrived[T any](t *testing.T, c <-chan T, otherwise string) T {
	t.Helper()
	synctest.Wait()
	select {
	case v := <-c:
		return v
	default:
		require.Fail(t, "it did not return", otherwise)
		panic("unreachable")
	}
}

// requireWaiting requires that nothing has come from c yet.
func requireWaiting[T any](t *testing.T, c <-chan T, otherwise string) {
	t.Helper()
	synctest.Wait()
	if len(c) > 0 {
		require.Fail(t, "it has returned already", otherwise)
	}
}

// soon receives from c, in real time. It fails the koan after two seconds, which
// it does not take when all is well.
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

// within returns a ctx that ends after d, and with the koan.
func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// ended returns a ctx that has already ended.
func ended() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// verifyNoLeak checks that a koan which passed has left no goroutine behind, apart
// from those that a failed koan before it had.
func verifyNoLeak(t *testing.T, before goleak.Option) {
	t.Helper()
	if !t.Failed() {
		goleak.VerifyNone(t, before)
	}
}
