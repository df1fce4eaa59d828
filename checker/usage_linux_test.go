package checker

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParseStat(t *testing.T) {
	group, use := parseStat([]byte("4711 (a ) test) S 1 4710 4710 0 -1 4194304 310 0 0 0 7 2 0 0 20 0 5 0 1234 5678901 42 18446744073709551615 1 1\n"))
	require.Equal(t, 4710, group)
	require.Equal(t, 90*time.Millisecond, use.cpu)
	require.EqualValues(t, 42*os.Getpagesize(), use.memory)

	group, _ = parseStat([]byte("garbage"))
	require.Zero(t, group)
}
