//go:build ignore

// A picture server: sellers and customers upload, and a few workers make thumbnails.
//
// Two sellers upload many pictures at once, twice. The workers take what they can, a few
// pictures wait in the queue, and when that is full, the sellers wait until there is
// room. Customers do not wait: when the queue is full, they are told to come back later.
// At the end the server is shut down, and whatever it has accepted is still done.
package main

import (
	"context"
	"image"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	workerpool "concurrency-koans/solutions/03-worker-pool"
	"concurrency-koans/solutions/demo"
)

func main() {
	demo.Main(demo.Program{
		Knobs: []demo.Knob{
			{Name: "workers", Value: 2, Min: 1, Max: 8, Text: "pictures that are shrunk at the same time"},
			{Name: "buffer", Value: 4, Min: 0, Max: 30, Text: "pictures that may wait in the queue"},
			{Name: "burst", Value: 6, Min: 1, Max: 13, Text: "pictures that a seller uploads at once"},
			{Name: "fail", Value: 0, Min: 0, Max: 100, Text: "pictures in a hundred that arrive incomplete, which makes a worker panic"},
		},
		Broken: []demo.Broken{
			{Pitfall: "goroutine-per-job", Text: "All that are accepted run at once, and nothing ever waits in the queue.", Sign: demo.More("most at work")},
			{Pitfall: "unbounded-queue", Text: "Nobody waits and nobody is turned away, and the queue grows beyond its limit.", Sign: demo.Less("turned away")},
			{Pitfall: "worker-dies-of-panic", Text: "Each incomplete picture costs a worker, and when the last one has gone, nothing moves any more.", Sign: demo.Ends(demo.Stuck), Knobs: map[string]int{"fail": 25}},
			{Pitfall: "dropped-queue", Text: "At the end, what is at work and what waits is thrown away.", Sign: demo.Less("pictures done")},
		},
		Run: run,
	})
}

// A party uploads pictures. Each is one goroutine, so its fields need no lock.
type party struct {
	number  int
	first   rune // name of its first picture
	lane    *demo.Lane
	tickets []*workerpool.Ticket[[]*image.Gray]
	refused int
}

// A picture is what a party has uploaded.
type picture struct {
	party, number int
	name          string
	pixels        *image.Gray
}

// So many thumbnails are made of each picture, and that takes so long.
const sizes, work = 8, 100 * time.Millisecond

// A server shrinks pictures, and draws who does what.
type server struct {
	d        *demo.Demo
	side     int // of the pictures, in pixels
	pool     *workerpool.Pool[picture, []*image.Gray]
	workers  *demo.Crew
	atWork   *demo.Gauge
	accepted atomic.Int64 // pictures, so far
	begun    atomic.Int64 // of these, the ones that have left the queue
}

func run(ctx context.Context, d *demo.Demo) error {
	workers, queue, s := d.Knob("workers"), d.Knob("buffer"), &server{d: d, side: 200}
	if !d.Fast() {
		s.side = sideFor(work)
	}
	seller1 := &party{number: 1, first: 'A', lane: d.Lane("seller 1")}
	seller2 := &party{number: 2, first: 'a', lane: d.Lane("seller 2")}
	customers := &party{number: 3, first: '1', lane: d.Lane("customers")}
	s.workers = d.Crew("worker", workers)
	closing := d.Lane("shutdown")
	s.atWork = d.Gauge("at work", workers)
	d.Watch("queue", queue, func() int { return max(0, int(s.accepted.Load()-s.begun.Load())) })
	s.pool = workerpool.New(workers, queue, s.shrink)

	var uploading sync.WaitGroup
	uploading.Go(func() { s.sell(ctx, seller1) })
	uploading.Go(func() { s.sell(ctx, seller2) })
	uploading.Go(func() { s.comment(ctx, customers) })
	uploading.Wait()
	closing.Wait("the workers")
	if s.pool.Shutdown(ctx) != nil {
		// ctx has ended, and the workers have been told. Wait until they have gone.
		_ = s.pool.Shutdown(context.Background())
	}
	done := 0
	for _, t := range slices.Concat(seller1.tickets, seller2.tickets, customers.tickets) {
		if _, err := t.Wait(ctx); err == nil {
			done++
		}
	}
	d.Count("pictures accepted", int(s.accepted.Load()))
	d.Count("pictures done", done)
	d.Count("turned away", customers.refused)
	d.Count("most at work", s.atWork.Most())
	return ctx.Err()
}

// sell uploads two bursts of pictures. If there is no room for one, it waits.
func (s *server) sell(ctx context.Context, p *party) {
	defer p.lane.Leave()
	burst := s.d.Knob("burst")
	for n := range 2 * burst {
		if n%burst == 0 {
			p.lane.Rest()
			_ = demo.Sleep(ctx, s.d.Around(100*time.Millisecond, p.number, n, 0)+time.Duration(n/burst)*500*time.Millisecond)
		}
		pic := s.receive(ctx, p, n)
		p.lane.Send()
		ticket, err := s.pool.Submit(ctx, pic)
		if err != nil {
			return // ctx has ended
		}
		s.accepted.Add(1)
		p.tickets = append(p.tickets, ticket)
	}
}

// comment uploads a picture now and then. If there is no room for one, it gives up on that.
func (s *server) comment(ctx context.Context, p *party) {
	defer p.lane.Leave()
	for n := 0; n < 7 && ctx.Err() == nil; n++ {
		p.lane.Rest()
		_ = demo.Sleep(ctx, s.d.Around(150*time.Millisecond, p.number, n, 0))
		pic := s.receive(ctx, p, n)
		ticket, err := s.pool.TrySubmit(pic)
		if err != nil {
			p.lane.Mark(demo.Drop, pic.name)
			p.refused++
			continue
		}
		s.accepted.Add(1)
		p.tickets = append(p.tickets, ticket)
	}
}

// receive returns the party's nth picture when it has arrived, which takes a moment.
func (s *server) receive(ctx context.Context, p *party, n int) picture {
	pic := picture{p.number, n, string(p.first + rune(n)), image.NewGray(image.Rect(0, 0, s.side, s.side))}
	p.lane.Work(pic.name)
	_ = demo.Sleep(ctx, s.d.Around(15*time.Millisecond, p.number, n, 1))
	if s.d.Rand(p.number, n, 2).IntN(100) < s.d.Knob("fail") {
		pic.pixels.Pix = pic.pixels.Pix[:len(pic.pixels.Pix)/2] // half of it got lost on the way
	}
	return pic
}

// shrink makes the thumbnails of a picture. The workers of the pool call it.
func (s *server) shrink(ctx context.Context, pic picture) (all []*image.Gray, err error) {
	s.begun.Add(1)
	s.atWork.Add(1)
	lane := s.workers.Join()
	lane.Work(pic.name)
	defer func() { // deferred, because smaller may panic
		if len(all) < sizes {
			lane.Mark(demo.Failure, pic.name)
		}
		s.workers.Leave(lane)
		s.atWork.Add(-1)
	}()
	if s.d.Fast() {
		// To compute takes no virtual time, so wait for as long as it would take.
		_ = demo.Sleep(ctx, s.d.Around(work, pic.party, pic.number, 3))
	}
	for len(all) < sizes && ctx.Err() == nil {
		all = append(all, smaller(pic.pixels, 10*(len(all)+1)))
	}
	return all, ctx.Err()
}

// smaller makes one pixel, their mean, of k times k. If some are missing, it panics.
func smaller(from *image.Gray, k int) *image.Gray {
	to := image.NewGray(image.Rectangle{Max: from.Bounds().Size().Div(k)})
	for i := range to.Pix {
		x, y, sum := i%to.Stride*k, i/to.Stride*k, 0
		for j := range k * k {
			sum += int(from.GrayAt(x+j%k, y+j/k).Y)
		}
		to.Pix[i] = uint8(sum / (k * k))
	}
	return to
}

// sideFor returns the side of a picture whose thumbnails this machine makes in that time.
func sideFor(length time.Duration) int {
	const side = 1000
	began := time.Now()
	smaller(image.NewGray(image.Rect(0, 0, side, side)), 10)
	return int(side * math.Sqrt(float64(length)/float64(sizes*max(time.Since(began), time.Millisecond))))
}
