package checker

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"concurrency-koans/checker/dump"
)

// siteOf returns the site of the line that ends in "// here".
func siteOf(t *testing.T, source string) site {
	t.Helper()
	s := &Session{scratch: t.TempDir(), p: Package{Root: "/root", Dir: "lessons/x", Answer: "x.go", Replace: []byte(source)}}
	for i, line := range strings.Split(source, "\n") {
		if strings.HasSuffix(line, "// here") {
			x, ok := s.site(dump.Frame{File: filepath.FromSlash("/root/lessons/x/x.go"), Line: i + 1})
			require.True(t, ok)
			return x
		}
	}
	t.Fatal("no line is marked")
	return site{}
}

// A few instructions have no line, and the runtime says that they are on line 1.
func TestLineOneIsInItsFunction(t *testing.T) {
	s := &Session{scratch: t.TempDir(), p: Package{Root: "/root", Dir: "lessons/x", Answer: "x.go", Replace: []byte(
		"package x\n\nfunc F() {\n\tn := 1\n\tfor n > 0 {\n\t}\n}\n\nfunc (p *P) G() {\n\tp.n++\n}\n")}}
	for _, tc := range []struct {
		function   string
		line, want int
	}{
		{"root/lessons/x.F", 1, 5},
		{"root/lessons/x.F", 4, 4},
		{"root/lessons/x.F[...].func1", 1, 5},
		{"root/lessons/x.(*P).G", 1, 9},
		{"root/lessons/x.H", 1, 1},
	} {
		f := dump.Frame{Func: tc.function, File: filepath.FromSlash("/root/lessons/x/x.go"), Line: tc.line}
		require.Equal(t, tc.want, s.located(f).Line, "%s on line %d", tc.function, tc.line)
	}
}

func TestWhyAGoroutineIsLeft(t *testing.T) {
	for name, tc := range map[string]struct{ state, source, what, why string }{
		"bare send": {
			"chan send", "package x\n\nfunc F(ctx context.Context, out chan int) {\n\tgo func() {\n\t\tout <- 1 // here\n\t}()\n}\n",
			"out", "The send on `out` is not in a select with <-ctx.Done(), so the end of ctx does not end it.",
		},
		"send without a context": {"chan send", "package x\n\nfunc F(out chan int) {\n\tout <- 1 // here\n}\n", "out", ""},
		"range": {
			"chan receive", "package x\n\nfunc F(in chan int) {\n\tfor v := range in { // here\n\t\t_ = v\n\t}\n}\n",
			"in", "No line here closes `in`.",
		},
		"range over what is closed": {
			"chan receive", "package x\n\nfunc F(in chan int) {\n\tgo close(in)\n\tfor range in { // here\n\t}\n}\n", "in", "",
		},
		"field": {
			"chan receive", "package x\n\nfunc (p *P) F() {\n\t<-p.done // here\n}\n\nfunc (p *P) G() {\n\tclose(p.done)\n}\n", "p.done", "",
		},
		"select without Done": {
			"select", "package x\n\nfunc F(ctx context.Context, a, b chan int) {\n\tselect { // here\n\tcase <-a:\n\tcase b <- 1:\n\t}\n}\n",
			"", "The select has no case for <-ctx.Done(), so the end of ctx does not end it.",
		},
		"select with Done": {
			"select", "package x\n\nfunc F(ctx context.Context, a chan int) {\n\tselect { // here\n\tcase <-a:\n\tcase <-ctx.Done():\n\t}\n}\n",
			"", "The select would end with its ctx, but nobody has ended that.",
		},
		"nil channel": {
			"chan send (nil chan)", "package x\n\nfunc F() {\n\tvar out chan int\n\tout <- 1 // here\n}\n", "out", "The channel `out` was never made.",
		},
	} {
		x := siteOf(t, tc.source)
		require.Equal(t, tc.what, x.awaited(tc.state), name)
		require.Equal(t, tc.why, x.whyLeft(dump.Goroutine{State: tc.state}), name)
	}
}

func TestWhyALockIsNotFree(t *testing.T) {
	for name, tc := range map[string]struct{ body, why string }{
		"twice":                 {"p.mu.Lock()\n\tp.mu.Lock() // here\n\tp.mu.Unlock()", "This goroutine has locked `p.mu` before, on line 4, and a mutex cannot be locked twice."},
		"never unlocked":        {"p.mu.Lock() // here", "F locks `p.mu`, and no line of it unlocks it."},
		"unlocked between":      {"p.mu.Lock()\n\tp.mu.Unlock()\n\tp.mu.Lock() // here\n\tp.mu.Unlock()", ""},
		"unlocked at the end":   {"defer p.mu.Unlock()\n\tp.mu.Lock()\n\tp.mu.Lock() // here", "This goroutine has locked `p.mu` before, on line 5, and a mutex cannot be locked twice."},
		"by another goroutine":  {"go func() { p.mu.Lock() }()\n\tp.mu.Lock() // here\n\tp.mu.Unlock()", ""},
		"another mutex":         {"q.mu.Lock()\n\tp.mu.Lock() // here\n\tp.mu.Unlock()", ""},
		"in a nested statement": {"if true {\n\t\tp.mu.Lock()\n\t}\n\tp.mu.Lock() // here\n\tp.mu.Unlock()", "This goroutine has locked `p.mu` before, on line 5, and a mutex cannot be locked twice."},
	} {
		x := siteOf(t, "package x\n\nfunc (p *P) F() {\n\t"+tc.body+"\n}\n")
		require.Equal(t, tc.why, x.whyLocked("sync.Mutex.Lock"), name)
	}
}

func TestWhatALineShares(t *testing.T) {
	for line, want := range map[string]string{
		"total++":                  "total",
		"results[i] = v":           "results[i]",
		"p.shut = true":            "p.shut",
		"v := total":               "",
		"all = append(all, total)": "all",
	} {
		x := siteOf(t, "package x\n\nfunc F() {\n\t"+line+" // here\n}\n")
		require.Equal(t, want, x.written(), line)
	}
	require.True(t, siteOf(t, "package x\n\nfunc F() {\n\tif p.shut { // here\n\t}\n}\n").mentions("p.shut"))
	require.False(t, siteOf(t, "package x\n\nfunc F() {\n\tif p.shutting { // here\n\t}\n}\n").mentions("p.shut"))
}

func TestWhereAChannelWasClosed(t *testing.T) {
	x := siteOf(t, "package x\n\nfunc F(out chan int) {\n\tclose(out)\n\tselect { // here\n\tcase out <- 1:\n\t}\n}\n\nfunc G(out chan int) { close(out) }\n")
	require.Equal(t, "out", x.sends())
	require.Equal(t, []int{4}, x.closes("out"), "the other function's out is another channel")
	require.Equal(t, "out", siteOf(t, "package x\n\nfunc F(out chan int) {\n\tdefer close(out) // here\n}\n").closedHere())
}
