package checker_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"

	"concurrency-koans/checker"
	"concurrency-koans/checker/trap"
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
	lines  []int // those that a teacher would point at; none where no line in particular is to blame
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
				kind: checker.Kind(p.Kind), koan: p.Koan, lines: linesOf(p.Source, e["line"]),
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
				kind: checker.Kind(kind), koan: koan, lines: linesOf(text, "// here\n"+e["also"]),
			})
		}
	}
	return corpus
}

// readEdits reads testdata/broken/LESSON.txtar: name, then part, then text. Of a
// lesson that has none, the pitfalls are the corpus, and no lines are known.
func readEdits(t *testing.T, lesson string) map[string]map[string]string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "broken", lesson+".txtar"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
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

// linesOf returns the lines of text that end in one of the given lines.
func linesOf(text []byte, ends string) (lines []int) {
	for i, line := range strings.Split(string(text), "\n") {
		for end := range strings.Lines(ends) {
			if end = strings.TrimSpace(end); end != "" && strings.HasSuffix(strings.TrimSpace(line), end) {
				lines = append(lines, i+1)
				break
			}
		}
	}
	return lines
}

// within reports whether line b belongs to the function that line a is in, or
// to one that it calls, as far as names tell.
func within(t *testing.T, text []byte, a, b int) bool {
	t.Helper()
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "", text, parser.SkipObjectResolution)
	require.NoError(t, err)
	bodies := map[string]*ast.FuncDecl{}
	var at, want *ast.FuncDecl
	for _, d := range file.Decls {
		decl, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		bodies[decl.Name.Name] = decl
		from, to := fset.Position(decl.Pos()).Line, fset.Position(decl.End()).Line
		if from <= a && a <= to {
			at = decl
		}
		if from <= b && b <= to {
			want = decl
		}
	}
	if at == nil || want == nil {
		return false
	}
	reached := []*ast.FuncDecl{at}
	for i := 0; i < len(reached); i++ {
		ast.Inspect(reached[i], func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok && bodies[id.Name] != nil && !id.IsExported() && !slices.Contains(reached, bodies[id.Name]) {
				reached = append(reached, bodies[id.Name])
			}
			return true
		})
	}
	return slices.Contains(reached, want)
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
// the koan and the kind, and in 95 of 100 the place that a teacher would point
// at. That is a line. Where a wrong value has come out and no line can be told
// from it, it is the function that holds the line, or the one that calls it.
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
		lines, placed int // broken answers with a line, and those whose line was named
		inside        int // wrong values of which the function was named
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
				switch lines += min(len(b.lines), 1); {
				case len(b.lines) == 0:
				case slices.Contains(b.lines, d.Line):
					placed++
				case d.Kind == checker.Assertion && within(t, b.text, d.Line, b.lines[0]):
					inside++
				default:
					t.Logf("wrong line: %d, want %v", d.Line, b.lines)
				}
				require.Equal(t, b.koan, first.Test, "the koan")
				require.Equal(t, b.kind, d.Kind, "the kind")
				kinds++
			})
		}
	})
	t.Logf("kind: right for %d of %d", kinds, len(corpus))
	t.Logf("place: right for %d of %d: the line for %d, the function of a wrong value for %d", placed+inside, lines, placed, inside)
	require.GreaterOrEqual(t, 100*(placed+inside), 95*lines, "places that are right")
}

// root is the module's folder.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("..")
	require.NoError(t, err)
	return dir
}

// TestTrapsOfRightAnswers: what is told of a wrong answer must not be true of a
// right one as well. Of a few traps it may be: whether a send that drops is
// meant, for one, only its words tell.
func TestTrapsOfRightAnswers(t *testing.T) {
	mayBeMeant := []trap.Name{
		trap.BareReceive, trap.BareSend, trap.CloseOnOnePath, trap.ComparedError, trap.DefaultInLoop,
		trap.DefaultOnSend, trap.HeldWhileWaiting, trap.KeptContext, trap.LiteralTimeout, trap.NeverReceived, trap.Sleeps,
	}
	answers, err := solutions.Load(solutions.Embedded())
	require.NoError(t, err)
	for _, s := range answers {
		right := map[string][]byte{"reference": s.Reference}
		for _, a := range s.Alternatives {
			right[a.Name] = a.Source
		}
		for name, source := range right {
			fset := token.NewFileSet()
			file, err := parser.ParseFile(fset, name, source, parser.SkipObjectResolution)
			require.NoError(t, err)
			for _, x := range trap.Find(fset, file) {
				assert.Contains(t, mayBeMeant, x.Name, "%s %s:%d: %s", s.Lesson, name, x.Line, x.Says)
			}
		}
	}
}
