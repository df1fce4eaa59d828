package main

import (
	"cmp"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"slices"
	"strings"

	"concurrency-koans/solutions"
)

// resembling returns the pitfalls that an answer resembles around its faulty
// line, the most similar one first: those whose function of the same name has
// such a line come before those that have more of that function, and of the
// whole file.
//
// To share what every answer shares is no resemblance. So a pitfall counts only
// if it is no less like the answer than the reference is, and if the answer has
// a line that the pitfall has and the reference does not, or else nearly all of
// the pitfall's lines. None of this runs anything, so that it costs the learner
// no time.
func resembling(pitfalls []solutions.Pitfall, reference, answer []byte, line int) []solutions.Pitfall {
	mine, right := outlineOf(answer), outlineOf(reference)
	function := mine.around(line)
	fault := mine.shapes[line]
	type likeness struct{ line, function, file float64 }
	to := func(theirs outline) likeness {
		n := likeness{
			function: resemblance(mine.in(function), theirs.in(function)),
			file:     resemblance(mine.in(""), theirs.in("")),
		}
		if fault != "" && slices.Contains(theirs.in(function), fault) {
			n.line = 1
		}
		return n
	}
	compare := func(x, y likeness) int {
		return cmp.Or(cmp.Compare(y.line, x.line), cmp.Compare(y.function, x.function), cmp.Compare(y.file, x.file))
	}
	toReference := to(right)
	near := map[string]likeness{}
	var alike []solutions.Pitfall
	for _, p := range pitfalls {
		theirs := outlineOf(p.Source)
		n := to(theirs)
		telling := n.function >= leastLikeness && slices.ContainsFunc(theirs.in(function), func(shape string) bool {
			return strings.Count(shape, " ") > shortShape && !slices.Contains(right.in(function), shape) && slices.Contains(mine.in(function), shape)
		})
		if compare(n, toReference) <= 0 && (telling || n.function >= nearlyAll) {
			near[p.Name] = n
			alike = append(alike, p)
		}
	}
	slices.SortStableFunc(alike, func(a, b solutions.Pitfall) int { return compare(near[a.Name], near[b.Name]) })
	return alike
}

const (
	leastLikeness = 0.4  // of a function, at the least, when a line tells
	nearlyAll     = 0.75 // of a function, when no line does
	shortShape    = 3    // tokens of a line that tells nothing, such as return nil
)

// An outline is a source file as far as it can be compared with another one.
type outline struct {
	shapes    map[int]string // by line
	functions map[string]extent
	all       extent
}

// An extent is the first and the last line of something.
type extent struct{ first, last int }

// outlineOf reads a source file, as far as it can be read.
func outlineOf(source []byte) outline {
	o := outline{functions: map[string]extent{}, shapes: shapesOf(source)}
	for line := range o.shapes {
		o.all.last = max(o.all.last, line)
	}
	fset := token.NewFileSet()
	file, _ := parser.ParseFile(fset, "", source, parser.SkipObjectResolution) // what could be read is in file
	if file == nil {
		return o
	}
	for _, d := range file.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok {
			o.functions[receiver(fn)+fn.Name.Name] = extent{fset.Position(fn.Pos()).Line, fset.Position(fn.End()).Line}
		}
	}
	return o
}

// receiver is the name of a method's type, with a dot behind it; "" of a
// function.
func receiver(fn *ast.FuncDecl) (name string) {
	if fn.Recv == nil || len(fn.Recv.List) == 0 {
		return ""
	}
	ast.Inspect(fn.Recv.List[0].Type, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && name == "" { // the first one; type parameters follow
			name = id.Name + "."
		}
		return name == ""
	})
	return name
}

// around names the function that a line is in; "" outside of all.
func (o outline) around(line int) string {
	for name, e := range o.functions {
		if e.first <= line && line <= e.last {
			return name
		}
	}
	return ""
}

// in returns the shapes of the lines in a function, or in the whole file when the
// function has no name, without the empty ones.
func (o outline) in(function string) (shapes []string) {
	e := o.functions[function]
	if function == "" {
		e = o.all
	}
	for line := e.first; line <= e.last; line++ {
		if s := o.shapes[line]; s != "" {
			shapes = append(shapes, s)
		}
	}
	return shapes
}

// shapesOf gives each line of a source its shape: its tokens without comments,
// and with a blank in the place of a name, since learners choose names of their
// own. Names behind a dot stay, as do those that the language has given: that
// something is closed, awaited or locked is what makes an answer right or wrong.
func shapesOf(source []byte) map[int]string {
	fset := token.NewFileSet()
	file := fset.AddFile("", fset.Base(), len(source))
	var s scanner.Scanner
	s.Init(file, source, nil, 0)
	shapes := map[int]string{}
	last := token.ILLEGAL
	for {
		pos, tok, text := s.Scan()
		if tok == token.EOF {
			return shapes
		}
		word := tok.String()
		switch {
		case tok == token.SEMICOLON && text == "\n":
			continue
		case tok == token.IDENT && last != token.PERIOD && !given[text]:
			word = "_"
		case tok.IsLiteral():
			word = text
		}
		shapes[file.Line(pos)] += word + " "
		last = tok
	}
}

// given are names of the language that say what a line does.
var given = func() map[string]bool {
	names := map[string]bool{}
	for name := range strings.FieldsSeq("append cap close copy delete len make nil panic recover true false context sync atomic time") {
		names[name] = true
	}
	return names
}()

// resemblance is how much two lists have in common, from 0 to 1, in whatever
// order: twice the lines of both over all lines.
func resemblance(a, b []string) float64 {
	if len(a)+len(b) == 0 {
		return 0
	}
	left := map[string]int{}
	for _, line := range a {
		left[line]++
	}
	common := 0
	for _, line := range b {
		if left[line] > 0 {
			left[line]--
			common++
		}
	}
	return 2 * float64(common) / float64(len(a)+len(b))
}
