package main

import (
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"text/template"

	"github.com/spf13/cobra"
	"golang.org/x/tools/txtar"
)

//go:embed template.txtar
var lessonTemplate string

func (a *app) devNewCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "new NAME",
		Short: "Begin the next lesson from a template",
		Long: `New writes the folders of the next lesson, with everything in them that a lesson
needs, small enough to be replaced. NAME is in kebab case: rate-limiter.`,
		Args: a.args(1, 1),
		RunE: func(_ *cobra.Command, args []string) error { return a.devNew(args[0]) },
	}
}

var kebabCase = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

// A draft is what the template makes a lesson of.
type draft struct {
	Number                   int
	ID, Name, Package, Title string
}

func (a *app) devNew(name string) error {
	if !kebabCase.MatchString(name) {
		return usage(fmt.Sprintf("%q is not in kebab case.", name), "Like this: "+a.command("dev", "new", "rate-limiter"))
	}
	book, err := a.workbook()
	if err != nil {
		return err
	}
	number, err := nextNumber(os.DirFS(book.path("lessons")), name)
	if err != nil {
		return err
	}
	d := draft{
		Number: number, Name: name, ID: fmt.Sprintf("%02d-%s", number, name),
		Package: strings.ReplaceAll(name, "-", ""),
		Title:   strings.ToUpper(name[:1]) + strings.ReplaceAll(name[1:], "-", " "),
	}
	// A workbook that init has written lacks what demos share.
	shared, err := book.shipped("solutions/demo")
	if err != nil {
		return err
	}
	files, err := d.files(shared)
	if err != nil {
		return err
	}
	if err := findConflicts(book.root, files); err != nil {
		var conflict *conflictError
		if !errors.As(err, &conflict) {
			return err
		}
		return usage("There is already "+strings.Join(conflict.names, ", ")+".", "Choose another name.")
	}
	if err := writeInto(book.root, files); err != nil {
		return &exit{status: exitUnchecked, problem: "The lesson could not be written. Nothing of it is left.", err: err}
	}
	a.out.line("Lesson %d begins in %s and %s.", number,
		styleTitle.Render(book.show("lessons/"+d.ID)), styleTitle.Render(book.show("solutions/"+d.ID)))
	a.out.line("")
	a.out.item(2, fmt.Sprintf("1. Write the contract and the koans: %s.go, %[1]s_test.go.", d.Package))
	a.out.item(2, "2. Write the reference, three alternatives or more, and six pitfalls or more.")
	a.out.item(2, "3. Write demo.go, a program to look at, and bench_test.go, what it costs.")
	a.out.item(2, "4. Write hints.md, then README.md.")
	a.out.item(2, "5. Prove it: "+a.command("dev", "check", d.Name))
	a.out.item(2, "6. Ship it: "+styleType.Render("go generate ./lessons"))
	return nil
}

// nextNumber is one more than the highest number of a lesson. No two lessons
// have the same name: it finds them.
func nextNumber(taught fs.FS, name string) (int, error) {
	entries, err := fs.ReadDir(taught, ".")
	if err != nil {
		return 0, err
	}
	next := 1
	for _, e := range entries {
		var n int
		var other string
		if _, err := fmt.Sscanf(e.Name(), "%d-%s", &n, &other); err != nil || !e.IsDir() {
			continue
		}
		if other == name {
			return 0, usage("There is already a lesson "+e.Name()+".", "Choose another name.")
		}
		next = max(next, n+1)
	}
	return next, nil
}

// files are what a draft is made of, and others that it needs beside it.
func (d draft) files(others map[string][]byte) (fs.FS, error) {
	t, err := template.New("lesson").Parse(lessonTemplate)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	if err := t.Execute(&b, d); err != nil {
		return nil, err
	}
	archive := txtar.Parse([]byte(b.String()))
	for name, text := range others {
		if !strings.HasSuffix(name, "_test.go") {
			archive.Files = append(archive.Files, txtar.File{Name: name, Data: text})
		}
	}
	return txtar.FS(archive)
}
