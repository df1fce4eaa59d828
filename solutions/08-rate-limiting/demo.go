//go:build ignore

// A price check: several orders ask one supplier, who answers ten questions a second
// and five at once, and refuses whoever asks more often.
//
// All orders share one limiter. The first questions go out at once, the others as the
// tokens drip in, and whoever waits does nothing else. Then there is a break. It is much
// longer than the bucket takes to fill, but the bucket has a lid: after it, a burst goes out
// at once again, and no more. Somebody whose token would come too late is told so at once,
// and takes the price of yesterday. The supplier counts what came in within the last 300
// milliseconds; above the limit it refuses.
package main

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	ratelimit "concurrency-koans/solutions/08-rate-limiting"
	"concurrency-koans/solutions/demo"
)

func main() {
	demo.Main(demo.Program{
		Knobs: []demo.Knob{
			{Name: "items", Value: 3, Min: 1, Max: 20, Text: "questions of each order, before the break and after it"},
			{Name: "workers", Value: 4, Min: 1, Max: 8, Text: "orders that ask at the same time"},
			{Name: "rate", Value: 10, Min: 2, Max: 50, Text: "questions a second that the limiter lets through; the supplier bears 10"},
			{Name: "burst", Value: 5, Min: 1, Max: 20, Text: "questions at once that the limiter lets through; the supplier bears 5"},
		},
		Broken: []demo.Broken{
			{Pitfall: "no-lid", Text: "The break is saved up: after it, far more than a burst goes out at once, and the supplier refuses.", Sign: demo.More("refused")},
			{Pitfall: "all-at-once", Text: "Those who wait wait for the same token, and all of them go when it comes.", Sign: demo.More("refused"), Knobs: map[string]int{"workers": 6}},
			{Pitfall: "waits-in-vain", Text: "Whoever gets no token in time waits first and hears of it then.", Sign: demo.More("waited in vain"), Knobs: map[string]int{"workers": 8}},
			{Pitfall: "refill-goroutine", Text: "All orders are done, and somebody still puts tokens into the bucket.", Sign: demo.More("goroutines left behind")},
		},
		Run: run,
	})
}

const (
	apart    = 40 * time.Millisecond  // between the beginnings of two orders
	pause    = 800 * time.Millisecond // when nobody asks
	patience = 450 * time.Millisecond // of an order that waits for a token
)

// A shop asks the supplier for the prices of its orders.
type shop struct {
	d        *demo.Demo
	limiter  *ratelimit.Limiter // one for all: the supplier counts all of us together
	supplier *supplier

	prices, old atomic.Int64 // of today and of yesterday
	inVain      atomic.Int64 // nanoseconds spent on waiting for a token that did not come
}

func run(ctx context.Context, d *demo.Demo) error {
	limiter, err := ratelimit.New(time.Second/time.Duration(d.Knob("rate")), d.Knob("burst"))
	if err != nil {
		return err
	}
	var lanes []*demo.Lane
	for n := range d.Knob("workers") {
		lanes = append(lanes, d.Lane("order "+strconv.Itoa(n+1)))
	}
	s := &shop{d: d, limiter: limiter, supplier: newSupplier(d)}
	s.round(ctx, lanes, 1)
	if demo.Sleep(ctx, pause) == nil {
		s.round(ctx, lanes, 1+d.Knob("items"))
	}
	d.Count("prices of today", int(s.prices.Load()))
	d.Count("prices of yesterday", int(s.old.Load()))
	d.Count("refused", s.supplier.refused)
	d.Took("waited in vain", time.Duration(s.inVain.Load()))
	return nil
}

// round has all orders ask, and returns when all have their prices.
func (s *shop) round(ctx context.Context, lanes []*demo.Lane, first int) {
	var orders sync.WaitGroup
	for n, lane := range lanes {
		orders.Go(func() { s.order(ctx, lane, n, first) })
	}
	orders.Wait()
}

// order asks for its items, of which one is the first.
func (s *shop) order(ctx context.Context, lane *demo.Lane, n, first int) {
	defer lane.Rest()
	if demo.Sleep(ctx, time.Duration(n)*apart) != nil {
		return
	}
	for item := first; item < first+s.d.Knob("items"); item++ {
		lane.Rest() // somebody types the next line
		if demo.Sleep(ctx, s.d.Around(40*time.Millisecond, n, item)) != nil {
			return
		}
		lane.Wait("a token")
		switch err := s.wait(ctx); {
		case ctx.Err() != nil:
			return
		case err != nil:
			s.old.Add(1)
			lane.Mark(demo.Drop, "the price of today")
		default:
			lane.Work(strconv.Itoa(item))
			s.ask(ctx, lane, n, item)
		}
	}
}

// wait waits for a token, but not for longer than an order has time.
func (s *shop) wait(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	began := time.Now()
	err := s.limiter.Wait(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		s.inVain.Add(int64(time.Since(began)))
	}
	return err
}

// ask asks the supplier. The question is on its way for a while, and so is the answer.
func (s *shop) ask(ctx context.Context, lane *demo.Lane, n, item int) {
	if demo.Sleep(ctx, s.d.Around(10*time.Millisecond, n, item, 1)) != nil {
		return
	}
	answered := s.supplier.answers()
	if demo.Sleep(ctx, s.d.Around(70*time.Millisecond, n, item, 2)) != nil {
		return
	}
	if !answered {
		lane.Mark(demo.Failure, "refused")
		return
	}
	s.prices.Add(1)
}

// What the supplier bears, and the time in which it counts the questions.
const (
	often  = 10 // in a second
	atOnce = 5
	window = 300 * time.Millisecond
	quota  = atOnce + int(often*window/time.Second) // in any window
)

// A supplier remembers when it was asked, so it can look back from any moment. It counts
// also whom it refuses.
type supplier struct {
	lane *demo.Lane

	mu      sync.Mutex
	asked   []time.Time // within the window
	refused int
}

func newSupplier(d *demo.Demo) *supplier {
	s := &supplier{lane: d.Lane("supplier")}
	d.Watch("asked in "+window.String(), quota, func() int {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.forget()
		return len(s.asked)
	})
	return s
}

// answers counts a question, and reports whether it will be answered.
func (s *supplier) answers() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget()
	s.asked = append(s.asked, time.Now())
	if len(s.asked) > quota {
		s.refused++
		s.lane.Mark(demo.Failure, "one question too many")
		return false
	}
	s.lane.Mark(demo.Moment, "a question")
	return true
}

// forget drops the questions that are older than the window. The caller holds the lock.
func (s *supplier) forget() {
	for len(s.asked) > 0 && time.Since(s.asked[0]) >= window {
		s.asked = s.asked[1:]
	}
}
