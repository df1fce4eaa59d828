package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Commands are shown as they can be typed.
func TestCall(t *testing.T) {
	hash := strings.Repeat("0123456789abcdef", 4)
	for _, c := range []struct{ executable, dir, want string }{
		{"/usr/local/bin/koans", "", "koans"},
		{"/home/me/go-build/koans", "", "koans"},
		{"/tmp/go-build2263051532/b001/exe/koans", "", "go run ./cmd/koans"},
		{"/home/me/.cache/go-build/01/" + hash + "-d/koans", "", "go run ./cmd/koans"},
		{`C:\Users\me\AppData\Local\Temp\go-build22\b001\exe\koans.exe`, "", "go run ./cmd/koans"},
		{"/usr/local/bin/koans", "my books/go", "koans -C 'my books/go'"},
	} {
		a := &app{world: world{executable: c.executable}, dir: c.dir}
		require.Equal(t, c.want, a.call(), c.executable)
	}
}

func TestCallFromASubfolder(t *testing.T) {
	root, err := filepath.Abs(filepath.Join("..", ".."))
	require.NoError(t, err)
	a := &app{
		world: world{executable: "/tmp/go-build1/b001/exe/koans"},
		book:  &workbook{root: root, base: filepath.Join(root, "lessons", "01-pipeline")},
	}
	require.Equal(t, "go run "+filepath.Join("..", "..", "cmd", "koans"), a.call())
	require.Equal(t, "Put it back with: "+a.call()+" reset 1", a.typed("Put it back with: koans reset 1"))
	require.Equal(t, "The koans list what is missing.", a.typed("The koans list what is missing."))
}
