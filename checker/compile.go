package checker

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// A complaint is one line of the compiler or of vet about a source line.
type complaint struct {
	file string // base name
	line int
	text string
}

// complaintLine matches
//
//	lessons/01-pipeline/pipeline.go:12:6: declared and not used: x
//	vet: lessons/01-pipeline/pipeline.go:12:6: undefined: y
var complaintLine = regexp.MustCompile(`(?m)^(?:vet: )?(.*\.go):(\d+):(?:\d+:)? (.*)$`)

func parseComplaints(out []byte) []complaint {
	var list []complaint
	for _, m := range complaintLine.FindAllStringSubmatch(string(out), -1) {
		n, err := strconv.Atoi(m[2])
		if err != nil {
			continue
		}
		file := path.Base(strings.ReplaceAll(m[1], `\`, "/"))
		list = append(list, complaint{file: file, line: n, text: m[3]})
	}
	return list
}

// diagnoseBuild explains a build that failed with err: a fault of the answer is
// a diagnosis, a fault of the machine an error.
func (s *Session) diagnoseBuild(out []byte, err error) (*Diagnosis, error) {
	if !errors.Is(err, errGoCommand) {
		return nil, err
	}
	var own, koans []complaint
	for _, c := range parseComplaints(out) {
		if strings.HasSuffix(c.file, "_test.go") {
			koans = append(koans, c)
		} else {
			own = append(own, c)
		}
	}
	answer, readErr := s.p.answer()
	if readErr != nil {
		return &Diagnosis{
			Kind: Build, File: s.p.file(s.p.Answer),
			Summary: fmt.Sprintf("The file %s is not there.", s.p.Answer),
			Detail:  []string{"The koans test what it declares. koans reset writes the skeleton again."},
			Raw:     string(out),
		}, nil
	}
	if len(own) == 0 {
		if fault := environmentFault(out); fault != nil {
			return nil, fault
		}
	}
	need := s.missingSignature(answer)
	d := &Diagnosis{Kind: Build, File: s.p.file(s.p.Answer), Raw: string(out)}
	switch {
	case len(own) > 0:
		d.File, d.Line = s.p.file(own[0].file), own[0].line
		d.Summary = sentence(own[0].text)
		if plain := plainly(own[0].text); plain != "" {
			d.Summary = plain
			d.Detail = append(d.Detail, "the compiler: "+own[0].text)
		}
		if len(own) > 1 {
			more := "one more complaint"
			if n := len(own) - 1; n > 1 {
				more = fmt.Sprintf("%d more complaints", n)
			}
			d.Detail = append(d.Detail, fmt.Sprintf("The compiler has %s; the first often causes the rest.", more))
		}
		if need.want != "" {
			d.Detail = append(d.Detail, need.detail()...)
		}
	case need.want != "":
		d.Line = need.line
		d.Summary = need.summary
		d.Detail = need.detail()
	case len(koans) > 0:
		d.Summary = "The koans do not compile with it: " + koans[0].text + "."
	default:
		return nil, unexplained(out)
	}
	return d, nil
}

// What the compiler says most often to those who learn Go, in plain words.
var inPlainWords = []struct {
	said *regexp.Regexp
	tell string
}{
	{regexp.MustCompile(`^declared and not used: (\S+)$`), "`$1` is declared and never used, and Go does not allow that."},
	{regexp.MustCompile(`^undefined: (\S+)$`), "Nothing is called `$1` here. Is it misspelt, or is an import missing?"},
	{regexp.MustCompile(`^("[^"]+") imported and not used$`), "The import $1 is not used, and Go does not allow that. Take it out."},
	{regexp.MustCompile(`^("[^"]+") imported as (\S+) and not used$`), "The import $1 is not used, and Go does not allow that. Take it out."},
	{regexp.MustCompile(`^(\S+) redeclared in this block$`), "`$1` is declared twice."},
	{regexp.MustCompile(`^(\S+) undefined \(type (.+) has no field or method (\S+)\)$`), "There is no `$1`: $2 has no field or method `$3`."},
	{regexp.MustCompile(`^missing return$`), "This function has a result, and can come to its end without a return."},
	{regexp.MustCompile(`^no new variables on left side of :=$`), "All of these variables are declared already: write = and not :=."},
	{regexp.MustCompile(`^assignment mismatch: (.*) but (.*) returns? (.*)$`), "Here are $1, and $2 returns $3."},
}

// plainly says what the compiler means, "" where its own words are the best.
func plainly(said string) string {
	for _, p := range inPlainWords {
		if p.said.MatchString(said) {
			return p.said.ReplaceAllString(said, p.tell)
		}
	}
	return ""
}

// A need is a declaration of the skeleton that the answer lacks or has changed.
type need struct {
	summary    string
	want, have string
	line       int // of what the answer has
}

func (n need) detail() []string {
	lines := []string{"the lesson needs:  " + n.want}
	if n.have != "" {
		lines = append(lines, "your file has:     "+n.have)
	}
	return lines
}

// missingSignature compares the answer's exported functions with the
// skeleton's, and returns the first that the koans will miss.
func (s *Session) missingSignature(answer []byte) need {
	fset := token.NewFileSet()
	want, err := parser.ParseFile(fset, "skeleton", s.p.Skeleton, parser.SkipObjectResolution)
	if err != nil {
		return need{}
	}
	have, err := parser.ParseFile(fset, "answer", answer, parser.SkipObjectResolution)
	if have == nil || have.Name == nil || err != nil {
		return need{}
	}
	if have.Name.Name != want.Name.Name {
		return need{
			summary: fmt.Sprintf("The package must be named %s, as the koans import it.", want.Name.Name),
			want:    "package " + want.Name.Name,
			have:    "package " + have.Name.Name,
			line:    fset.Position(have.Name.Pos()).Line,
		}
	}
	found := map[string]*ast.FuncDecl{}
	for _, d := range have.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok {
			found[funcKey(fn)] = fn
		}
	}
	for _, d := range want.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || !fn.Name.IsExported() {
			continue
		}
		wanted := signature(fn)
		got := found[funcKey(fn)]
		if got == nil {
			for key, other := range found {
				if strings.EqualFold(key, funcKey(fn)) {
					return need{
						summary: fmt.Sprintf("The koans need %s, and your file declares %s: capital letters count.", fn.Name.Name, other.Name.Name),
						want:    wanted, have: signature(other),
						line: fset.Position(other.Pos()).Line,
					}
				}
			}
			return need{summary: fmt.Sprintf("The koans need %s, and your file does not declare it.", fn.Name.Name), want: wanted}
		}
		if signature(got) != wanted && shape(got) != shape(fn) {
			return need{
				summary: fmt.Sprintf("The signature of %s is not the one that the koans call.", fn.Name.Name),
				want:    wanted, have: signature(got),
				line: fset.Position(got.Pos()).Line,
			}
		}
	}
	return need{}
}

// funcKey names a function, a method with its receiver's type.
func funcKey(fn *ast.FuncDecl) string {
	key := fn.Name.Name
	if fn.Recv != nil && len(fn.Recv.List) == 1 {
		t := fn.Recv.List[0].Type
		if star, ok := t.(*ast.StarExpr); ok {
			t = star.X
		}
		switch x := t.(type) {
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		}
		if id, ok := t.(*ast.Ident); ok {
			key = id.Name + "." + key
		}
	}
	return key
}

// signature prints a function's declaration on one line.
func signature(fn *ast.FuncDecl) string {
	bare := *fn
	bare.Doc, bare.Body = nil, nil
	return printNode(&bare)
}

// shape prints a signature without the names of parameters, which a learner
// may choose.
func shape(fn *ast.FuncDecl) string {
	var b strings.Builder
	for _, list := range []*ast.FieldList{fn.Type.Params, fn.Type.Results} {
		if list != nil {
			for _, f := range list.List {
				for range max(1, len(f.Names)) {
					b.WriteString(printNode(f.Type) + ",")
				}
			}
		}
		b.WriteString(";")
	}
	return b.String()
}

func printNode(n ast.Node) string {
	var b strings.Builder
	if err := printer.Fprint(&b, token.NewFileSet(), n); err != nil {
		return ""
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// file is the module-relative path of a file of the package.
func (p Package) file(base string) string { return path.Join(p.Dir, base) }
