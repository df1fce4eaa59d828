package checker

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"concurrency-koans/checker/dump"
)

func TestTranscriptCutsAtFrames(t *testing.T) {
	tr := newTranscript("word", 1<<20)
	printed := "compiled\n\nword begin TestA\nhello\nhalf a line\nword pass TestA\n    a_test.go:3: late\n\nword begin TestB\nword pass TestA\n\nword fail TestB\nFAIL"

	for _, piece := range strings.SplitAfter(printed, "l") { // frames arrive in pieces
		_, err := tr.Write([]byte(piece))
		require.NoError(t, err)
	}
	tr.flush()

	require.Equal(t, "compiled\n", string(tr.preamble.text))
	a, b := tr.section("TestA"), tr.section("TestB")
	require.Equal(t, "hello\nhalf a line    a_test.go:3: late\n", string(a.text))
	require.Equal(t, 1, a.begun)
	require.Equal(t, 1, b.failed)
	require.Equal(t, "FAIL", string(b.text))
	require.False(t, b.clean())
	run := koanRun{transcript: tr, ending: ending{exit: 1}}
	require.Same(t, a, run.firstFailed(), "TestA spoke twice, so it is not clean")
}

func TestTranscriptKeepsWithinItsLimit(t *testing.T) {
	tr := newTranscript("word", 1000)
	_, err := tr.Write([]byte("word begin TestA\n"))
	require.NoError(t, err)
	for range 1000 {
		_, err := tr.Write([]byte("again and again\n"))
		require.NoError(t, err)
	}
	_, total, _ := tr.now()
	require.EqualValues(t, 17+16*1000, total)
	require.LessOrEqual(t, len(tr.section("TestA").text), 1000)
}

func TestParseComplaints(t *testing.T) {
	got := parseComplaints([]byte(`# concurrency-koans/lessons/01-pipeline [concurrency-koans/lessons/01-pipeline.test]
lessons/01-pipeline/pipeline.go:12:6: declared and not used: x
C:\tmp\files\pipeline.go:3:1: syntax error: non-declaration statement outside function body
vet: lessons/01-pipeline/pipeline.go:7:2: undefined: y
`))
	require.Equal(t, []complaint{
		{"pipeline.go", 12, "declared and not used: x"},
		{"pipeline.go", 3, "syntax error: non-declaration statement outside function body"},
		{"pipeline.go", 7, "undefined: y"},
	}, got)
}

func TestFunctionNames(t *testing.T) {
	for printed, want := range map[string]string{
		"concurrency-koans/lessons/01-pipeline.Map[...].func1.2":             "Map",
		"concurrency-koans/lessons/03-worker-pool.(*Pool[...]).Submit":       "Pool.Submit",
		"concurrency-koans/lessons/03-worker-pool.(*Pool[...]).Submit.func1": "Pool.Submit",
		"concurrency-koans/lessons/01-pipeline.init.0":                       "init",
		"main.main": "main",
		"":          "",
	} {
		require.Equal(t, want, function(dump.Frame{Func: printed}), printed)
	}
}

func TestForgedOutput(t *testing.T) {
	for text, want := range map[string]bool{
		"--- FAIL: TestSend (0.00s)\n":              false,
		"--- FAIL: TestOther (0.00s)\n":             true,
		"--- PASS: TestSend (0.00s)\n":              true,
		"=== RUN   TestSend\n":                      true,
		"PASS\nFAIL\n":                              false,
		"a sentence with --- PASS: in the middle\n": false,
	} {
		require.Equal(t, want, forged(text, "TestSend"), text)
	}
}

func TestEnvironmentFaults(t *testing.T) {
	for _, f := range environmentFaults {
		err := environmentFault([]byte("go: something: " + f.words + " and so on\n"))
		var env *EnvironmentError
		require.ErrorAs(t, err, &env)
		require.NotEmpty(t, env.Remedy)
	}
	require.NoError(t, environmentFault([]byte("a.go:1:1: declared and not used: x\n")))
}

func TestLimitsNameTheFirstExcess(t *testing.T) {
	l := Limits{Wall: time.Second, CPU: time.Second, Memory: 100, Output: 100, Processes: 3}
	require.Empty(t, l.over(usage{cpu: time.Second, memory: 100, processes: 3}, time.Second, 100))
	require.Equal(t, overOutput, l.over(usage{}, 0, 101))
	require.Equal(t, overMemory, l.over(usage{memory: 101}, 0, 0))
	require.Equal(t, overProcesses, l.over(usage{processes: 4}, 0, 0))
	require.Equal(t, overTime, l.over(usage{cpu: time.Second + 1}, 0, 0))
	require.Equal(t, overTime, l.over(usage{}, time.Second+1, 0))
}

func TestParseKoans(t *testing.T) {
	src := []byte(`package x_test

func TestMain(m *testing.M) { run(m) }

// One.
func TestOne(t *testing.T) { x.Do(1) }

func TestHelper(t *testing.T, n int) {}
func (s suite) TestMethod(t *testing.T) {}

// Two.
func TestTwo(t *testing.T) {
	x.Other()
	x.Make().Run()
}
`)
	koans, witnessed, err := parseKoans(map[string][]byte{"x_test.go": src}, []byte("package x\n\nfunc Other() {}\n\nfunc Make() { panic(\"TODO(2): make\") }\n"))
	require.NoError(t, err)
	require.Equal(t, []koan{{"TestOne", "x_test.go", "Do"}, {"TestTwo", "x_test.go", "Make"}}, koans)
	require.Contains(t, string(witnessed["x_test.go"]), "func TestOne(t *testing.T) { witness(t);  x.Do(1) }")
	require.Equal(t, strings.Count(string(src), "\n"), strings.Count(string(witnessed["x_test.go"]), "\n"))
	require.Contains(t, string(witnessed[witnessFile]), "package x_test")

	_, _, err = parseKoans(map[string][]byte{"x_test.go": []byte("package x_test\n")}, nil)
	require.ErrorContains(t, err, "no test function")
}

func FuzzTranscript(f *testing.F) {
	f.Add([]byte("\nword begin TestA\ntext\nword pass TestA\n"), 3)
	f.Add([]byte("word begin \nword fail\nword x TestA"), 1)
	f.Fuzz(func(t *testing.T, printed []byte, size int) {
		if size < 1 {
			size = 1
		}
		tr := newTranscript("word", 1<<16)
		for len(printed) > 0 {
			n := min(size, len(printed))
			_, _ = tr.Write(printed[:n])
			printed = printed[n:]
		}
		tr.flush()
		(&koanRun{transcript: tr}).firstFailed()
	})
}

func FuzzComplaints(f *testing.F) {
	f.Add("vet: lessons/01-pipeline/pipeline.go:7:2: undefined: y\n")
	f.Fuzz(func(t *testing.T, text string) {
		parseComplaints([]byte(text))
		forged(text, "TestA")
		function(dump.Frame{Func: text})
	})
}
