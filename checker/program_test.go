package checker

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// programs are main packages that are nowhere on the disk, by their folder.
var programs = map[string]string{
	"says": `import ("bufio"; "fmt"; "os")
func main() {
	fmt.Println("args", os.Args[1:], os.Getenv("WORD"))
	fmt.Fprintln(os.Stderr, "to the other output")
	w := bufio.NewWriter(os.Stdout)
	w.WriteString("without an end")
	w.Flush()
	os.Exit(3)
}`,
	"spins": `func main() { for { } }`,
	"waits": `import ("fmt"; "os"; "os/signal")
func main() {
	c := make(chan os.Signal, 1)
	signal.Notify(c, os.Interrupt)
	fmt.Println("ready")
	<-c
	fmt.Println("gone")
}`,
	"broken": `func main() { return 1 }`,
}

// buildProgram builds one of the programs in a module that has nothing else.
func buildProgram(t *testing.T, name string) (*Built, error) {
	t.Helper()
	root := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(root, "go.mod"), []byte("module m\n\ngo 1.26.0\n"), 0o600))
	return new(Checker).Build(t.Context(), Program{
		Root:   root,
		Target: "./" + name,
		Files:  map[string][]byte{name + "/main.go": []byte("package main\n" + programs[name])},
	})
}

func TestProgramsRun(t *testing.T) {
	b, err := buildProgram(t, "says")
	require.NoError(t, err)
	defer b.Close()
	var lines []string
	end, err := b.Run(t.Context(), Run{
		Args: []string{"a", "b"}, Env: []string{"WORD=w"},
		Line: func(line []byte) { lines = append(lines, string(line)) },
	})
	require.NoError(t, err)
	require.Equal(t, Ending{Status: 3}, end)
	require.Equal(t, []string{"args [a b] w", "to the other output", "without an end"}, lines)
}

func TestProgramsMustCompile(t *testing.T) {
	_, err := buildProgram(t, "broken")
	var complaint *CompileError
	require.ErrorAs(t, err, &complaint)
	require.Contains(t, complaint.Output, "too many return values")
}

func TestProgramsHaveLimits(t *testing.T) {
	b, err := buildProgram(t, "spins")
	require.NoError(t, err)
	defer b.Close()
	limits := DefaultLimits
	limits.CPU = 50 * time.Millisecond
	end, err := b.Run(t.Context(), Run{Limits: limits})
	require.NoError(t, err)
	require.Equal(t, "time", end.Over)
}

// With a grace, a program may end by itself when ctx does; else it is killed.
func TestProgramsAreInterrupted(t *testing.T) {
	b, err := buildProgram(t, "waits")
	require.NoError(t, err)
	defer b.Close()
	for _, tc := range []struct {
		grace time.Duration
		want  []string
	}{
		{time.Minute, []string{"ready", "gone"}},
		{0, []string{"ready"}},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		var lines []string
		_, err := b.Run(ctx, Run{Grace: tc.grace, Line: func(line []byte) {
			lines = append(lines, string(line))
			cancel()
		}})
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, tc.want, lines)
	}
}
