//go:build ignore

// A search box in a terminal: keys, a clock and answers from the network change one
// screen, and all of them do so on one loop.
//
// Somebody presses keys (1, 2, 3) and stops to think. Then the text is searched for beside the
// loop (A, B), and the answer comes back to it as one more event; so does each tick of the
// clock (t). The line to the screen is slow, so it takes a while to draw any of them, and the
// others wait for their turn. Nobody else changes the screen meanwhile, and it needs no lock.
// That has a price: while a long answer is drawn, the keys wait and the clock is late.
package main

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	eventloop "concurrency-koans/solutions/11-event-loop"
	"concurrency-koans/solutions/demo"
)

func main() {
	demo.Main(demo.Program{
		Knobs: []demo.Knob{
			{Name: "items", Value: 12, Min: 1, Max: 100, Text: "keys that are pressed; the last one is Enter"},
			{Name: "burst", Value: 4, Min: 1, Max: 20, Text: "keys between two pauses"},
			{Name: "buffer", Value: 1, Min: 0, Max: 50, Text: "keys that the terminal keeps for the loop"},
			{Name: "slow", Value: 6, Min: 1, Max: 20, Text: "to draw an answer takes so many times as long as to draw a key"},
			{Name: "fail", Value: 0, Min: 0, Max: 100, Text: "keys in a hundred whose handler panics"},
		},
		Broken: []demo.Broken{
			{Pitfall: "go-handler", Text: "Several draw at once, each upon the screen as it was, and what others draw meanwhile is lost.", Sign: demo.More("drawing at once")},
			{Pitfall: "piles-up", Text: "The ticks that were missed during a long answer come one behind the other.", Sign: demo.More("ticks drawn"), Knobs: map[string]int{"slow": 15}},
			{Pitfall: "reads-ahead", Text: "The keyboard never waits, and more keys pile up than may.", Sign: demo.More("keys waiting at most"), Knobs: map[string]int{"slow": 15, "burst": 8, "items": 25}},
			{Pitfall: "panic-ends-all", Text: "The first handler that panics is the last one.", Sign: demo.Less("keys on the screen"), Knobs: map[string]int{"fail": 30}},
		},
		Run: run,
	})
}

const (
	stroke   = 55 * time.Millisecond  // from key to key
	think    = 290 * time.Millisecond // between two bursts of keys
	calm     = 70 * time.Millisecond  // without a key, before the text is searched for
	search   = 110 * time.Millisecond
	paint    = 40 * time.Millisecond  // anything but an answer, which takes longer
	interval = 200 * time.Millisecond // from tick to tick
)

// What chance decides.
const pressing, thinking, searching, drawingKey, drawingTick, panicking, drawingAnswer = 0, 1, 2, 3, 4, 5, 6

type key struct {
	number int
	at     time.Time
}

type screen struct{ keys, ticks, hits int } // what can be seen

// A terminal is the loop, and all who meet there.
type terminal struct {
	d                *demo.Demo
	loop             *eventloop.Loop
	keyboard, clock  *demo.Lane
	network, handler *demo.Crew // a second handler would be one too many
	drawing, waiting *demo.Gauge

	// Only handlers touch these. That is why there is no lock.
	screen   screen
	searches int
	cancel   func() bool // of the search that is planned
	longest  time.Duration
}

func run(ctx context.Context, d *demo.Demo) error {
	t := &terminal{
		d:        d,
		keyboard: d.Lane("keyboard"),
		clock:    d.Lane("clock"),
		network:  d.Crew("search", 1),
		handler:  d.Crew("handler", 1),
		drawing:  d.Gauge("drawing", 1),
		waiting:  d.Gauge("keys waiting", d.Knob("buffer")+2), // one is being sent, and one is on its way
		cancel:   func() bool { return false },
	}
	t.loop = eventloop.New(func(p *eventloop.PanicError) { t.mark(demo.Failure, fmt.Sprint(p.Value)) })
	keys := make(chan key, d.Knob("buffer"))
	eventloop.Attach(t.loop, keys, func(k key) { t.pressed(ctx, k) })
	t.loop.Every(interval, func() {
		t.clock.Mark(demo.Moment, "ticks")
		t.draw(ctx, "t", d.Around(paint, drawingTick, t.screen.ticks), func(s *screen) { s.ticks++ })
	})

	var typist sync.WaitGroup
	typing, stop := context.WithCancel(ctx)
	typist.Go(func() { t.typeAll(typing, keys) })
	err := t.loop.Run(ctx)
	stop() // nobody takes a key any more
	typist.Wait()

	d.Count("keys on the screen", t.screen.keys)
	d.Count("ticks drawn", t.screen.ticks)
	d.Count("drawing at once", t.drawing.Most())
	d.Count("keys waiting at most", t.waiting.Most())
	d.Took("longest wait of a key", t.longest)
	return err
}

// typeAll presses all keys. It brings them, and does nothing with them.
func (t *terminal) typeAll(ctx context.Context, keys chan<- key) {
	defer t.keyboard.Leave()
	for n := 1; n <= t.d.Knob("items"); n++ {
		if n > 1 && (n-1)%t.d.Knob("burst") == 0 {
			t.keyboard.Rest()
			_ = demo.Sleep(ctx, t.d.Around(think, thinking, n))
		}
		t.keyboard.Work(strconv.Itoa(n))
		if demo.Sleep(ctx, t.d.Around(stroke, pressing, n)) != nil {
			return
		}
		t.keyboard.Send()
		t.waiting.Add(1)
		select {
		case keys <- key{n, time.Now()}:
		case <-ctx.Done():
			return
		}
	}
}

// pressed handles a key. The text is searched for when no key has come for a while, so
// each key puts that off. Enter, the last one, does not.
func (t *terminal) pressed(ctx context.Context, k key) {
	t.waiting.Add(-1)
	t.longest = max(t.longest, time.Since(k.at))
	t.cancel()
	enter := k.number == t.d.Knob("items")
	if enter {
		defer t.loop.Stop() // even if it panics; an answer that is on its way still comes
	}
	t.draw(ctx, strconv.Itoa(k.number), t.d.Around(paint, drawingKey, k.number), func(s *screen) {
		if t.d.Rand(panicking, k.number).IntN(100) < t.d.Knob("fail") {
			panic(fmt.Sprintf("there is no key %d", k.number))
		}
		s.keys++
	})
	if enter {
		t.search(ctx)
		return
	}
	t.cancel = t.loop.After(calm, func() { t.search(ctx) })
}

// search has the text searched for beside the loop. Until the answer comes, other
// handlers run, and they may change the text.
func (t *terminal) search(ctx context.Context) {
	t.searches++
	number, keys := t.searches, t.screen.keys
	name := string(rune('A' + (number-1)%26))
	work := func(ctx context.Context) (hits int, err error) {
		lane := t.network.Join()
		defer t.network.Leave(lane)
		lane.Work(name)
		return 10 * keys, demo.Sleep(ctx, t.d.Around(search, searching, number))
	}
	then := func(hits int, err error) {
		if err != nil || t.screen.keys != keys {
			t.mark(demo.Drop, "the answer to an old text")
			return
		}
		length := paint * time.Duration(t.d.Knob("slow"))
		t.draw(ctx, name, t.d.Around(length, drawingAnswer, number), func(s *screen) { s.hits = hits })
	}
	_ = eventloop.Await(t.loop, work, then) // it refuses once ctx has ended, when nobody waits for answers
}

// draw draws the next screen, and sets it when that is done. It may do so because nobody
// else has set one meanwhile: that is what the loop is for.
func (t *terminal) draw(ctx context.Context, what string, length time.Duration, change func(*screen)) {
	lane := t.handler.Join()
	defer t.handler.Leave(lane)
	t.drawing.Add(1)
	defer t.drawing.Add(-1)

	next := t.screen
	lane.Work(what)
	_ = demo.Sleep(ctx, length) // half of it will do when ctx has ended
	change(&next)
	t.screen = next
}

// mark draws what takes a handler no time.
func (t *terminal) mark(m demo.Mark, what string) {
	lane := t.handler.Join()
	lane.Mark(m, what)
	t.handler.Leave(lane)
}
