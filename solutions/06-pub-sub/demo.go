//go:build ignore

// A price ticker: each new price goes to everybody who wants it, and each of those who
// are slow has said what is to happen then.
//
// The cache is fast. The search must not miss a price, but now and then it has to sort
// what it has: then its room gets full, and the ticker waits. The page wants the price
// of now, and has room for that one alone: an older one is dropped for it. The
// statistics can do without some: a price that finds no room is dropped.
//
// Page and statistics are equally slow. Look at which prices each of them gets to see.
// Beside all that, the news desk publishes on a topic of its own, and never has to wait.
package main

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	pubsub "concurrency-koans/solutions/06-pub-sub"
	"concurrency-koans/solutions/demo"
)

func main() {
	demo.Main(demo.Program{
		Knobs: []demo.Knob{
			{Name: "items", Value: 12, Min: 1, Max: 100, Text: "prices"},
			{Name: "rate", Value: 8, Min: 2, Max: 50, Text: "prices in a second"},
			{Name: "buffer", Value: 2, Min: 1, Max: 50, Text: "prices that may wait for each reader; for the page it is always 1"},
			{Name: "slow", Value: 3, Min: 1, Max: 8, Text: "page and stats take so many times 0.1 s, and the search twice that at each seventh price"},
		},
		Broken: []demo.Broken{
			{Pitfall: "one-channel-for-all", Text: "Each price goes to one of them, and none sees all.", Sign: demo.Less("seen by cache")},
			{Pitfall: "room-for-the-next", Text: "The page makes room, and the new price is lost all the same: it waits, and shows an old one.", Sign: demo.More("old price on page")},
			{Pitfall: "lock-while-sending", Text: "While the ticker waits for the search, the news desk waits too: nobody may publish anything.", Sign: demo.More("headlines held up"), Knobs: map[string]int{"slow": 5}, Real: true},
			{Pitfall: "goroutine-per-message", Text: "The ticker never waits. What has not found room by the end never reaches the search.", Sign: demo.Less("seen by search"), Knobs: map[string]int{"slow": 8}},
		},
		Run: run,
	})
}

// A reader is somebody who wants the prices.
type reader struct {
	id       int // for chance
	name     string
	room     int // for prices that wait
	overflow pubsub.Overflow
	each     time.Duration // that it works on a price
	seventh  time.Duration // that it works on each seventh price, unless 0

	lane   *demo.Lane
	prices *pubsub.Subscription[int]
	seen   int
	old    int // how often it had nothing to do, and had not got the price of now
}

// A ticker makes prices. A price is a number here, counted from 1.
type ticker struct {
	d      *demo.Demo
	lane   *demo.Lane
	latest atomic.Int64 // the price of now
}

func run(ctx context.Context, d *demo.Demo) error {
	t := &ticker{d: d, lane: d.Lane("ticker")}
	room, slow := d.Knob("buffer"), time.Duration(d.Knob("slow"))*100*time.Millisecond
	cache := &reader{name: "cache", room: room, overflow: pubsub.Block, each: 60 * time.Millisecond}
	// Now and then the search has to sort what it has.
	search := &reader{name: "search", room: room, overflow: pubsub.Block, each: 60 * time.Millisecond, seventh: 2 * slow}
	page := &reader{name: "page", room: 1, overflow: pubsub.DropOldest, each: slow}
	stats := &reader{name: "stats", room: room, overflow: pubsub.DropNewest, each: slow}
	readers := []*reader{cache, search, page, stats}

	broker := pubsub.New[int]()
	defer broker.Close()
	market, closeMarket := context.WithCancel(ctx) // a subscription ends with its ctx
	defer closeMarket()
	for i, r := range readers {
		prices, err := broker.Subscribe(market, "prices", r.room, r.overflow)
		if err != nil {
			return err
		}
		r.id, r.prices, r.lane = i+1, prices, d.Lane(r.name)
		d.Watch("queue of "+r.name, r.room, func() int { return len(prices.C()) })
	}
	var reading, reporting sync.WaitGroup
	desk := &desk{d: d, lane: d.Lane("news")}
	reporting.Go(func() { desk.report(market, broker) })
	for _, r := range readers {
		reading.Go(func() { r.read(ctx, t) })
	}
	err := t.tick(ctx, broker, readers)
	t.lane.Leave()
	closeMarket() // no more prices come; what waits is still read
	reporting.Wait()
	reading.Wait()

	for _, r := range readers {
		d.Count("seen by "+r.name, r.seen)
	}
	d.Count("old price on page", page.old)
	d.Count("headlines held up", desk.heldUp)
	return err
}

// A desk publishes headlines.
type desk struct {
	d      *demo.Demo
	lane   *demo.Lane
	heldUp int // headlines for which it had to wait
}

// report publishes one headline after the other, until ctx ends. All that can hold it
// up is a broker that has no time for it.
func (k *desk) report(ctx context.Context, broker *pubsub.Broker[int]) {
	defer k.lane.Leave()
	for n := 0; ; n++ {
		k.lane.Rest()
		if demo.Sleep(ctx, k.d.Around(170*time.Millisecond, 5, n)) != nil {
			return
		}
		k.lane.Send()
		began := time.Now()
		if _, err := broker.Publish(ctx, "news", n); err != nil {
			return
		}
		k.lane.Mark(demo.Moment, "a headline")
		if time.Since(began) > 50*time.Millisecond {
			k.heldUp++
		}
	}
}

// tick makes one price after the other and publishes it.
func (t *ticker) tick(ctx context.Context, broker *pubsub.Broker[int], readers []*reader) error {
	dropped := map[*reader]uint64{} // of which the readers have been told
	for n := range t.d.Knob("items") {
		t.lane.Work(strconv.Itoa(n + 1))
		if err := demo.Sleep(ctx, t.d.Around(time.Second/time.Duration(t.d.Knob("rate")), 0, n)); err != nil {
			return err
		}
		t.lane.Send()
		t.latest.Store(int64(n + 1))
		if _, err := broker.Publish(ctx, "prices", n+1); err != nil {
			return err
		}
		for _, r := range readers {
			for ; dropped[r] < r.prices.Dropped(); dropped[r]++ {
				r.lane.Mark(demo.Drop, "a price, when "+strconv.Itoa(n+1)+" came")
			}
		}
	}
	return nil
}

// read works on all the prices that the reader gets, until no more come or ctx ends.
func (r *reader) read(ctx context.Context, t *ticker) {
	defer r.lane.Leave()
	r.lane.Receive()
	for n := range r.prices.C() {
		r.seen++
		r.lane.Work(strconv.Itoa(n))
		length := r.each
		if r.seventh > 0 && n%7 == 0 {
			length = r.seventh
		}
		if demo.Sleep(ctx, t.d.Around(length, r.id, n)) != nil {
			return
		}
		if len(r.prices.C()) == 0 && int(t.latest.Load()) > n {
			r.old++
		}
		r.lane.Receive()
	}
}
