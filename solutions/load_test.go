package solutions

import (
	"fmt"
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

const reference = `// Package answer is the reference.
package answer

// Ask returns the answer.
func Ask() int { return 42 }
`

func alternative(n int) string {
	return fmt.Sprintf(`// Design %d.
//
// What it gains,
// and what it costs.
package answer

func Ask() int { return 42 }
`, n)
}

const demonstration = `//go:build ignore

// A question, and its answer.
//
// Watch what
// it answers.
package main

import (
	"fmt"

	answer "concurrency-koans/solutions/07-answer"
	"concurrency-koans/solutions/demo"
)
`

const benchmarks = `package answer_test

// What does an answer cost? Not much.
func BenchmarkAsk(b *testing.B) {}

// More is asked
// at the same time.
func BenchmarkAskMore(b *testing.B) {}

func helper() {}
`

const pitfall = `// want: leak TestAsk

// Ask leaves a
// goroutine. People write it
// because it looks shorter.
//
//	go wait()
//
// To avoid it, see [context.Context].
package answer

func Ask() int { return 41 }
`

// sound is a solutions folder without fault.
func sound() fstest.MapFS {
	files := fstest.MapFS{
		"solutions.go":                         file("package solutions\n"),
		"proof/proof.go":                       file("package proof\n"),
		"07-answer/answer.go":                  file(reference),
		"07-answer/demo.go":                    file(demonstration),
		"07-answer/bench_test.go":              file(benchmarks),
		"07-answer/testdata/pitfalls/first.go": file(pitfall),
	}
	for n := range minAlternatives {
		files[fmt.Sprintf("07-answer/testdata/alternatives/design-%d.go", n)] = file(alternative(n))
	}
	for n := range minPitfalls - 1 {
		files[fmt.Sprintf("07-answer/testdata/pitfalls/trap-%d.go", n)] = file(pitfall)
	}
	return files
}

func file(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }

func TestLoadReadsAllOfASolution(t *testing.T) {
	all, err := Load(sound())
	require.NoError(t, err)
	require.Len(t, all, 1)

	s := all[0]
	require.Equal(t, "07-answer", s.Lesson)
	require.Equal(t, "answer.go", s.File)
	require.Equal(t, reference, string(s.Reference))
	require.Equal(t, Demo{
		Title:  "A question, and its answer.",
		Text:   "Watch what it answers.",
		Source: []byte(demonstration),
	}, s.Demo)
	require.Equal(t, []Benchmark{{"Ask", "What does an answer cost?"}, {"AskMore", "More is asked at the same time."}}, s.Benchmarks)
	require.Len(t, s.Alternatives, 3)
	require.Equal(t, Alternative{
		Name:   "design-1",
		Title:  "Design 1.",
		Text:   "What it gains, and what it costs.",
		Source: []byte(alternative(1)),
	}, s.Alternatives[1])
	require.Len(t, s.Pitfalls, 6)
	require.Equal(t, Pitfall{
		Name:   "first",
		Kind:   "leak",
		Koan:   "TestAsk",
		Title:  "Ask leaves a goroutine.",
		Text:   "People write it because it looks shorter.\n\n\tgo wait()\n\nTo avoid it, see context.Context.",
		Source: []byte(pitfall),
	}, s.Pitfalls[0])
}

func TestLoadFindsEachFault(t *testing.T) {
	const (
		ref  = "07-answer/answer.go"
		alt  = "07-answer/testdata/alternatives/design-1.go"
		trap = "07-answer/testdata/pitfalls/first.go"
		show = "07-answer/demo.go"
		cost = "07-answer/bench_test.go"
	)
	for name, tc := range map[string]struct {
		path string
		text string // "" removes the file
		want string
	}{
		"no reference":          {ref, "", "no reference: a .go file that is neither demo.go nor a test"},
		"no demo":               {show, "", "demo.go: open 07-answer/demo.go: file does not exist"},
		"no benchmarks":         {cost, "", "bench_test.go: open 07-answer/bench_test.go: file does not exist"},
		"no benchmark":          {cost, "package answer_test\n", "bench_test.go: no benchmark"},
		"benchmark without doc": {cost, "package answer_test\n\nfunc BenchmarkAsk(b *testing.B) {}\n", "bench_test.go: BenchmarkAsk has no doc comment: its first sentence is the heading of its figures"},
		"demo in the package":   {show, "// One. Two.\npackage answer\n", "demo.go: not a program of its own: package main, behind //go:build ignore"},
		"demo on another": {show, "//go:build ignore\n\n// One. Two.\npackage main\n\nimport \"concurrency-koans/solutions/08-more\"\n",
			"demo.go: it imports concurrency-koans/solutions/08-more; a demo uses its reference, what demos share, and the standard library"},
		"second reference":     {"07-answer/beside.go", reference, "beside.go: a second reference, beside answer.go"},
		"stray file":           {"07-answer/notes.txt", "?", "notes.txt: stray file"},
		"stray folder":         {"07-answer/old/answer.go", reference, "old: stray folder"},
		"too few alternatives": {alt, "", "alternatives: 2 files, and there should be 3 or more"},
		"too few pitfalls":     {trap, "", "pitfalls: 5 files, and there should be 6 or more"},
		"stray pitfall":        {"07-answer/testdata/pitfalls/first.go.orig", pitfall, "pitfalls/first.go.orig: stray file"},
		"folder of pitfalls":   {"07-answer/testdata/pitfalls/more/first.go", pitfall, "pitfalls/more: stray folder"},
		"name":                 {"07-answer/testdata/pitfalls/bareSend.go", pitfall, "pitfalls/bareSend.go: the name is not in kebab case"},
		"package of pitfall":   {trap, "// want: leak TestAsk\n\n// One. Two.\npackage other\n", "pitfalls/first.go: package other, where the reference is package answer"},
		"package of alternative": {alt, "// One. Two.\npackage other\n",
			"alternatives/design-1.go: package other, where the reference is package answer"},
		"no want":       {trap, "// One. Two.\npackage answer\n", `pitfalls/first.go: no "// want: kind koan" line`},
		"want of kind":  {trap, "// want: leak\n\n// One. Two.\npackage answer\n", `pitfalls/first.go: no "// want: kind koan" line`},
		"late want":     {trap, "// A note.\n\n// want: leak TestAsk\n\n// One. Two.\npackage answer\n", `pitfalls/first.go: no "// want: kind koan" line`},
		"unknown kind":  {trap, "// want: lek TestAsk\n\n// One. Two.\npackage answer\n", `pitfalls/first.go: kind "lek" is none of todo, build, vet, assertion, race, leak, deadlock, stuck, panic, crash`},
		"attached want": {trap, "// want: leak TestAsk\n// One. Two.\npackage answer\n", `pitfalls/first.go: no empty line behind "// want: leak TestAsk"`},
		"no comment":    {trap, "// want: leak TestAsk\n\npackage answer\n", "pitfalls/first.go: no package comment"},
		"title alone":   {alt, "// One.\npackage answer\n", "alternatives/design-1.go: the package comment ends with its first sentence"},
		"not formatted": {alt, "// One. Two.\npackage answer\nvar  x int\n", "alternatives/design-1.go: not formatted with gofmt"},
		"no Go":         {alt, "// One. Two.\npackage answer\n\nfunc {}\n", "alternatives/design-1.go:4:6: expected 'IDENT', found '{'"},
	} {
		t.Run(name, func(t *testing.T) {
			files := sound()
			if tc.text == "" {
				delete(files, tc.path)
			} else {
				files[tc.path] = file(tc.text)
			}
			all, err := Load(files)
			require.EqualError(t, err, "reading solution 07-answer: "+tc.want)
			require.Nil(t, all)
		})
	}
}

func TestLoadReportsAllFaults(t *testing.T) {
	files := sound()
	files["07-answer/notes.txt"] = file("?")
	files["08-empty/testdata/pitfalls/first.go"] = file(pitfall)

	_, err := Load(files)
	require.EqualError(t, err, `reading solution 07-answer: notes.txt: stray file
reading solution 08-empty: no reference: a .go file that is neither demo.go nor a test
reading solution 08-empty: demo.go: open 08-empty/demo.go: file does not exist
reading solution 08-empty: bench_test.go: open 08-empty/bench_test.go: file does not exist
reading solution 08-empty: alternatives: 0 files, and there should be 3 or more
reading solution 08-empty: pitfalls: 1 files, and there should be 6 or more`)
}

func TestLoadNeedsItsFolder(t *testing.T) {
	files, err := fs.Sub(sound(), "nowhere")
	require.NoError(t, err)
	_, err = Load(files)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, "reading solutions: ")
}
