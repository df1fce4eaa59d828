package demo

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing/synctest"
	"time"
)

// A Demo is one run of a Program. All its methods may be called from any goroutine.
type Demo struct {
	knobs    []Knob
	seed     uint64
	fast     bool
	began    time.Time
	baseline int // goroutines that are not the demo's

	returned chan struct{} // closed when Run has returned
	watchers sync.WaitGroup

	mu      sync.Mutex // guards what follows, and the fields of lanes and gauges
	log     *log
	last    time.Time // when something was recorded
	watches []func()
}

// quiet is how long nothing may happen before a demo counts as stuck, in its own
// time: longer than anybody in a demo waits for anything.
const quiet = 10 * time.Second

// endless is how long a demo may go on at all.
const endless = 10 * time.Minute

// run is one run from beginning to end. It returns the exit status.
func (p Program) run(ctx context.Context, o options, out io.Writer) int {
	d := &Demo{
		knobs:    o.knobs,
		seed:     o.seed,
		fast:     o.fast,
		began:    time.Now(),
		baseline: countGoroutines() + 1, // the one that calls Run
		returned: make(chan struct{}),
		log:      &log{out: out, json: o.json, hold: o.fast && !o.json},
	}
	d.record(Event{Kind: Begins, About: &About{Seed: o.seed, Fast: o.fast, Knobs: o.knobs, Broken: p.Broken}})
	ended := make(chan int, 1)
	go func() { ended <- d.finish(ctx, p.Run(ctx, d)) }()
	for {
		select {
		case status := <-ended:
			return status
		case <-time.After(quiet / 10):
		}
		why := ""
		switch {
		case d.sinceLast() > quiet:
			why = "nothing happens any more"
		case time.Since(d.began) > endless:
			why = fmt.Sprintf("it goes on after %s", endless)
		default:
			continue
		}
		d.Count("goroutines left behind", d.goroutines())
		return d.over(Stuck, why)
	}
}

// sinceLast is how long nothing has been recorded.
func (d *Demo) sinceLast() time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return time.Since(d.last)
}

// finish writes what there is to tell when Run has returned.
func (d *Demo) finish(ctx context.Context, err error) int {
	took := time.Since(d.began)
	close(d.returned)
	d.watchers.Wait()
	d.Took("took", took)
	d.Count("goroutines left behind", d.leftBehind())
	switch {
	case ctx.Err() != nil:
		return d.over(Stopped, "")
	case err != nil:
		return d.over(Failed, err.Error())
	}
	return d.over(Done, "")
}

// over writes the end of the record.
func (d *Demo) over(how Outcome, why string) int {
	d.record(Event{Kind: Over, Outcome: how, Text: why})
	d.mu.Lock()
	defer d.mu.Unlock()
	d.log.flush()
	if how == Failed || how == Stuck {
		return 1
	}
	return 0
}

// goroutines are those that the demo has started and that have not ended.
func (d *Demo) goroutines() int {
	return max(0, countGoroutines()-d.baseline-d.watching())
}

// countGoroutines counts the goroutines that have not ended. Unlike
// runtime.NumGoroutine it does not count those that are just being cleared away, of
// which synctest.Wait takes no notice either.
func countGoroutines() int {
	for size := 64 << 10; ; size *= 2 {
		buf := make([]byte, size)
		if n := runtime.Stack(buf, true); n < size {
			return bytes.Count(buf[:n], []byte("\n\n")) + 1 // an empty line between two
		}
	}
}

// watching is how many goroutines serve the gauges.
func (d *Demo) watching() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	select {
	case <-d.returned:
		return 0
	default:
		return min(1, len(d.watches))
	}
}

// leaveTime is how long a goroutine that has been told to go may take to be gone.
const leaveTime = 250 * time.Millisecond

// leftBehind counts the goroutines that are still there when Run has returned. One
// that is only just ending is none of them.
func (d *Demo) leftBehind() int {
	if d.fast {
		synctest.Wait()
		return d.goroutines()
	}
	for late := time.Now().Add(leaveTime); d.goroutines() > 0 && time.Now().Before(late); {
		time.Sleep(time.Millisecond)
	}
	return d.goroutines()
}

// Fast reports whether time is virtual. What is outside of the process, such as a
// network, has no part in virtual time.
func (d *Demo) Fast() bool { return d.fast }

// Knob returns the value of one of the program's knobs.
func (d *Demo) Knob(name string) int {
	i := slices.IndexFunc(d.knobs, func(k Knob) bool { return k.Name == name })
	if i < 0 {
		panic("demo: the program has no knob " + name)
	}
	return d.knobs[i].Value
}

// Rand returns a source of chance for the thing that the ids name, whoever asks for
// it and when. So the same seed makes the same demo, whatever overtakes what.
func (d *Demo) Rand(ids ...int) *rand.Rand {
	h := uint64(14695981039346656037) // FNV-1a
	for _, id := range ids {
		h = (h ^ uint64(id)) * 1099511628211
	}
	return rand.New(rand.NewPCG(d.seed, h))
}

// Around returns a time within a quarter of mean, for the thing that the ids name.
// That no two things take exactly as long keeps the order of what follows the same
// from run to run.
func (d *Demo) Around(mean time.Duration, ids ...int) time.Duration {
	if mean < 4 {
		return mean
	}
	return mean*3/4 + time.Duration(d.Rand(ids...).Int64N(int64(mean/2)))
}

// Sleep waits for a while, or until ctx ends, and returns ctx's error then. It is
// the work in demos whose work is to wait for others.
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Count tells a result that is a number: how many lines were stored.
func (d *Demo) Count(name string, n int) {
	d.record(Event{Kind: Results, Who: name, Value: float64(n), Text: fmt.Sprint(n)})
}

// Took tells a result that is a time: how long the slowest waited.
func (d *Demo) Took(name string, t time.Duration) {
	d.record(Event{Kind: Results, Who: name, Value: float64(t), Text: Seconds(t)})
}

// record adds an event that happens now.
func (d *Demo) record(e Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.write(e)
}

// write is record for those who hold the lock.
func (d *Demo) write(e Event) {
	d.last = time.Now()
	e.At = d.last.Sub(d.began)
	d.log.add(e)
}
