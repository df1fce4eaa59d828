package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestKeepNeverOverwrites(t *testing.T) {
	name := filepath.Join(t.TempDir(), "pipeline.go")
	for _, c := range []struct{ text, want string }{
		{"one", "pipeline.go.20261123-153012.bak"},
		{"two", "pipeline.go.20261123-153012-2.bak"},
		{"three", "pipeline.go.20261123-153012-3.bak"},
	} {
		kept, err := keep(name, "20261123-153012", []byte(c.text))
		require.NoError(t, err)
		require.Equal(t, c.want, filepath.Base(kept))
	}
	first, err := os.ReadFile(name + ".20261123-153012.bak")
	require.NoError(t, err)
	require.Equal(t, "one", string(first))
}

func TestReplaceFileLeavesTheOldOneOnAnError(t *testing.T) {
	dir := t.TempDir()
	occupied := filepath.Join(dir, "pipeline.go") // a folder: nothing can be renamed onto it
	require.NoError(t, os.MkdirAll(filepath.Join(occupied, "mine"), 0o755))
	require.Error(t, replaceFile(occupied, []byte("new")))
	require.Equal(t, []string{"pipeline.go", "pipeline.go/mine"}, tree(t, dir))
}
