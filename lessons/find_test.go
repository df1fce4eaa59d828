package lessons_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"concurrency-koans/lessons"
)

var curriculum = []lessons.Lesson{
	{ID: "01-pipeline", Number: 1, Name: "pipeline"},
	{ID: "02-fan-out-fan-in", Number: 2, Name: "fan-out-fan-in"},
	{ID: "03-worker-pool", Number: 3, Name: "worker-pool"},
	{ID: "06-pub-sub", Number: 6, Name: "pub-sub"},
	{ID: "08-rate-limiting", Number: 8, Name: "rate-limiting"},
	{ID: "10-singleflight", Number: 10, Name: "singleflight"},
	{ID: "11-event-sourcing", Number: 11, Name: "event-sourcing"},
}

func TestFind(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		"1":                          "01-pipeline",
		"01":                         "01-pipeline",
		"10":                         "10-singleflight",
		"pipeline":                   "01-pipeline",
		"Pipeline":                   "01-pipeline",
		" pipeline ":                 "01-pipeline",
		"pip":                        "01-pipeline",
		"p":                          "", // pipeline, pub-sub
		"pu":                         "06-pub-sub",
		"01-pipeline":                "01-pipeline",
		"01-PIP":                     "01-pipeline",
		"lessons/01-pipeline":        "01-pipeline",
		"./lessons/01-pipeline/":     "01-pipeline",
		"lessons/01-pipeline/a_b.go": "01-pipeline",
		"/home/ada lovelace/koans/lessons/01-pipeline": "01-pipeline",
		`.\lessons\01-pipeline\`:                       "01-pipeline",
		"lessons/pip":                                  "01-pipeline",
		"../06-pub-sub":                                "06-pub-sub",
		"fan":                                          "02-fan-out-fan-in",
		"0":                                            "", // a number that none has, and how five folders begin
		"7":                                            "",
		"-1":                                           "",
		"":                                             "",
		".":                                            "",
		"lessons":                                      "",
		"pool":                                         "",
	} {
		got, err := lessons.Find(curriculum, query)
		require.Equal(t, want, got.ID, "%q", query)
		require.Equal(t, want == "", err != nil, "%q: %v", query, err)
	}
}

func TestFindMiss(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		query      string
		fits, near []string
	}{
		{query: "p", fits: []string{"01-pipeline", "06-pub-sub"}},
		{query: "1-pipeline", near: []string{"01-pipeline"}},
		{query: "piepline", near: []string{"01-pipeline"}},
		{query: "02-fanout-fanin", near: []string{"02-fan-out-fan-in"}},
		{query: "pool", near: []string{"03-worker-pool"}},
		{query: "sub-pub", near: []string{"06-pub-sub"}},
		{query: "pubsub", near: []string{"06-pub-sub"}},
		{query: "ting", near: []string{"08-rate-limiting"}},
		{query: "single-fight", near: []string{"10-singleflight"}},
		{query: "quicksort"},
		{query: "7"},
		{query: ""},
	} {
		_, err := lessons.Find(curriculum, tt.query)
		var miss *lessons.QueryError
		require.ErrorAs(t, err, &miss, "%q", tt.query)
		require.Equal(t, "lesson", miss.Noun)
		require.Equal(t, tt.query, miss.Query)
		require.Equal(t, tt.fits, miss.Fits, "%q", tt.query)
		require.Equal(t, tt.near, miss.Near, "%q", tt.query)
		require.Len(t, miss.All, len(curriculum))
	}
}

func TestSection(t *testing.T) {
	t.Parallel()
	l := relay(t)
	for query, want := range map[string]string{
		"pitfalls":       "Pitfalls and how to avoid them",
		"PITFALL":        "Pitfalls and how to avoid them",
		"The contract":   "The contract",
		"the-contract":   "The contract",
		"the c":          "The contract",
		"contract":       "The contract",
		"cost":           "What it costs",
		"what":           "What it costs",
		"where":          "Where it is used",
		"in":             "In production", // a word, before the beginning of another
		"interview":      "Interview questions",
		"good practice ": "Good practice",
	} {
		got, err := l.Section(query)
		require.NoError(t, err, "%q", query)
		require.Equal(t, want, got.Title, "%q", query)
	}
}

func TestSectionMiss(t *testing.T) {
	t.Parallel()
	l := relay(t)
	for _, tt := range []struct {
		query      string
		fits, near []string
	}{
		{query: "the", fits: []string{"The problem", "The pattern", "The contract"}},
		{query: "it", fits: []string{"Where it is used", "What it costs"}},
		{query: "pitfals", near: []string{"Pitfalls and how to avoid them"}},
		{query: "appendix"},
	} {
		_, err := l.Section(tt.query)
		var miss *lessons.QueryError
		require.ErrorAs(t, err, &miss, "%q", tt.query)
		require.Equal(t, "section", miss.Noun)
		require.Equal(t, tt.fits, miss.Fits, "%q", tt.query)
		require.Equal(t, tt.near, miss.Near, "%q", tt.query)
		require.Len(t, miss.All, 9)
	}
}

// relay returns the lesson without fault.
func relay(t *testing.T) lessons.Lesson {
	t.Helper()
	all, err := lessons.Load(good(t))
	require.NoError(t, err)
	return all[0]
}

func ExampleFind() {
	all := []lessons.Lesson{
		{ID: "01-pipeline", Number: 1, Name: "pipeline"},
		{ID: "02-fan-out-fan-in", Number: 2, Name: "fan-out-fan-in"},
		{ID: "06-pub-sub", Number: 6, Name: "pub-sub"},
	}
	for _, query := range []string{"2", "pip", "lessons/06-pub-sub/pubsub.go", "p", "pipline", "sort"} {
		lesson, err := lessons.Find(all, query)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(lesson.ID)
	}
	// Output:
	// 02-fan-out-fan-in
	// 01-pipeline
	// 06-pub-sub
	// finding lesson "p": it fits 01-pipeline, 06-pub-sub
	// finding lesson "pipline": none is called so; near it is 01-pipeline
	// finding lesson "sort": none is called so; there is 01-pipeline, 02-fan-out-fan-in, 06-pub-sub
}
