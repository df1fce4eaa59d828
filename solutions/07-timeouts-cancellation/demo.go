//go:build ignore

// A hedged lookup: a page asks a replica how much is in stock, and when the answer is
// late, it asks a second one as well.
//
// Two pages look up the same items. The replicas are fast, except for one answer in
// five. The plain page asks one of them and waits, up to its limit. The hedged page asks
// another one when the first is late, or refuses, and takes what comes first; the loser
// is told to stop. The answers that are slow for one page are as slow for the other.
// Compare the slowest lookups, and what the hedge costs: a few requests more.
package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	timeouts "concurrency-koans/solutions/07-timeouts-cancellation"
	"concurrency-koans/solutions/demo"
)

func main() {
	demo.Main(demo.Program{
		Knobs: []demo.Knob{
			{Name: "items", Value: 10, Min: 1, Max: 100, Text: "items that each page looks up"},
			{Name: "workers", Value: 3, Min: 1, Max: 5, Text: "replicas that the hedged page may ask about an item"},
			{Name: "slow", Value: 8, Min: 1, Max: 8, Text: "a slow answer takes so many times as long"},
			{Name: "fail", Value: 10, Min: 0, Max: 100, Text: "requests in a hundred that are refused"},
		},
		Broken: []demo.Broken{
			{Pitfall: "begins-after-the-end", Text: "The loser has been told to stop, and another replica is asked in its place, for nobody.", Sign: demo.More("hedged requests"), Knobs: map[string]int{"fail": 0}},
			{Pitfall: "last-one-decides", Text: "The second replica refuses, and the page fails, while the first one is about to answer.", Sign: demo.More("hedged failed"), Knobs: map[string]int{"items": 20, "workers": 2, "slow": 3, "fail": 50}},
			{Pitfall: "stops-waiting", Text: "The limit has passed, and the next request begins while the last one is still there.", Sign: demo.More("most plain at once")},
		},
		Run: run,
	})
}

const (
	limit = 500 * time.Millisecond // for a lookup
	late  = 120 * time.Millisecond // an answer that takes longer than most do
)

// What chance is asked for, beside the item and the replica.
const (
	answering = iota
	hangingUp
	refusing
)

func run(ctx context.Context, d *demo.Demo) error {
	plain := newPage(d, "plain", 1)
	hedged := newPage(d, "hedged", d.Knob("workers"))
	var pages sync.WaitGroup
	pages.Go(func() {
		plain.lookUpAll(ctx, func(ctx context.Context, item int) (int, error) {
			return plain.ask(ctx, item, 0)
		})
	})
	pages.Go(func() {
		hedged.lookUpAll(ctx, func(ctx context.Context, item int) (int, error) {
			return timeouts.Hedge(ctx, late, len(hedged.replicas), func(ctx context.Context, attempt int) (int, error) {
				return hedged.ask(ctx, item, attempt)
			})
		})
	})
	pages.Wait()
	d.Took("slowest plain", plain.slowest)
	d.Took("slowest hedged", hedged.slowest)
	d.Count("hedged failed", hedged.failed)
	d.Count("hedged requests", int(hedged.requests.Load()))
	d.Count("most plain at once", plain.open.Most())
	return nil
}

// A page looks up items, one after the other.
type page struct {
	d        *demo.Demo
	lane     *demo.Lane
	replicas []*demo.Crew // the requests to each of them
	open     *demo.Gauge  // requests that have not come to their end
	requests atomic.Int64
	slowest  time.Duration
	failed   int // lookups without an answer
}

// newPage makes a page that may ask so many replicas about an item.
func newPage(d *demo.Demo, name string, replicas int) *page {
	p := &page{d: d, lane: d.Lane(name + " page"), open: d.Gauge(name+" requests", replicas)}
	for i := range replicas {
		p.replicas = append(p.replicas, d.Crew(fmt.Sprintf("%s to %c", name, 'A'+i), 1))
	}
	return p
}

// lookUpAll looks up each item, within the limit.
func (p *page) lookUpAll(ctx context.Context, lookUp func(ctx context.Context, item int) (pieces int, err error)) {
	defer p.lane.Leave()
	for item := range p.d.Knob("items") {
		p.lane.Work(strconv.Itoa(item + 1))
		began := time.Now()
		_, err := timeouts.Call(ctx, limit, func(ctx context.Context) (int, error) { return lookUp(ctx, item) })
		if ctx.Err() != nil {
			return // nobody looks at the page any more
		}
		p.slowest = max(p.slowest, time.Since(began))
		if err != nil {
			p.failed++
			p.lane.Mark(demo.Failure, why(err))
		}
		p.lane.Rest()
		if timeouts.Sleep(ctx, p.d.Around(30*time.Millisecond, item)) != nil {
			return
		}
	}
}

// why tells a page that waited long enough from one that got an answer it had no use for.
func why(err error) string {
	var timeout *timeouts.TimeoutError
	if errors.As(err, &timeout) {
		return fmt.Sprint("no answer within ", timeout.Limit)
	}
	return "nobody answers"
}

// ask asks a replica how many pieces of an item there are. When ctx ends, it hangs up,
// which takes a moment.
func (p *page) ask(ctx context.Context, item, replica int) (pieces int, err error) {
	p.requests.Add(1)
	p.open.Add(1)
	defer p.open.Add(-1)
	lane := p.replicas[replica].Join()
	defer p.replicas[replica].Leave(lane)
	lane.Work(strconv.Itoa(item + 1))

	// What a replica makes of an item is the same for both pages. One of its answers in
	// five is slow.
	slow := p.d.Rand(item/5, replica).IntN(5) == item%5
	refused := !slow && p.d.Rand(item, replica, refusing).IntN(100) < p.d.Knob("fail")
	length := p.d.Around(90*time.Millisecond, item, replica, answering)
	if slow {
		length *= time.Duration(p.d.Knob("slow"))
	}
	if refused {
		length /= 4
	}
	if err := timeouts.Sleep(ctx, length); err != nil {
		lane.Mark(demo.Moment, "is told to stop")
		lane.Wait("the end of the connection")
		time.Sleep(p.d.Around(80*time.Millisecond, item, replica, hangingUp))
		return 0, err
	}
	if refused {
		lane.Mark(demo.Failure, "refused")
		return 0, errors.New("refused")
	}
	return p.d.Rand(item).IntN(100), nil
}
