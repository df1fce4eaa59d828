package solutions_test

import (
	"context"
	"errors"
	"flag"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"concurrency-koans/checker"
	"concurrency-koans/lessons"
	"concurrency-koans/solutions"
	"concurrency-koans/solutions/proof"
)

var (
	runs = flag.Int("runs", 2, "prove each claim with `n` runs; the full proof takes 200")
	load = flag.Bool("load", false, "keep every core busy meanwhile")
)

// TestProof proves the workbook as it is on disk. Each claim is a test of its
// own, so that -run selects: -run TestProof/01-pipeline/pitfall. The full proof
// takes longer than go test waits by default:
//
//	go test ./solutions -run TestProof -runs 200 -load -timeout 6h
//
// A machine without the race detector proves nothing, and the test fails.
func TestProof(t *testing.T) {
	plan := readPlan(t)
	ctx := untilDeadline(t)
	if *load {
		burden(t)
	}
	var engine checker.Checker
	// The tests of a package may run as many at once as there are cores, which
	// is more than the proof's promise.
	slots := make(chan struct{}, proof.AtOnce)
	for _, claim := range plan.Claims() {
		t.Run(claim.String(), func(t *testing.T) {
			t.Parallel()
			slots <- struct{}{}
			defer func() { <-slots }()
			result, err := plan.Prove(ctx, &engine, claim)
			if machine := (*checker.EnvironmentError)(nil); errors.As(err, &machine) {
				t.Fatalf("%v\n%s", err, machine.Remedy)
			}
			require.NoError(t, err)
			if result.Fault != "" {
				t.Error(result.Fault)
			}
		})
	}
}

func readPlan(t *testing.T) proof.Plan {
	t.Helper()
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	taught, err := lessons.Load(os.DirFS(filepath.Join(root, "lessons")))
	require.NoError(t, err)
	solved, err := solutions.Load(solutions.Embedded())
	require.NoError(t, err)
	plan := proof.Plan{Root: root, Lessons: taught, Solutions: solved, Runs: *runs}
	if testing.Short() {
		plan.Runs = 1
	}
	return plan
}

// untilDeadline returns a context that ends before go test gives up on the
// process, or when it is interrupted: koans that a killed test has left would
// run on.
func untilDeadline(t *testing.T) context.Context {
	ctx, stop := signal.NotifyContext(t.Context(), os.Interrupt)
	t.Cleanup(stop)
	if deadline, ok := t.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadlineCause(ctx, deadline.Add(-10*time.Second), errOutOfTime)
		t.Cleanup(cancel)
	}
	return ctx
}

var errOutOfTime = errors.New("out of time: give go test a longer -timeout")

// burden competes with the koans for every core until the test ends.
func burden(t *testing.T) {
	ctx := t.Context()
	for range runtime.NumCPU() {
		go func() {
			for ctx.Err() == nil {
			}
		}()
	}
}
