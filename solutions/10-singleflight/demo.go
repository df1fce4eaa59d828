//go:build ignore

// A shop on a busy day: all visitors look at the same few items, whose prices expire
// again and again, and each time one query is enough for all.
//
// A price is kept for a quarter of a second, and as long as it is kept, nobody waits.
// When it has expired, all who ask for it wait for the same query, and get the same
// answer: A2 is the second price of item A. The first visitor is in a hurry and soon
// leaves. A query for which others wait goes on, even if it was this visitor who began
// it; one for which nobody waits any more is stopped.
package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	singleflight "concurrency-koans/solutions/10-singleflight"
	"concurrency-koans/solutions/demo"
)

func main() {
	demo.Main(demo.Program{
		Knobs: []demo.Knob{
			{Name: "workers", Value: 6, Min: 2, Max: 12, Text: "visitors, each of whom looks at one page after another"},
			{Name: "items", Value: 8, Min: 1, Max: 50, Text: "pages that each visitor looks at"},
			{Name: "keys", Value: 2, Min: 1, Max: 8, Text: "items that they look at"},
			{Name: "slow", Value: 1, Min: 1, Max: 10, Text: "a query takes so many times as long"},
			{Name: "fail", Value: 0, Min: 0, Max: 100, Text: "queries in a hundred that fail"},
		},
		Broken: []demo.Broken{
			{Pitfall: "ctx-of-the-first", Text: "The visitor in a hurry leaves, and everybody who waits for the same query gets an error.", Sign: demo.More("pages without"), Knobs: map[string]int{"keys": 1}},
			{Pitfall: "never-deleted", Text: "Nobody ever asks the database again, and the prices grow old.", Sign: demo.More("oldest price")},
			{Pitfall: "failure-kept", Text: "Once a query for an item has failed, nobody ever gets its price again.", Sign: demo.More("pages without"), Knobs: map[string]int{"fail": 40}},
			{Pitfall: "counts-from-the-start", Text: "When queries are slow, prices have half expired when they arrive, and there are many more queries.", Sign: demo.More("queries"), Knobs: map[string]int{"slow": 2}},
		},
		Run: run,
	})
}

const (
	ttl      = 250 * time.Millisecond // of a price
	query    = 100 * time.Millisecond
	apart    = 8 * time.Millisecond  // between one visitor and the next
	choose   = 20 * time.Millisecond // a page
	look     = 90 * time.Millisecond // at the page
	patience = 500 * time.Millisecond
	hurry    = 50 * time.Millisecond // is the patience of the first visitor
)

// A price is what the database knows about an item at a moment.
type price struct {
	name string // "A2"
	at   time.Time
}

// A shop keeps the prices that it has asked the database for.
type shop struct {
	d        *demo.Demo
	prices   *singleflight.Cache[int, price]
	queries  *demo.Crew
	inFlight *demo.Gauge

	mu     sync.Mutex  // guards what follows
	asked  map[int]int // how many queries there have been for each item
	pages  int         // with a price
	failed int         // without one
	left   int         // by a visitor who did not wait
	oldest time.Duration
}

func run(ctx context.Context, d *demo.Demo) error {
	s := &shop{d: d, asked: make(map[int]int)}
	s.prices = singleflight.NewCache(ttl, s.load)
	var lanes []*demo.Lane
	for n := range d.Knob("workers") {
		lanes = append(lanes, d.Lane("visitor "+strconv.Itoa(n+1)))
	}
	s.queries = d.Crew("query", d.Knob("keys"))
	s.inFlight = d.Gauge("queries", d.Knob("keys"))

	var visitors sync.WaitGroup
	for n, lane := range lanes {
		visitors.Go(func() { s.visit(ctx, lane, n) })
	}
	visitors.Wait()

	d.Count("pages", s.pages)
	d.Count("pages without", s.failed)
	d.Count("pages left", s.left)
	queries := 0
	for _, n := range s.asked {
		queries += n
	}
	d.Count("queries", queries)
	d.Took("oldest price", s.oldest)
	return nil
}

// visit looks at one page after another.
func (s *shop) visit(ctx context.Context, lane *demo.Lane, n int) {
	defer lane.Leave()
	wait := patience
	if n == 0 {
		wait = hurry
	}
	if demo.Sleep(ctx, time.Duration(n)*apart) != nil {
		return
	}
	for page := range s.d.Knob("items") {
		lane.Rest()
		if demo.Sleep(ctx, s.d.Around(choose, n, page)) != nil {
			return
		}
		lane.Wait("a price")
		p, err := s.price(ctx, s.d.Rand(n, page, 1).IntN(s.d.Knob("keys")), wait)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, errLeft):
			lane.Mark(demo.Drop, "the page")
		case err != nil:
			lane.Mark(demo.Failure, "no price")
		default:
			lane.Work(p.name)
			_ = demo.Sleep(ctx, s.d.Around(look, n, page, 2))
		}
	}
}

// errLeft is the error of a visitor who does not wait any longer.
var errLeft = errors.New("the visitor has left")

// price gets a price for a visitor who waits no longer than that.
func (s *shop) price(ctx context.Context, item int, wait time.Duration) (price, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	p, err := s.prices.Get(ctx, item)

	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err == nil:
		s.pages++
		s.oldest = max(s.oldest, time.Since(p.at))
	case ctx.Err() != nil:
		s.left++
		return price{}, errLeft
	default:
		s.failed++
	}
	return p, err
}

// load asks the database. The cache calls it, once for all who wait; ctx ends when nobody
// does any more.
func (s *shop) load(ctx context.Context, item int) (price, error) {
	n := s.count(item)
	p := price{name: fmt.Sprintf("%c%d", 'A'+item, n)}
	lane := s.queries.Join()
	defer s.queries.Leave(lane)
	s.inFlight.Add(1)
	defer s.inFlight.Add(-1)

	lane.Work(p.name)
	if err := demo.Sleep(ctx, s.d.Around(query, item, n, 3)*time.Duration(s.d.Knob("slow"))); err != nil {
		lane.Mark(demo.Drop, "the query")
		return price{}, err
	}
	if s.d.Rand(item, n, 4).IntN(100) < s.d.Knob("fail") {
		lane.Mark(demo.Failure, p.name)
		return price{}, errors.New("the database is busy")
	}
	p.at = time.Now()
	return p, nil
}

// count counts a query for an item, and returns which one it is.
func (s *shop) count(item int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked[item]++
	return s.asked[item]
}
