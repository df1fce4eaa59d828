//go:build ignore

// A shop's workers on a bad day: the one that breaks down is started again, and the
// others do not notice.
//
// The worker stock hears from a warehouse what has left the shelf. When the warehouse is
// away, stock fails, and each new attempt waits longer than the one before. Now and then
// the warehouse sends half a message, at which stock panics: that ends a run, and not
// the shop. The worker prices is done early, and stays so.
//
// The workers reader and writer share a line. When the reader loses it, both stop, and
// when both have gone, both start again. In the end the shop closes, and all are told
// to stop. None of that is a failure.
package main

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"
	"time"

	supervisor "concurrency-koans/solutions/05-supervisor"
	"concurrency-koans/solutions/demo"
)

func main() {
	demo.Main(demo.Program{
		Knobs: []demo.Knob{
			{Name: "slow", Value: 1, Min: 0, Max: 5, Text: "the warehouse is away for so many times 0.6 s"},
			{Name: "fail", Value: 8, Min: 0, Max: 100, Text: "messages in a hundred at which stock panics"},
			{Name: "burst", Value: 6, Min: 1, Max: 50, Text: "restarts of a worker within two seconds; one more, and it is given up"},
		},
		Broken: []demo.Broken{
			{Pitfall: "nil-is-failure", Text: "The worker prices is done, and is made to do it all again.", Sign: demo.More("restarts")},
			{Pitfall: "new-before-old", Text: "The old writer still sends its last words when a new one begins on the same line.", Sign: demo.More("most on the line")},
			{Pitfall: "recover-in-keep", Text: "The first half message is the end of stock, and of all the others.", Sign: demo.Ends(demo.Failed), Knobs: map[string]int{"fail": 30, "burst": 50}},
		},
		Run: run,
	})
}

// What chance is asked for, beside the number of the thing.
const (
	backoff = iota
	warehouse
	message
	line
	mail
	prices
)

// A shop is what its workers share.
type shop struct {
	d         *demo.Demo
	lanes     map[string]*demo.Lane // by the name of the worker
	began     time.Time
	received  int         // messages of the warehouse; needs no lock, for stock is never in two runs at once
	onTheLine *demo.Gauge // who uses it now
	restarts  atomic.Int64
}

func run(ctx context.Context, d *demo.Demo) error {
	ctx, closeShop := context.WithCancel(ctx)
	defer closeShop()
	defer time.AfterFunc(2500*time.Millisecond, closeShop).Stop()

	s := &shop{d: d, lanes: map[string]*demo.Lane{}, began: time.Now(), onTheLine: d.Gauge("on the line", 2)}
	policy := supervisor.Policy{
		Backoff: func(n int) time.Duration {
			return d.Around(50*time.Millisecond<<min(n-1, 2), backoff, n)
		},
		ResetAfter:  250 * time.Millisecond,
		MaxRestarts: d.Knob("burst"),
		Window:      2 * time.Second,
		OnExit:      s.onExit,
	}
	all := supervisor.New(supervisor.OneForOne, policy)
	all.Add("stock", s.worker("stock", s.stock))
	all.Add("mail", s.worker("mail", s.steady(mail, 1_000_000)))
	all.Add("prices", s.worker("prices", s.steady(prices, 3)))
	pair := supervisor.New(supervisor.OneForAll, policy)
	pair.Add("reader", s.worker("reader", s.reader))
	pair.Add("writer", s.worker("writer", s.writer))
	all.Add("line", pair.Serve) // a supervisor is a worker

	err := all.Serve(ctx)
	for _, lane := range s.lanes {
		lane.Leave()
	}
	d.Count("messages", s.received)
	d.Count("restarts", int(s.restarts.Load()))
	d.Count("most on the line", s.onTheLine.Most())
	if ctx.Err() != nil {
		return nil // the shop has closed, and that is why all have stopped
	}
	return err
}

// worker makes a supervisor's worker of work, with a lane on which it is drawn.
func (s *shop) worker(name string, work func(ctx context.Context, lane *demo.Lane, run int) error) supervisor.Worker {
	lane := s.d.Lane(name)
	s.lanes[name] = lane
	runs := 0
	return func(ctx context.Context) error {
		if runs++; runs > 1 {
			lane.Mark(demo.Restart, "")
			s.restarts.Add(1)
		}
		return work(ctx, lane, runs)
	}
}

// onExit draws how a run has ended. It is the only one who sees all of them.
func (s *shop) onExit(name string, err error) {
	lane, ok := s.lanes[name]
	switch {
	case !ok: // the supervisor of the two on the line; each of them has told already
	case err == nil:
		lane.Leave()
	case errors.Is(err, context.Canceled):
		lane.Rest() // it was told to stop, which is no failure
	default:
		lane.Mark(demo.Failure, err.Error())
		lane.Wait("the next start")
	}
}

// stock receives messages from the warehouse. The connection is made anew in each run.
func (s *shop) stock(ctx context.Context, lane *demo.Lane, run int) error {
	lane.Receive()
	if err := demo.Sleep(ctx, s.d.Around(80*time.Millisecond, warehouse, run)); err != nil {
		return err
	}
	if s.away() {
		return errors.New("connection refused")
	}
	for {
		s.received++
		n := s.received
		lane.Work(strconv.Itoa(n))
		if err := demo.Sleep(ctx, s.d.Around(130*time.Millisecond, message, n)); err != nil {
			return err
		}
		if s.away() {
			return errors.New("connection reset")
		}
		if s.d.Rand(message, n, 0).IntN(100) < s.d.Knob("fail") {
			panic("half a message: " + strconv.Itoa(n)) // a mistake in stock, of the kind that tests do not find
		}
	}
}

// away reports whether the warehouse is away now.
func (s *shop) away() bool {
	const from = 600 * time.Millisecond
	open := time.Since(s.began)
	return from <= open && open < from+time.Duration(s.d.Knob("slow"))*600*time.Millisecond
}

// steady makes work that does n things, one after the other, and is done. Nothing ever
// happens to it.
func (s *shop) steady(which, n int) func(context.Context, *demo.Lane, int) error {
	return func(ctx context.Context, lane *demo.Lane, _ int) error {
		for i := range n {
			lane.Work(strconv.Itoa(i + 1))
			if err := demo.Sleep(ctx, s.d.Around(150*time.Millisecond, which, i)); err != nil {
				return err
			}
		}
		return nil
	}
}

// reader reads from the line until it loses it.
func (s *shop) reader(ctx context.Context, lane *demo.Lane, run int) error {
	s.onTheLine.Add(1)
	defer s.onTheLine.Add(-1)
	lane.Work("")
	if err := demo.Sleep(ctx, s.d.Around(900*time.Millisecond, line, run)); err != nil {
		return err
	}
	return errors.New("line lost")
}

// writer writes on the line. Told to stop, it does not leave the other side without
// its last words.
func (s *shop) writer(ctx context.Context, lane *demo.Lane, run int) error {
	s.onTheLine.Add(1)
	defer s.onTheLine.Add(-1)
	for n := 1; ; n++ {
		lane.Work(strconv.Itoa(n))
		if err := demo.Sleep(ctx, s.d.Around(160*time.Millisecond, line, run, n)); err != nil {
			lane.Send()
			time.Sleep(s.d.Around(180*time.Millisecond, line, run, 0))
			return err
		}
	}
}
