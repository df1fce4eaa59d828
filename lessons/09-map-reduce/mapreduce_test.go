package mapreduce_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	mapreduce "concurrency-koans/lessons/09-map-reduce"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Step 1: one after another

// No inputs give an empty map, and a job without its Map or its Reduce is refused.
// An empty map can be ranged over, and its owner can put something into it; into a
// nil map nobody can.
func TestRunOfNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		job := mapreduce.Job[string, string, int, int]{
			Map: func(context.Context, string, mapreduce.Emit[string, int]) error {
				return errors.New("Map was called")
			},
			Reduce: func(context.Context, string, []int) (int, error) {
				return 0, errors.New("Reduce was called")
			},
		}
		results, err := job.Run(context.Background(), nil)
		require.NoError(t, err, "Run was given no inputs: that is no error, and there is nothing to call")
		require.NotNil(t, results, "Run was given no inputs: it must return an empty map, and not nil")
		require.Empty(t, results, "Run was given no inputs: there are no results")

		withoutMap, withoutReduce := job, job
		withoutMap.Map, withoutReduce.Reduce = nil, nil
		for _, inputs := range [][]string{nil, {"monday"}} {
			_, err = withoutMap.Run(context.Background(), inputs)
			require.Error(t, err, "a job without Map was run with %d inputs: Run must return an error", len(inputs))
			_, err = withoutReduce.Run(context.Background(), inputs)
			require.Error(t, err, "a job without Reduce was run with %d inputs: Run must return an error", len(inputs))
			require.NotContains(t, err.Error(), "was called", "a job without Reduce was run: Run must return an error, and not call Map")
		}
	})
}

// Reduce is called once for each key, with all of its values, and the slice is its own.
// A Map may emit nothing at all, or ten thousand pairs.
func TestReduceGetsAllValuesOfAKey(t *testing.T) {
	// On one processor, whoever leaves something to be done later and does not wait
	// for it has not got it.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	synctest.Test(t, func(t *testing.T) {
		var mapped, reduced []string
		kept := map[string][]int{}
		december := make([]int, 10_000)
		for i := range december {
			december[i] = i
		}
		job := mapreduce.Job[string, string, int, int]{
			Map: func(_ context.Context, file string, emit mapreduce.Emit[string, int]) error {
				mapped = append(mapped, file)
				switch file {
				case "monday":
					emit("post", 30)
					emit("bike", 4)
					emit("bike", 2)
				case "tuesday":
					emit("post", 26)
					emit("bike", 3)
					emit("post", 30)
				case "december":
					for _, hours := range december {
						emit("van", hours)
					}
				}
				return nil
			},
			Reduce: func(_ context.Context, carrier string, hours []int) (int, error) {
				reduced = append(reduced, carrier)
				slices.Sort(hours)
				kept[carrier] = hours
				return len(append(hours, -1)), nil
			},
			Mappers: 1, Reducers: 1,
		}
		results, err := job.Run(context.Background(), []string{"monday", "tuesday", "sunday", "december"})

		require.NoError(t, err, "neither Map nor Reduce returned an error")
		require.ElementsMatch(t, []string{"monday", "tuesday", "sunday", "december"}, mapped, "Run was given four inputs: Map must be called once for each")
		require.ElementsMatch(t, []string{"post", "bike", "van"}, reduced, "three keys were emitted, some of them by several Maps: Reduce must be called once for each key")
		require.Equal(t, []int{2, 3, 4}, kept["bike"], "4, 2 and 3 were emitted for bike: Reduce must get these three; it sorted and kept its slice, and nobody else may use that, or what lies behind its end")
		require.Equal(t, []int{26, 30, 30}, kept["post"], "30, 26 and 30 were emitted for post: Reduce must get these three; it sorted and kept its slice, and nobody else may use that, or what lies behind its end")
		require.True(t, slices.Equal(december, kept["van"]), "0 to 9999 were emitted for van, all by one Map: Reduce must get each of them once, and nobody else may use its slice after that")
		require.Equal(t, map[string]int{"post": 4, "bike": 4, "van": 10_001}, results, "Run must return for each key what Reduce returned for it")

		for range 20 {
			results, err = job.Run(context.Background(), []string{"monday"})
			require.NoError(t, err, "neither Map nor Reduce returned an error")
			require.Equal(t, map[string]int{"post": 2, "bike": 3}, results, "Map emitted one value for post and two for bike, and Reduce returned how many it got, plus one: all that has been emitted when Map returns must reach Reduce")
		}

		results, err = job.Run(context.Background(), []string{"sunday"})
		require.NoError(t, err, "the only Map emitted nothing: that is no error")
		require.NotNil(t, results, "the only Map emitted nothing: Run must return an empty map, and not nil")
		require.Empty(t, results, "the only Map emitted nothing: there are no results")
	})
}

// Step 2: several mappers

// Run makes Mappers calls of Map at a time: never more, and never fewer while inputs are left.
// One input takes nine seconds and nine take one second each. Two mappers need nine
// seconds if the one that is free always takes the next input.
func TestMappersWorkAtTheSameTime(t *testing.T) {
	defer verifyNoLeak(t, goleak.IgnoreCurrent())
	work := append([]time.Duration{9 * time.Second}, slices.Repeat([]time.Duration{time.Second}, 9)...)
	check := func(mappers, most int, took time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			var calls gauge
			job := mapreduce.Job[time.Duration, int, int, int]{
				Map: func(_ context.Context, d time.Duration, _ mapreduce.Emit[int, int]) error {
					defer calls.begin()()
					time.Sleep(d)
					return nil
				},
				Reduce:  count,
				Mappers: mappers, Reducers: 1,
			}
			start := time.Now()
			var err error
			requireReturn(t, fmt.Sprintf("Mappers was %d%s", mappers, atLeastOne(mappers)), func() { _, err = job.Run(context.Background(), work) })
			require.NoError(t, err, "none of the Maps returned an error")
			require.Equal(t, most, calls.most, "Mappers was %d (below 1 counts as 1): that must be the largest number of Maps that ran at once", mappers)
			require.Equal(t, len(work), calls.begun, "Mappers was %d, and there were ten inputs: Map must be called once for each", mappers)
			require.Equal(t, took, time.Since(start), "Mappers was %d, one input took 9s and nine took 1s: as soon as one Map ends, the next must begin, and Run must return after the last", mappers)
		})
	}
	check(0, 1, 18*time.Second)
	check(-3, 1, 18*time.Second)

	// The Maps of this part run in real time, and wait for one another. What they
	// share is only that.
	const mappers = 4
	all := newMeeting(mappers)
	job := mapreduce.Job[int, int, int, int]{
		Map: func(context.Context, int, mapreduce.Emit[int, int]) error {
			all.wait()
			return nil
		},
		Reduce:  count,
		Mappers: mappers, Reducers: 1,
	}
	_, err := runSoon(t, job, make([]int, 5*mappers))
	require.NoError(t, err, "none of the Maps returned an error")
	require.Equal(t, mappers, all.size(), "Mappers was 4, and each Map waited for three others to begin: only %d ran at a time; Run must call Map from 4 goroutines, and hold no lock meanwhile", all.size())

	check(2, 2, 9*time.Second)
}

// Whatever several mappers emit at the same time, all of it arrives.
// The koan does the same a few times, because those who get in each other's way do
// so only now and then.
func TestMappersEmitAtTheSameTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const mappers, pairs, keys = 4, 3000, 3
		for range 3 {
			var ready atomic.Int64
			job := mapreduce.Job[int, int, int, []int]{
				Map: func(_ context.Context, mapper int, emit mapreduce.Emit[int, int]) error {
					time.Sleep(time.Second)
					ready.Add(1)
					for tries := 0; ready.Load() < mappers && tries < 10_000; tries++ {
						runtime.Gosched() // so that all of them begin to emit at this moment
					}
					for i := range pairs {
						emit(i%keys, mapper*pairs+i)
					}
					time.Sleep(time.Second)
					return nil
				},
				Reduce: func(_ context.Context, _ int, values []int) ([]int, error) {
					return slices.Sorted(slices.Values(values)), nil
				},
				Mappers: mappers, Reducers: 1,
			}
			results, err := job.Run(context.Background(), numbers(mappers))

			require.NoError(t, err, "neither Map nor Reduce returned an error")
			require.Len(t, results, keys, "4 Maps emitted values for the same 3 keys: there must be one result for each key")
			for key := range keys {
				values := results[key]
				require.Len(t, values, mappers*pairs/keys, "4 Maps at the same time emitted 1000 values each for key %d: Reduce must get all of them", key)
				require.Len(t, slices.Compact(values), mappers*pairs/keys, "4 Maps at the same time emitted 1000 different values each for key %d: Reduce must get each of them once", key)
			}
		}
	})
}

// No Reduce begins before the last Map has returned.
// Until then, any Map may emit one more value for any key.
func TestReduceWaitsForTheLastMap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type figure struct {
			at     time.Duration
			values int
		}
		start := time.Now()
		job := mapreduce.Job[time.Duration, string, time.Duration, figure]{
			Map: func(_ context.Context, d time.Duration, emit mapreduce.Emit[string, time.Duration]) error {
				emit(fmt.Sprint("begun, ", d), d)
				emit("both", d)
				time.Sleep(d)
				emit("both", d)
				return nil
			},
			Reduce: func(_ context.Context, _ string, values []time.Duration) (figure, error) {
				return figure{time.Since(start), len(values)}, nil
			},
			Mappers: 3, Reducers: 1,
		}
		results, err := job.Run(context.Background(), []time.Duration{time.Second, 2 * time.Second, 3 * time.Second})

		require.NoError(t, err, "neither Map nor Reduce returned an error")
		require.Len(t, results, 4, "4 keys were emitted: there must be one result for each")
		require.Equal(t, 6, results["both"].values, "3 Maps emitted one value each for the same key when they began, and one when they ended: Reduce must get all of them")
		for _, key := range slices.Sorted(maps.Keys(results)) {
			require.Equal(t, 3*time.Second, results[key].at, "3 Maps took 1s, 2s and 3s: every Reduce must begin after 3s, also that of key %q, for until then there may be more values", key)
		}
	})
}

// Step 3: several reducers

// Run makes Reducers calls of Reduce at a time, and never more.
func TestReducersWorkAtTheSameTime(t *testing.T) {
	defer verifyNoLeak(t, goleak.IgnoreCurrent())
	const inputs, keys = 4, 120
	emitKeys := func(in int, emit mapreduce.Emit[int, int]) {
		for key := in; key < keys; key += inputs {
			emit(key, key)
		}
	}
	check := func(reducers, most int) (took time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			var calls gauge
			job := mapreduce.Job[int, int, int, int]{
				Map: func(_ context.Context, in int, emit mapreduce.Emit[int, int]) error {
					time.Sleep(time.Second)
					emitKeys(in, emit)
					return nil
				},
				Reduce: func(_ context.Context, key int, _ []int) (int, error) {
					defer calls.begin()()
					time.Sleep(time.Second)
					return -key, nil
				},
				Mappers: inputs, Reducers: reducers,
			}
			start := time.Now()
			var err error
			requireReturn(t, fmt.Sprintf("Reducers was %d%s", reducers, atLeastOne(reducers)), func() { _, err = job.Run(context.Background(), numbers(inputs)) })
			took = time.Since(start)
			require.NoError(t, err, "neither Map nor Reduce returned an error")
			require.Equal(t, most, calls.most, "Reducers was %d (below 1 counts as 1), and there were 120 keys: that must be the largest number of Reduces that ran at once", reducers)
			require.Equal(t, keys, calls.begun, "Reducers was %d, and 120 keys were emitted, each once: Reduce must be called once for each", reducers)
		})
		return took
	}
	for _, reducers := range []int{0, -3} {
		require.Equal(t, (1+keys)*time.Second, check(reducers, 1), "Reducers was %d, which counts as 1; all Maps together took 1s, and then each of 120 Reduces took 1s: they must run one after another, and Run must return after the last", reducers)
	}

	// Maps and Reduces of this part run in real time, and wait for one another. What
	// they share is only that.
	const reducers = 4
	mapped, reduced := newMeeting(inputs), newMeeting(reducers)
	job := mapreduce.Job[int, int, int, int]{
		Map: func(_ context.Context, in int, emit mapreduce.Emit[int, int]) error {
			mapped.wait()
			emitKeys(in, emit)
			return nil
		},
		Reduce: func(_ context.Context, key int, _ []int) (int, error) {
			reduced.wait()
			return -key, nil
		},
		Mappers: inputs, Reducers: reducers,
	}
	results, err := runSoon(t, job, numbers(inputs))
	require.NoError(t, err, "neither Map nor Reduce returned an error")
	require.Equal(t, reducers, reduced.size(), "Reducers was 4, and each Reduce waited for three others to begin: only %d ran at a time; Run must call Reduce from 4 goroutines, and hold no lock meanwhile", reduced.size())
	require.Len(t, results, keys, "120 keys were emitted: there must be one result for each")
	for key := range keys {
		require.Equal(t, -key, results[key], "Run must return for key %d what Reduce returned for it", key)
	}

	check(reducers, reducers)
}

// Step 4: a place for each key

// However many mappers and reducers there are, the answer is the same.
// The median of a part of the values says nothing: whoever reduces a key needs all
// that any mapper has emitted for it.
func TestAnswerIsAlwaysTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		want := map[string]int{}
		values := map[string][]int{}
		days := numbers(20)
		for _, day := range days {
			for carrier, hours := range deliveries(day) {
				values[carrier] = append(values[carrier], hours)
			}
		}
		for carrier, hours := range values {
			want[carrier] = median(hours)
		}

		for mappers := 1; mappers <= 16; mappers++ {
			for reducers := 1; reducers <= 16; reducers++ {
				var calls atomic.Int64
				job := mapreduce.Job[int, string, int, int]{
					Map: func(_ context.Context, day int, emit mapreduce.Emit[string, int]) error {
						time.Sleep(time.Second) // so that every mapper has its share
						for carrier, hours := range deliveries(day) {
							emit(carrier, hours)
						}
						return nil
					},
					Reduce: func(_ context.Context, _ string, hours []int) (int, error) {
						calls.Add(1)
						return median(hours), nil
					},
					Mappers: mappers, Reducers: reducers,
				}
				got, err := job.Run(context.Background(), days)
				require.NoError(t, err, "neither Map nor Reduce returned an error")
				require.EqualValues(t, len(want), calls.Load(), "Mappers was %d, Reducers %d, and each of 7 keys was emitted by many Maps: Reduce must be called once for each key, with the values of all Maps", mappers, reducers)
				require.Equal(t, want, got, "Mappers was %d, Reducers %d: the median for each key must be the same as when one goroutine does everything", mappers, reducers)
			}
		}

		// Equal is what == says. A delivery that came a little too early is -0 hours
		// late, and -0 == 0, though they do not look the same.
		for reducers := 1; reducers <= 16; reducers++ {
			var calls atomic.Int64
			job := mapreduce.Job[float64, any, float64, int]{
				Map: func(_ context.Context, late float64, emit mapreduce.Emit[any, float64]) error {
					time.Sleep(time.Second)
					emit(math.Round(late), late)
					emit("0", late)
					return nil
				},
				Reduce: func(_ context.Context, _ any, late []float64) (int, error) {
					calls.Add(1)
					return len(late), nil
				},
				Mappers: 2, Reducers: reducers,
			}
			got, err := job.Run(context.Background(), []float64{-0.3, 0.3, -0.1, 0.1})
			require.NoError(t, err, "neither Map nor Reduce returned an error")
			require.EqualValues(t, 2, calls.Load(), `Reducers was %d, and there were two keys: the number 0, sometimes as -0, which is equal to it, and the string "0", which is not; Reduce must be called once for each`, reducers)
			require.Equal(t, map[any]int{0.0: 4, "0": 4}, got, `Reducers was %d, and four values each were emitted for the number 0, sometimes as -0, and for the string "0": these are two keys`, reducers)
		}
	})
}

// Step 5: when something goes wrong

// After an error nothing more begins, and Run returns it when all that had begun has ended.
func TestErrorStopsTheJob(t *testing.T) {
	for _, phase := range []string{"Map", "Reduce"} {
		synctest.Test(t, func(t *testing.T) {
			errBroken := errors.New("a broken line")
			var begun atomic.Int64
			job := during(phase, func(context.Context) error {
				switch begun.Add(1) {
				case 1:
					time.Sleep(time.Second)
					return errBroken
				case 2:
					time.Sleep(1500 * time.Millisecond)
				default:
					time.Sleep(3 * time.Second)
				}
				return nil
			})
			var reduces atomic.Int64
			reduce := job.Reduce
			job.Reduce = func(ctx context.Context, key int, values []int) (int, error) {
				reduces.Add(1)
				return reduce(ctx, key, values)
			}

			start := time.Now()
			results, err := job.Run(context.Background(), numbers(100))
			took := time.Since(start)
			time.Sleep(time.Hour)

			require.Error(t, err, "a %s returned an error: Run must return it", phase)
			require.ErrorIs(t, err, errBroken, "a %s returned an error: Run must return it, wrapped or as it is", phase)
			require.Nil(t, results, "a %s returned an error: what has been done so far is not the answer, so Run must return nil and the error", phase)
			require.EqualValues(t, 3, begun.Load(), "3 calls of %s had begun when one of them returned an error: no other may begin", phase)
			if phase == "Map" {
				require.Zero(t, reduces.Load(), "a Map returned an error: Reduce must not be called")
			}
			require.Equal(t, 3*time.Second, took, "of 3 calls of %s one returned an error after 1s, and the last one ended after 3s: Run must return then", phase)
		})
	}
}

// The first error is the one that Run returns, and those who still run are told through ctx.
// What they say after that is an echo. The context through which they are told ends
// when Run returns, also if there was nothing to tell.
func TestFirstErrorIsTheCause(t *testing.T) {
	for _, phase := range []string{"Map", "Reduce"} {
		synctest.Test(t, func(t *testing.T) {
			errFirst, errLater := errors.New("the first error"), errors.New("a later error")
			var begun atomic.Int64
			var told atomic.Bool
			job := during(phase, func(ctx context.Context) error {
				switch begun.Add(1) {
				case 1: // stops when it is told to, and says so
					select {
					case <-ctx.Done():
						told.Store(true)
						return fmt.Errorf("told to stop: %w", ctx.Err())
					case <-time.After(time.Hour):
						return nil
					}
				case 2:
					time.Sleep(time.Second)
					return errFirst
				default: // does not look at ctx, and fails on its own account
					time.Sleep(2 * time.Second)
					return errLater
				}
			})
			_, err := job.Run(context.Background(), numbers(100))

			require.Error(t, err, "a %s returned an error: Run must return it", phase)
			require.True(t, told.Load(), "a %s returned an error: the context of the others must be cancelled, so that they can stop", phase)
			require.ErrorIs(t, err, errFirst, "of 3 calls of %s one failed after 1s, one stopped because it was told to, and one failed after 2s: Run must return the first error", phase)
			require.NotErrorIs(t, err, errLater, "two calls of %s failed, one 1s after the other: Run must return the first error, and that alone", phase)
			require.NotErrorIs(t, err, context.Canceled, "a %s failed, and another one stopped because it was told to: Run must return the first error, and that alone", phase)

			var mu sync.Mutex
			var given []context.Context
			job = during(phase, func(ctx context.Context) error {
				mu.Lock()
				defer mu.Unlock()
				given = append(given, ctx)
				return nil
			})
			ctx, stop := context.WithCancel(context.Background())
			defer stop()
			_, err = job.Run(ctx, numbers(3))
			require.NoError(t, err, "neither Map nor Reduce returned an error")
			require.NotEmpty(t, given, "%s was never called", phase)
			for _, ctx := range given {
				require.Error(t, ctx.Err(), "all went well, and Run has returned: the context that %s was given must have ended by now, or it stays attached to the ctx of Run for as long as that lasts", phase)
			}
		})
	}
}

// When ctx ends, nothing more begins, and Run returns ctx's error when all that had begun has ended.
// That no call has returned an error does not mean that all the work is done: a call
// that is told to stop may return nil.
func TestRunEndsWithItsCtx(t *testing.T) {
	errStop := errors.New("somebody pressed stop")
	for _, phase := range []string{"Map", "Reduce"} {
		for _, answer := range []string{"ctx's error", "nil"} {
			synctest.Test(t, func(t *testing.T) {
				var begun, before atomic.Int64
				var told atomic.Bool
				job := during(phase, func(ctx context.Context) error {
					if begun.Add(1) > 1 {
						time.Sleep(time.Second)
						return nil
					}
					select { // the first one stops when it is told to
					case <-ctx.Done():
						told.Store(true)
					case <-time.After(time.Hour):
					}
					if answer == "nil" {
						return nil
					}
					return ctx.Err()
				})

				ctx, stop := context.WithCancelCause(context.Background())
				defer stop(nil)
				time.AfterFunc(1500*time.Millisecond, func() {
					before.Store(begun.Load())
					stop(errStop)
				})
				start := time.Now()
				results, err := job.Run(ctx, numbers(100))
				took := time.Since(start)
				time.Sleep(time.Hour)

				requireCtxError(t, err, errStop, fmt.Sprintf("ctx ended while there was a lot left to %s, and the %[2]s that it told to stop returned %[3]s", strings.ToLower(phase), phase, answer))
				require.True(t, told.Load(), "ctx ended: the context that %s was given must end as well, so that it can stop", phase)
				require.Nil(t, results, "ctx ended in the middle of the work: there is no answer, so Run must return nil and ctx's error")
				require.Equal(t, before.Load(), begun.Load(), "ctx ended after 1.5s, when %d calls of %s had begun: no other may begin", before.Load(), phase)
				require.Equal(t, 2*time.Second, took, "ctx ended after 1.5s, and the calls of %s that had begun by then ended after 2s: Run must return then", phase)
			})
		}
	}

	// A select that may send and may give up takes either, as chance will have it. So
	// what follows is done many times.
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancelCause(context.Background())
		stop(errStop)
		var begun atomic.Int64
		job := mapreduce.Job[int, int, int, int]{
			Map: func(context.Context, int, mapreduce.Emit[int, int]) error {
				begun.Add(1)
				return nil
			},
			Reduce: func(context.Context, int, []int) (int, error) {
				begun.Add(1)
				return 0, nil
			},
			Mappers: 20, Reducers: 20,
		}
		for range 100 {
			results, err := job.Run(ctx, numbers(20))
			require.Zero(t, begun.Load(), "ctx had ended before Run was called: neither Map nor Reduce may be called, not even now and then")
			requireCtxError(t, err, errStop, "ctx had ended before Run was called")
			require.Nil(t, results, "ctx had ended before Run was called: Run must return nil and ctx's error")
		}
	})

	// On one processor, whoever hands out the work gets to it only when the one call
	// has ended, and another would be welcome.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for _, phase := range []string{"Map", "Reduce"} {
		synctest.Test(t, func(t *testing.T) {
			for range 50 {
				ctx, stop := context.WithCancelCause(context.Background())
				begun := 0
				work := func(when string) error {
					if when != phase {
						return nil
					}
					begun++
					switch begun {
					case 1:
						time.Sleep(time.Second)
					case 2:
						stop(errStop)
					}
					return nil
				}
				job := mapreduce.Job[int, int, int, int]{
					Map: func(_ context.Context, in int, emit mapreduce.Emit[int, int]) error {
						emit(in, in)
						return work("Map")
					},
					Reduce: func(_ context.Context, _ int, values []int) (int, error) {
						return len(values), work("Reduce")
					},
					Mappers: 1, Reducers: 1,
				}
				results, err := job.Run(ctx, numbers(5))
				require.Equal(t, 2, begun, "one %s at a time was called, and ctx ended during the second: no other may begin, not even now and then", phase)
				requireCtxError(t, err, errStop, fmt.Sprintf("ctx ended while there was something left to %s", strings.ToLower(phase)))
				require.Nil(t, results, "ctx ended in the middle of the work: there is no answer, so Run must return nil and ctx's error")
			}
		})
	}

	// To have asked ctx once, at the start, is not enough. This one ends when it has
	// been asked.
	synctest.Test(t, func(t *testing.T) {
		for range 100 {
			var begun, before atomic.Int64
			ctx, stop := context.WithCancelCause(context.Background())
			defer stop(nil)
			end := sync.OnceFunc(func() {
				before.Store(begun.Load())
				stop(errStop)
			})
			job := mapreduce.Job[int, int, int, int]{
				Map: func(context.Context, int, mapreduce.Emit[int, int]) error {
					begun.Add(1)
					return nil
				},
				Reduce:  count,
				Mappers: 20, Reducers: 1,
			}
			_, _ = job.Run(&endsWhenAsked{Context: ctx, end: end}, numbers(20))
			if ctx.Err() != nil { // or else it was never asked
				require.LessOrEqual(t, begun.Load()-before.Load(), int64(1), "Run asked ctx whether it had ended, and just after that it did: one Map may begin, if it was asked for that one, and no other, not even now and then")
			}
		}
	})
}

// A panic ends the job, and not the program: it is an error with a value and a stack.
func TestPanicIsAnError(t *testing.T) {
	for _, phase := range []string{"Map", "Reduce"} {
		synctest.Test(t, func(t *testing.T) {
			errBroken := errors.New("half a line")
			var begun atomic.Int64
			job := during(phase, func(context.Context) error {
				if begun.Add(1) == 1 {
					time.Sleep(time.Second)
					stumble(errBroken)
				}
				time.Sleep(3 * time.Second)
				return nil
			})
			start := time.Now()
			results, err := job.Run(context.Background(), numbers(100))
			took := time.Since(start)
			time.Sleep(time.Hour)

			requirePanicError(t, err, errBroken, phase)
			require.ErrorIs(t, err, errBroken, "a %s panicked with an error: errors.Is must find it in what Run returns", phase)
			require.Nil(t, results, "a %s panicked: Run must return nil and the error", phase)
			require.EqualValues(t, 3, begun.Load(), "3 calls of %s had begun when one of them panicked: no other may begin", phase)
			require.Equal(t, 3*time.Second, took, "of 3 calls of %s one panicked after 1s, and the others ended after 3s: Run must return then", phase)
		})
	}
}

// Step 6: a combiner

// With a combiner no more than one value for each mapper and key is passed on, and none is lost.
func TestCombinerLeavesOneValueForEachMapper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const files, lines, items = 23, 27, 5
		for mappers := 1; mappers <= 4; mappers++ {
			var calls, none, foreign atomic.Int64
			job := mapreduce.Job[int, int, sold, sold]{
				Map: func(_ context.Context, file int, emit mapreduce.Emit[int, sold]) error {
					time.Sleep(time.Second) // so that every mapper has its share
					for line := range lines {
						emit(line%items, sold{item: line % items, pieces: file + line, values: 1})
					}
					return nil
				},
				Combine: func(item int, values []sold) sold {
					calls.Add(1)
					if len(values) == 0 {
						none.Add(1)
					}
					sum := add(item, values)
					if slices.ContainsFunc(values, func(s sold) bool { return s.item != item }) {
						foreign.Add(1)
					}
					clear(values)
					sum.values = 1
					return sum
				},
				Reduce:  func(_ context.Context, item int, values []sold) (sold, error) { return add(item, values), nil },
				Mappers: mappers, Reducers: 3,
			}
			results, err := job.Run(context.Background(), numbers(files))

			require.NoError(t, err, "neither Map nor Reduce returned an error")
			require.NotZero(t, calls.Load(), "there was a Combine, and more than a hundred values for each key: it was never called")
			require.Len(t, results, items, "5 keys were emitted: there must be one result for each")
			require.Zero(t, foreign.Load(), "Combine was given values of several keys: it must get those of one key at a time")
			require.Zero(t, none.Load(), "Combine was given no values: there must be at least one")
			for item := range items {
				total, pieces := results[item], 0
				for file := range files {
					for line := item; line < lines; line += items {
						pieces += file + line
					}
				}
				require.Equal(t, pieces, total.pieces, "Mappers was %d, there were 23 files, and 5 or 6 pairs for key %d in each: the sum of all must be the same as without Combine", mappers, item)
				require.LessOrEqual(t, total.values, mappers, "Mappers was %d, and there was a Combine: Reduce must get no more than one value for each mapper; for key %d it got %d", mappers, item, total.values)
			}
		}

		job := during("Map", func(context.Context) error {
			time.Sleep(time.Second) // so that all of them begin to emit at this moment
			return nil
		})
		job.Combine = func(int, []int) int { stumble("no such item"); return 0 }
		_, err := job.Run(context.Background(), numbers(100))
		requirePanicError(t, err, "no such item", "Combine")
	})
}

// during returns a job with three mappers and three reducers in which each call of
// Map, or of Reduce, does what is given here. In the other phase nothing happens that
// would take time. After its work a Map emits a lot, whatever has come of it.
func during(phase string, work func(context.Context) error) mapreduce.Job[int, int, int, int] {
	job := mapreduce.Job[int, int, int, int]{
		Map: func(_ context.Context, in int, emit mapreduce.Emit[int, int]) error {
			emit(in, in)
			return nil
		},
		Reduce:  count,
		Mappers: 3, Reducers: 3,
	}
	switch phase {
	case "Map":
		job.Map = func(ctx context.Context, in int, emit mapreduce.Emit[int, int]) error {
			err := work(ctx)
			for i := range 2000 {
				emit(i%100, in)
			}
			return err
		}
	case "Reduce":
		job.Reduce = func(ctx context.Context, _ int, values []int) (int, error) {
			return len(values), work(ctx)
		}
	}
	return job
}

// count is a Reduce that says how many values there are.
func count(_ context.Context, _ int, values []int) (int, error) { return len(values), nil }

// numbers returns 0 to n-1.
func numbers(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

var carriers = []string{"post", "van", "bike", "tram", "boat", "train", "truck"}

// deliveries yields what was delivered on a day: by which carrier, in how many
// hours.
func deliveries(day int) func(yield func(carrier string, hours int) bool) {
	return func(yield func(string, int) bool) {
		for i := range 6 {
			if !yield(carriers[(day+i*i)%len(carriers)], (day*37+i*11)%100) {
				return
			}
		}
	}
}

// median returns the value in the middle.
func median(values []int) int {
	slices.Sort(values)
	return values[len(values)/2]
}

// sold is a number of pieces of an item, and of how many values it is the sum.
type sold struct{ item, pieces, values int }

func add(item int, values []sold) sold {
	sum := sold{item: item}
	for _, s := range values {
		sum.pieces += s.pieces
		sum.values += s.values
	}
	return sum
}

// stumble panics, in a function with a name to look for.
func stumble(v any) { panic(v) }

// requirePanicError requires that err is a PanicError with the value that stumble
// was given.
func requirePanicError(t *testing.T, err error, value any, function string) {
	t.Helper()
	require.Error(t, err, "a %s panicked: Run must return an error", function)
	var p *mapreduce.PanicError
	require.ErrorAs(t, err, &p, "a %s panicked: Run must return a *PanicError, wrapped or as it is", function)
	require.Equal(t, value, p.Value, "a %s panicked: the Value of the PanicError must be what it panicked with", function)
	require.True(t, strings.Contains(string(p.Stack), "stumble"), "a %s panicked in a function called stumble: that must be in the Stack of the PanicError, which is to say where it happened", function)
}

// requireCtxError requires that err is the error of a ctx that was cancelled with
// that cause.
func requireCtxError(t *testing.T, err, cause error, when string) {
	t.Helper()
	require.Error(t, err, "%s: Run must return ctx's error", when)
	require.True(t, errors.Is(err, context.Canceled) || errors.Is(err, cause), "%s: Run must return ctx.Err() or context.Cause(ctx), and not %q", when, err)
}

// gauge counts the calls that run at the same time.
type gauge struct {
	mu                sync.Mutex
	begun, most, runs int
}

// begin counts one more call, and returns what to do at its end.
func (g *gauge) begin() (end func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.begun++
	g.runs++
	g.most = max(g.most, g.runs)
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.runs--
	}
}

// meeting is where so many calls wait until all of them are there. If they have not
// come after two seconds, it is over, and nobody waits any more.
type meeting struct {
	mu      sync.Mutex
	missing int
	here    int
	over    chan struct{}
}

func newMeeting(n int) *meeting { return &meeting{missing: n, over: make(chan struct{})} }

func (m *meeting) wait() {
	select {
	case <-m.over: // and no lock is touched, which would keep the latecomers apart
		return
	default:
	}
	m.mu.Lock()
	if m.missing > 0 {
		m.missing--
		m.here++
		if m.missing == 0 {
			close(m.over)
		}
	}
	m.mu.Unlock()
	select {
	case <-m.over:
	case <-time.After(2 * time.Second):
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.missing > 0 {
			m.missing = 0
			close(m.over)
		}
	}
}

// size returns how many have waited for one another.
func (m *meeting) size() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.here
}

// endsWhenAsked is a ctx that ends when it has been asked for the first time whether
// it has ended, and has said no.
type endsWhenAsked struct {
	context.Context
	mu  sync.Mutex
	end func()
}

func (c *endsWhenAsked) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.end()
	return c.Context.Err()
}

// atLeastOne says what a number of mappers or reducers counts as, if that is not
// what it looks like.
func atLeastOne(n int) string {
	if n < 1 {
		return ", which counts as 1"
	}
	return ""
}

// requireReturn calls run, and fails the koan if it has not returned after an hour.
func requireReturn(t *testing.T, when string, run func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		run()
	}()
	select {
	case <-done:
	case <-time.After(time.Hour):
		require.Failf(t, "nothing happened for an hour", "%s: Run must return when all the work is done", when)
	}
}

// runSoon runs a job in real time. It fails the koan after five seconds, which it
// does not take when all is well.
func runSoon(t *testing.T, job mapreduce.Job[int, int, int, int], inputs []int) (results map[int]int, err error) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		results, err = job.Run(context.Background(), inputs)
	}()
	select {
	case <-done:
		return results, err
	case <-time.After(5 * time.Second):
		require.Fail(t, "nothing happened for five seconds", "Run must return when all the work is done")
		panic("unreachable")
	}
}

// verifyNoLeak checks that a koan which passed has left no goroutine behind, apart
// from those that a failed koan before it had.
func verifyNoLeak(t *testing.T, before goleak.Option) {
	t.Helper()
	if !t.Failed() {
		goleak.VerifyNone(t, before)
	}
}
