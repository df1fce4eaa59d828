package picture

import (
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/stretchr/testify/require"

	"concurrency-koans/solutions/demo"
)

var update = flag.Bool("update", false, "write what is drawn to testdata")

// kitchen is a record with all that can be in one: two cooks, of whom one comes
// later, a waiter who drops a plate, and the plates that wait, one too many.
func kitchen() []demo.Event {
	const ms = time.Millisecond
	lane := func(at time.Duration, who string, s demo.State, text string) demo.Event {
		return demo.Event{At: at, Kind: demo.Changes, Who: who, State: s, Text: text}
	}
	plates := func(at time.Duration, n float64) demo.Event {
		return demo.Event{At: at, Kind: demo.Counts, Who: "plates", Value: n}
	}
	return []demo.Event{
		{Kind: demo.Begins, About: &demo.About{Seed: 1}},
		{Kind: demo.Appears, Who: "cook 1", Group: "cook"},
		{Kind: demo.Appears, Who: "waiter"},
		{Kind: demo.Appears, Who: "plates", Limit: 2, Group: "gauge"},
		lane(0, "cook 1", demo.Working, "1"),
		lane(0, "waiter", demo.Receiving, ""),
		lane(100*ms, "cook 1", demo.Working, "soup"),
		plates(100*ms, 1),
		{At: 150 * ms, Kind: demo.Appears, Who: "cook 2", Group: "cook"},
		lane(150*ms, "cook 2", demo.Waiting, "a pan"),
		lane(200*ms, "cook 2", demo.Working, "10"),
		lane(200*ms, "waiter", demo.Working, "1"),
		plates(200*ms, 0),
		plates(210*ms, 3),
		{At: 250 * ms, Kind: demo.Happens, Who: "waiter", Mark: demo.Drop, Text: "a plate"},
		{At: 250 * ms, Kind: demo.Happens, Who: "waiter", Mark: demo.Moment, Text: "a noise"},
		plates(260*ms, 2),
		{At: 300 * ms, Kind: demo.Happens, Who: "cook 1", Mark: demo.Moment, Text: "tea"},
		lane(320*ms, "cook 1", demo.Sending, ""),
		lane(380*ms, "cook 1", demo.Gone, ""),
		lane(390*ms, "waiter", demo.Resting, ""),
		{At: 400 * ms, Kind: demo.Results, Who: "served", Value: 2, Text: "2"},
		{At: 400 * ms, Kind: demo.Over, Outcome: demo.Done},
	}
}

func draw(events []demo.Event) *Picture {
	p := &Picture{}
	for _, e := range events {
		p.Add(e)
	}
	return p
}

// TestDrawings holds drawings to golden ones, which were looked at. After a change that you mean,
// run it with -update and read what git shows.
func TestDrawings(t *testing.T) {
	p := draw(kitchen())
	plain := func(v View) string { return ansi.Strip(strings.Join(p.Lines(v), "\n")) + "\n" }
	for name, got := range map[string]string{
		"kitchen-80.txt":    plain(View{Width: 80, Unicode: true}),
		"kitchen-50.txt":    plain(View{Width: 50, Unicode: true}),
		"kitchen-ascii.txt": plain(View{Width: 80}),
		"kitchen-long.txt":  plain(View{Width: 80, Unicode: true, Span: time.Second}),
		"kitchen-most.txt":  plain(View{Width: 80, Unicode: true, Most: 1}),
		"kitchen.svg":       p.SVG("A <kitchen>"),
	} {
		t.Run(name, func(t *testing.T) {
			golden := filepath.Join("testdata", name)
			if *update {
				require.NoError(t, os.WriteFile(golden, []byte(got), 0o644))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			require.Equal(t, string(want), got)
		})
	}
}

// Whatever the width, nothing is wider, and nothing is drawn beyond the end.
func TestDrawingsKeepTheirWidth(t *testing.T) {
	p := draw(kitchen())
	for width := 50; width < 200; width++ {
		for _, line := range p.Lines(View{Width: width, Unicode: true}) {
			require.LessOrEqual(t, ansi.StringWidth(line), width, line)
		}
	}
}

// Every picture of a record that has only begun can be drawn, as when it grows.
func TestDrawingsGrow(t *testing.T) {
	all := kitchen()
	for n := range all {
		p := draw(all[:n])
		require.NotEmpty(t, p.Lines(View{Width: 80}))
		d := xml.NewDecoder(strings.NewReader(p.SVG("so far")))
		for {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else {
				require.NoError(t, err)
			}
		}
	}
}

func TestSigns(t *testing.T) {
	run := func(end demo.Outcome, served float64) *Picture {
		return draw([]demo.Event{
			{Kind: demo.Results, Who: "served", Value: served},
			{Kind: demo.Over, Outcome: end},
		})
	}
	right := run(demo.Done, 5)
	for _, tc := range []struct {
		sign  demo.Sign
		wrong *Picture
		want  bool
	}{
		{demo.More("served"), run(demo.Done, 6), true},
		{demo.More("served"), run(demo.Done, 5), false},
		{demo.Less("served"), run(demo.Done, 4), true},
		{demo.Less("served"), run(demo.Done, 5), false},
		{demo.Less("eaten"), run(demo.Done, 4), false},
		{demo.Ends(demo.Stuck), run(demo.Stuck, 5), true},
		{demo.Ends(demo.Stuck), run(demo.Done, 5), false},
	} {
		require.Equal(t, tc.want, tc.wrong.Shows(tc.sign, right), "%+v", tc.sign)
	}
}

// A record that ends because nothing happens any more is drawn with a little of that
// nothing, and not with all of it.
func TestStuckIsDrawnShort(t *testing.T) {
	p := draw([]demo.Event{
		{Kind: demo.Appears, Who: "one"},
		{At: time.Second, Kind: demo.Changes, Who: "one", State: demo.Waiting},
		{At: time.Hour, Kind: demo.Over, Outcome: demo.Stuck},
	})
	require.Equal(t, 1100*time.Millisecond, p.Span())
}
