package singleflight_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	xsync "golang.org/x/sync/singleflight"

	singleflight "concurrency-koans/solutions/10-singleflight"
)

// way is a way to ask for a row.
type way struct {
	name string
	do   func(key string, query func() (int, error)) (int, error)
}

// ways returns all of them, each with nothing under way.
func ways() []way {
	var ours singleflight.Group[string, int]
	var theirs xsync.Group
	var one sync.Mutex
	return []way{
		{"everybody", func(_ string, query func() (int, error)) (int, error) {
			return query()
		}},
		{"lock", func(_ string, query func() (int, error)) (int, error) {
			one.Lock()
			defer one.Unlock()
			return query()
		}},
		{"group", func(key string, query func() (int, error)) (int, error) {
			v, _, err := ours.Do(key, query)
			return v, err
		}},
		{"x-sync", func(key string, query func() (int, error)) (int, error) {
			v, err, _ := theirs.Do(key, func() (any, error) { return query() })
			return v.(int), err
		}},
	}
}

// Three hundred ask for the same row at the same moment. The database answers eight
// queries at a time, and each takes a millisecond.
func BenchmarkStampede(b *testing.B) {
	const callers, connections, takes = 300, 8, time.Millisecond
	for _, w := range ways() {
		b.Run(w.name, func(b *testing.B) {
			var queries atomic.Int64
			free := make(chan struct{}, connections)
			query := func() (int, error) {
				free <- struct{}{}
				defer func() { <-free }()
				queries.Add(1)
				time.Sleep(takes)
				return 40, nil
			}
			for b.Loop() {
				var all sync.WaitGroup
				for range callers {
					all.Go(func() {
						if _, err := w.do("lamp", query); err != nil {
							b.Error(err)
						}
					})
				}
				all.Wait()
			}
			b.ReportMetric(float64(queries.Load())/float64(b.N), "queries/op")
		})
	}
}

// And who asks alone, for something that costs nothing? That is the price of asking.
func BenchmarkAlone(b *testing.B) {
	query := func() (int, error) { return 40, nil }
	for _, w := range ways() {
		b.Run(w.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := w.do("lamp", query); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A value that is remembered: what does it cost to ask for it?
func BenchmarkRemembered(b *testing.B) {
	cache := singleflight.NewCache(time.Hour, func(context.Context, string) (int, error) { return 40, nil })
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := cache.Get(ctx, "lamp"); err != nil {
			b.Fatal(err)
		}
	}
}
