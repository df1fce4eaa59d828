package live_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	live "concurrency-koans/checker/testdata/live"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Step 1: send

// What is sent arrives.
func TestSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []int
		for v := range live.Send(t.Context(), 3) {
			got = append(got, v)
		}
		require.Equal(t, []int{0, 1, 2}, got, "Send was asked for three values")
	})
}

// Who is not read from gives up.
func TestSendStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		live.Send(ctx, 3)
		synctest.Wait()
		cancel()
	})
}

// Step 2: count

// Every goroutine counts.
func TestCount(t *testing.T) {
	require.Equal(t, 4, live.Count(4), "Count was given 4 goroutines")
}

// A counter leaves nobody behind.
func TestCountLeavesNobody(t *testing.T) {
	defer goleak.VerifyNone(t)
	require.Equal(t, 2, live.Count(2), "Count was given 2 goroutines")
}
