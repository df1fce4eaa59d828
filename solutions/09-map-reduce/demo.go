//go:build ignore

// A word count: mappers read the texts of the lessons, and then two reducers find
// the most frequent word for each first letter.
//
// Whichever mapper is free takes the next text. At the end some have nothing left to
// do, and still nobody reduces, since the text that is read last may have words for any
// letter. This is the barrier. Behind it, the letters are shared out. With --keys 0 all
// words have the same key, so one reducer does it all, and the other one rests.
//
// In real time it is soon over, for reading and counting take what they take. In
// virtual time they would take none, so there each text takes longer the longer it is.
package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	mapreduce "concurrency-koans/solutions/09-map-reduce"
	"concurrency-koans/solutions/demo"
)

func main() {
	demo.Main(demo.Program{
		Knobs: []demo.Knob{
			{Name: "items", Value: 12, Min: 1, Max: 12, Text: "texts to read"},
			{Name: "workers", Value: 4, Min: 1, Max: 8, Text: "mappers"},
			{Name: "slow", Value: 5, Min: 1, Max: 50, Text: "times that each text is read, as if it were so much longer"},
			{Name: "keys", Value: 1, Min: 0, Max: 2, Text: "first letters that make the key of a word; with 0, all words have the same one"},
		},
		Broken: []demo.Broken{
			{Pitfall: "taken-is-not-done", Text: "The reducer begins while somebody still reads, and misses words.", Sign: demo.Less("words"), Knobs: map[string]int{"keys": 0}},
			{Pitfall: "reduces-partials", Text: "Each mapper reduces what it has read itself, and of all the counts for a letter, one is kept.", Sign: demo.Less("words")},
			{Pitfall: "small-buffer", Text: "All mappers stop in the middle of a text, and nobody ever reduces.", Sign: demo.Ends(demo.Stuck), Knobs: map[string]int{"items": 4}},
		},
		Run: run,
	})
}

const (
	reducers = 2

	perByte = 2 * time.Microsecond  // to read it, in virtual time
	perWord = 20 * time.Microsecond // to reduce it, in virtual time
)

var letters = regexp.MustCompile(`[a-z]+`)

// A text is one input.
type text struct {
	number int
	file   string
}

// A summary is what is found out about the words of one key.
type summary struct {
	words int
	top   string // the most frequent one
	times int    // that it occurs
}

// A counter has the functions of the job, and the lanes on which they are drawn.
type counter struct {
	d        *demo.Demo
	mappers  *demo.Crew
	reducers *demo.Crew
	barrier  *demo.Lane
	kept     *demo.Gauge

	words atomic.Int64 // that have been emitted
	once  sync.Once
	began time.Time // when the first Reduce did
}

func run(ctx context.Context, d *demo.Demo) error {
	texts, err := find(d.Knob("items"))
	if err != nil {
		return err
	}
	c := &counter{
		d:        d,
		mappers:  d.Crew("mapper", d.Knob("workers")),
		barrier:  d.Lane("barrier"),
		reducers: d.Crew("reducer", reducers),
		kept:     d.Gauge("words kept", 0),
	}
	job := mapreduce.Job[text, string, string, summary]{Map: c.read, Reduce: c.reduce, Mappers: d.Knob("workers"), Reducers: reducers}
	groups, err := job.Run(ctx, texts)
	if err != nil {
		return err
	}
	var all summary
	for _, group := range groups {
		all.words += group.words
		// In whichever order the groups come, the outcome is the same.
		if cmp.Or(cmp.Compare(all.times, group.times), cmp.Compare(group.top, all.top)) < 0 {
			all.top, all.times = group.top, group.times
		}
	}
	d.Count("keys", len(groups))
	d.Count("words", all.words)
	d.Count(fmt.Sprintf("times %q", all.top), all.times)
	return nil
}

// find looks for the texts of the workbook.
func find(most int) ([]text, error) {
	pattern := filepath.Join("lessons", "*", "README.md")
	files, _ := filepath.Glob(pattern) // an error would be one of the pattern
	if len(files) == 0 {
		return nil, fmt.Errorf("there are no texts to read: no %s here, which should be the top folder of the workbook", pattern)
	}
	var texts []text
	for i, file := range files[:min(most, len(files))] {
		texts = append(texts, text{number: i + 1, file: file})
	}
	return texts, nil
}

// read is the Map: it emits the words of a text, each by its first letters.
func (c *counter) read(ctx context.Context, t text, emit mapreduce.Emit[string, string]) error {
	c.takes(ctx, time.Duration(t.number)*time.Millisecond) // or all mappers would begin at the same moment
	lane := c.mappers.Join()
	defer c.mappers.Leave(lane)
	lane.Work(strconv.Itoa(t.number))

	content, err := os.ReadFile(t.file)
	if err != nil {
		return err
	}
	for i, section := range strings.Split(string(content), "\n## ") {
		c.takes(ctx, c.d.Around(time.Duration(len(section)*c.d.Knob("slow"))*perByte, t.number, i))
		if ctx.Err() != nil {
			return ctx.Err()
		}
		times := c.d.Knob("slow")
		if c.d.Fast() {
			times = 1 // the wait above was for all of them
		}
		var words []string
		for range times {
			words = letters.FindAllString(strings.ToLower(section), -1)
		}
		for _, word := range words {
			emit(word[:min(c.d.Knob("keys"), len(word))], word)
		}
		c.words.Add(int64(len(words)))
		c.kept.Add(len(words))
	}
	return nil
}

// takes waits in virtual time, in which reading and counting take none.
func (c *counter) takes(ctx context.Context, long time.Duration) {
	if c.d.Fast() {
		_ = demo.Sleep(ctx, long) // whoever calls looks at ctx in the end
	}
}

// reduce is the Reduce: it sorts the words, so that equal ones stand side by side.
func (c *counter) reduce(ctx context.Context, first string, words []string) (summary, error) {
	c.once.Do(func() {
		c.began = time.Now()
		c.barrier.Mark(demo.Moment, "reducing begins")
	})
	lane := c.reducers.Join()
	defer c.reducers.Leave(lane)
	if c.d.Fast() {
		first = "" // two runs would not look the same, since who gets which is chance
	}
	lane.Work(first)
	c.takes(ctx, time.Until(c.done(len(words))))
	defer c.kept.Add(-len(words))

	slices.Sort(words)
	s := summary{words: len(words)}
	run := 0 // of equal words
	for i, word := range words {
		if i == 0 || word != words[i-1] {
			run = 0
		}
		if run++; run > s.times {
			s.top, s.times = word, run
		}
	}
	return s, ctx.Err()
}

// done is when a reducer is done in virtual time, if it has a group of so many words: when
// it has had its share of all words, or that group alone, if it is larger than that. A
// reducer waits for all of its groups in the first one, for their order is chance, too.
func (c *counter) done(words int) time.Time {
	return c.began.Add(perWord * time.Duration(max(words, int(c.words.Load())/reducers)))
}
