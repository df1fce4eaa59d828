package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"concurrency-koans/lessons"
)

func (a *app) resetCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "reset LESSON",
		Short: "Put the skeleton back; your file is kept",
		Long: `Reset puts the skeleton and the koans of LESSON back as they were shipped. Your
file is kept beside it, under a name that go does not see, and nothing is ever
overwritten.`,
		Args:              a.args(1, 1),
		ValidArgsFunction: a.completeLesson,
		RunE: func(_ *cobra.Command, args []string) error {
			l, err := a.lesson(args[0])
			if err != nil {
				return err
			}
			return a.reset(l)
		},
	}
}

// reset puts back what is missing of a lesson, and the answer and the koans where
// they differ. What was there is kept first, and is on the disk before anything
// takes its place.
func (a *app) reset(l lessons.Lesson) error {
	pristine, err := shipped(l)
	if err != nil {
		return err
	}
	dir := a.book.path(folder(l))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return a.noReset(l, err)
	}
	stamp := a.world.now().Format("20060102-150405")
	var done []pair
	for _, name := range slices.Sorted(maps.Keys(pristine)) {
		file := filepath.Join(dir, name)
		old, err := os.ReadFile(file)
		_, koans := l.Tests[name]
		switch {
		case isMissing(err):
			done = append(done, pair{name, "was missing and is back"})
		case err != nil:
			return a.noReset(l, err)
		case sameText(old, pristine[name]), name != l.Answer && !koans:
			continue
		default:
			kept, err := keep(file, stamp, old)
			if err != nil {
				return a.noReset(l, err)
			}
			done = append(done, pair{name, "is as shipped; yours is kept in " + a.book.show(folder(l)+"/"+filepath.Base(kept))})
		}
		if err := replaceFile(file, pristine[name]); err != nil {
			return a.noReset(l, err)
		}
	}
	if len(done) == 0 {
		a.out.line("Lesson %d, %s, is as shipped already. Nothing was changed.", l.Number, l.Title)
		return nil
	}
	a.out.line("Lesson %d, %s, is as shipped again.", l.Number, l.Title)
	a.out.line("")
	a.out.pairs(2, done...)
	a.out.line("")
	begin := a.command("check", l.Number)
	if now, done, err := a.current(); err == nil && !done && now.ID == l.ID {
		begin = a.command("next")
	}
	a.out.line("Begin with: %s", begin)
	return nil
}

// shipped returns the files of a lesson's folder as shipped, by base name.
func shipped(l lessons.Lesson) (map[string][]byte, error) {
	book, err := lessons.Workbook()
	if err != nil {
		return nil, err
	}
	entries, err := fs.ReadDir(book, folder(l))
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, e := range entries {
		if files[e.Name()], err = fs.ReadFile(book, folder(l)+"/"+e.Name()); err != nil {
			return nil, err
		}
	}
	return files, nil
}

func (a *app) noReset(l lessons.Lesson, err error) error {
	remedy := "Nothing was lost. Look at the owner and the mode of the folder " + a.book.show(folder(l)) + ", and at the room on the disk."
	if errors.Is(err, os.ErrPermission) {
		remedy = "Nothing was lost. Make the folder " + a.book.show(folder(l)) + " one that you may write to."
	}
	return &exit{status: exitUnchecked, problem: fmt.Sprintf("Lesson %d, %s, could not be reset.", l.Number, l.Title), remedy: remedy, err: err}
}
