package lessons

import (
	_ "embed"
	"fmt"
	"io/fs"

	"golang.org/x/tools/txtar"
)

// The lessons cannot be embedded as they stand: "go run ./cmd/koans" builds anew
// after each edit, and would embed what the learner has written by then.

//go:generate go run generate.go

//go:embed pristine.txtar
var pristine []byte

// Workbook returns a fresh workbook, whatever has been edited since it was
// shipped: a module with the lessons in their folders, and nothing else than
// what they need.
func Workbook() (fs.FS, error) {
	workbook, err := txtar.FS(txtar.Parse(pristine))
	if err != nil {
		return nil, fmt.Errorf("reading pristine.txtar: %w", err)
	}
	return workbook, nil
}

// Pristine returns the lessons as shipped, whatever has been edited since.
func Pristine() ([]Lesson, error) {
	workbook, err := Workbook()
	if err != nil {
		return nil, err
	}
	folder, err := fs.Sub(workbook, "lessons")
	if err != nil {
		return nil, fmt.Errorf("reading pristine.txtar: %w", err)
	}
	lessons, err := Load(folder)
	if err != nil {
		return nil, fmt.Errorf("reading pristine.txtar: %w", err)
	}
	return lessons, nil
}
