package assertion

import (
	"fmt"
	"strings"
)

// compareLists tells two long lists apart by what a learner would look for.
//
//	the first 3 of 50 are right, then: expected 3, got 90
//	missing 3; extra 90
func compareLists(expected, got []string) []string {
	same := 0
	for same < len(expected) && same < len(got) && expected[same] == got[same] {
		same++
	}
	right := fmt.Sprintf("the first %d of %d are right, then", same, len(expected))
	switch same {
	case 0:
		right = fmt.Sprintf("the first of %d is wrong", len(expected))
	case 1:
		right = fmt.Sprintf("the first of %d is right, then", len(expected))
	case len(expected):
		right = fmt.Sprintf("all %d are right, then", same)
	}
	var lines []string
	switch {
	case same == len(got):
		lines = []string{right + " nothing more came"}
	case same == len(expected):
		lines = []string{right + " more came"}
	default:
		lines = []string{fmt.Sprintf("%s: expected %s, got %s", right, expected[same], got[same])}
		if wide(lines[0]) > lineWidth {
			lines = append([]string{right}, pair(around(expected[same], got[same]))...)
		}
	}
	missing, extra := difference(expected, got)
	if len(missing)+len(extra) == 0 {
		return append(lines, fmt.Sprintf("the same %d items, in another order", len(got)))
	}
	both := differenceLines(missing, extra)
	if len(both) == 2 {
		line := "missing " + strings.Join(missing, ", ") + "; extra " + strings.Join(extra, ", ")
		if wide(line) <= lineWidth {
			both = []string{line}
		}
	}
	return append(lines, both...)
}

// difference returns what only one of two lists has, each as often as it has
// it more.
func difference(expected, got []string) (missing, extra []string) {
	count := map[string]int{}
	for _, v := range got {
		count[v]++
	}
	for _, v := range expected {
		if count[v]--; count[v] < 0 {
			missing = append(missing, v)
		}
	}
	count = map[string]int{}
	for _, v := range expected {
		count[v]++
	}
	for _, v := range got {
		if count[v]--; count[v] < 0 {
			extra = append(extra, v)
		}
	}
	return missing, extra
}

// differenceLines tells what came too little and what came too much.
//
//	missing   3, 4
//	extra     9
func differenceLines(missing, extra []string) (lines []string) {
	if len(missing) > 0 {
		lines = append(lines, "missing   "+series(missing))
	}
	if len(extra) > 0 {
		lines = append(lines, "extra     "+series(extra))
	}
	return lines
}

// series joins what has room.
//
//	50, 51, 52, 53, … (50 items)
func series(items []string) string {
	if all := strings.Join(items, ", "); wide(all) <= room || len(items) == 1 {
		return shorten(all, room)
	}
	end := fmt.Sprintf("… (%s)", itemsWord(len(items)))
	line := ""
	for _, item := range items {
		if wide(line)+wide(item)+2+wide(end) > room {
			break
		}
		line += item + ", "
	}
	if line == "" {
		line = shorten(items[0], room-wide(end)-2) + ", "
	}
	return line + end
}

// listing prints a long list without its middle.
//
//	[0 1 2 3 … 49] (50 items)
func listing(items []string) string {
	last := items[len(items)-1]
	end := fmt.Sprintf("… %s] (%s)", last, itemsWord(len(items)))
	if wide(end) > room/2 {
		end = fmt.Sprintf("…] (%s)", itemsWord(len(items)))
	}
	line := "["
	for _, item := range items {
		if wide(line)+wide(item)+1+wide(end) > room {
			break
		}
		line += item + " "
	}
	if line == "[" {
		line += shorten(items[0], room-wide(end)-2) + " "
	}
	return line + end
}

func itemsWord(n int) string {
	if n == 1 {
		return "1 item"
	}
	return fmt.Sprintf("%d items", n)
}
