package proof

import (
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"

	"concurrency-koans/lessons"
	"concurrency-koans/solutions"
)

// A fixture is the workbook of testdata/sum.txtar, written out.
type fixture struct {
	Plan
	files map[string][]byte
}

func newFixture(t *testing.T) fixture {
	t.Helper()
	archive, err := txtar.ParseFile("testdata/sum.txtar")
	require.NoError(t, err)
	all, err := txtar.FS(archive)
	require.NoError(t, err)
	root := t.TempDir()
	require.NoError(t, os.CopyFS(root, all))
	for _, name := range []string{"go.mod", "go.sum"} {
		data, err := os.ReadFile(filepath.Join("..", "..", name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(root, name), data, 0o600))
	}

	f := fixture{files: map[string][]byte{}}
	for _, file := range archive.Files {
		f.files[file.Name] = file.Data
	}
	s := solutions.Solution{Lesson: "01-sum", File: "sum.go", Reference: f.files["solutions/01-sum/sum.go"]}
	for _, file := range archive.Files {
		switch name := strings.TrimSuffix(path.Base(file.Name), ".go"); path.Dir(file.Name) {
		case "alternatives":
			s.Alternatives = append(s.Alternatives, solutions.Alternative{Name: name, Source: file.Data})
		case "pitfalls":
			s.Pitfalls = append(s.Pitfalls, f.pitfall(t, file.Name))
		}
	}
	f.Plan = Plan{
		Root: root,
		Lessons: []lessons.Lesson{{
			ID:       "01-sum",
			Answer:   "sum.go",
			Skeleton: f.files["lessons/01-sum/sum.go"],
			Tests:    map[string][]byte{"sum_test.go": f.files["lessons/01-sum/sum_test.go"]},
			Koans:    []lessons.Koan{{Test: "TestSumAdds"}, {Test: "TestSumOverlaps"}},
			Sections: []lessons.Section{
				{Title: "The problem", Body: "### `elsewhere`"},
				{Title: "Pitfalls and how to avoid them", Body: "### `one-by-one`\n\nA loop.\n\n### `unlocked`\n\n### `copied-lock`\n\n### `no-result`\n\nNo."},
			},
		}},
		Solutions: []solutions.Solution{s},
		Runs:      2,
	}
	return f
}

// pitfall makes a pitfall of a file in the form that solutions.Load expects.
func (f fixture) pitfall(t *testing.T, file string) solutions.Pitfall {
	t.Helper()
	src := f.files[file]
	want, _, _ := strings.Cut(string(src), "\n")
	words := strings.Fields(want)
	require.Len(t, words, 4, "%s begins with // want: kind koan", file)
	return solutions.Pitfall{
		Name:   strings.TrimSuffix(path.Base(file), ".go"),
		Kind:   words[2],
		Koan:   words[3],
		Source: src,
	}
}
