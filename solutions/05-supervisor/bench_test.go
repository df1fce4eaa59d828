package supervisor_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/thejerf/suture/v4"

	supervisor "concurrency-koans/solutions/05-supervisor"
)

var errDown = errors.New("down")

// What does it cost to start a worker again, when it fails at once? In the second
// group somebody counts the restarts and hears of each of them, as in production.
func BenchmarkRestart(b *testing.B) {
	b.Run("counted=no/loop", func(b *testing.B) {
		b.ReportAllocs()
		w := failing(b.N)
		for w(b.Context()) != nil {
		}
	})
	// The loop, with a goroutine for each run.
	b.Run("counted=no/goroutine", func(b *testing.B) {
		b.ReportAllocs()
		w, exit := failing(b.N), make(chan error)
		for {
			go func() { exit <- w(b.Context()) }()
			if <-exit == nil {
				return
			}
		}
	})
	b.Run("counted=no/reference", func(b *testing.B) { keep(b, supervisor.Policy{}, failing(b.N)) })
	b.Run("counted=yes/suture", func(b *testing.B) { sutured(b, failing(b.N)) })
	b.Run("counted=yes/reference", func(b *testing.B) { keep(b, counted(), failing(b.N)) })
}

// What does it cost to start a worker again that has panicked? Most of it is for
// the stack, which the plain goroutine does not keep.
func BenchmarkPanic(b *testing.B) {
	b.Run("goroutine", func(b *testing.B) {
		b.ReportAllocs()
		w, exit := panicking(b.N), make(chan any)
		for {
			go func() {
				defer func() { exit <- recover() }()
				w(b.Context())
			}()
			if <-exit == nil {
				return
			}
		}
	})
	b.Run("suture", func(b *testing.B) { sutured(b, panicking(b.N)) })
	b.Run("reference", func(b *testing.B) { keep(b, counted(), panicking(b.N)) })
}

// What does a restart cost while many workers fail, all the time? In suture they
// share one loop, which starts them all.
func BenchmarkCrowd(b *testing.B) {
	for _, workers := range []int{1, 10, 100} {
		crowd := func(b *testing.B) []supervisor.Worker {
			all := make([]supervisor.Worker, workers)
			for i := range all {
				all[i] = failing(b.N / workers)
			}
			return all
		}
		name := fmt.Sprintf("workers=%d/", workers)
		b.Run(name+"suture", func(b *testing.B) { sutured(b, crowd(b)...) })
		b.Run(name+"reference", func(b *testing.B) {
			b.ReportAllocs()
			s := supervisor.New(supervisor.OneForOne, counted())
			for i, w := range crowd(b) {
				s.Add(fmt.Sprint(i), w)
			}
			if err := s.Serve(b.Context()); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// What does it cost a worker to be kept, while it works?
func BenchmarkWorking(b *testing.B) {
	work := func(units int) supervisor.Worker {
		return func(context.Context) error {
			for range units {
				runtime.KeepAlive(spin(1000))
			}
			return nil
		}
	}
	b.Run("alone", func(b *testing.B) {
		b.ReportAllocs()
		if err := work(b.N)(b.Context()); err != nil {
			b.Fatal(err)
		}
	})
	b.Run("suture", func(b *testing.B) { sutured(b, work(b.N)) })
	b.Run("reference", func(b *testing.B) { keep(b, supervisor.Policy{}, work(b.N)) })
}

// What does it cost to start workers that do nothing but wait, and to stop them
// all? And how much memory do they take in between?
func BenchmarkIdle(b *testing.B) {
	for _, workers := range []int{100, 1000} {
		name := fmt.Sprintf("workers=%d/", workers)
		b.Run(name+"goroutine", func(b *testing.B) {
			idle(b, workers, func(w supervisor.Worker) func(context.Context) {
				return func(ctx context.Context) {
					var all sync.WaitGroup
					for range workers {
						all.Go(func() { w(ctx) })
					}
					all.Wait()
				}
			})
		})
		b.Run(name+"suture", func(b *testing.B) {
			idle(b, workers, func(w supervisor.Worker) func(context.Context) {
				s := suture.New("", spec())
				for range workers {
					s.Add(service(w))
				}
				return func(ctx context.Context) { s.Serve(ctx) }
			})
		})
		b.Run(name+"reference", func(b *testing.B) {
			idle(b, workers, func(w supervisor.Worker) func(context.Context) {
				s := supervisor.New(supervisor.OneForOne, supervisor.Policy{})
				for i := range workers {
					s.Add(fmt.Sprint(i), w)
				}
				return func(ctx context.Context) { s.Serve(ctx) }
			})
		})
	}
}

// idle measures what prepare returns, which is to run w so many times at once,
// until ctx ends.
func idle(b *testing.B, workers int, prepare func(w supervisor.Worker) (serve func(ctx context.Context))) {
	b.ReportAllocs()
	started := make(chan struct{})
	w := func(ctx context.Context) error {
		started <- struct{}{}
		<-ctx.Done()
		return nil
	}
	for i := range b.N {
		b.StopTimer()
		serve := prepare(w)
		ctx, cancel := context.WithCancel(b.Context())
		ended := make(chan struct{})
		last := i == b.N-1
		var bytes uint64
		goroutines := runtime.NumGoroutine()
		if last {
			bytes = memory()
		}
		b.StartTimer()

		go func() {
			defer close(ended)
			serve(ctx)
		}()
		for range workers {
			<-started
		}
		if last {
			b.StopTimer()
			b.ReportMetric(float64(memory()-bytes)/float64(workers), "bytes/worker")
			b.ReportMetric(float64(runtime.NumGoroutine()-goroutines)/float64(workers), "goroutines/worker")
			b.StartTimer()
		}
		cancel()
		<-ended
	}
}

// How often does a worker try while its server is away for ten minutes? A hundred
// workers have lost it at the same moment, and each attempt fails after a
// millisecond. How many try within the same tenth of a second towards the end, and
// how late are they when the server is back? There is nothing to wait for: this is
// arithmetic, and the time that it takes does not matter.
func BenchmarkOutage(b *testing.B) {
	const (
		workers = 100
		fails   = time.Millisecond
		tenth   = 100 * time.Millisecond
	)
	for _, policy := range []struct {
		name    string
		backoff func(n int) time.Duration
	}{
		{"none", func(int) time.Duration { return 0 }},
		{"second", func(int) time.Duration { return time.Second }},
		{"doubling", doubling},
		{"jitter", jittered},
	} {
		b.Run(policy.name, func(b *testing.B) {
			outages, attempts, crowds := 0, 0, 0
			var late time.Duration
			for b.Loop() {
				outages++
				outage := 9*time.Minute + rand.N(2*time.Minute)
				tries, crowd := map[time.Duration]int{}, 0
				for range workers {
					at := time.Duration(0)
					for n := 1; at < outage; n++ {
						attempts++
						if at > outage-time.Minute {
							tries[at/tenth]++
							crowd = max(crowd, tries[at/tenth])
						}
						at += fails + policy.backoff(n)
					}
					late += at - outage
				}
				crowds += crowd
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(attempts)/float64(outages*workers), "attempts/worker")
			b.ReportMetric(float64(crowds)/float64(outages), "in-one-tenth")
			b.ReportMetric(late.Seconds()/float64(outages*workers), "s-late")
		})
	}
}

// doubling waits one second, two, four and so on, up to a minute.
func doubling(n int) time.Duration {
	return min(time.Second<<min(n-1, 6), time.Minute)
}

// jittered waits for half of that, and for a random part of the other half.
func jittered(n int) time.Duration {
	d := doubling(n)
	return d/2 + rand.N(d/2)
}

func keep(b *testing.B, p supervisor.Policy, w supervisor.Worker) {
	b.ReportAllocs()
	if err := supervisor.Keep(b.Context(), p, w); err != nil {
		b.Fatal(err)
	}
}

// counted is a policy with a limit, and with somebody who hears of every run. No
// worker comes and goes within ten nanoseconds, so the limit is never reached.
func counted() supervisor.Policy {
	return supervisor.Policy{MaxRestarts: 1000, Window: 10 * time.Microsecond, OnExit: func(string, error) {}}
}

// sutured has suture keep all workers until they are done. It promises less: its
// hook hears of a failure when the next run has begun, and it does not survive a
// worker that calls runtime.Goexit. And it does more: every run has a ctx of its own,
// and workers may come and go meanwhile.
func sutured(b *testing.B, workers ...supervisor.Worker) {
	b.ReportAllocs()
	ctx, cancel := context.WithCancel(b.Context())
	var done sync.WaitGroup
	s := suture.New("", spec())
	for _, w := range workers {
		done.Add(1)
		s.Add(service(func(ctx context.Context) error {
			err := w(ctx)
			if err == nil {
				done.Done()
				return suture.ErrDoNotRestart
			}
			return err
		}))
	}
	ended := s.ServeBackground(ctx)
	done.Wait()
	cancel() // it does not return by itself
	<-ended
}

// spec makes suture start everything again at once, for ever.
func spec() suture.Spec {
	return suture.Spec{FailureThreshold: math.Inf(1), EventHook: func(suture.Event) {}}
}

// service is a worker in suture's terms.
type service func(context.Context) error

func (w service) Serve(ctx context.Context) error { return w(ctx) }

func (w service) String() string { return "" }

// failing returns a worker that fails n times and is then done. Inlined, it would
// not be called at all.
//
//go:noinline
func failing(n int) supervisor.Worker {
	return func(context.Context) error {
		if n--; n >= 0 {
			return errDown
		}
		return nil
	}
}

// panicking is failing, with a panic.
func panicking(n int) supervisor.Worker {
	return func(context.Context) error {
		if n--; n >= 0 {
			panic(errDown)
		}
		return nil
	}
}

func memory() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// spin keeps a core busy. Inlined where nobody wants its result, it would do less.
//
//go:noinline
func spin(turns int) int {
	v := 1
	for range turns {
		v = v*1664525 + 1013904223
	}
	return v
}
