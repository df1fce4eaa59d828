package checker_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"

	"concurrency-koans/checker"
	"concurrency-koans/lessons"
	"concurrency-koans/solutions"
)

// A broken answer is one of the corpus that the diagnosis is measured by.
type broken struct {
	name   string // "01-pipeline/bare-send-in-map"
	lesson lessons.Lesson
	text   []byte
	kind   checker.Kind
	koan   string
	line   int // 0 where none in particular is to blame
}

// readBroken reads the corpus: every pitfall, and the answers of
// testdata/broken.
func readBroken(t *testing.T) []broken {
	t.Helper()
	all, err := lessons.Pristine()
	require.NoError(t, err)
	answers, err := solutions.Load(solutions.Embedded())
	require.NoError(t, err)
	var corpus []broken
	for _, l := range all {
		s, err := solutions.Find(answers, l.ID)
		require.NoError(t, err)
		edits := readEdits(t, l.ID)
		for _, p := range s.Pitfalls {
			e := edits["pitfall/"+p.Name]
			delete(edits, "pitfall/"+p.Name)
			corpus = append(corpus, broken{
				name: path.Join(l.ID, "pitfall", p.Name), lesson: l, text: p.Source,
				kind: checker.Kind(p.Kind), koan: p.Koan, line: lineOf(p.Source, strings.TrimSpace(e["line"])),
			})
		}
		for _, name := range slices.Sorted(maps.Keys(edits)) {
			e := edits[name]
			full := path.Join(l.ID, name)
			require.Equal(t, 1, bytes.Count(s.Reference, []byte(e["old"])), "%s: old text in the reference", full)
			text := bytes.Replace(s.Reference, []byte(e["old"]), []byte(e["new"]), 1)
			if e["import"] != "" {
				text = bytes.Replace(text, []byte("import (\n"), []byte("import (\n\t\""+strings.TrimSpace(e["import"])+"\"\n"), 1)
			}
			var kind, koan string
			_, err := fmt.Sscan(e["want"], &kind, &koan)
			require.NoError(t, err, "%s: want", full)
			corpus = append(corpus, broken{
				name: full, lesson: l, text: text,
				kind: checker.Kind(kind), koan: koan, line: lineOf(text, "// here"),
			})
		}
	}
	return corpus
}

// readEdits reads testdata/broken/LESSON.txtar: name, then part, then text.
func readEdits(t *testing.T, lesson string) map[string]map[string]string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "broken", lesson+".txtar"))
	require.NoError(t, err)
	edits := map[string]map[string]string{}
	for _, f := range txtar.Parse(data).Files {
		name, part := path.Split(f.Name)
		name = strings.TrimSuffix(name, "/")
		if edits[name] == nil {
			edits[name] = map[string]string{}
		}
		edits[name][part] = string(f.Data)
	}
	return edits
}

// lineOf returns the first line of text that ends in the given words, 0 if they
// are empty or no line does.
func lineOf(text []byte, end string) int {
	if end == "" {
		return 0
	}
	for i, line := range strings.Split(string(text), "\n") {
		if strings.HasSuffix(strings.TrimSpace(line), end) {
			return i + 1
		}
	}
	return 0
}

var measure = flag.Bool("measure", false, "measure the diagnosis by the whole corpus of broken answers, which takes minutes")

// TestBrokenCorpus holds the corpus to its form: each edit fits the reference,
// names a koan of its lesson and, unless it is not to compile, is Go.
func TestBrokenCorpus(t *testing.T) {
	corpus := readBroken(t)
	require.NotEmpty(t, corpus)
	for _, b := range corpus {
		require.True(t, slices.ContainsFunc(b.lesson.Koans, func(k lessons.Koan) bool { return k.Test == b.koan }), "%s: koan %s", b.name, b.koan)
		if b.kind != checker.Build {
			_, err := parser.ParseFile(token.NewFileSet(), b.name, b.text, 0)
			require.NoError(t, err)
		}
	}
}

// TestBrokenAnswers measures the diagnosis: of every broken answer it must name
// the koan and the kind, and in 95 of 100 the line that a teacher would point at.
//
//	go test ./checker -run BrokenAnswers -measure -v -timeout 60m
func TestBrokenAnswers(t *testing.T) {
	corpus := readBroken(t)
	if !*measure {
		corpus = slices.DeleteFunc(corpus, func(b broken) bool { return b.name != "01-pipeline/bare-send-in-map" })
	}
	var (
		mu            sync.Mutex // guards the counts
		kinds         int
		lines, placed int
		places        = make(chan struct{}, runtime.GOMAXPROCS(0))
	)
	t.Run("corpus", func(t *testing.T) {
		for _, b := range corpus {
			t.Run(b.name, func(t *testing.T) {
				t.Parallel()
				places <- struct{}{}
				defer func() { <-places }()
				c := &checker.Checker{}
				report, err := c.Check(context.Background(), checker.Package{
					Root:     root(t),
					Dir:      "lessons/" + b.lesson.ID,
					Answer:   b.lesson.Answer,
					Skeleton: b.lesson.Skeleton,
					Koans:    b.lesson.Tests,
					Replace:  b.text,
				})
				require.NoError(t, err)
				first, failed := report.FirstFailure()
				require.True(t, failed, "it passes")
				d := first.Diagnosis
				t.Logf("%s:%d %s %s: %s\n\t%s", d.File, d.Line, first.Test, d.Kind, d.Summary, strings.Join(d.Detail, "\n\t"))

				mu.Lock()
				defer mu.Unlock()
				if b.line > 0 {
					lines++
					if d.Line == b.line {
						placed++
					} else {
						t.Logf("wrong line: %d, want %d", d.Line, b.line)
					}
				}
				require.Equal(t, b.koan, first.Test, "the koan")
				require.Equal(t, b.kind, d.Kind, "the kind")
				kinds++
			})
		}
	})
	t.Logf("kind: right for %d of %d; line: right for %d of %d", kinds, len(corpus), placed, lines)
	require.GreaterOrEqual(t, 100*placed, 95*lines, "lines that are right")
}

// root is the module's folder.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("..")
	require.NoError(t, err)
	return dir
}
