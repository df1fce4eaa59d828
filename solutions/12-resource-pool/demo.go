//go:build ignore

// Questions to a warehouse: many customers ask its server over a few connections, which
// a pool lends to one after the other.
//
// It is a real server, on this machine. To welcome a new connection (hi) takes it longer than
// to answer a question (the number of the customer who asks), so a connection is kept, and goes
// from hand to hand. When one breaks, it is thrown away, and the next in line makes a new one.
// There are never more than the server allows. At closing time those in line are sent away,
// those who ask still get their answer, and every connection is closed.
package main

import (
	"context"
	"net"
	"net/textproto"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	resourcepool "concurrency-koans/solutions/12-resource-pool"
	"concurrency-koans/solutions/demo"
)

func main() {
	demo.Main(demo.Program{
		Knobs: []demo.Knob{
			{Name: "workers", Value: 3, Min: 1, Max: 20, Text: "connections that the server allows"},
			{Name: "burst", Value: 6, Min: 1, Max: 40, Text: "customers"},
			{Name: "slow", Value: 3, Min: 1, Max: 10, Text: "to welcome a connection takes so many times as long as to answer"},
			{Name: "fail", Value: 6, Min: 0, Max: 100, Text: "questions in a hundred at which the connection breaks"},
		},
		Broken: []demo.Broken{
			{Pitfall: "check-then-act", Text: "In the first rush there are more connections than the server allows.", Sign: demo.More("connections at most")},
			{Pitfall: "last-come-first-served", Text: "Who stands in line is overtaken again and again.", Sign: demo.More("longest wait"), Knobs: map[string]int{"workers": 1, "fail": 0}},
			{Pitfall: "discard-wakes-nobody", Text: "All connections break, and those in line never hear that there is room.", Sign: demo.More("longest wait"), Knobs: map[string]int{"fail": 100}},
			{Pitfall: "put-down-after-close", Text: "After closing time the server still has a connection.", Sign: demo.More("connections left"), Knobs: map[string]int{"workers": 2, "fail": 0}},
			{Pitfall: "waiters-left-standing", Text: "At closing time nobody sends away those in line.", Sign: demo.Ends(demo.Stuck), Knobs: map[string]int{"workers": 2}},
		},
		Run: run,
	})
}

const (
	hours  = 1200 * time.Millisecond // until closing time
	think  = 80 * time.Millisecond   // before each question
	answer = 60 * time.Millisecond
)

const thinking, answering, breaking = 0, 1, 2 // what chance decides

func run(ctx context.Context, d *demo.Demo) error {
	lanes := d.Crew("customer", d.Knob("burst"))
	var customers []*customer
	for i := range d.Knob("burst") {
		customers = append(customers, &customer{d: d, number: i + 1, lane: lanes.Join()})
	}
	w := &warehouse{d: d, lanes: d.Crew("connection", d.Knob("workers")), open: d.Gauge("connections", d.Knob("workers"))}
	serving, shut := context.WithCancel(ctx)
	defer shut()
	if err := w.serve(serving); err != nil {
		return err
	}
	pool, err := resourcepool.New(resourcepool.Config[*textproto.Conn]{Max: d.Knob("workers"), New: w.connect, Destroy: hangUp})
	if err != nil {
		return err
	}
	d.Watch("in line", 0, func() int { return pool.Stats().Waiting })

	var asking sync.WaitGroup
	for _, c := range customers {
		asking.Go(func() { c.askAll(ctx, pool) })
	}
	_ = demo.Sleep(ctx, hours)
	err = pool.Close(ctx)
	asking.Wait()
	left := w.made.Load() - w.gone.Load()
	shut()
	w.serving.Wait()

	answered, longest := 0, time.Duration(0)
	for _, c := range customers {
		answered += c.answered
		longest = max(longest, c.longest)
	}
	d.Count("questions answered", answered)
	d.Took("longest wait", longest)
	d.Count("connections made", int(w.made.Load()))
	d.Count("connections at most", w.open.Most())
	d.Count("connections left", int(left))
	return err
}

type customer struct {
	d        *demo.Demo
	number   int
	lane     *demo.Lane
	answered int
	longest  time.Duration // wait for a connection
}

// askAll asks one question after the other, until the pool is closed.
func (c *customer) askAll(ctx context.Context, pool *resourcepool.Pool[*textproto.Conn]) {
	defer c.lane.Leave()
	for n := 1; demo.Sleep(ctx, c.d.Around(think, thinking, c.number, n)) == nil; n++ {
		c.lane.Wait("a connection")
		since := time.Now()
		lease, err := pool.Acquire(ctx)
		c.longest = max(c.longest, time.Since(since))
		if err != nil {
			c.lane.Mark(demo.Moment, err.Error())
			return
		}
		c.lane.Work(strconv.Itoa(n))
		if _, err := ask(ctx, lease.Value(), strconv.Itoa(c.number)); err != nil {
			c.lane.Mark(demo.Failure, err.Error())
			lease.Discard()
		} else {
			c.answered++
			lease.Release()
		}
		c.lane.Rest()
	}
}

// ask sends a line over a connection, and returns the one that comes back.
func ask(ctx context.Context, conn *textproto.Conn, line string) (string, error) {
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if err := conn.PrintfLine("%s", line); err != nil {
		return "", err
	}
	return conn.ReadLine()
}

// hangUp waits until the server has hung up, too: that long it counts the connection.
func hangUp(conn *textproto.Conn) {
	_, _ = ask(context.Background(), conn, "bye")
	conn.Close()
}

// A warehouse is the server.
type warehouse struct {
	d          *demo.Demo
	dial       func(context.Context) (net.Conn, error)
	lanes      *demo.Crew
	open       *demo.Gauge
	made, gone atomic.Int64 // connections
	serving    sync.WaitGroup
}

// connect makes a connection, and waits until it is welcome.
func (w *warehouse) connect(ctx context.Context) (*textproto.Conn, error) {
	conn, err := w.dial(ctx)
	if err != nil {
		return nil, err
	}
	c := textproto.NewConn(conn)
	if _, err = ask(ctx, c, "hi"); err != nil {
		c.Close()
	}
	return c, err
}

// serve begins to serve, until ctx ends. In virtual time, in which a network has no part,
// connections are pipes.
func (w *warehouse) serve(ctx context.Context) error {
	if w.d.Fast() {
		w.dial = func(context.Context) (net.Conn, error) {
			here, there := net.Pipe()
			w.serving.Go(func() { w.talk(ctx, there) })
			return here, nil
		}
		return nil
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { listener.Close() })
	w.dial = func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", listener.Addr().String())
	}
	w.serving.Go(func() {
		for conn, err := listener.Accept(); err == nil; conn, err = listener.Accept() {
			w.serving.Go(func() { w.talk(ctx, conn) })
		}
	})
	return nil
}

// talk answers all lines that come over a connection.
func (w *warehouse) talk(ctx context.Context, raw net.Conn) {
	conn := textproto.NewConn(raw)
	defer conn.Close() // last of all: when the other side sees it, the connection counts no more
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	number := int(w.made.Add(1))
	defer w.gone.Add(1)
	w.open.Add(1)
	defer w.open.Add(-1)
	lane := w.lanes.Join()
	defer w.lanes.Leave(lane)

	for n := 0; ; n++ {
		line, err := conn.ReadLine()
		if err != nil || line == "bye" {
			return
		}
		lane.Work(line)
		length := w.d.Around(answer, answering, number, n)
		if line == "hi" {
			length *= time.Duration(w.d.Knob("slow"))
		}
		if demo.Sleep(ctx, length) != nil {
			return
		}
		if line != "hi" && w.d.Rand(breaking, number, n).IntN(100) < w.d.Knob("fail") {
			lane.Mark(demo.Failure, "the connection breaks")
			return
		}
		_ = conn.PrintfLine("%d left", 40+n%3) // whoever has gone does not ask again, either
		lane.Rest()
	}
}
