package assertion

import (
	"regexp"
	"strconv"
	"strings"
)

// Comparison tells what the koan's own words do not: what was expected and
// what came. testify's diff is for those who know the values, and left out.
func (f Failure) Comparison() []string {
	text := strings.TrimSpace(strings.Join(f.Outcome, "\n"))
	diff := ""
	if i := strings.Index(text, "\n\nDiff:\n"); i >= 0 {
		text, diff = text[:i], text[i:]
	}
	if strings.TrimSpace(f.Said) != "" && (text == "Should be true" || text == "Should be false") {
		return nil // that a statement does not hold is clear from the statement
	}
	lines, limit := sayNotEqual(text, spansIn(diff)), lineWidth
	for _, say := range []func(string) []string{
		sayElements, sayItems, sayErrorIs, sayErrorAs, sayErrorText,
		sayOrder, sayBare, sayZero, sayNil, sayContains, sayPanics, sayUnwanted, sayNotSame,
	} {
		if lines == nil {
			lines = say(text)
		}
	}
	if lines == nil {
		// What is told in whole sentences may take two rows of the screen.
		lines, limit = sayAsItIs(text), 2*lineWidth-2
	}
	lines = lines[:min(len(lines), 6)]
	for i, line := range lines {
		line = stackText.ReplaceAllString(line, "a stack trace")
		lines[i] = shorten(address.ReplaceAllString(line, "…"), limit)
	}
	return lines
}

// stackText matches the text of what debug.Stack returns.
var stackText = regexp.MustCompile(`"goroutine \d+ \[(?:[^"\\]|\\.)*"?`)

// sayAsItIs keeps wording that no other rule knows, but for what NoError puts
// before an error. Joined errors have a line each.
//
//	Received unexpected error:
//	context canceled
func sayAsItIs(text string) (lines []string) {
	if err, ok := strings.CutPrefix(text, "Received unexpected error:\n"); ok {
		return []string{"got the error  " + oneLine(err)}
	}
	for line := range strings.SplitSeq(text, "\n") {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

// sayNotEqual reads what Equal and EqualValues print.
//
//	Not equal:
//	expected: []time.Duration{3000000000, 2000000000}
//	actual  : []time.Duration{1000000000, 2000000000}
func sayNotEqual(text string, s spans) []string {
	head, rest, ok := strings.Cut(text, "\nexpected: ")
	if !ok || !strings.HasPrefix(head, "Not ") {
		return nil
	}
	expected, got, ok := strings.Cut(rest, "\nactual  : ")
	switch {
	case !ok:
		return nil
	case head == "Not same:":
		e, g := readValue(sameAddress.ReplaceAllString(expected, ""), "", s), readValue(sameAddress.ReplaceAllString(got, ""), "", s)
		return append(pair(around(e.text, g.text)), "the two must be one and the same, not only equal")
	default:
		return compare(expected, got, s)
	}
}

// sameAddress matches what Same prints behind a value.
//
//	&fan_test.timing{who:"a", at:0} (*fan_test.timing)(0xc000012345)
var sameAddress = regexp.MustCompile(` \(\*[^()]*\)\(0x[0-9a-f]+\)$`)

// sayElements reads what ElementsMatch prints.
//
//	elements differ
//
//	extra elements in list A:
//	([]interface {}) (len=2) {
//	 (int) 3,
//	 (int) 4
//	}
func sayElements(text string) []string {
	rest, ok := strings.CutPrefix(text, "elements differ\n")
	if !ok {
		return nil
	}
	rest, _, _ = strings.Cut(rest, "\nlistA:\n")
	missing, extra, _ := strings.Cut(rest, "extra elements in list B:\n")
	return differenceLines(dumpedItems(strings.Split(missing, "\n")), dumpedItems(strings.Split(extra, "\n")))
}

// itemsText matches what Len prints. What it prints of the thing itself is
// often no more than an address.
//
//	"0x74aafdf21e0" should have 2 item(s), but has 1
//	"[1 2]" should have 3 item(s), but has 2
var itemsText = regexp.MustCompile(`^(".*") should have (\d+) item\(s\), but has (\d+)$`)

func sayItems(text string) []string {
	m := itemsText.FindStringSubmatch(text)
	if m == nil {
		return nil
	}
	expected, _ := strconv.Atoi(m[2])
	n, _ := strconv.Atoi(m[3])
	got := itemsWord(n)
	if what, err := strconv.Unquote(m[1]); err == nil && n > 0 && !address.MatchString(what) {
		if all := got + ": " + oneLine(what); wide(all) <= room {
			got = all
		}
	}
	return pair(itemsWord(expected), got)
}

var (
	// errorIsNil matches what ErrorIs prints about no error.
	//
	//	Expected error with "context canceled" in chain but got nil.
	errorIsNil = regexp.MustCompile(`^Expected error with (".*") in chain but got nil\.$`)
	// errorChain matches what ErrorIs, NotErrorIs, ErrorAs and NotErrorAs print
	// about a wrong one, outermost first.
	//
	//	Target error should be in err chain:
	//	expected: "the database is down"
	//	in chain: "saving: disk full"
	//		"disk full"
	errorChain = regexp.MustCompile(`(?s)^(Target error should be|Target error should not be|Should be) in (?:err|error) chain:\n(?:expected|found): ([^\n]*)\nin chain: (.*)$`)
)

func sayErrorIs(text string) []string {
	if m := errorIsNil.FindStringSubmatch(text); m != nil {
		return pair("an error that is "+m[1], "nil")
	}
	m := errorChain.FindStringSubmatch(text)
	if m == nil || !strings.HasPrefix(m[2], `"`) {
		return nil
	}
	texts := strings.Split(m[3], "\n")
	if strings.HasSuffix(m[1], "not be") {
		return pair("an error that is not "+m[2], chain(texts))
	}
	lines := pair("an error that is "+m[2], chain(texts))
	for _, t := range texts {
		if strings.TrimSpace(t) == m[2] {
			return append(lines, "the words are the same, but it is another error")
		}
	}
	return lines
}

// chain puts an error and what it wraps in one line. Without room for that, the
// outermost text has to do: as a rule it has the others in it.
//
//	"saving: disk full", which wraps "disk full"
func chain(texts []string) string {
	outer := strings.TrimSpace(texts[0])
	if len(texts) == 1 {
		return outer
	}
	for i, t := range texts {
		texts[i] = strings.TrimSpace(t)
	}
	if all := outer + ", which wraps " + strings.Join(texts[1:], ", "); wide(all) <= room {
		return all
	}
	more := ", which wraps " + errorsWord(len(texts)-1)
	return shorten(outer, room-wide(more)) + more
}

func errorsWord(n int) string {
	if n == 1 {
		return "another"
	}
	return strconv.Itoa(n) + " others"
}

// typedError matches an error of a chain with its type.
//
//	"disk full" (*errors.errorString)
var typedError = regexp.MustCompile(`^(".*") \((.*)\)$`)

// sayErrorAs reads what ErrorAs and NotErrorAs print. Here the types count.
//
//	Should be in error chain:
//	expected: *workerpool.PanicError
//	in chain: "saving: disk full" (*fmt.wrapError)
//		"disk full" (*errors.errorString)
func sayErrorAs(text string) []string {
	if typ, ok := strings.CutPrefix(text, "An error is expected but got nil.\nexpected: "); ok {
		return pair("an error of type "+plainTypes(typ), "nil")
	}
	m := errorChain.FindStringSubmatch(text)
	if m == nil {
		return nil
	}
	var texts, types []string
	for line := range strings.SplitSeq(m[3], "\n") {
		e := typedError.FindStringSubmatch(strings.TrimSpace(line))
		if e == nil {
			return nil
		}
		texts, types = append(texts, e[1]), append(types, plainTypes(e[2]))
	}
	article := "an error of type "
	if strings.HasSuffix(m[1], "not be") {
		article = "no error of type "
	}
	return append(pair(article+plainTypes(m[2]), texts[0]), "of type   "+chain(types))
}

var (
	// errorWithout matches what ErrorContains prints.
	//
	//	Error "the database is down" does not contain "disk"
	errorWithout = regexp.MustCompile(`^Error (".*") does not contain (".*")$`)
	// errorOtherText matches what EqualError prints.
	//
	//	Error message not equal:
	//	expected: "disk"
	//	actual  : "the database is down"
	errorOtherText = regexp.MustCompile(`^Error message not equal:\nexpected: (".*")\nactual  : (".*")$`)
)

func sayErrorText(text string) []string {
	if m := errorWithout.FindStringSubmatch(text); m != nil {
		return pair("an error whose text has "+m[2], m[1])
	}
	if m := errorOtherText.FindStringSubmatch(text); m != nil {
		return pair(around(m[1], m[2]))
	}
	return nil
}

// orderText matches what Less and its kin print.
//
//	"100" is not less than or equal to "4"
var orderText = regexp.MustCompile(`(?s)^"(.*)" is not (less than|less than or equal to|greater than|greater than or equal to) "(.*)"$`)

func sayOrder(text string) []string {
	m := orderText.FindStringSubmatch(text)
	if m == nil {
		return nil
	}
	bound := map[string]string{
		"less than": "less than ", "less than or equal to": "at most ",
		"greater than": "more than ", "greater than or equal to": "at least ",
	}
	return pair(bound[m[2]]+printed(m[3]), printed(m[1]))
}

// sayBare reads what has no value in it, or only one of which nothing more is
// to be said.
//
//	An error is expected but got nil.
func sayBare(text string) []string {
	switch text {
	case "Should be true":
		return pair("true", "false")
	case "Should be false":
		return pair("false", "true")
	case "An error is expected but got nil.":
		return pair("an error", "nil")
	case "Expected value not to be nil.":
		return pair("anything but nil", "nil")
	case "Should NOT be empty, but was", "Should not be zero, but was": // an empty string
		return pair("something", "nothing")
	}
	if n, ok := strings.CutSuffix(text, `" is not positive`); ok {
		return pair("more than 0", printed(strings.TrimPrefix(n, `"`)))
	}
	if n, ok := strings.CutSuffix(text, `" is not negative`); ok {
		return pair("less than 0", printed(strings.TrimPrefix(n, `"`)))
	}
	return nil
}

// sayZero reads what Zero, NotZero, Empty and NotEmpty print.
//
//	Should be zero, but was 3
//	Should be empty, but was [1 2]
func sayZero(text string) []string {
	if got, ok := strings.CutPrefix(text, "Should be zero, but was "); ok {
		expected := "the zero value"
		switch {
		case numberText.MatchString(got):
			expected = "0"
		case spanText.MatchString(got):
			expected = "0s"
		case got == "true":
			expected = "false"
		}
		return pair(expected, printed(got))
	}
	if got, ok := strings.CutPrefix(text, "Should be empty, but was "); ok {
		return pair("nothing", printed(got))
	}
	if got, ok := strings.CutPrefix(text, "Should not be zero, but was "); ok {
		return pair("anything but "+printed(got), printed(got))
	}
	if got, ok := strings.CutPrefix(text, "Should NOT be empty, but was "); ok {
		return pair("something", printed(got))
	}
	return nil
}

// sayNil reads what Nil prints. Of a struct behind a pointer the fields are
// the business of whoever made it.
//
//	Expected nil, but got: &workerpool.Ticket[int]{done:(chan struct {})(0xc000012345)}
func sayNil(text string) []string {
	got, ok := strings.CutPrefix(text, "Expected nil, but got: ")
	if !ok {
		return nil
	}
	v := readValue(got, "", spans{})
	if m := pointee.FindStringSubmatch(plainTypes(got)); m != nil && strings.HasPrefix(v.text, "&{") {
		v.text = "a *" + m[1]
	}
	return pair("nil", v.brief())
}

// pointee matches the type of a struct behind a pointer.
var pointee = regexp.MustCompile(`^&([\w.]+(?:\[[^\]]*\])?)\{`)

// container matches what can contain something, in Go syntax: a koan may have
// such words of its own.
var container = regexp.MustCompile(`(?s)^(?:".*"|.*[}]|.*\(nil\)|.*<\.\.\. truncated>)$`)

// sayContains reads what Contains, NotContains and Subset print.
//
//	[]int{1, 2} does not contain 3
//	"disk full" should not contain "disk"
func sayContains(text string) []string {
	for _, rule := range []struct{ words, head string }{
		{" does not contain ", "missing   "},
		{" should not contain ", "unwanted  "},
	} {
		if i := strings.LastIndex(text, rule.words); i >= 0 && container.MatchString(text[:i]) {
			what := readValue(text[i+len(rule.words):], "", spans{})
			in := readValue(text[:i], "", spans{})
			return []string{rule.head + what.brief(), "got       " + in.brief()}
		}
	}
	return nil
}

var (
	// panicText matches what Panics and its kin print.
	//
	//	func (assert.PanicTestFunc)(0x5cd2c0) should panic with value:	"boom"
	//		Panic value:	"bang"
	//		Panic stack:	goroutine 130 [running]:
	panicText = regexp.MustCompile(`^func \([^\n]*\)\(0x[0-9a-f]+\) should (not )?panic(?: with value:\t([^\n]*)| with error message:\t([^\n]*))?\n`)
	// panicValue matches what it panicked with.
	panicValue = regexp.MustCompile(`\n\t(?:Panic value|Error message):\t([^\n]*)`)
)

func sayPanics(text string) []string {
	m := panicText.FindStringSubmatch(text)
	v := panicValue.FindStringSubmatch(text)
	if m == nil || v == nil {
		return nil
	}
	if m[1] != "" {
		return pair("no panic", "a panic with "+oneLine(v[1]))
	}
	expected, got := "a panic", "none"
	if what := m[2] + m[3]; what != "" {
		expected += " with " + readValue(what, "", spans{}).text
	}
	if v[1] != "<nil>" {
		got = "a panic with " + readValue(v[1], "", spans{}).text
	}
	return pair(expected, got)
}

// sayUnwanted reads what NotEqual prints.
//
//	Should not be: 3
func sayUnwanted(text string) []string {
	got, ok := strings.CutPrefix(text, "Should not be: ")
	if !ok {
		return nil
	}
	v := readValue(got, "", spans{})
	return pair(shorten("anything but "+v.text, room), v.brief())
}

// sayNotSame reads what NotSame prints.
//
//	Expected and actual point to the same object: 0xc000012345 &fan_test.timing{who:"a"}
func sayNotSame(text string) []string {
	rest, ok := strings.CutPrefix(text, "Expected and actual point to the same object: ")
	if !ok {
		return nil
	}
	_, got, _ := strings.Cut(rest, " ")
	return pair("another one", "the very same: "+readValue(got, "", spans{}).text)
}

// shorten cuts off what is too long. A text in quotes keeps the one at its end.
func shorten(line string, most int) string {
	r := []rune(line)
	if len(r) <= most {
		return line
	}
	cut := string(r[:most-3])
	if quotes := strings.Count(cut, `"`) - strings.Count(cut, `\"`); quotes%2 == 1 {
		return cut + ` …"`
	}
	return cut + " …"
}
