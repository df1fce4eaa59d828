package checker

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// answered is a session over an answer that is not run: what its koan has
// printed is given to diagnose.
func answered(answer string) *Session {
	return &Session{
		c:     &Checker{},
		p:     Package{Dir: "lessons/09-x", Answer: "x.go", Replace: []byte(answer), Koans: map[string][]byte{}},
		koans: []koan{{test: "TestX", file: "x_test.go", subject: "Work"}},
	}
}

func printed(text string) (*koanRun, *section) {
	return &koanRun{transcript: newTranscript("word", 1<<30), ending: ending{exit: 2}}, &section{test: "TestX", text: []byte(text), begun: 1}
}

const blocked = `package x

func Work(in chan int) {
	for range 10000 {
		go func() {
			<-in
		}()
	}
}
`

// TestUnknownWords: what no parser knows, as a later Go may print it, is told by
// the learner's own lines in it.
func TestUnknownWords(t *testing.T) {
	for name, text := range map[string]string{
		"another headline": "catastrophe! the scheduler is unhappy\n\nfiber #7 <parked>\n  x.Work in /home/me/lessons/09-x/x.go:6 (+0x1d)\n",
		"another dump":     "fatal error: all fibers are stalled\n\nfiber 7 [[awaiting channel]]:\n  at x.Work.func1 <lessons/09-x/x.go:6>\n",
		"another race":     "DATA RACE DETECTED\n  W 0xc000 by thread 7 x.go:6\n  R 0xc000 by thread 8 x.go:4\n",
	} {
		d := answered(blocked).diagnose(printed(text))
		require.NotEmpty(t, d.Summary, name)
		require.Equal(t, "lessons/09-x/x.go", d.File, name)
		require.Equal(t, 6, d.Line, name)
		require.Contains(t, d.Detail, "x.go:6   <-in", name)
		require.Equal(t, text, d.Raw)
	}
	// Without a word about the learner's file, the koan's subject is pointed at.
	d := answered(blocked).diagnose(printed("it is all over\n"))
	require.NotEmpty(t, d.Summary)
	require.Equal(t, 3, d.Line)
}

// manyGoroutines is a deadlock's dump with n goroutines, about a kilobyte each.
func manyGoroutines(n int) string {
	var b strings.Builder
	b.WriteString("panic: deadlock: all goroutines in bubble are blocked\n\n")
	for i := range n {
		fmt.Fprintf(&b, "goroutine %d gp=0xc0%08x m=nil [chan receive, synctest bubble 1, durable]:\n", i+10, i)
		for depth := range 10 {
			fmt.Fprintf(&b, "concurrency-koans/lessons/09-x.Work.func1(0x%x, {0x1, 0x2})\n\t/home/me/lessons/09-x/x.go:%d +0x1d fp=0x1 sp=0x2 pc=0x3\n", depth, 6)
		}
		b.WriteString("created by concurrency-koans/lessons/09-x.Work in goroutine 9\n\t/home/me/lessons/09-x/x.go:5 +0x2d\n\n")
	}
	return b.String()
}

func BenchmarkDiagnose(b *testing.B) {
	text := manyGoroutines(10_000)
	run, sec := printed(text)
	b.ReportAllocs()
	for b.Loop() {
		d := answered(blocked).diagnose(run, sec)
		if d.Kind != Deadlock || d.Line != 6 {
			b.Fatal(d.Kind, d.Line)
		}
	}
	b.ReportMetric(float64(len(text))/1e6, "MB")
}

// TestManyGoroutines: ten thousand goroutines are one thing that happened ten
// thousand times, and are told in a few lines.
func TestManyGoroutines(t *testing.T) {
	d := answered(blocked).diagnose(printed(manyGoroutines(10_000)))
	require.Equal(t, Deadlock, d.Kind)
	require.Equal(t, 6, d.Line)
	require.Contains(t, d.Summary, "10000 goroutines started at x.go:5")
	require.Less(t, len(d.Detail), 8)
}

// FuzzDiagnose: whatever was printed, it is told in a sentence.
func FuzzDiagnose(f *testing.F) {
	f.Add([]byte(manyGoroutines(2)))
	f.Add([]byte("panic: TODO(1): x\n\ngoroutine 7 [running]:\nx.Work()\n\t/lessons/09-x/x.go:6 +0x1\n"))
	f.Add([]byte("WARNING: DATA RACE\nWrite at 0x1 by goroutine 7:\n  x.Work()\n      /lessons/09-x/x.go:6 +0x1\n"))
	f.Add([]byte("fatal error: sync: unlock of unlocked mutex\n"))
	f.Add([]byte("    x_test.go:5: \n        \tError Trace:\tx_test.go:5\n        \tError:      \tNot equal: \n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		d := answered(blocked).diagnose(printed(string(text)))
		if d.Summary == "" || d.Kind == "" {
			t.Fatalf("nothing is told of %q", bytes.TrimSpace(text))
		}
	})
}
