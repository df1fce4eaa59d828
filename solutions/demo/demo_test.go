package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// inBubble runs a program in virtual time and returns its log and its exit status.
func inBubble(t *testing.T, p Program, o options) (log string, status int) {
	t.Helper()
	o.fast = true
	var out bytes.Buffer
	synctest.Test(t, func(t *testing.T) { status = p.run(t.Context(), o, &out) })
	return out.String(), status
}

// handOver has a maker hand three things over to a taker, who is slower.
func handOver(ctx context.Context, d *Demo) error {
	maker, taker := d.Lane("maker"), d.Lane("taker")
	waiting := d.Gauge("waiting", 1)
	things := make(chan int)
	var both sync.WaitGroup
	both.Go(func() {
		defer close(things)
		for n := range 3 {
			maker.Work(fmt.Sprint(n))
			_ = Sleep(ctx, 100*time.Millisecond)
			maker.Send()
			waiting.Add(1)
			things <- n
			waiting.Add(-1)
		}
	})
	both.Go(func() {
		for n := range things {
			maker.Taken()
			taker.Work(fmt.Sprint(n))
			_ = Sleep(ctx, 150*time.Millisecond)
			taker.Receive()
		}
	})
	both.Wait()
	maker.Leave()
	taker.Mark(Drop, "the rest")
	d.Count("things", 3)
	return nil
}

func TestLogTellsWhatHappens(t *testing.T) {
	log, status := inBubble(t, Program{Run: handOver}, options{})
	require.Zero(t, status)
	require.Equal(t, `   0.000s  maker          works on 0
   0.100s  maker          works on 1
   0.100s  taker          works on 0
   0.200s  maker          waits to send
   0.200s  waiting        = 1
   0.250s  maker          works on 2
   0.250s  taker          works on 1
   0.250s  waiting        = 0
   0.350s  maker          waits to send
   0.350s  waiting        = 1
   0.400s  maker          waits to receive
   0.400s  taker          works on 2
   0.400s  waiting        = 0
   0.550s  maker          gone
   0.550s  taker          waits to receive
   0.550s  taker          drops: the rest
           things: 3
           took: 0.550s
           goroutines left behind: 0
   0.550s  done
`, log)
}

// What happens at the same moment of virtual time happens in any order; the record
// is the same nevertheless.
func TestVirtualTimeIsTheSameEachTime(t *testing.T) {
	first, _ := inBubble(t, Program{Run: handOver}, options{})
	for range 50 {
		again, _ := inBubble(t, Program{Run: handOver}, options{})
		require.Equal(t, first, again)
	}
}

func TestChanceComesFromTheSeedAlone(t *testing.T) {
	d := &Demo{seed: 7}
	require.Equal(t, d.Rand(1, 2).Uint64(), d.Rand(1, 2).Uint64())
	require.NotEqual(t, d.Rand(1, 2).Uint64(), d.Rand(2, 1).Uint64())
	require.NotEqual(t, d.Rand(1, 2).Uint64(), (&Demo{seed: 8}).Rand(1, 2).Uint64())
	for n := range 1000 {
		length := d.Around(100*time.Millisecond, n)
		require.GreaterOrEqual(t, length, 75*time.Millisecond)
		require.Less(t, length, 125*time.Millisecond)
	}
}

func TestEndsAreTold(t *testing.T) {
	for name, tc := range map[string]struct {
		run    func(ctx context.Context, d *Demo) error
		want   string
		status int
	}{
		"done":   {func(context.Context, *Demo) error { return nil }, "done", 0},
		"failed": {func(context.Context, *Demo) error { return errors.New("no feed") }, "failed: no feed", 1},
		"waits": {func(ctx context.Context, d *Demo) error {
			d.Lane("one").Wait("a token")
			<-ctx.Done() // ends with the test: the demo itself does not see it
			return nil
		}, "stuck: nothing happens any more", 1},
		"goes on for ever": {func(ctx context.Context, d *Demo) error {
			for l := d.Lane("one"); ctx.Err() == nil; _ = Sleep(ctx, time.Second) {
				l.Mark(Moment, "again")
			}
			return nil
		}, "stuck: it goes on after 10m0s", 1},
	} {
		t.Run(name, func(t *testing.T) {
			log, status := inBubble(t, Program{Run: tc.run}, options{})
			require.Equal(t, tc.status, status)
			lines := strings.Split(strings.TrimSpace(log), "\n")
			require.Contains(t, lines[len(lines)-1], tc.want)
		})
	}
}

func TestInterruptedIsStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var out bytes.Buffer
		status := Program{Run: func(ctx context.Context, _ *Demo) error { return Sleep(ctx, time.Hour) }}.run(ctx, options{fast: true}, &out)
		require.Zero(t, status)
		require.Contains(t, out.String(), "1.000s  stopped")
	})
}

// A goroutine that is left behind is counted, on the gauge while the demo runs and at
// the end; those that serve the gauges are not.
func TestGoroutinesLeftBehindAreCounted(t *testing.T) {
	release := make(chan struct{})
	leaky := Program{Run: func(ctx context.Context, d *Demo) error {
		d.WatchGoroutines()
		for range 3 {
			go func() { <-ctx.Done() }()
			_ = Sleep(ctx, 100*time.Millisecond)
		}
		return nil
	}}
	log, _ := inBubble(t, leaky, options{})
	require.Contains(t, log, "0.010s  goroutines     = 1\n")
	require.Contains(t, log, "0.200s  goroutines     = 3\n")
	require.NotContains(t, log, "goroutines     = 4\n")
	require.Contains(t, log, "goroutines left behind: 3\n")

	goleak.VerifyNone(t) // one that is just ending would be counted before and not after
	var out bytes.Buffer
	status := Program{Run: func(context.Context, *Demo) error {
		go func() { <-release }()
		return nil
	}}.run(t.Context(), options{}, &out)
	require.Zero(t, status)
	require.Contains(t, out.String(), "goroutines left behind: 1\n", "in real time as well")
	close(release)
}

func TestCrewHasALaneForEachAtTheSameTime(t *testing.T) {
	log, _ := inBubble(t, Program{Run: func(_ context.Context, d *Demo) error {
		crew := d.Crew("worker", 1)
		a, b := crew.Join(), crew.Join()
		a.Work("a")
		b.Work("b")
		time.Sleep(time.Second)
		crew.Leave(a)
		crew.Join().Work("c")
		return nil
	}}, options{})
	require.Contains(t, log, "0.000s  worker 1       works on a\n")
	require.Contains(t, log, "0.000s  worker 2       works on b\n")
	require.Contains(t, log, "1.000s  worker 1       works on c\n")
}

func TestFlags(t *testing.T) {
	p := Program{
		Knobs: []Knob{
			{Name: "items", Value: 12, Min: 1, Max: 200, Text: "lines"},
			{Name: "workers", Value: 2, Min: 1, Max: 8, Text: "workers"},
		},
		Broken: []Broken{{Pitfall: "unbounded", Knobs: map[string]int{"items": 50, "workers": 4}}},
	}
	for args, want := range map[string]string{
		"":                              "seed=1 fast=false items=12 workers=2",
		"-seed=3 --fast --items 7":      "seed=3 fast=true items=7 workers=2",
		"--broken unbounded":            "seed=1 fast=false items=50 workers=4",
		"--broken unbounded --items 12": "seed=1 fast=false items=12 workers=4",
		"--items 0":                     "--items is 1 to 200 in this demo, not 0",
		"--rate 5":                      "this demo has no --rate; it has --items, --workers",
		"--broken other":                `"other" cannot be seen in this demo; these can: unbounded`,
		"more":                          `"more" is one word too many`,
		"--items many":                  `invalid value "many" for flag -items: parse error`,
		"--help":                        "flag: help requested",
	} {
		o, err := p.parse(strings.Fields(args), io.Discard)
		if err != nil {
			require.EqualError(t, err, want, args)
			continue
		}
		require.Equal(t, want, fmt.Sprintf("seed=%d fast=%v items=%d workers=%d", o.seed, o.fast, o.knobs[0].Value, o.knobs[1].Value), args)
	}
	require.Equal(t, 12, p.Knobs[0].Value, "the program stays as it is")
}

func TestRecordIsJSONOnDemand(t *testing.T) {
	log, _ := inBubble(t, Program{Run: handOver}, options{json: true, seed: 5})
	lines := strings.Split(log, "\n")
	require.JSONEq(t, `{"at":0,"kind":"begins","value":0,"about":{"seed":5,"fast":true,"knobs":null,"broken":null}}`, lines[0])
	require.JSONEq(t, `{"at":0,"kind":"appears","who":"maker","value":0}`, lines[1])
	require.Contains(t, log, `{"at":550000000,"kind":"over","value":0,"outcome":"done"}`)
}
