package demo

import (
	"slices"
	"strconv"
)

// A State is what a lane is doing.
type State string

// The states.
const (
	Working   State = "works"
	Sending   State = "waits to send"
	Receiving State = "waits to receive"
	Waiting   State = "waits" // for a lock, a token, an answer, the time
	Resting   State = "rests" // there is nothing to do
	Gone      State = "gone"
)

// A Mark is something that happens at one moment.
type Mark string

// The marks.
const (
	Moment  Mark = "" // anything that takes no time: its text tells
	Drop    Mark = "drops"
	Failure Mark = "fails"
	Restart Mark = "starts again"
)

// A Lane is one goroutine of the demo, drawn as a line over time. It begins at
// rest. Its methods may be called from any goroutine; they never wait.
type Lane struct {
	d     *Demo
	name  string
	state State // guarded by d.mu
}

// Lane adds a lane. Names are unique within a demo.
func (d *Demo) Lane(name string) *Lane { return d.lane(name, "") }

func (d *Demo) lane(name, group string) *Lane {
	d.record(Event{Kind: Appears, Who: name, Group: group})
	return &Lane{d: d, name: name}
}

// Work says that the lane works on something from now on: "3", "/index.html".
// Short words are drawn, the longer ones stand in the log.
func (l *Lane) Work(on string) { l.change(Working, on) }

// Send says that the lane waits to hand something over.
func (l *Lane) Send() { l.change(Sending, "") }

// Receive says that the lane waits for something to be handed to it.
func (l *Lane) Receive() { l.change(Receiving, "") }

// Taken says that somebody has taken what the lane waited to hand over, so that it waits
// for the next thing now. If the lane has gone on to something else by itself,
// Taken says nothing.
func (l *Lane) Taken() {
	l.d.mu.Lock()
	defer l.d.mu.Unlock()
	if l.state == Sending {
		l.set(Receiving, "")
	}
}

// Wait says that the lane waits for anything else: "a token".
func (l *Lane) Wait(what string) { l.change(Waiting, what) }

// Rest says that the lane has nothing to do.
func (l *Lane) Rest() { l.change(Resting, "") }

// Leave says that the lane's goroutine has ended.
func (l *Lane) Leave() { l.change(Gone, "") }

// Mark says that something has happened on the lane: a drop, a failure.
func (l *Lane) Mark(m Mark, what string) {
	l.d.record(Event{Kind: Happens, Who: l.name, Mark: m, Text: what})
}

func (l *Lane) change(s State, text string) {
	l.d.mu.Lock()
	defer l.d.mu.Unlock()
	l.set(s, text)
}

// set is change for those who hold the lock.
func (l *Lane) set(s State, text string) {
	l.state = s
	l.d.write(Event{Kind: Changes, Who: l.name, State: s, Text: text})
}

// A Crew are lanes for goroutines that the demo did not start and cannot tell
// apart, such as the workers of a pool: whoever begins something takes the first
// lane that is free. There are as many lanes as were in use at the same time.
type Crew struct {
	d    *Demo
	name string
	free []bool  // guarded by d.mu
	all  []*Lane // guarded by d.mu
}

// Crew adds a crew that has n lanes to begin with.
func (d *Demo) Crew(name string, n int) *Crew {
	c := &Crew{d: d, name: name}
	for range n {
		c.free = append(c.free, true)
		c.all = append(c.all, d.lane(c.next(), name))
	}
	return c
}

func (c *Crew) next() string { return c.name + " " + strconv.Itoa(len(c.all)+1) }

// Join takes a lane.
func (c *Crew) Join() *Lane {
	l, added := c.take()
	if added {
		c.d.record(Event{Kind: Appears, Who: l.name, Group: c.name})
	}
	return l
}

func (c *Crew) take() (l *Lane, added bool) {
	c.d.mu.Lock()
	defer c.d.mu.Unlock()
	if i := slices.Index(c.free, true); i >= 0 {
		c.free[i] = false
		return c.all[i], false
	}
	l = &Lane{d: c.d, name: c.next()}
	c.free = append(c.free, false)
	c.all = append(c.all, l)
	return l, true
}

// Leave gives a lane back. It is at rest then.
func (c *Crew) Leave(l *Lane) {
	l.Rest()
	c.d.mu.Lock()
	defer c.d.mu.Unlock()
	c.free[slices.Index(c.all, l)] = true
}
