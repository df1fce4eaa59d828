package workerpool_test

import (
	"context"
	"errors"
	"fmt"
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

	workerpool "concurrency-koans/lessons/03-worker-pool"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Step 1: a fixed crew

// A ticket brings back the answer to its own job.
// The answers come in any order; the ticket says whose they are.
func TestTicketBringsItsAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		errHalf := errors.New("only half of it")
		pool := workerpool.New(2, 3, func(_ context.Context, job int) (string, error) {
			if job == 3 {
				return "half of 3", errHalf
			}
			return fmt.Sprint("all of ", job), nil
		})
		defer shutdown(t, pool)

		var tickets []*workerpool.Ticket[string]
		for job := range 3 {
			tickets = append(tickets, submit(t, pool, job+1))
		}

		for i, want := range []string{"all of 1", "all of 2"} {
			got, err := tickets[i].Wait(context.Background())
			require.NoError(t, err, "handle returned a nil error for job %d: Wait must return the same", i+1)
			require.Equal(t, want, got, "Wait on the ticket of job %d must return what handle returned for that job", i+1)
		}
		got, err := tickets[2].Wait(context.Background())
		require.ErrorIs(t, err, errHalf, "handle returned an error for job 3: Wait must return it")
		require.Equal(t, "half of 3", got, "handle returned a value beside its error for job 3: Wait must return both")
	})
}

// A crew of n runs n jobs at the same time, never more and never fewer.
// More would take what you did not want to give, fewer would leave it unused.
func TestCrewIsExactlyItsSize(t *testing.T) {
	for _, crew := range []struct{ workers, want int }{{1, 1}, {3, 3}, {0, 1}, {-2, 1}} {
		synctest.Test(t, func(t *testing.T) {
			const rounds = 4
			var running atomic.Int64
			pool := workerpool.New(crew.workers, rounds*crew.want, func(context.Context, int) (int, error) {
				running.Add(1)
				defer running.Add(-1)
				time.Sleep(time.Second)
				return 0, nil
			})
			defer shutdown(t, pool)

			for job := range rounds * crew.want {
				ticket := submit(t, pool, job)
				go ticket.Wait(within(t, time.Minute)) // somebody is there to take each answer
			}
			for round := range rounds {
				synctest.Wait()
				require.EqualValues(t, crew.want, running.Load(),
					"New was given workers=%d, and there are jobs for all: wrong number of jobs running after %d s", crew.workers, round)
				time.Sleep(time.Second)
			}
			synctest.Wait()
			require.Zero(t, running.Load(),
				"New was given workers=%d: after %d rounds of one second each job has had its turn, so none may be running", crew.workers, rounds)
		})
	}

	require.Panics(t, func() { workerpool.New[int, int](1, 1, nil) },
		"New was given a nil handle: it must panic at once, where the mistake was made")
}

// A ticket keeps its answer, whether it is asked late, twice or never.
// A worker that waited for somebody to take the answer would be lost to the crew.
func TestTicketKeepsItsAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ran := 0
		pool := workerpool.New(1, 3, func(_ context.Context, job int) (int, error) {
			ran++
			return 10 * job, nil
		})
		defer shutdown(t, pool)

		tickets := []*workerpool.Ticket[int]{submit(t, pool, 1), submit(t, pool, 2), submit(t, pool, 3)}
		defer claimIfFailed(t, tickets)

		synctest.Wait()
		require.Equal(t, 3, ran,
			"three jobs were submitted and nobody has called Wait: the one worker must run all three all the same")

		for range 2 {
			for i, ticket := range tickets[1:] {
				got, err := ticket.Wait(within(t, time.Second))
				require.NoError(t, err, "the job of this ticket has ended: every Wait must return its answer, also the second one")
				require.Equal(t, 10*(i+2), got, "every Wait on a ticket must return the same answer")
			}
		}
	})
}

// Wait gives up when its ctx ends, and the job goes on.
// Whoever waits decides how long; that is no reason to throw the work away.
func TestWaitGivesUpWithItsCtx(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool := workerpool.New(1, 1, func(ctx context.Context, job string) (string, error) {
			return "done", work(ctx, 3*time.Second)
		})
		defer shutdown(t, pool)

		start := time.Now()
		ticket := submit(t, pool, "a job of three seconds")
		other := make(chan error, 1)
		go func() {
			_, err := ticket.Wait(within(t, time.Hour))
			other <- err
		}()
		synctest.Wait()

		got, err := ticket.Wait(within(t, time.Second))
		require.ErrorIs(t, err, context.DeadlineExceeded, "Wait's ctx ended after 1 s of a job of 3 s: Wait must return the ctx's error")
		require.Zero(t, got, "Wait gave up: beside the error it must return a zero value")
		require.Equal(t, time.Second, time.Since(start), "Wait must return at the moment its ctx ends")

		got, err = ticket.Wait(within(t, time.Hour))
		require.NoError(t, err, "a Wait that gave up must not touch the job: it has to run to its end")
		require.Equal(t, "done", got, "a ticket must bring its answer, also after a Wait that gave up")
		require.Equal(t, 3*time.Second, time.Since(start), "Wait must return at the moment the job ends")
		require.NoError(t, <-other, "two goroutines were in Wait on one ticket when the job ended: both must get the answer")

		for range 50 {
			_, err = ticket.Wait(ended(t))
			require.NoError(t, err, "the answer was there before Wait was called: it must be returned even if ctx has ended, every time of 50")
		}
	})
}

// Step 2: a bounded queue

// Beside the jobs that run, a pool has room for exactly queue more.
// That bound is the pool's only way of saying that it cannot keep up.
func TestQueueHasExactlyItsRoom(t *testing.T) {
	for _, size := range []struct{ workers, queue, room int }{{1, 0, 1}, {1, 1, 2}, {2, 3, 5}, {2, -1, 2}} {
		synctest.Test(t, func(t *testing.T) {
			const took = 1_234_567_891 * time.Nanosecond // a moment that nobody hits who only looks now and then
			pool := workerpool.New(size.workers, size.queue, func(context.Context, int) (int, error) {
				time.Sleep(took)
				return 0, nil
			})
			defer shutdown(t, pool)
			in := fmt.Sprintf("in a pool with workers=%d and queue=%d", size.workers, size.queue)

			start := time.Now()
			for job := range size.room {
				synctest.Wait() // by now every worker is at work or stands ready
				ticket, err := pool.TrySubmit(job)
				require.NoError(t, err, "%s the room is %d: TrySubmit must accept job %d", in, size.room, job+1)
				require.NotNil(t, ticket, "TrySubmit accepted the job: it must return the job's ticket")
			}
			synctest.Wait()
			ticket, err := pool.TrySubmit(-1)
			require.ErrorIs(t, err, workerpool.ErrQueueFull, "%s the room is %d, and all of it is taken: TrySubmit must return ErrQueueFull", in, size.room)
			require.Nil(t, ticket, "TrySubmit refused the job: there must be no ticket")
			require.Zero(t, time.Since(start), "TrySubmit must never wait")

			submit(t, pool, -2)
			require.Equal(t, took, time.Since(start), "%s all room was taken: Submit must wait until the first jobs end, and not a moment longer", in)
		})
	}
}

// The ctx of Submit bounds the wait for room, and nothing else.
// It often belongs to a request, which ends long before the job does.
func TestSubmitCtxBoundsTheWaitForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var unwanted atomic.Int64
		pool := workerpool.New(1, 1, func(ctx context.Context, job string) (string, error) {
			if job == "unwanted" {
				unwanted.Add(1)
			}
			return job, work(ctx, 3*time.Second)
		})
		defer shutdown(t, pool)

		for range 50 {
			synctest.Wait()
			ticket, err := pool.Submit(ended(t), "unwanted")
			require.ErrorIs(t, err, context.Canceled, "ctx had ended before Submit was called: there is room, and still Submit must return the ctx's error, every time of 50")
			require.Nil(t, ticket, "Submit returned an error: there must be no ticket")
		}

		start := time.Now()
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		running, err := pool.Submit(ctx, "running")
		require.NoError(t, err, "there is room: Submit must accept the job")
		synctest.Wait()
		queued, err := pool.Submit(ctx, "queued")
		require.NoError(t, err, "there is room in the queue: Submit must accept the job")

		ticket, err := pool.Submit(within(t, time.Second), "unwanted")
		require.ErrorIs(t, err, context.DeadlineExceeded, "ctx ended while Submit waited for room: Submit must return the ctx's error")
		require.Nil(t, ticket, "Submit returned an error: there must be no ticket")
		require.Equal(t, time.Second, time.Since(start), "Submit must return at the moment its ctx ends")

		cancel() // the ctx that brought in the two accepted jobs
		for _, ticket := range []*workerpool.Ticket[string]{running, queued} {
			_, err := ticket.Wait(within(t, time.Hour))
			require.NoError(t, err, "the ctx given to Submit ended after the job had been accepted: handle's own ctx must not end with it")
		}
		require.Equal(t, 6*time.Second, time.Since(start), "two jobs of 3 s for one worker: they must have run one after the other to the end")

		time.Sleep(time.Minute)
		require.Zero(t, unwanted.Load(), "a job whose Submit returned an error must never run")
	})
}

// A Submit that waits for room holds up nobody else.
// So it must not hold a lock that others need. This koan runs in real time: a
// bubble takes a goroutine that waits for a lock for one that is busy, and its
// clock would stop for good.
func TestWaitingSubmitHoldsUpNobody(t *testing.T) {
	defer verifyNoLeak(t, goleak.IgnoreCurrent())
	release := make(chan struct{})
	pool := workerpool.New(1, 0, func(_ context.Context, job string) (string, error) {
		<-release
		return job, nil
	})
	let := sync.OnceFunc(func() { close(release) })
	defer let()

	submitSoon(t, pool)
	patient := make(chan error, 1)
	go callSubmit(context.Background(), pool, patient)
	untilWaiting(t, 1, "callSubmit", patient, "the pool was full, and a Submit was called: it must wait for room")

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	hurried := make(chan error, 1)
	go callSubmit(ctx, pool, hurried)
	untilWaiting(t, 2, "callSubmit", hurried, "the pool was full, and 2 Submits were called: both must wait for room")
	cancel()
	require.ErrorIs(t, soon(t, hurried, "two Submits were waiting for room, and the ctx of one ended: that one must return, though the other still waits"),
		context.Canceled, "Submit's ctx ended while it waited for room: it must return the ctx's error")

	tried := make(chan error, 1)
	go func() {
		_, err := pool.TrySubmit("tried")
		tried <- err
	}()
	require.ErrorIs(t, soon(t, tried, "a Submit was waiting for room: TrySubmit must return all the same"),
		workerpool.ErrQueueFull, "the pool was full: TrySubmit must say so")

	let()
	require.NoError(t, soon(t, patient, "the running job ended: the Submit that waited for room must get in"),
		"the running job ended: the Submit that waited for room must get in")
	shut := make(chan error, 1)
	go callShutdown(context.Background(), pool, shut)
	require.NoError(t, soon(t, shut, "all jobs have ended or will at once: Shutdown must return"),
		"Shutdown had all the time it needed: it must return nil")
}

// Step 3: a panic

// A panic costs one job its answer, and the pool nothing.
// Otherwise a few broken jobs wear down the crew until nobody is left.
func TestPanicCostsOneJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const crew = 2
		errBroken := errors.New("broken image")
		var running atomic.Int64
		pool := workerpool.New(crew, 2*crew, func(ctx context.Context, job string) (string, error) {
			if job == "bad" {
				stumble(errBroken)
			}
			running.Add(1)
			defer running.Add(-1)
			return job, work(ctx, time.Second)
		})
		defer shutdown(t, pool)

		for range crew {
			ticket := submit(t, pool, "bad")
			got, err := ticket.Wait(within(t, time.Hour))
			var panicked *workerpool.PanicError
			require.ErrorAs(t, err, &panicked, "handle panicked: Wait must return a *PanicError")
			require.Zero(t, got, "handle panicked: beside the error there must be a zero value")
			require.Equal(t, errBroken, panicked.Value, "PanicError.Value must be what handle panicked with")
			require.Contains(t, string(panicked.Stack), "stumble",
				"PanicError.Stack must show the function that panicked, and that was stumble: the stack has to be taken before it is unwound")
		}

		for range crew {
			submit(t, pool, "good")
		}
		synctest.Wait()
		require.EqualValues(t, crew, running.Load(),
			"%d jobs have panicked, and %[1]d good ones were submitted after them: all workers must still be there to run them at the same time", crew)
	})
}

// Step 4: a graceful end

// Shutdown accepts nothing new and leaves nothing accepted behind.
// A ticket is a promise; whoever holds one has stopped looking after the job.
func TestShutdownDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var runs [5]atomic.Int64
		pool := workerpool.New(2, 3, func(ctx context.Context, job int) (int, error) {
			runs[job].Add(1)
			return job, work(ctx, time.Second)
		})
		defer time.Sleep(time.Hour) // if the koan fails, all that still runs comes to its end

		start := time.Now()
		var tickets []*workerpool.Ticket[int]
		for job := range runs {
			tickets = append(tickets, submit(t, pool, job))
		}
		shut := make(chan error, 1)
		go callShutdown(context.Background(), pool, shut)

		synctest.Wait()
		_, err := pool.Submit(context.Background(), 0)
		require.ErrorIs(t, err, workerpool.ErrClosed, "Shutdown was waiting for the jobs to end: Submit must return ErrClosed")
		_, err = pool.TrySubmit(0)
		require.ErrorIs(t, err, workerpool.ErrClosed, "Shutdown was waiting for the jobs to end: TrySubmit must return ErrClosed, even if the queue is full too")

		require.NoError(t, <-shut, "all accepted jobs could end in time: Shutdown must return nil")
		require.Equal(t, 3*time.Second, time.Since(start), "2 workers had 5 jobs of 1 s: Shutdown must return when the last one has ended")
		for job, ticket := range tickets {
			require.EqualValues(t, 1, runs[job].Load(), "every accepted job must run once, also one that was still in the queue when Shutdown was called")
			got, err := ticket.Wait(ended(t))
			require.NoError(t, err, "Shutdown returned nil: the ticket of every accepted job must have its answer by then")
			require.Equal(t, job, got, "Shutdown was called before job %d had ended: its ticket must bring its answer all the same", job)
		}

		require.NoError(t, pool.Shutdown(context.Background()), "Shutdown was called once more after the end: nothing is running, so it must return nil")
		require.Equal(t, 3*time.Second, time.Since(start), "Shutdown was called once more after the end: it must return at once")
		_, err = pool.TrySubmit(0)
		require.ErrorIs(t, err, workerpool.ErrClosed, "the pool was shut down: TrySubmit must return ErrClosed")
	})
}

// A Submit that waits for room when Shutdown is called gets ErrClosed.
// It has been promised nothing yet. This koan, too, runs in real time.
func TestShutdownWakesWaitingSubmits(t *testing.T) {
	defer verifyNoLeak(t, goleak.IgnoreCurrent())
	ran := 0
	release := make(chan struct{})
	pool := workerpool.New(1, 1, func(context.Context, string) (int, error) {
		<-release
		ran++
		return 0, nil
	})
	let := sync.OnceFunc(func() { close(release) })
	defer let()

	submitSoon(t, pool) // runs
	submitSoon(t, pool) // is queued
	const callers = 3
	refused, shut := make(chan error, callers), make(chan error, callers)
	for range callers {
		go callSubmit(context.Background(), pool, refused)
	}
	untilWaiting(t, callers, "callSubmit", refused, "the pool was full, and 3 Submits were called: each must wait for room")

	for range callers {
		go callShutdown(context.Background(), pool, shut)
	}
	for range callers {
		err := soon(t, refused, "Submits were waiting for room when Shutdown was called: all of them must return, before any job has ended")
		require.ErrorIs(t, err, workerpool.ErrClosed, "Submit was waiting for room when Shutdown was called: it must return ErrClosed")
	}
	untilWaiting(t, callers, "callShutdown", shut, "3 Shutdowns were called at once, and a job was still running: each must wait for it, the first as well as the last")

	let()
	for range callers {
		require.NoError(t, soon(t, shut, "3 Shutdowns were called at once, and then the jobs ended: each must return"), "all accepted jobs could end: Shutdown must return nil")
	}
	require.Equal(t, 2, ran, "one job was running and one queued when Shutdown was called: these must run, and no other")
}

// Step 5: a forced end

// When Shutdown runs out of time, it cancels what runs, drops what waits, and returns.
// Cancelling is asking: a job may not listen, and Shutdown must not depend on it.
func TestShutdownRunsOutOfTime(t *testing.T) {
	defer verifyNoLeak(t, goleak.IgnoreCurrent())
	synctest.Test(t, func(t *testing.T) {
		var started sync.Map
		pool := workerpool.New(2, 2, func(ctx context.Context, job string) (string, error) {
			started.Store(job, true)
			if job == "stubborn" {
				time.Sleep(10 * time.Second)
				return "stubborn", nil
			}
			err := work(ctx, time.Minute)
			time.Sleep(2 * time.Second)
			return "cleaned up", err
		})
		defer shutdown(t, pool)

		start := time.Now()
		polite, stubborn := submit(t, pool, "polite"), submit(t, pool, "stubborn")
		synctest.Wait()
		queued := []*workerpool.Ticket[string]{submit(t, pool, "third"), submit(t, pool, "fourth")}

		err := pool.Shutdown(within(t, time.Second))
		require.ErrorIs(t, err, context.DeadlineExceeded, "the jobs needed longer than Shutdown's ctx: Shutdown must return the ctx's error")
		require.Equal(t, time.Second, time.Since(start), "Shutdown must return when its ctx ends, even if the running jobs do not")

		for _, ticket := range queued {
			_, err := ticket.Wait(within(t, time.Second))
			require.ErrorIs(t, err, workerpool.ErrClosed, "Shutdown ran out of time: the ticket of a queued job must bring ErrClosed")
			require.Equal(t, time.Second, time.Since(start), "Shutdown ran out of time: the ticket of a queued job must be answered at once, though all workers are still busy")
		}

		got, err := polite.Wait(within(t, time.Hour))
		require.ErrorIs(t, err, context.Canceled, "Shutdown ran out of time: the ctx of a running job must be cancelled, and its ticket must bring what handle then returns")
		require.Equal(t, "cleaned up", got, "handle returned a value after its ctx had ended: the ticket must bring it")
		require.Equal(t, 3*time.Second, time.Since(start), "the ctx of a running job must be cancelled when Shutdown runs out of time, which was after 1 s; the job then took 2 s to clean up")

		require.NoError(t, pool.Shutdown(context.Background()), "Shutdown was called again, with time to spare: it must return nil in the end")
		require.Equal(t, 10*time.Second, time.Since(start), "Shutdown was called again, with time to spare: it must return when the last running job has ended")
		got, err = stubborn.Wait(ended(t))
		require.NoError(t, err, "a job that did not listen came to its end after all: its ticket must bring its answer")
		require.Equal(t, "stubborn", got, "a job that did not listen came to its end after all: its ticket must bring its answer")
		for _, job := range []string{"third", "fourth"} {
			_, ran := started.Load(job)
			require.False(t, ran, "Shutdown ran out of time: the %s job was still in the queue, and so handle must never see it", job)
		}
	})

	// Two callers, each with a ctx of its own. They run in real time.
	release := make(chan struct{})
	pool := workerpool.New(1, 0, func(context.Context, string) (int, error) {
		<-release
		return 0, nil
	})
	let := sync.OnceFunc(func() { close(release) })
	defer let()
	submitSoon(t, pool)

	patient, hurried := make(chan error, 1), make(chan error, 1)
	go callShutdown(context.Background(), pool, patient)
	untilWaiting(t, 1, "callShutdown", patient, "a job was running, and Shutdown was called: it must wait for the job")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go callShutdown(ctx, pool, hurried)
	untilWaiting(t, 2, "callShutdown", hurried, "a job was running, and Shutdown was called twice: both must wait for the job")
	cancel()
	require.ErrorIs(t, soon(t, hurried, "two Shutdowns were waiting, and the ctx of one ended: that one must return, though the other still waits"),
		context.Canceled, "Shutdown's ctx ended while it waited: it must return the ctx's error")
	let()
	require.NoError(t, soon(t, patient, "the last job ended: the Shutdown that still waited must return"),
		"the last job ended: the Shutdown that still waited must return nil")
}

// Step 6: both at once

// A Submit that races Shutdown is accepted and run, or refused: never lost.
// There is a moment when Submit has seen an open pool and not yet handed over its
// job. Shutdown must not fit into it.
func TestSubmitRacesShutdown(t *testing.T) {
	defer verifyNoLeak(t, goleak.IgnoreCurrent())
	handle := func(_ context.Context, job int) (int, error) { return job, nil }

	// First with care: Submit has to ask for ctx now and then, and each round, one
	// of these questions gives Shutdown the time to do what it can.
	for round := range 48 {
		pool := workerpool.New(2, 2, handle)
		shut, outcome := make(chan error, 1), make(chan submitted, 1)
		ctx := &interrupted{Context: context.Background(), at: int64(1 + round%8), by: func() {
			go callShutdown(context.Background(), pool, shut)
			for tries := 0; tries < 100 && len(shut) == 0; tries++ {
				runtime.Gosched()
			}
		}}
		go func() {
			outcome <- untilRefused(func(job int) (*workerpool.Ticket[int], error) { return pool.Submit(ctx, job) })
		}()
		requireNoneLost(t, shut, outcome)
	}

	// Then with force: many at a time, each as fast as it can.
	for range 100 {
		pool := workerpool.New(2, 2, handle)
		shut, outcome := make(chan error, 1), make(chan submitted, 4)
		for range 2 {
			go func() {
				outcome <- untilRefused(func(job int) (*workerpool.Ticket[int], error) { return pool.Submit(context.Background(), job) })
			}()
			go func() { outcome <- untilRefused(pool.TrySubmit) }()
		}
		runtime.Gosched()
		go callShutdown(context.Background(), pool, shut)
		requireNoneLost(t, shut, outcome)
	}
}

// submit submits a job that the pool has to accept.
func submit[J, R any](t *testing.T, pool *workerpool.Pool[J, R], job J) *workerpool.Ticket[R] {
	t.Helper()
	ticket, err := pool.Submit(context.Background(), job)
	require.NoError(t, err, "the pool is open: Submit must accept job %v, now or when there is room", job)
	require.NotNil(t, ticket, "Submit accepted job %v: it must return the job's ticket", job)
	return ticket
}

// shutdown ends a koan's pool, whether the koan passed or not. The hour, which
// costs nothing in a bubble, lets all that still runs come to its end: that
// Shutdown itself must wait is for a koan of its own.
func shutdown[J, R any](t *testing.T, pool *workerpool.Pool[J, R]) {
	t.Helper()
	assert.NoError(t, pool.Shutdown(context.Background()), "Shutdown had all the time it needed: it must return nil")
	time.Sleep(time.Hour)
}

// claimIfFailed asks for the answers of a koan that has failed, so that workers
// which wait for somebody to take them can end.
func claimIfFailed[R any](t *testing.T, tickets []*workerpool.Ticket[R]) {
	if t.Failed() {
		for _, ticket := range tickets {
			go ticket.Wait(within(t, time.Minute))
		}
	}
}

// work takes d, or less if ctx ends, whose error it then returns.
func work(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// stumble panics, in a function with a name to look for.
func stumble(v any) { panic(v) }

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

// interrupted is a ctx that is never cancelled. Before it answers the question of
// the given number, whatever that is, something else happens.
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

// submitted is what came of submitting jobs 0, 1, 2, … until one was refused.
type submitted struct {
	tickets []*workerpool.Ticket[int]
	err     error
}

func untilRefused(submit func(job int) (*workerpool.Ticket[int], error)) (s submitted) {
	for tries := 1; s.err == nil; tries++ {
		ticket, err := submit(len(s.tickets))
		switch {
		case err == nil:
			s.tickets = append(s.tickets, ticket)
		case !errors.Is(err, workerpool.ErrQueueFull):
			s.err = err
		}
		if tries%16 == 0 {
			runtime.Gosched() // on one processor, Shutdown would have to wait long for its turn
		}
	}
	return s
}

// requireNoneLost requires that Shutdown returns, and after it each submitter, with
// an answer on every ticket. There are as many submitters as outcome has room for.
func requireNoneLost(t *testing.T, shut <-chan error, outcome <-chan submitted) {
	t.Helper()
	require.NoError(t, soon(t, shut, "Shutdown was called while jobs were being submitted, which all end at once: it must return"),
		"Shutdown was called while jobs were being submitted, which all end at once: it must return nil")
	for range cap(outcome) {
		s := soon(t, outcome, "Shutdown has returned: every Submit and TrySubmit must return too")
		require.ErrorIs(t, s.err, workerpool.ErrClosed, "Shutdown was called: from then on Submit and TrySubmit must return ErrClosed")
		now := ended(t)
		for job, ticket := range s.tickets {
			got, err := ticket.Wait(now)
			if err != nil || got != job {
				require.NoError(t, err, "a job was accepted just before Shutdown closed the pool, and now Shutdown has returned nil: the job's ticket must have its answer")
				require.Equal(t, job, got, "a ticket must bring the answer to its own job")
			}
		}
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

// callSubmit submits a job and sends the outcome.
func callSubmit[R any](ctx context.Context, pool *workerpool.Pool[string, R], outcome chan<- error) {
	_, err := pool.Submit(ctx, "a job")
	outcome <- err
}

// submitSoon submits a job that the pool has to accept, in real time.
func submitSoon[R any](t *testing.T, pool *workerpool.Pool[string, R]) {
	t.Helper()
	outcome := make(chan error, 1)
	go callSubmit(context.Background(), pool, outcome)
	require.NoError(t, soon(t, outcome, "the pool is open and has room: Submit must return"), "the pool is open and has room: Submit must accept the job")
}

// callShutdown shuts the pool down and sends the outcome.
func callShutdown[J, R any](ctx context.Context, pool *workerpool.Pool[J, R], outcome chan<- error) {
	outcome <- pool.Shutdown(ctx)
}

// untilWaiting returns when n goroutines are waiting inside the function named,
// no matter what for, and fails the koan if one comes back before that. It asks
// the runtime what each goroutine does, since only a bubble has a better way to
// know.
func untilWaiting(t *testing.T, n int, function string, outcome <-chan error, otherwise string) {
	t.Helper()
	stacks := make([]byte, 1<<20)
	for deadline := time.Now().Add(2 * time.Second); len(outcome) == 0 && time.Now().Before(deadline); runtime.Gosched() {
		waiting := 0
		for _, g := range strings.Split(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
			state, frames, _ := strings.Cut(g, "\n")
			frames, _, _ = strings.Cut(frames, "created by ")
			if strings.Contains(frames, "."+function+"[") && !strings.Contains(state, "[run") {
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
