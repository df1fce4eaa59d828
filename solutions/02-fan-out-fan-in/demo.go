//go:build ignore

// A link checker: it fetches all pages of a glossary, several at a time, and reports
// what it finds.
//
// The glossary has a page for each letter, and page C is slow. The checker goes over all
// pages twice. The first time it reports them in the order in which they are ready: page C
// keeps one fetch busy, and the others take the rest. The second time it reports them
// in the order of the pages. Now what is behind C may be fetched, but not reported. Results
// wait in line, and when there is no place left in the line, the fetches stand still.
package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	fan "concurrency-koans/solutions/02-fan-out-fan-in"
	"concurrency-koans/solutions/demo"
)

func main() {
	demo.Main(demo.Program{
		Knobs: []demo.Knob{
			{Name: "items", Value: 12, Min: 1, Max: 26, Text: "pages in the glossary"},
			{Name: "workers", Value: 4, Min: 1, Max: 12, Text: "pages that may be fetched at the same time"},
			{Name: "slow", Value: 4, Min: 1, Max: 10, Text: "page C takes so many times as long as any other"},
			{Name: "fail", Value: 10, Min: 0, Max: 100, Text: "pages in a hundred that are not there"},
		},
		Broken: []demo.Broken{
			{Pitfall: "goroutine-per-item", Text: "The first time, all pages are fetched at once, whatever the limit is.", Sign: demo.More("most at a time")},
			{Pitfall: "dealt-in-turn", Text: "The first time, nobody takes a page while the one whose turn it is works on page C.", Sign: demo.More("as they come took")},
			{Pitfall: "buffers-everything", Text: "The second time, the fetches go on, and what cannot be reported yet piles up behind page C.", Sign: demo.More("most unreported")},
		},
		Run: run,
	})
}

// A page is one page of the glossary, by the index of its letter.
type page int

const slowPage page = 2

func (p page) letter() string { return string(rune('A' + p)) }

// A finding is what is known of a page that has been fetched. A page that could not be
// fetched is a finding too, and no reason to leave the others alone.
type finding struct {
	page page
	err  error
}

// What is done for a page, each in a time of its own.
const (
	list = iota
	fetch
	report
	judge
)

// A checker checks pages, and draws who does what.
type checker struct {
	d          *demo.Demo
	client     *http.Client
	list       *demo.Lane
	fetches    *demo.Crew
	report     *demo.Lane
	busy       *demo.Gauge // fetches under way
	unreported *demo.Gauge // findings of fetches that have ended, until they have been reported
}

func run(ctx context.Context, d *demo.Demo) error {
	n := d.Knob("workers")
	c := &checker{
		d:          d,
		client:     &http.Client{Transport: glossary{d}},
		list:       d.Lane("list"),
		fetches:    d.Crew("fetch", n),
		report:     d.Lane("report"),
		busy:       d.Gauge("at a time", n),
		unreported: d.Gauge("unreported", n+1), // one of them is in the reporter's hands
	}
	c.checkAll(ctx, "as they come took", func(pages <-chan page) <-chan finding {
		return fan.FanOut(ctx, n, pages, c.check)
	})
	c.report.Mark(demo.Moment, "from here on in the order of the pages")
	missing := c.checkAll(ctx, "in order took", func(pages <-chan page) <-chan finding {
		return fan.Ordered(ctx, n, pages, c.check)
	})
	d.Count("pages not there", missing)
	d.Count("most at a time", c.busy.Most())
	d.Count("most unreported", c.unreported.Most())
	return ctx.Err()
}

// checkAll checks all pages once, in the way that spread knows. It tells how long that
// took, and returns how many pages are not there.
func (c *checker) checkAll(ctx context.Context, took string, spread func(<-chan page) <-chan finding) (missing int) {
	began := time.Now()
	pages := make(chan page)
	var listing sync.WaitGroup
	listing.Go(func() { c.listAll(ctx, pages) })

	c.report.Receive()
	// To the end, also when ctx ends: the stream is closed when no fetch is left.
	for f := range spread(pages) {
		c.report.Work(f.page.letter())
		if f.err != nil {
			missing++
		}
		_ = demo.Sleep(ctx, c.d.Around(36*time.Millisecond, report, int(f.page)))
		c.unreported.Add(-1)
		c.report.Receive()
	}
	c.report.Rest()
	listing.Wait()
	c.d.Took(took, time.Since(began))
	return missing
}

// listAll reads the list of pages and hands each to whoever is free.
func (c *checker) listAll(ctx context.Context, pages chan<- page) {
	defer close(pages)
	defer c.list.Rest()
	for p := range page(c.d.Knob("items")) {
		c.list.Work(p.letter())
		if demo.Sleep(ctx, c.d.Around(10*time.Millisecond, list, int(p))) != nil {
			return
		}
		c.list.Send()
		select {
		case pages <- p:
		case <-ctx.Done():
			return
		}
	}
}

// check fetches a page. Several goroutines call it, as many as may at a time.
func (c *checker) check(ctx context.Context, p page) finding {
	c.busy.Add(1)
	lane := c.fetches.Join()
	lane.Work(p.letter())

	err := c.fetch(ctx, p)
	if err != nil {
		lane.Mark(demo.Failure, err.Error())
	}
	c.fetches.Leave(lane)
	c.busy.Add(-1)
	c.unreported.Add(1)
	return finding{p, err}
}

func (c *checker) fetch(ctx context.Context, p page) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, "http://glossary.example/"+p.letter(), nil)
	if err != nil {
		return err
	}
	answer, err := c.client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("page %s: %s", p.letter(), http.StatusText(answer.StatusCode))
	}
	return nil
}

// A glossary stands for the network and the server, so that the demo needs neither. With
// http.DefaultTransport in its place, the checker would ask a real one.
type glossary struct{ d *demo.Demo }

// RoundTrip makes a glossary an http.RoundTripper.
func (g glossary) RoundTrip(r *http.Request) (*http.Response, error) {
	p := page(r.URL.Path[1] - 'A')
	length := g.d.Around(150*time.Millisecond, fetch, int(p))
	if p == slowPage {
		length *= time.Duration(g.d.Knob("slow"))
	}
	if err := demo.Sleep(r.Context(), length); err != nil {
		return nil, err
	}
	status := http.StatusOK
	if g.d.Rand(judge, int(p)).IntN(100) < g.d.Knob("fail") {
		status = http.StatusNotFound
	}
	return &http.Response{StatusCode: status, Body: http.NoBody, Request: r}, nil
}
