package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

// broken is a workbook of which the last file cannot be read.
type brokenBook struct{ fstest.MapFS }

var errBroken = errors.New("broken")

func (b brokenBook) ReadFile(name string) ([]byte, error) {
	if name == "lessons/z/last.go" {
		return nil, errBroken
	}
	return b.MapFS.ReadFile(name)
}

func newBrokenBook() fs.FS {
	return brokenBook{fstest.MapFS{
		"go.mod":              {Data: []byte("module concurrency-koans\n")},
		"lessons/a/first.go":  {Data: []byte("package a\n")},
		"lessons/z/last.go":   {Data: []byte("package z\n")},
		"lessons/z/before.go": {Data: []byte("package z\n")},
	}}
}

// TestInitLeavesNothingHalfDone breaks off in the midst of writing.
func TestInitLeavesNothingHalfDone(t *testing.T) {
	t.Run("a new folder", func(t *testing.T) {
		parent := t.TempDir()
		err := writeWorkbook(filepath.Join(parent, "new", "book"), newBrokenBook())
		require.ErrorIs(t, err, errBroken)
		require.Empty(t, tree(t, parent))
	})
	t.Run("a folder with something in it", func(t *testing.T) {
		dir := t.TempDir()
		require.NoError(t, os.MkdirAll(filepath.Join(dir, "lessons"), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "mine.txt"), nil, 0o644))
		err := writeWorkbook(dir, newBrokenBook())
		require.ErrorIs(t, err, errBroken)
		require.Equal(t, []string{"lessons", "mine.txt"}, tree(t, dir))
	})
}

// tree lists what is below dir.
func tree(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, _ fs.DirEntry, err error) error {
		if name != "." {
			names = append(names, name)
		}
		return err
	})
	require.NoError(t, err)
	return names
}
