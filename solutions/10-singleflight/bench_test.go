package singleflight_test

import (
	"context"
	"fmt"
	"strconv"
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
	ask  func(key string, query func() (int, error)) (int, error)
}

// ways returns all of them, each with nothing under way.
//
// x-sync promises a little less: it calls the query in the goroutine of the first
// caller, and so a Goexit in there ends that caller.
func ways() []way {
	var ours singleflight.Group[string, int]
	var theirs xsync.Group
	var one sync.Mutex
	return []way{
		{"direct", func(_ string, query func() (int, error)) (int, error) {
			return query()
		}},
		{"mutex", func(_ string, query func() (int, error)) (int, error) {
			one.Lock()
			defer one.Unlock()
			return query()
		}},
		{"reference", func(key string, query func() (int, error)) (int, error) {
			v, _, err := ours.Do(key, query)
			return v, err
		}},
		{"x-sync", func(key string, query func() (int, error)) (int, error) {
			v, err, _ := theirs.Do(key, func() (any, error) { return query() })
			return v.(int), err
		}},
	}
}

// Many ask for the same rows at the same moment: how long until all have their
// answer? The database answers eight queries at a time, and each takes a
// millisecond. With several keys, the callers take turns among them.
func BenchmarkStampede(b *testing.B) {
	const connections, takes = 8, time.Millisecond
	for _, many := range []struct{ callers, keys int }{{30, 1}, {300, 1}, {300, 30}} {
		for _, w := range ways() {
			b.Run(fmt.Sprintf("callers=%d/keys=%d/%s", many.callers, many.keys, w.name), func(b *testing.B) {
				var queries atomic.Int64
				free := make(chan struct{}, connections)
				query := func() (int, error) {
					free <- struct{}{}
					defer func() { <-free }()
					queries.Add(1)
					time.Sleep(takes)
					return 40, nil
				}
				keys := names(many.keys)
				for b.Loop() {
					var all sync.WaitGroup
					for caller := range many.callers {
						all.Go(func() {
							if _, err := w.ask(keys[caller%many.keys], query); err != nil {
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
}

// What does it cost to ask alone, for something that costs nothing?
func BenchmarkAlone(b *testing.B) {
	query := func() (int, error) { return 40, nil }
	for _, w := range ways() {
		b.Run("call=Do/"+w.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := w.ask("lamp", query); err != nil {
					b.Fatal(err)
				}
			}
		})
	}

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	queryContext := func(ctx context.Context) (int, error) { return 40, ctx.Err() }
	b.Run("call=DoContext/reference", func(b *testing.B) {
		b.ReportAllocs()
		var group singleflight.Group[string, int]
		for b.Loop() {
			if _, _, err := group.DoContext(ctx, "lamp", queryContext); err != nil {
				b.Fatal(err)
			}
		}
	})
	// As near as x/sync comes to that: a caller may leave, but when all have left,
	// nobody tells the query.
	b.Run("call=DoContext/x-sync", func(b *testing.B) {
		b.ReportAllocs()
		var group xsync.Group
		for b.Loop() {
			run := group.DoChan("lamp", func() (any, error) {
				ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
				defer cancel()
				return queryContext(ctx)
			})
			select {
			case r := <-run:
				if r.Err != nil {
					b.Fatal(r.Err)
				}
			case <-ctx.Done():
				b.Fatal(ctx.Err())
			}
		}
	})
}

// What does it cost to ask when many do so all the time, for something that costs
// nothing? They all ask for one key, or each for a key of its own. The queries say
// how much is shared.
func BenchmarkCrowd(b *testing.B) {
	for _, callers := range []int{4, 64} {
		for _, many := range []int{1, callers} {
			for _, w := range ways() {
				b.Run(fmt.Sprintf("callers=%d/keys=%d/%s", callers, many, w.name), func(b *testing.B) {
					b.ReportAllocs()
					var queries atomic.Int64
					query := func() (int, error) {
						queries.Add(1)
						return 40, nil
					}
					keys := names(many)
					share(b, callers, func(caller int) {
						if _, err := w.ask(keys[caller%many], query); err != nil {
							b.Error(err)
						}
					})
					b.ReportMetric(float64(queries.Load())/float64(b.N), "queries/op")
				})
			}
		}
	}
}

// What does it cost to ask a cache for what it remembers? Beside it, a map with a
// lock around it, which knows nothing of time.
func BenchmarkRemembered(b *testing.B) {
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprintf("callers=%d/reference", callers), func(b *testing.B) {
			b.ReportAllocs()
			ctx := context.Background()
			cache := singleflight.NewCache(time.Hour, func(context.Context, string) (int, error) { return 40, nil })
			share(b, callers, func(int) {
				if v, err := cache.Get(ctx, "lamp"); v != 40 || err != nil {
					b.Error(v, err)
				}
			})
		})
		b.Run(fmt.Sprintf("callers=%d/mutex", callers), func(b *testing.B) {
			b.ReportAllocs()
			var mu sync.Mutex
			known := map[string]int{"lamp": 40}
			get := func(key string) (int, bool) {
				mu.Lock()
				defer mu.Unlock()
				v, ok := known[key]
				return v, ok
			}
			share(b, callers, func(int) {
				if v, ok := get("lamp"); v != 40 || !ok {
					b.Error(v, ok)
				}
			})
		})
	}
}

// share has the benchmark's iterations done by several callers at once.
func share(b *testing.B, callers int, f func(caller int)) {
	var all sync.WaitGroup
	b.ResetTimer()
	for caller := range callers {
		all.Go(func() {
			for turn := caller; turn < b.N; turn += callers {
				f(caller)
			}
		})
	}
	all.Wait()
}

// names returns so many different keys.
func names(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = "item " + strconv.Itoa(i)
	}
	return keys
}
