package checker

import (
	"bytes"
	"os"
	"strconv"
	"time"
)

// clockTick is the unit of times in /proc/PID/stat: USER_HZ, which is 100 on
// every architecture that Go supports (see proc_pid_stat(5)).
const clockTick = 10 * time.Millisecond

// usage sums up the processes of the group. A process that ends meanwhile does
// not count.
func (t *tree) usage() usage {
	var sum usage
	proc, err := os.Open("/proc")
	if err != nil {
		return sum
	}
	defer proc.Close()
	names, _ := proc.Readdirnames(-1) // what could be read is measured
	for _, name := range names {
		if name[0] < '0' || name[0] > '9' {
			continue
		}
		stat, err := os.ReadFile("/proc/" + name + "/stat")
		if err != nil {
			continue
		}
		if group, use := parseStat(stat); group == t.group {
			sum.cpu += use.cpu
			sum.memory += use.memory
			sum.processes++
		}
	}
	return sum
}

// parseStat reads a line of /proc/PID/stat:
//
//	4711 (a.test) S 1 4711 4711 0 -1 4194304 310 0 0 0 7 2 0 0 20 0 5 0 …
//
// The name in parentheses may hold anything, so fields are counted from the
// last one: process group is field 5, utime 14, stime 15, rss (pages) 24.
func parseStat(stat []byte) (group int, use usage) {
	i := bytes.LastIndexByte(stat, ')')
	if i < 0 {
		return 0, usage{}
	}
	fields := bytes.Fields(stat[i+1:]) // fields[0] is field 3
	if len(fields) < 22 {
		return 0, usage{}
	}
	num := func(field int) int64 {
		n, _ := strconv.ParseInt(string(fields[field-3]), 10, 64)
		return n
	}
	return int(num(5)), usage{
		cpu:    time.Duration(num(14)+num(15)) * clockTick,
		memory: num(24) * int64(os.Getpagesize()),
	}
}
