package demo

import (
	"testing/synctest"
	"time"
)

// A Gauge is a number that is drawn over time: how many are at work, how many wait.
// Its methods may be called from any goroutine.
type Gauge struct {
	d    *Demo
	name string
	now  int // guarded by d.mu
	most int // guarded by d.mu
}

// Gauge adds a gauge that stands at 0. Above the limit it is drawn as too high; a
// limit of 0 is none.
func (d *Demo) Gauge(name string, limit int) *Gauge {
	d.record(Event{Kind: Appears, Who: name, Limit: float64(limit), Group: gaugeGroup})
	return &Gauge{d: d, name: name}
}

// gaugeGroup is the group of what appears and is no lane.
const gaugeGroup = "gauge"

// IsGauge reports whether what appears is a gauge and not a lane.
func (e Event) IsGauge() bool { return e.Group == gaugeGroup }

// Add changes the number by n, which may be negative.
func (g *Gauge) Add(n int) { g.change(func(now int) int { return now + n }) }

// Set makes the number n.
func (g *Gauge) Set(n int) { g.change(func(int) int { return n }) }

func (g *Gauge) change(f func(now int) int) {
	g.d.mu.Lock()
	defer g.d.mu.Unlock()
	before := g.now
	g.now = f(before)
	g.most = max(g.most, g.now)
	if g.now != before {
		g.d.write(Event{Kind: Counts, Who: g.name, Value: float64(g.now)})
	}
}

// Most returns the highest that the number has been.
func (g *Gauge) Most() int {
	g.d.mu.Lock()
	defer g.d.mu.Unlock()
	return g.most
}

// watchEvery is how often a number that has to be asked for is asked for.
const watchEvery = 10 * time.Millisecond

// Watch adds a gauge that shows what f returns, asked a hundred times a second, for
// as long as Run runs. For numbers that change without the demo's doing, such as the length of a
// queue.
func (d *Demo) Watch(name string, limit int, f func() int) {
	g := d.Gauge(name, limit)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.watches = append(d.watches, func() { g.Set(f()) })
	if len(d.watches) == 1 {
		d.watchers.Go(d.watch)
	}
}

// WatchGoroutines adds a gauge of the goroutines that the demo has started and that
// have not ended.
func (d *Demo) WatchGoroutines() {
	d.Watch("goroutines", 0, d.goroutines)
}

// watch asks for all the numbers. It does so alone, because only one goroutine at
// a time may wait for the rest of a bubble.
func (d *Demo) watch() {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-d.returned:
			return
		case <-tick.C:
		}
		if d.fast {
			synctest.Wait() // else it would be chance who has come first at this moment
			select {
			case <-d.returned:
				return
			default:
			}
		}
		d.mu.Lock()
		watches := d.watches
		d.mu.Unlock()
		for _, ask := range watches {
			ask()
		}
	}
}
