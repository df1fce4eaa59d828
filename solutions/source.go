package solutions

import (
	"bytes"
	"go/ast"
	"go/doc"
	"go/doc/comment"
	"go/format"
	"go/parser"
	"go/token"
	"io/fs"
	"regexp"
	"slices"
	"strings"
)

// A source is one Go file with an answer in it.
type source struct {
	name   string // without .go
	at     string // where faults place it
	text   []byte
	syntax *ast.File // nil if it does not parse
}

// readSource reads and parses a file. It need not compile: a pitfall may be
// there to show what the compiler says.
func readSource(fsys fs.FS, file, at string, found *faults) source {
	s := source{at: at}
	text, err := fs.ReadFile(fsys, file)
	if err != nil {
		found.add(at, "%w", err)
		return s
	}
	s.text = text
	syntax, err := parser.ParseFile(token.NewFileSet(), at, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		found.add("", "%w", err) // it begins with the file
		return s
	}
	s.syntax = syntax
	if tidy, err := format.Source(text); err != nil || !bytes.Equal(tidy, text) {
		found.add(at, "not formatted with gofmt")
	}
	return s
}

// kinds are the kinds of diagnosis that an answer can have.
var kinds = []string{"todo", "build", "vet", "assertion", "race", "leak", "deadlock", "stuck", "panic", "crash"}

var wantLine = regexp.MustCompile(`^// want: (\w+) (Test\w+)\n(\n?)`)

// want reads the first line, which says how the answer must fail, and where.
func (s source) want(found *faults) (kind, koan string) {
	m := wantLine.FindSubmatch(s.text)
	if m == nil {
		found.add(s.at, `no "// want: kind koan" line`)
		return "", ""
	}
	kind, koan = string(m[1]), string(m[2])
	if !slices.Contains(kinds, kind) {
		found.add(s.at, "kind %q is none of %s", kind, strings.Join(kinds, ", "))
	}
	if len(m[3]) == 0 {
		found.add(s.at, `no empty line behind "// want: %s %s"`, kind, koan)
	}
	return kind, koan
}

// explanation splits the package comment into its first sentence and the rest.
func (s source) explanation(found *faults) (title, text string) {
	if s.syntax == nil {
		return "", ""
	}
	if s.syntax.Doc == nil {
		found.add(s.at, "no package comment")
		return "", ""
	}
	plain := comment.Printer{TextWidth: -1} // the reader's terminal wraps
	whole := string(plain.Text(new(comment.Parser).Parse(s.syntax.Doc.Text())))
	title = new(doc.Package).Synopsis(whole)
	text = strings.TrimSpace(strings.TrimPrefix(whole, title))
	if text == "" {
		found.add(s.at, "the package comment ends with its first sentence")
	}
	return title, text
}
