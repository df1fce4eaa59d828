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
		require.NotSame(t, a.Value(), b.Value(), "two leases were held at the same time: they must not have the same connection")
		a.Release()
		b.Release()
		a, b = acquire(t, pool), acquire(t, pool)
		require.NotSame(t, a.Value(), b.Value(), "two leases were held at the same time: they must not have the same connection")
		require.Equal(t, 2, s.made(), "two connections had been made, and both were idle: Acquire was called twice, and must lease them again")
		a.Release()
		b.Release()
		synctest.Wait()
		require.Zero(t, s.destroyed(), "connections were released to an open pool: it must keep them")
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
		require.NotSame(t, a.Value(), b.Value(), "a lease was released twice, and then two were acquired: the connection came back once, so they must not have the same one")

		shared := a.Value()
		a.Release()
		c := acquire(t, pool)
		require.Same(t, shared, c.Value(), "one connection was idle: Acquire must lease it")
		require.Same(t, shared, a.Value(), "a lease had ended, and Value was called on it: it must return the connection, as before")
		a.Release()
		d := acquire(t, pool)
		require.NotSame(t, c.Value(), d.Value(), "a lease was released, its connection was leased again, and then came a second Release on the first lease: it must not take the connection from who has it now")
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
			require.NotSame(t, a.Value(), b.Value(), "4 goroutines called Release on the same lease, and then two were acquired: they must not have the same connection (this was attempt %d)", round+1)
			a.Release()
			b.Release()
		}
	})
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
		require.Equal(t, time.Second/4, time.Since(start), "Config.New must be given the ctx of Acquire: it listens, and would have returned at once")

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
		require.NotSame(t, a.Value(), o.lease.Value(), "a connection was discarded: it must never be leased again")
		require.Equal(t, 1, s.destroyed(), "one connection was discarded: it must be destroyed")
		require.LessOrEqual(t, s.peak(), 2, "Max is 2, and a connection was discarded, which takes 1 s to destroy: it exists until then, and another one must not be made before")
		require.Equal(t, time.Second, o.at.Sub(start), "a connection takes 1 s to destroy: once it is gone, the first of those who wait must have its turn")
		requireWaiting(t, second, "one connection was discarded, and two were waiting: there is room for one of them, and not for the second")

		a.Discard()
		a.Release()
		require.Equal(t, 1, s.destroyed(), "a lease was discarded, and then came another Discard, and a Release: they must do nothing")
		b.Release()
		b.Discard()
		p := arrived(t, second, "a connection was released, and one was waiting: it must have it")
		require.NoError(t, p.err, "a connection was released: Acquire must return a lease")
		require.Same(t, b.Value(), p.lease.Value(), "a connection was released, and only then came a Discard on the same lease, which must do nothing")
		time.Sleep(10 * time.Second)
		require.Equal(t, 1, s.destroyed(), "a lease was released, and only then came a Discard, which must do nothing")
		o.lease.Discard()
		p.lease.Discard()
		time.Sleep(10 * time.Second)
		require.Equal(t, resourcepool.Stats{}, pool.Stats(), "all connections were discarded: none must be left")
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
}

// A resource that is broken, or has been idle for too long, is never leased again.
func TestUnfitIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{hangUp: time.Second}
		config := s.config(1)
		config.Healthy = func(c *conn) bool { return !c.broken }
		pool := newPool(t, config)
		defer closePool(t, pool, s)

		lease := acquire(t, pool)
		lease.Release()
		time.Sleep(time.Hour)
		lease.Value().broken = true // while it was idle
		next := acquire(t, pool)
		require.NotSame(t, lease.Value(), next.Value(), "a connection was idle, and is not healthy any more when Acquire comes upon it: it must not be leased")
		require.Equal(t, 1, s.destroyed(), "Max is 1, and the connection that was idle is not healthy: it must be destroyed before another one is made")

		waiting := try(t.Context(), pool)
		synctest.Wait()
		next.Value().broken = true
		run(next.Release)
		time.Sleep(10 * time.Second)
		o := arrived(t, waiting, "one was waiting, and the connection that was released is not healthy: a new one must be made")
		require.NoError(t, o.err, "there was room for a new connection: Acquire must return a lease")
		require.NotSame(t, next.Value(), o.lease.Value(), "one was waiting, and the connection that was released is not healthy: it must not be leased")
		require.Equal(t, 2, s.destroyed(), "two connections were not healthy: they must be destroyed")
		require.Equal(t, 1, s.peak(), "Max is 1, and a connection takes 1 s to destroy: until then another one must not be made")
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
			require.NoError(t, err, "no connection stays healthy: Acquire must return a new one each time, about which Healthy must not be asked")
			lease.Release()
		}
		require.Equal(t, 8, s.made(), "no connection stays healthy, and 5 times one was leased: each time a new one must be made, and only one")
	})

	synctest.Test(t, func(t *testing.T) {
		s := &server{}
		config := s.config(1)
		config.MaxIdle = time.Minute
		pool := newPool(t, config)
		defer closePool(t, pool, s)

		lease := acquire(t, pool)
		for range 5 {
			lease.Release()
			time.Sleep(time.Minute - time.Millisecond)
			again := acquire(t, pool)
			require.Same(t, lease.Value(), again.Value(), "MaxIdle is 1m, and the connection was used every 59.999 s: the time counts from the last Release, so it must be leased again")
			lease = again
		}
		waiting := try(t.Context(), pool)
		time.Sleep(time.Hour)
		lease.Release()
		o := arrived(t, waiting, "a connection was released, and one was waiting: it must have it")
		require.NoError(t, o.err, "a connection was released: Acquire must return a lease")
		require.Same(t, lease.Value(), o.lease.Value(), "MaxIdle is 1m, and the connection was in use for an hour, which is not idle: it must go to the one who was waiting")

		o.lease.Release()
		time.Sleep(time.Minute + time.Millisecond)
		next := acquire(t, pool)
		require.NotSame(t, o.lease.Value(), next.Value(), "MaxIdle is 1m, and the connection was idle for 60.001 s: it must not be leased again")
		require.Equal(t, 1, s.destroyed(), "Max is 1, MaxIdle is 1m, and the connection was idle for longer: it must be destroyed before another one is made")
		require.Equal(t, 1, s.peak(), "Max is 1: a connection that was idle for too long must be destroyed before another one is made")
		next.Release()
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
			require.Same(t, leases[1-older].Value(), a.Value(), "MaxIdle is 1m, and two connections were idle for 70 s and for 30 s: the second one must be leased")
			b := acquire(t, pool)
			require.NotSame(t, leases[older].Value(), b.Value(), "MaxIdle is 1m, and a connection was idle for 70 s: it must not be leased again")
			require.LessOrEqual(t, s.peak(), 2, "Max is 2: a connection that was idle for too long must be destroyed before another one is made")
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
			require.Same(t, lease.Value(), again.Value(), "MaxIdle is %v, which is no limit: a connection must be leased again after 1000 hours", none)
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
		o := arrived(t, waiting, "f panicked, and somebody was waiting: there is room for another connection, so the one who waits must have it")
		require.NoError(t, o.err, "f panicked: there is room for another connection")
		require.NotSame(t, had, o.lease.Value(), "f panicked, and nobody knows in what state it has left the connection: it must be discarded")
		require.Equal(t, 1, s.destroyed(), "f panicked: the connection must be destroyed")
		o.lease.Release()

		exited := run(func() {
			pool.With(context.Background(), func(*conn) error {
				runtime.Goexit() // as t.FailNow does
				return nil
			})
		})
		arrived(t, exited, "f called runtime.Goexit: it must end the goroutine that called With")
		require.Equal(t, 2, s.destroyed(), "f called runtime.Goexit, and nobody knows in what state it has left the connection: it must be destroyed")
		require.NoError(t, pool.With(within(t, time.Minute), func(*conn) error { return nil }), "f called runtime.Goexit: there must be room for another connection")
	})
}

// Step 7: the end

// Close turns away who waits, destroys what is idle, and waits for what is leased.
func TestCloseWaitsForLeases(t *testing.T) {
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
		require.Zero(t, s.destroyed(), "Close was called while connections were leased: they must not be destroyed while somebody uses them")
		a.Release()
		a.Release()
		time.Sleep(time.Second / 2)
		require.Equal(t, 1, s.destroyed(), "Close had been called, and then one connection was released: it must be destroyed")
		for _, c := range closed {
			requireWaiting(t, c, "Close was called by three, and one connection was still leased: each must wait for it")
		}
		_, err = pool.Acquire(within(t, time.Minute))
		require.ErrorIs(t, err, resourcepool.ErrClosed, "Close had been called: Acquire must return ErrClosed, also when a connection was released after that")

		time.Sleep(2*time.Second - time.Since(start))
		run(b.Discard)
		time.Sleep(hangUp)
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
		require.Equal(t, 2, s.destroyed(), "two of three connections were idle when Close was called: they must be destroyed, whatever ctx says")
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
		err = arrived(t, last, "the last connection was released: the Close that waits must return")
		require.NoError(t, err, "the last connection was released and destroyed: Close must return nil")
		require.Equal(t, 3, s.destroyed(), "Close had run out of time, and then the last connection was released: it must be destroyed all the same")
	})
}

// Whoever meets Close in the middle of something, nothing is forgotten.
func TestCloseMeetsEverything(t *testing.T) {
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
