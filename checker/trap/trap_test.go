package trap_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"concurrency-koans/checker/trap"
)

// TestFind holds the finder to the files of testdata: on each line exactly the
// traps that its comments name.
func TestFind(t *testing.T) {
	files, err := filepath.Glob("testdata/*.go")
	require.NoError(t, err)
	seen := map[trap.Name]bool{}
	for _, path := range files {
		source, err := os.ReadFile(path)
		require.NoError(t, err)
		found := map[int][]trap.Name{}
		for _, x := range trap.Find(parse(t, path, source)) {
			found[x.Line] = append(found[x.Line], x.Name)
			seen[x.Name] = true
			require.NotEmpty(t, x.Says)
			require.Regexp(t, `^[A-Z].*\.$|^[a-z`+"`"+`].*\.$`, x.Says, "a sentence")
		}
		for i, line := range strings.Split(string(source), "\n") {
			var want []trap.Name
			for _, part := range strings.Split(line, "// trap: ")[1:] {
				want = append(want, trap.Name(strings.TrimSpace(part)))
			}
			assert.ElementsMatch(t, want, found[i+1], "%s:%d %s", path, i+1, line)
		}
	}
	require.GreaterOrEqual(t, len(seen), 36, "traps that the files hold")
}

func parse(t testing.TB, name string, source []byte) (*token.FileSet, *ast.File) {
	t.Helper()
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, source, parser.SkipObjectResolution|parser.ParseComments)
	require.NoError(t, err)
	return fset, file
}

// FuzzFind: whatever is Go, the finder does not panic on.
func FuzzFind(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.go")
	for _, path := range files {
		source, err := os.ReadFile(path)
		require.NoError(f, err)
		f.Add(source)
	}
	f.Fuzz(func(t *testing.T, source []byte) {
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, "", source, parser.SkipObjectResolution)
		if err != nil {
			return
		}
		for _, x := range trap.Find(fset, file) {
			require.Positive(t, x.Line)
		}
	})
}
