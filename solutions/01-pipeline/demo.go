//go:build ignore

// A log import: each line is read, parsed, looked up and stored, and all of these
// go on at the same time.
//
// First come the first three lines, as a preview. Then all lines go through four steps. The
// steps wait for different things, so while one line is stored, the next one is
// looked up. The slowest step sets the pace: those before it wait to send, those behind
// it wait to receive.
package main

import (
	"context"
	"fmt"
	"iter"
	"strconv"
	"time"

	pipeline "concurrency-koans/solutions/01-pipeline"
	"concurrency-koans/solutions/demo"
)

func main() {
	demo.Main(demo.Program{
		Knobs: []demo.Knob{
			{Name: "items", Value: 12, Min: 1, Max: 200, Text: "lines in the log"},
			{Name: "slow", Value: 1, Min: 1, Max: 10, Text: "to look up takes so many times as long as any other step"},
			{Name: "fail", Value: 0, Min: 0, Max: 100, Text: "lines in a hundred that cannot be parsed; the first one ends the import"},
		},
		Broken: []demo.Broken{
			{Pitfall: "one-goroutine-for-all", Text: "The steps take turns, and all of it takes four times as long.", Sign: demo.More("took")},
			{Pitfall: "collects-first", Text: "The preview of three lines waits until all of them have been read.", Sign: demo.More("preview shown after")},
			{Pitfall: "upstream-left-running", Text: "The preview is over, and those who fed it are still there.", Sign: demo.More("goroutines left behind")},
		},
		Run: run,
	})
}

// The steps, in the order of their lanes.
const (
	read = iota
	parse
	lookUp
	store
)

// An entry is one line of the log on its way.
type entry struct {
	number int
	line   string
	path   string // once parsed
	team   string // once looked up: who looks after that path
}

// An importer is the log and the lanes on which its steps are drawn.
type importer struct {
	d     *demo.Demo
	lanes []*demo.Lane
}

func run(ctx context.Context, d *demo.Demo) error {
	im := &importer{d: d}
	for _, name := range []string{"read", "parse", "look up", "store"} {
		im.lanes = append(im.lanes, d.Lane(name))
	}
	d.WatchGoroutines()
	im.preview(ctx)
	return im.importAll(ctx)
}

// preview parses the first three lines, and leaves the others alone.
func (im *importer) preview(ctx context.Context) {
	began := time.Now()
	upstream, stop := context.WithCancel(ctx)
	lines := pipeline.Source(upstream, im.log(upstream))
	parsed := pipeline.Map(upstream, lines, func(e entry) entry {
		e, _ = im.step(upstream, parse, e)
		return e
	})
	for range pipeline.Take(ctx, parsed, 3, stop) {
		im.lanes[parse].Taken()
	}
	im.d.Took("preview shown after", time.Since(began))
	_ = demo.Sleep(ctx, 50*time.Millisecond) // somebody looks at it, and those upstream go
}

// importAll sends all lines through all steps.
func (im *importer) importAll(ctx context.Context) error {
	stored := 0
	stage := func(which int) pipeline.Stage[entry] {
		return func(ctx context.Context, e entry) (entry, error) { return im.step(ctx, which, e) }
	}
	err := pipeline.Run(ctx, im.log(ctx), func(e entry) error {
		_, err := im.step(ctx, store, e)
		im.lanes[store].Receive()
		stored++
		return err
	}, stage(parse), stage(lookUp))
	im.d.Count("lines stored", stored)
	return err
}

// log yields the lines, each of which takes a while to read.
func (im *importer) log(ctx context.Context) iter.Seq[entry] {
	return func(yield func(entry) bool) {
		for n := 1; n <= im.d.Knob("items"); n++ {
			e, err := im.step(ctx, read, entry{number: n, line: fmt.Sprintf("GET /shop/%d 200", n)})
			if err != nil || !yield(e) {
				return
			}
		}
	}
}

// step does one step for one line, and draws it.
func (im *importer) step(ctx context.Context, which int, e entry) (entry, error) {
	lane := im.lanes[which]
	if which > read {
		im.lanes[which-1].Taken()
	}
	lane.Work(strconv.Itoa(e.number))
	length := im.d.Around(60*time.Millisecond, which, e.number)
	if which == lookUp {
		length *= time.Duration(im.d.Knob("slow"))
	}
	if err := demo.Sleep(ctx, length); err != nil {
		lane.Rest()
		return e, err
	}
	lane.Send()
	switch which {
	case parse:
		if im.d.Rand(e.number).IntN(100) < im.d.Knob("fail") {
			lane.Mark(demo.Failure, e.line)
			return e, fmt.Errorf("parsing line %d: no status in %q", e.number, e.line)
		}
		if _, err := fmt.Sscanf(e.line, "GET %s", &e.path); err != nil {
			return e, fmt.Errorf("parsing line %d: %w", e.number, err)
		}
	case lookUp:
		e.team = "team " + strconv.Itoa(len(e.path)%3)
	}
	return e, nil
}
