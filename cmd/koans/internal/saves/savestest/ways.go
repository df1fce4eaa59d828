// Package savestest saves files as editors do, for tests.
package savestest

import (
	"errors"
	"os"
	"path/filepath"
)

// Ways are the ways of saving, by who saves so.
var Ways = map[string]func(file string, text []byte) error{
	"vim":    Vim,
	"code":   Code,
	"rename": Rename,
}

// Vim saves as vim does with its default settings: it tries out whether the
// folder can be written, moves the old file aside, writes a new one, and removes
// the old. A swap file stands beside it all the while.
func Vim(file string, text []byte) error {
	dir, name := filepath.Split(file)
	swap, try, backup := filepath.Join(dir, "."+name+".swp"), filepath.Join(dir, "4913"), file+"~"
	return errors.Join(
		os.WriteFile(swap, []byte("b0VIM"), 0o600),
		os.WriteFile(try, nil, 0o644),
		os.Remove(try),
		os.Rename(file, backup),
		os.WriteFile(file, text, 0o644),
		os.Chmod(file, 0o644),
		os.Remove(backup),
		os.Remove(swap),
	)
}

// Code saves as VS Code does: it truncates the file and writes it, in two steps.
func Code(file string, text []byte) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	half := len(text) / 2
	_, err1 := f.Write(text[:half])
	_, err2 := f.Write(text[half:])
	return errors.Join(err1, err2, f.Close())
}

// Rename saves as those do who write a new file and put it in the place of the
// old one in one step.
func Rename(file string, text []byte) error {
	return errors.Join(
		os.WriteFile(file+".tmp", text, 0o644),
		os.Rename(file+".tmp", file),
	)
}
