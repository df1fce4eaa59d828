//go:build ignore

// An intake of sales: three parties put in what they sell, and one writer stores it.
//
// The site sells one thing after another, the till in the store sells now and then, and
// the market sends all of its sales at once. The writer takes them from the queue and
// writes several at a time: as soon as it has eight, or when the first of them has waited
// long enough. The numbers say how many. When the market sends, the queue is full for a
// while, and whoever has a sale waits for room. In between, batches leave half empty.
package main

import (
	"context"
	"strconv"
	"sync"
	"time"

	prodcon "concurrency-koans/solutions/04-producer-consumer"
	"concurrency-koans/solutions/demo"
)

func main() {
	demo.Main(demo.Program{
		Knobs: []demo.Knob{
			{Name: "buffer", Value: 8, Min: 1, Max: 100, Text: "sales for which there is room in the queue"},
			{Name: "burst", Value: 24, Min: 1, Max: 50, Text: "sales that the market sends at once"},
			{Name: "rate", Value: 16, Min: 1, Max: 50, Text: "sales on the site in a second"},
			{Name: "slow", Value: 1, Min: 1, Max: 3, Text: "to write takes so many times as long"},
		},
		Broken: []demo.Broken{
			{Pitfall: "unbounded-slice", Text: "Nobody ever waits to put, and the queue grows beyond its limit.", Sign: demo.More("most unwritten")},
			{Pitfall: "dropped-when-full", Text: "Nobody ever waits to put, and what finds the queue full is never written.", Sign: demo.Less("sales written")},
			{Pitfall: "timer-starts-again", Text: "As long as sales come in, the writer waits for more of them.", Sign: demo.More("first one written after")},
			{Pitfall: "forgotten-rest", Text: "At the end there are a few sales that the writer has taken and not written.", Sign: demo.Less("sales written")},
		},
		Run: run,
	})
}

// A batch is written when it holds so many sales, or when the first of them was taken so
// long ago.
const (
	size = 8
	age  = 100 * time.Millisecond
)

// A sale is known by who has sold it and by which of theirs it is.
type sale struct {
	party, number int
}

// An intake is what the parties and the writer share.
type intake struct {
	d         *demo.Demo
	began     time.Time
	sales     *prodcon.Queue[sale]
	unwritten *demo.Gauge // sales that have been put and not yet been written
}

// A party sells. It is one goroutine, so its fields need no lock.
type party struct {
	*intake
	number  int
	lane    *demo.Lane
	put     int
	longest time.Duration // that it has waited for room
}

// A writer writes sales. It is one goroutine too.
type writer struct {
	*intake
	lane   *demo.Lane
	table  map[sale]bool // stands for the database: a row for each sale
	writes int
	first  time.Duration // until the first sale was in the table
}

func run(ctx context.Context, d *demo.Demo) error {
	in := &intake{d: d, began: time.Now(), sales: prodcon.NewQueue[sale](d.Knob("buffer"))}
	site := &party{intake: in, number: 1, lane: d.Lane("site")}
	market := &party{intake: in, number: 2, lane: d.Lane("market")}
	till := &party{intake: in, number: 3, lane: d.Lane("till")}
	w := &writer{intake: in, lane: d.Lane("writer"), table: map[sale]bool{}}
	d.Watch("queue", d.Knob("buffer"), in.sales.Len)
	in.unwritten = d.Gauge("unwritten", d.Knob("buffer")+size)

	// If the writer gives up, there will be no more room, and the parties have to know.
	ctx, giveUp := context.WithCancel(ctx)
	defer giveUp()
	var err error
	var selling, writing sync.WaitGroup
	writing.Go(func() {
		defer giveUp()
		w.lane.Receive()
		err = prodcon.Batch(ctx, in.sales, size, age, w.write)
		w.lane.Leave()
	})
	rate := d.Knob("rate")
	selling.Go(func() { site.sell(ctx, rate+rate/2, time.Second/time.Duration(rate), 1) })
	selling.Go(func() { market.sell(ctx, 2, 450*time.Millisecond, d.Knob("burst")) })
	selling.Go(func() { till.sell(ctx, 6, 220*time.Millisecond, 1) })

	// No party knows whether it is the last one, so the queue is closed here. The writer
	// still takes what is in it.
	selling.Wait()
	in.sales.Close()
	writing.Wait()

	d.Count("sales put", site.put+market.put+till.put)
	d.Count("sales written", len(w.table))
	d.Count("most unwritten", in.unwritten.Most())
	d.Took("longest wait to put", max(site.longest, market.longest, till.longest))
	d.Took("first one written after", w.first)
	return err
}

// sell puts sales into the queue, so many times some at once.
func (p *party) sell(ctx context.Context, times int, every time.Duration, atOnce int) {
	defer p.lane.Leave()
	for n := range times {
		p.lane.Rest()
		_ = demo.Sleep(ctx, p.d.Around(every, p.number, n))
		for i := range atOnce {
			p.lane.Work("")
			_ = demo.Sleep(ctx, p.d.Around(4*time.Millisecond, p.number, n, i))
			p.lane.Send()
			from := time.Now()
			if p.sales.Put(ctx, sale{p.number, p.put}) != nil {
				return // ctx has ended; the sale is not in the queue
			}
			p.longest = max(p.longest, time.Since(from))
			p.put++
			p.unwritten.Add(1)
			p.lane.Mark(demo.Moment, "puts a sale")
		}
	}
}

// write writes a batch. That takes nearly as long for one sale as for eight.
func (w *writer) write(ctx context.Context, batch []sale) error {
	w.lane.Work(strconv.Itoa(len(batch)))
	defer w.lane.Receive()
	w.writes++
	length := 80*time.Millisecond + time.Duration(len(batch))*5*time.Millisecond
	err := demo.Sleep(ctx, time.Duration(w.d.Knob("slow"))*w.d.Around(length, 4, w.writes))
	if err != nil {
		return err
	}
	if len(w.table) == 0 {
		w.first = time.Since(w.began)
	}
	for _, s := range batch {
		w.table[s] = true
	}
	w.unwritten.Add(-len(batch))
	return nil
}
