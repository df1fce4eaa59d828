package supervisor_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	supervisor "concurrency-koans/solutions/05-supervisor"
)

var errDown = errors.New("down")

// What does it cost to start a worker again, when it fails at once?
func BenchmarkRestart(b *testing.B) {
	b.Run("loop", func(b *testing.B) {
		b.ReportAllocs()
		w := failing(b.N)
		for w(b.Context()) != nil {
		}
	})
	b.Run("Keep", func(b *testing.B) { keep(b, supervisor.Policy{}, failing(b.N)) })
	b.Run("Keep,panic", func(b *testing.B) { keep(b, supervisor.Policy{}, panicking(b.N)) })
	// Every restart counts, and the limit is never reached.
	p := supervisor.Policy{MaxRestarts: math.MaxInt, Window: time.Hour}
	b.Run("Keep,limit", func(b *testing.B) { keep(b, p, failing(b.N)) })
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
	b.Run("Keep", func(b *testing.B) { keep(b, supervisor.Policy{}, work(b.N)) })
}

// How much memory does a worker take that does nothing but wait?
func BenchmarkIdle(b *testing.B) {
	ctx, cancel := context.WithCancel(b.Context())
	started := make(chan struct{})
	s := supervisor.New(supervisor.OneForOne, supervisor.Policy{})
	for i := range b.N {
		s.Add(fmt.Sprint(i), func(ctx context.Context) error {
			started <- struct{}{}
			<-ctx.Done()
			return nil
		})
	}
	before, goroutines := memory(), runtime.NumGoroutine()
	b.ResetTimer()
	ended := make(chan error)
	go func() { ended <- s.Serve(ctx) }()
	for range b.N {
		<-started
	}
	b.ReportMetric(float64(memory()-before)/float64(b.N), "bytes/worker")
	b.ReportMetric(float64(runtime.NumGoroutine()-goroutines)/float64(b.N), "goroutines/worker")
	cancel()
	<-ended
}

// A hundred workers lose their server at the same moment, and it is away for about
// ten minutes. Each attempt fails after a millisecond. How often does a worker try,
// how many try within the same tenth of a second towards the end, and how late are
// they when the server is back? There is nothing to wait for: this is arithmetic.
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
		{"doubling+jitter", jittered},
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

// failing returns a worker that fails n times and is then done.
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
