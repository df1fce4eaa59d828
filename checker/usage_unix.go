//go:build unix && !linux

package checker

import (
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// usage sums up the processes of the group, as ps shows them: there is no /proc
// that every other Unix shares, but there is POSIX ps.
func (t *tree) usage() usage {
	var sum usage
	out, err := exec.Command("ps", "-A", "-o", "pgid=,rss=,time=").Output()
	if err != nil {
		return sum
	}
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) != 3 || f[0] != strconv.Itoa(t.group) {
			continue
		}
		kib, _ := strconv.ParseInt(f[1], 10, 64)
		sum.cpu += parseClock(f[2])
		sum.memory += kib << 10
		sum.processes++
	}
	return sum
}

// parseClock reads ps's processor time: [[dd-]hh:]mm:ss[.cc].
func parseClock(s string) time.Duration {
	var d time.Duration
	if days, rest, ok := strings.Cut(s, "-"); ok {
		n, _ := strconv.Atoi(days)
		d, s = time.Duration(n)*24*time.Hour, rest
	}
	var seconds float64
	for part := range strings.SplitSeq(s, ":") {
		n, _ := strconv.ParseFloat(part, 64)
		seconds = seconds*60 + n
	}
	return d + time.Duration(seconds*float64(time.Second))
}
