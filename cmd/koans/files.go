package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// writeNew writes a file that must not exist yet, down to the disk. On an error
// nothing of it is left.
func writeNew(name string, data []byte) (err error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(name))
		}
	}()
	return writeAll(f, data)
}

// replaceFile puts data in the place of a file in one step: whoever reads it
// sees the old content or the new one, and an error leaves the old one.
func replaceFile(name string, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), ".koans-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if err := f.Chmod(0o644); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := writeAll(f, data); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

// writeAll fills f, makes sure that the disk has it, and closes f.
func writeAll(f *os.File, data []byte) error {
	_, err := f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// keep writes data beside name under a name that is not taken:
// name.suffix.bak, name.suffix-2.bak … It reads it back before it returns the
// name: what follows may destroy the original.
func keep(name, suffix string, data []byte) (string, error) {
	for n := 1; ; n++ {
		kept := fmt.Sprintf("%s.%s.bak", name, suffix)
		if n > 1 {
			kept = fmt.Sprintf("%s.%s-%d.bak", name, suffix, n)
		}
		err := writeNew(kept, data)
		if errors.Is(err, os.ErrExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		back, err := os.ReadFile(kept)
		if err == nil && !bytes.Equal(back, data) {
			err = fmt.Errorf("reading %s back: it is not what was written", kept)
		}
		return kept, err
	}
}
