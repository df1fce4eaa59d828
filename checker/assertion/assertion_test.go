package assertion

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"
)

func TestParse(t *testing.T) {
	text := `--- FAIL: Test_equal_ints (0.00s)
    koan_test.go:41: 
        	Error Trace:	concurrency-koans/lessons/koan/koan_test.go:41
        	Error:      	Not equal: 
        	            	expected: []int{1, 2, 3}
        	            	actual  : []int{1, 3}
        	            	
        	            	Diff:
        	            	--- Expected
        	            	+++ Actual
        	            	@@ -1,4 +1,3 @@
        	            	-([]int) (len=3) {
        	            	+([]int) (len=2) {
        	            	  (int) 1,
        	            	- (int) 2,
        	            	  (int) 3
        	Test:       	Test_equal_ints
        	Messages:   	said
--- FAIL: Test_increasing (0.00s)
    assertion_order.go:40: 
        	Error Trace:	concurrency-koans/lessons/koan/koan_test.go:330
        	Error:      	"3" is not less than "2"
        	Test:       	Test_increasing
        	Messages:   	said
--- FAIL: Test_fatalf (0.00s)
    koan_test.go:392: plain words: expected 3
        in two lines
`
	got := Parse(text)
	require.Len(t, got, 3)

	require.Equal(t, 41, got[0].Line)
	require.Equal(t, "said", got[0].Said)
	require.Equal(t, []string{"expected  [1 2 3]", "got       [1 3]"}, got[0].Comparison())

	require.Equal(t, 330, got[1].Line, "the koan's line, though the head names a file of testify's")
	require.Equal(t, []string{"expected  less than 2", "got       3"}, got[1].Comparison())

	require.Equal(t, 392, got[2].Line)
	require.Equal(t, "plain words: expected 3\nin two lines", got[2].Said)
	require.Empty(t, got[2].Comparison())
}

// A recording is what testify printed as Error, and what is told of it.
type recording struct{ name, text, tells string }

func recordings(t testing.TB) (list []recording) {
	data, err := os.ReadFile("testdata/testify.txtar")
	require.NoError(t, err)
	files := txtar.Parse(data).Files
	for i := 0; i+1 < len(files); i += 2 {
		require.Equal(t, "tells", files[i+1].Name, files[i].Name)
		list = append(list, recording{files[i].Name, string(files[i].Data), string(files[i+1].Data)})
	}
	return list
}

// failed is a failure about which testify printed text.
func (r recording) failed() Failure {
	f := Failure{Said: "said", Outcome: strings.Split(r.text, "\n")}
	if strings.HasSuffix(r.name, "wordless") {
		f.Said = ""
	}
	return f
}

func TestComparison(t *testing.T) {
	list := recordings(t)
	require.Greater(t, len(list), 120)
	for _, r := range list {
		t.Run(r.name, func(t *testing.T) {
			lines := r.failed().Comparison()
			got := strings.Join(lines, "\n")
			if got != "" {
				got += "\n"
			}
			require.Equal(t, r.tells, got)
			requireReadable(t, lines)
		})
	}
}

// inSentences matches what may take two rows of the screen: the first words are
// those of no rule, or of an error.
var inSentences = regexp.MustCompile(`^(got the error  |[A-Z"])`)

// requireReadable requires what holds of all that is told.
func requireReadable(t *testing.T, lines []string) {
	t.Helper()
	require.LessOrEqual(t, len(lines), 6)
	for _, line := range lines {
		columns := utf8.RuneCountInString(line)
		require.NotRegexp(t, `0x[0-9a-f]{6}`, line)
		require.NotContains(t, line, "\n")
		require.NotContains(t, line, "Diff:")
		if inSentences.MatchString(line) {
			require.LessOrEqual(t, columns, 146, line)
		} else {
			require.LessOrEqual(t, columns, 74, line)
		}
	}
}

func TestComparisonKeepsUnknownWords(t *testing.T) {
	for _, text := range []string{
		"the pool does not contain 3",
		"Not equal: 3 and 4",
		"Not equal: \nexpected: [1 2",
		"elements differ",
		`"x" should have many items`,
		"Should be true or false",
		"Target error should be in err chain:",
		"Should be in error chain:\nexpected: *T\nin chain: ",
		"Should be zero",
		"func (assert.PanicTestFunc) should panic",
		"cannot display message: bufio.Scanner: token too long",
	} {
		f := Failure{Said: "said", Outcome: strings.Split(text, "\n")}
		var want []string
		for _, line := range f.Outcome {
			want = append(want, strings.TrimSpace(line))
		}
		require.Equal(t, want, f.Comparison())
	}
}

func TestValuesThatAreNoGoSyntax(t *testing.T) {
	for text, want := range map[string][]string{
		// As a learner's own String, GoString or Error may have it.
		"expected: a b\nactual  : c d":             {"expected  a b", "got       c d"},
		"expected: job <3>\nactual  : job <4>":     {"expected  job <3>", "got       job <4>"},
		"expected: line\none\nactual  : line\ntwo": {"expected  line; one", "got       line; two"},
		// As testify cuts what is very long.
		"expected: []int{1, 2<... truncated>\nactual  : []int{1, 3<... truncated>": {
			"expected  []int{1, 2<... truncated>", "got       []int{1, 3<... truncated>"},
	} {
		f := Failure{Said: "said", Outcome: strings.Split("Not equal:\n"+text, "\n")}
		require.Equal(t, want, f.Comparison(), text)
	}
}

func TestValuesWithTypeArguments(t *testing.T) {
	for text, want := range map[string]string{
		`fan.Job[example.com/my-work/02-fan.Item]{v:example.Item{n:1}}`: "{v:{n:1}}",
		`[]fan.Job·1{fan.Job·1{path:"a/b.c/d"}}`:                        `[{path:"a/b.c/d"}]`,
		`(*fan.Job[int,string])(0xc000012345)`:                          "a *fan.Job[int,string]",
		`map[time.Duration]bool{1000000000:true}`:                       "map[1s:true]",
		`[3]clock.Duration{1000000000, 0, -1}`:                          "[1s 0s -1ns]",
		`(*int)(nil)`:                                                   "nil",
		`[]uint64{0xffffffffffffffff}`:                                  "[18446744073709551615]",
		`struct { A int }{A:1}`:                                         "{A:1}",
		`[]byte{0x0, 0xff}`:                                             "[0 255]",
	} {
		require.Equal(t, want, readValue(text, "", spans{}).text, text)
	}
}

func FuzzComparison(f *testing.F) {
	for _, r := range recordings(f) {
		f.Add("said", r.text)
	}
	f.Add("", "Not equal: \nexpected: int(((\nactual  : string(\")\"")
	f.Fuzz(func(t *testing.T, said, text string) {
		x := Failure{Said: said, Outcome: strings.Split(text, "\n")}
		lines := x.Comparison()
		require.LessOrEqual(t, len(lines), 6)
		for _, line := range lines {
			require.LessOrEqual(t, utf8.RuneCountInString(line), 146)
			require.NotRegexp(t, `0x[0-9a-f]{6,16}\b`, line)
		}
		words, _, _ := strings.Cut(strings.TrimSpace(text), "\n\nDiff:\n")
		bare := strings.TrimSpace(said) != "" && (words == "Should be true" || words == "Should be false")
		require.Equal(t, bare || strings.TrimSpace(words) == "", len(lines) == 0)
	})
}

func FuzzParse(f *testing.F) {
	f.Add("    live_test.go:27: \n        \tError Trace:\t/x.go:27\n        \tError:      \tNot equal: \n        \t            \texpected: 1\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, x := range Parse(text) {
			x.Comparison()
		}
	})
}
