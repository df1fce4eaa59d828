package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"concurrency-koans/lessons"
)

func (a *app) initCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "init DIR",
		Short: "Write a fresh workbook",
		Long: `Init writes a fresh workbook to DIR: the lessons as shipped, in a module of their
own. It never overwrites a file.`,
		Args: a.args(1, 1),
		RunE: func(_ *cobra.Command, args []string) error {
			book, err := lessons.Workbook()
			if err != nil {
				return err
			}
			if err := writeWorkbook(a.at(args[0]), book); err != nil {
				return a.noWorkbook(args[0], err)
			}
			return a.sayWorkbook(args[0])
		},
	}
}

// A conflictError tells which files stand in a fresh workbook's way.
type conflictError struct{ names []string }

func (e *conflictError) Error() string {
	return "writing the workbook: there is already " + strings.Join(e.names, ", ")
}

// writeWorkbook writes book to dir. On an error nothing of it is left.
func writeWorkbook(dir string, book fs.FS) error {
	info, err := os.Stat(dir)
	switch {
	case isMissing(err):
		return writeBeside(dir, book)
	case err != nil:
		return err
	case !info.IsDir():
		return &conflictError{names: []string{dir}}
	}
	if err := findConflicts(dir, book); err != nil {
		return err
	}
	return writeInto(dir, book)
}

// writeBeside writes book to a folder of another name and renames it, so that
// dir is there as a whole or not at all.
func writeBeside(dir string, book fs.FS) (err error) {
	parent := filepath.Dir(dir)
	made, err := makeParents(parent)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil && made != "" {
			err = errors.Join(err, os.RemoveAll(made)) // it was not there before
		}
	}()
	temp, err := os.MkdirTemp(parent, ".koans-init-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(temp))
		}
	}()
	if err := os.Chmod(temp, 0o755); err != nil {
		return err
	}
	if err := writeInto(temp, book); err != nil {
		return err
	}
	return os.Rename(temp, dir)
}

// makeParents makes dir and those above it, and returns the topmost that was
// missing; "" if none was.
func makeParents(dir string) (made string, err error) {
	for up := dir; ; up = filepath.Dir(up) {
		if _, err := os.Stat(up); !isMissing(err) {
			break
		}
		made = up
	}
	return made, os.MkdirAll(dir, 0o755)
}

// findConflicts finds what is in book and in dir already.
func findConflicts(dir string, book fs.FS) error {
	var names []string
	err := fs.WalkDir(book, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Lstat(filepath.Join(dir, filepath.FromSlash(name)))
		switch {
		case isMissing(err):
			return nil
		case err != nil:
			return err
		case d.IsDir() && info.IsDir():
			return nil
		}
		names = append(names, filepath.FromSlash(name))
		if d.IsDir() {
			return fs.SkipDir
		}
		return nil
	})
	if err == nil && len(names) > 0 {
		return &conflictError{names: names}
	}
	return err
}

// writeInto writes the files of book below dir. On an error it takes away what
// it has made.
func writeInto(dir string, book fs.FS) (err error) {
	var made []string
	defer func() {
		if err == nil {
			return
		}
		for _, name := range slices.Backward(made) {
			err = errors.Join(err, os.Remove(name))
		}
	}()
	return fs.WalkDir(book, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		target := filepath.Join(dir, filepath.FromSlash(name))
		if d.IsDir() {
			switch err := os.Mkdir(target, 0o755); {
			case err == nil:
				made = append(made, target)
			case !errors.Is(err, fs.ErrExist):
				return err
			}
			return nil
		}
		data, err := fs.ReadFile(book, name)
		if err != nil {
			return err
		}
		if err := writeNew(target, data); err != nil {
			return err
		}
		made = append(made, target)
		return nil
	})
}

// sayWorkbook says what to do with a fresh workbook.
func (a *app) sayWorkbook(dir string) error {
	all, err := lessons.Pristine()
	if err != nil {
		return err
	}
	a.out.line("A fresh workbook with %s is in %s.", plural(len(all), "lesson"), styleTitle.Render(dir))
	a.out.line("")
	if a.world.throughGoRun() {
		a.out.pairs(2,
			pair{styleType.Render("go install ./cmd/koans"), "puts koans into Go's bin folder, once"},
			pair{styleType.Render("cd " + quoted(dir)), ""},
			pair{styleType.Render("koans"), "the first step"},
		)
		return nil
	}
	a.out.pairs(2,
		pair{styleType.Render("cd " + quoted(dir)), ""},
		pair{styleType.Render("koans"), "the first step"},
	)
	return nil
}

// noWorkbook says why no workbook was written.
func (a *app) noWorkbook(dir string, err error) error {
	var conflict *conflictError
	if errors.As(err, &conflict) {
		const most = 8
		names := conflict.names
		list := strings.Join(names[:min(most, len(names))], "\n  ")
		if len(names) > most {
			list += fmt.Sprintf("\n  and %d more", len(names)-most)
		}
		return usage(fmt.Sprintf("%s has files in the way, so nothing was written:\n  %s", dir, list),
			"Choose another folder.")
	}
	return &exit{
		status: exitUnchecked, problem: fmt.Sprintf("The workbook could not be written to %s. Nothing of it is left.", dir),
		remedy: "Choose a folder that you may write to, on a disk with room.", err: err,
	}
}
