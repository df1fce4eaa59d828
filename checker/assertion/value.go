package assertion

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// A value is one that testify has printed, as a learner reads it.
type value struct {
	text  string
	items []string // of a list
	list  bool
	null  bool // a nil list
}

const (
	lineWidth = 74             // what the indents of a detail leave of 80 columns
	room      = lineWidth - 10 // for a value behind "expected  "
)

// spans tells where numbers are durations. Go syntax keeps the type of a
// list's items and leaves out that of a field: testify's diff has both.
type spans struct {
	fields map[string]bool
	items  bool // of a list or a map whose type has a name of its own
}

// spanLine matches a duration in testify's diff:
//
//   - at: (time.Duration) 3000000000
//   - (time.Duration) 3000000000,
var spanLine = regexp.MustCompile(`^[-+ ] +(?:(\w+): |.*: )?\(\S*[dD]uration\) -?\d+,?$`)

// spansIn reads which numbers a diff calls durations.
func spansIn(diff string) spans {
	s := spans{fields: map[string]bool{}}
	for line := range strings.SplitSeq(diff, "\n") {
		if m := spanLine.FindStringSubmatch(line); m != nil {
			s.items = s.items || m[1] == ""
			s.fields[m[1]] = true
		}
	}
	return s
}

// isSpan reports whether a type is time.Duration or is named after it.
func isSpan(typ string) bool {
	return strings.HasSuffix(typ, "Duration") || strings.HasSuffix(typ, "duration")
}

// pathOrString matches what plainTypes takes out, and the strings in which it
// must not.
var pathOrString = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|(?:[\w.~%-]+/)+(?:[\w~%-]*\.)?|·\d+`)

// plainTypes takes the import paths out of type arguments, which are no Go
// syntax, and what tells a function's own types apart.
//
//	fan.Job[example.com/lessons/02-fan.Item]   fan.Job[Item]
func plainTypes(text string) string {
	return pathOrString.ReplaceAllStringFunc(text, func(m string) string {
		if m[0] == '"' {
			return m
		}
		return ""
	})
}

// readValue reads a value in Go syntax. What is none stays as it is.
//
//	[]int{1, 2, 3}                          [1 2 3]
//	[]string{"a", "b"}                      ["a" "b"]
//	[]time.Duration{3000000000}             [3s]
//	fan_test.timing{who:"a", at:0}          {who:"a" at:0s}
//	&errors.errorString{s:"disk full"}      error "disk full"
//	[]int(nil)                              nothing
//	0x10                                    16
func readValue(text string, typ string, s spans) value {
	text = strings.TrimSpace(text)
	if text == "<nil>" {
		return value{text: "nil"}
	}
	src := plainTypes(text)
	e, err := parser.ParseExpr(src)
	if err != nil {
		return value{text: oneLine(text)}
	}
	p := valuePrinter{src, s}
	if call, ok := e.(*ast.CallExpr); ok && isNil(call) && !isParen(call.Fun) {
		return value{text: "nothing", list: true, null: true}
	}
	if lit, ok := e.(*ast.CompositeLit); ok {
		if items, ok := p.items(lit); ok {
			v := value{text: p.print(e, false), items: items, list: true}
			v.list = strings.HasPrefix(v.text, "[") // not the text that bytes are
			return v
		}
	}
	return value{text: p.print(e, isSpan(typ))}
}

// A valuePrinter prints parsed values as %v would, but with strings in quotes.
type valuePrinter struct {
	src   string
	spans spans
}

// print prints one value; span tells that a number is a duration.
func (p valuePrinter) print(e ast.Expr, span bool) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind == token.INT {
			return number(e.Value, span)
		}
	case *ast.UnaryExpr:
		if lit, ok := e.X.(*ast.BasicLit); ok && e.Op == token.SUB && lit.Kind == token.INT {
			return number("-"+lit.Value, span)
		}
		if lit, ok := e.X.(*ast.CompositeLit); ok && e.Op == token.AND {
			if text, ok := p.errorText(lit); ok {
				return "error " + text
			}
			return "&" + p.print(lit, false)
		}
	case *ast.CallExpr:
		return p.conversion(e)
	case *ast.CompositeLit:
		return p.composite(e)
	}
	return p.source(e)
}

// source is what an expression was read from.
func (p valuePrinter) source(e ast.Expr) string {
	from, to := int(e.Pos())-1, int(e.End())-1
	if from < 0 || to > len(p.src) || from > to {
		return "…"
	}
	return oneLine(p.src[from:to])
}

// number prints an integer. Go syntax has unsigned ones in hexadecimal.
//
//	0x10                  16
//	3000000000, a span    3s
func number(digits string, span bool) string {
	if n, err := strconv.ParseInt(digits, 0, 64); err == nil {
		if span {
			return time.Duration(n).String()
		}
		return strconv.FormatInt(n, 10)
	}
	if n, err := strconv.ParseUint(digits, 0, 64); err == nil {
		return strconv.FormatUint(n, 10)
	}
	return digits
}

// errorText finds the words of an error of the standard library.
//
//	errors.errorString{s:"disk full"}
//	fmt.wrapError{msg:"saving: disk full", err:(*errors.errorString)(0xc000012345)}
func (p valuePrinter) errorText(lit *ast.CompositeLit) (string, bool) {
	switch p.source(lit.Type) {
	case "errors.errorString", "fmt.wrapError", "fmt.wrapErrors":
	default:
		return "", false
	}
	for _, e := range lit.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			if text, ok := kv.Value.(*ast.BasicLit); ok && text.Kind == token.STRING {
				return text.Value, true
			}
		}
	}
	return "", false
}

// clockTime matches a time.
var clockTime = regexp.MustCompile(`^time\.Date\((.*), (\d+), [^,]*\)$`)

// conversion prints what Go syntax writes as one.
//
//	[]int(nil)               []
//	(*int)(nil)              nil
//	(*sync.Mutex)(0xc000)    a *sync.Mutex
//	time.Date(2000, time.January, 1, 0, 0, 3, 0, time.UTC)    1 January 2000, 00:00:03
func (p valuePrinter) conversion(e *ast.CallExpr) string {
	if isNil(e) {
		switch e.Fun.(type) {
		case *ast.ArrayType:
			return "[]"
		case *ast.MapType:
			return "map[]"
		}
		return "nil"
	}
	if m := clockTime.FindStringSubmatch(p.source(e)); m != nil {
		at, err := time.Parse("2006, time.January, 2, 15, 4, 5", m[1])
		nanoseconds, _ := strconv.Atoi(m[2])
		if err == nil {
			return at.Add(time.Duration(nanoseconds)).Format("2 January 2006, 15:04:05.999999999")
		}
	}
	if len(e.Args) != 1 {
		return p.source(e)
	}
	if paren, ok := e.Fun.(*ast.ParenExpr); ok {
		if lit, ok := e.Args[0].(*ast.BasicLit); ok && strings.HasPrefix(lit.Value, "0x") {
			return "a " + p.source(paren.X)
		}
	}
	return p.print(e.Args[0], isSpan(p.source(e.Fun)))
}

func isNil(e *ast.CallExpr) bool {
	if len(e.Args) != 1 {
		return false
	}
	id, ok := e.Args[0].(*ast.Ident)
	return ok && id.Name == "nil"
}

func isParen(e ast.Expr) bool {
	_, ok := e.(*ast.ParenExpr)
	return ok
}

// composite prints a list, a map or a struct.
func (p valuePrinter) composite(lit *ast.CompositeLit) string {
	if text, ok := bytesText(lit); ok {
		return text
	}
	if items, ok := p.items(lit); ok {
		return "[" + strings.Join(items, " ") + "]"
	}
	typ, isMap := lit.Type.(*ast.MapType)
	var parts []string
	for _, e := range lit.Elts {
		kv, ok := e.(*ast.KeyValueExpr)
		if !ok {
			parts = append(parts, p.print(e, p.spans.items))
			continue
		}
		field, isField := kv.Key.(*ast.Ident)
		switch {
		case isMap:
			parts = append(parts, p.print(kv.Key, isSpan(p.source(typ.Key)))+":"+p.print(kv.Value, isSpan(p.source(typ.Value))))
		case isField:
			parts = append(parts, field.Name+":"+p.print(kv.Value, p.spans.fields[field.Name]))
		default:
			isMap = true // of a type with a name of its own
			parts = append(parts, p.print(kv.Key, false)+":"+p.print(kv.Value, p.spans.items))
		}
	}
	if isMap {
		return "map[" + strings.Join(parts, " ") + "]"
	}
	return "{" + strings.Join(parts, " ") + "}"
}

// items prints the items of a list. One whose type has a name of its own is
// known by having no keys.
func (p valuePrinter) items(lit *ast.CompositeLit) ([]string, bool) {
	span := p.spans.items
	switch typ := lit.Type.(type) {
	case *ast.ArrayType:
		span = isSpan(p.source(typ.Elt))
	case *ast.MapType, *ast.StructType:
		return nil, false
	default:
		if len(lit.Elts) == 0 {
			return nil, false
		}
	}
	items := make([]string, len(lit.Elts))
	for i, e := range lit.Elts {
		if _, keyed := e.(*ast.KeyValueExpr); keyed {
			return nil, false
		}
		items[i] = p.print(e, span)
	}
	return items, true
}

// bytesText prints bytes that are text.
//
//	[]byte{0x61, 0x62}    "ab"
func bytesText(lit *ast.CompositeLit) (string, bool) {
	array, ok := lit.Type.(*ast.ArrayType)
	if !ok || len(lit.Elts) == 0 {
		return "", false
	}
	if elt, ok := array.Elt.(*ast.Ident); !ok || elt.Name != "byte" && elt.Name != "uint8" {
		return "", false
	}
	text := make([]byte, len(lit.Elts))
	for i, e := range lit.Elts {
		b, ok := e.(*ast.BasicLit)
		if !ok {
			return "", false
		}
		n, err := strconv.ParseUint(b.Value, 0, 8)
		if err != nil || n < ' ' && n != '\n' && n != '\t' {
			return "", false
		}
		text[i] = byte(n)
	}
	return strconv.Quote(string(text)), utf8.Valid(text)
}

// splitTyped splits a value that testify has put its type before, because the
// other one has another type.
//
//	int64(4)
//	[]int([]int{1})
//	<nil>(<nil>)
func splitTyped(text string) (typ, inner string, ok bool) {
	at := -1
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			quoted, err := strconv.QuotedPrefix(text[i:])
			if err != nil {
				return "", "", false
			}
			i += len(quoted) - 1
		case '(', '[', '{':
			if text[i] == '(' && depth == 0 {
				at = i
			}
			depth++
		case ')', ']', '}':
			depth--
		}
	}
	if at <= 0 || depth != 0 || !strings.HasSuffix(text, ")") {
		return "", "", false
	}
	return text[:at], text[at+1 : len(text)-1], true
}

// compare tells two values apart that should be equal. Of their types it tells
// where nothing else differs:
//
//	int(4)  int64(4)    expected  int(4)
//	                    got       int64(4)
//	int(1)  int64(2)    expected  1
//	                    got       2
func compare(expected, got string, s spans) []string {
	typeE, innerE, okE := splitTyped(expected)
	typeG, innerG, okG := splitTyped(got)
	if !okE || !okG || typeE == typeG {
		return compareValues(readValue(expected, "", s), readValue(got, "", s))
	}
	e, g := readValue(innerE, typeE, s), readValue(innerG, typeG, s)
	if e.text != g.text {
		return compareValues(e, g)
	}
	return pair(typed(typeE, innerE, e), typed(typeG, innerG, g))
}

// typed prints a value with its type.
//
//	int(4)
//	[]int{1}
func typed(typ, inner string, v value) string {
	if strings.HasPrefix(inner, typ) {
		return plainTypes(inner)
	}
	return plainTypes(typ) + "(" + v.text + ")"
}

func compareValues(e, g value) []string {
	switch {
	case e.list && g.list && e.null != g.null && len(e.items)+len(g.items) == 0:
		name := map[bool]string{false: "an empty list", true: "a nil list"}
		return pair(name[e.null], name[g.null])
	case e.text == g.text:
		return append(pair(e.text, g.text), "they look alike: what differs is a type, or is behind a pointer")
	case wide(e.text) <= room && wide(g.text) <= room:
		return pair(e.text, g.text)
	case len(e.items) > 0 && len(g.items) > 0:
		return compareLists(e.items, g.items)
	default:
		return pair(around(e.brief(), g.brief()))
	}
}

// brief is the value with the middle of a long list left out.
func (v value) brief() string {
	if len(v.items) > 0 && wide(v.text) > room {
		return listing(v.items)
	}
	return v.text
}

// around leaves out what two long texts begin with alike, so that where they
// differ has room.
//
//	… than a screen has, and ends here"
//	… than a screen has, and ends there"
func around(a, b string) (string, string) {
	const lead = 24 // enough to find the place again
	x, y := []rune(a), []rune(b)
	if max(len(x), len(y)) <= room {
		return a, b
	}
	same := 0
	for same < len(x) && same < len(y) && x[same] == y[same] {
		same++
	}
	if same > lead {
		a, b = "…"+string(x[same-lead:]), "…"+string(y[same-lead:])
	}
	return shorten(a, room), shorten(b, room)
}

var (
	numberText = regexp.MustCompile(`^-?\d+(?:\.\d+)?(?:e[-+]\d+)?$`)
	spanText   = regexp.MustCompile(`^-?(?:\d+(?:\.\d+)?(?:h|m|s|ms|µs|ns))+$`)
)

// printed is a value that testify has printed with %v.
//
//	[1 3 5 7 … 99] (50 items)
func printed(text string) string {
	text = oneLine(text)
	switch {
	case text == "", text == "[]", text == "map[]":
		return "nothing"
	case text == "<nil>":
		return "nil"
	case address.FindString(text) == text:
		return "something"
	}
	// Strings are not in quotes, so only of numbers it is clear how many there are.
	if items := strings.Fields(strings.Trim(text, "[]")); wide(text) > room && len(items) > 0 && strings.HasPrefix(text, "[") {
		for _, item := range items {
			if !numberText.MatchString(item) && !spanText.MatchString(item) {
				return text
			}
		}
		return listing(items)
	}
	return text
}

// oneLine puts the lines of a text behind one another.
func oneLine(text string) string {
	if !strings.ContainsAny(text, "\n\r\t") {
		return strings.TrimSpace(text)
	}
	var parts []string
	for part := range strings.SplitSeq(text, "\n") {
		if part = strings.Join(strings.Fields(part), " "); part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, "; ")
}

func wide(s string) int { return utf8.RuneCountInString(s) }

// pair aligns what was expected with what came.
//
//	expected  12s
//	got       30s
func pair(expected, got string) []string {
	return []string{"expected  " + expected, "got       " + got}
}
