package lessons_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"

	"concurrency-koans/lessons"
)

func TestPristineIsCurrent(t *testing.T) {
	t.Parallel()
	openInputs(t)
	fresh := filepath.Join(t.TempDir(), "pristine.txtar")
	output, err := run(".", generator(t), "-o", fresh)
	require.NoError(t, err, "generating pristine.txtar:\n%s", output)

	want, err := os.ReadFile("pristine.txtar")
	require.NoError(t, err)
	got, err := os.ReadFile(fresh)
	require.NoError(t, err)
	if string(want) == string(got) {
		return
	}
	t.Errorf(`lessons/pristine.txtar differs from what the repository holds, in:

%s

If you work through the lessons: all is well. This test fails as soon as you edit
one, and koans judges by the pristine copy, whatever you edit.

If you changed a lesson for everybody: run "go generate ./lessons" and commit
lessons/pristine.txtar with it.`, strings.Join(differing(txtar.Parse(want), txtar.Parse(got)), "\n"))
}

// openInputs opens all that the generator reads. A cached pass holds as long as
// the files that the test itself has opened are the same; of what its children
// open, go test knows nothing.
func openInputs(t *testing.T) {
	t.Helper()
	inputs, err := filepath.Glob("[0-9][0-9]-*")
	require.NoError(t, err)
	inputs = append(inputs, "../go.mod", "../go.sum", "generate.go", "testdata/workbook")
	for _, input := range inputs {
		require.NoError(t, filepath.WalkDir(input, func(name string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				_, err = os.ReadFile(name)
			}
			return err
		}))
	}
}

// differing returns the names of the files that are not the same in both.
func differing(a, b *txtar.Archive) (names []string) {
	files := map[string]string{}
	for _, f := range a.Files {
		files[f.Name] = string(f.Data)
	}
	for _, f := range b.Files {
		if data, ok := files[f.Name]; !ok || data != string(f.Data) {
			names = append(names, f.Name)
		}
		delete(files, f.Name)
	}
	for name := range files {
		names = append(names, name)
	}
	return names
}

func TestPristineIsInForm(t *testing.T) {
	t.Parallel()
	all, err := lessons.Pristine()
	require.NoError(t, err)

	workbook, err := lessons.Workbook()
	require.NoError(t, err)
	for _, l := range all {
		folder := "lessons/" + l.ID + "/"
		skeleton, err := fs.ReadFile(workbook, folder+l.Answer)
		require.NoError(t, err)
		require.Equal(t, string(skeleton), string(l.Skeleton))
		for name, data := range l.Tests {
			test, err := fs.ReadFile(workbook, folder+name)
			require.NoError(t, err)
			require.Equal(t, string(test), string(data))
		}
	}
}

// A workbook stands alone: with a filled module cache it works offline.
func TestWorkbookWorksOffline(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds every lesson's tests")
	}
	workbook, err := lessons.Workbook()
	require.NoError(t, err)
	dir := filepath.Join(t.TempDir(), "my koans")
	require.NoError(t, os.CopyFS(dir, workbook))

	for _, command := range [][]string{
		{"go", "mod", "verify"},
		{"go", "mod", "tidy", "-diff"},
		{"go", "vet", "./..."},
	} {
		output, err := run(dir, command...)
		require.NoError(t, err, "%s in a fresh workbook:\n%s", strings.Join(command, " "), output)
	}
}

// The generator works where there is no pristine.txtar yet, or a broken one, and
// does the same each time.
func TestGenerate(t *testing.T) {
	t.Parallel()
	folder := repository(t)
	generate := generator(t)
	pristine := filepath.Join(folder, "pristine.txtar")

	output, err := run(folder, generate)
	require.NoError(t, err, "%s", output)
	first, err := os.ReadFile(pristine)
	require.NoError(t, err)

	var names []string
	for _, f := range txtar.Parse(first).Files {
		names = append(names, f.Name)
	}
	require.Equal(t, []string{
		"README.md", "go.mod", "go.sum",
		"lessons/01-relay/relay.go", "lessons/01-relay/testdata/laps.txt",
	}, names)

	require.NoError(t, os.WriteFile(pristine, []byte("broken"), 0o644))
	output, err = run(folder, generate)
	require.NoError(t, err, "%s", output)
	second, err := os.ReadFile(pristine)
	require.NoError(t, err)
	require.Equal(t, string(first), string(second))

	left, err := filepath.Glob(pristine + "?*")
	require.NoError(t, err)
	require.Empty(t, left, "temporary files")
}

func TestGenerateRefuses(t *testing.T) {
	t.Parallel()
	generate := generator(t)
	for name, tt := range map[string]struct{ file, data, want string }{
		"no last line feed": {"01-relay/testdata/laps.txt", "4",
			"generate: packing lessons/01-relay/testdata/laps.txt: its last line does not end\n"},
		"line of an archive": {"01-relay/testdata/laps.txt", "4\n-- a.txt --\n5\n",
			"generate: packing lessons/01-relay/testdata/laps.txt: the line \"-- a.txt --\" looks like one of the archive\n"},
		"import of nothing known": {"01-relay/relay.go", "package relay\n\nimport _ \"example.com/nowhere\"\n",
			"example.com/nowhere"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := repository(t)
			pristine := filepath.Join(folder, "pristine.txtar")
			require.NoError(t, os.WriteFile(pristine, []byte("as before"), 0o644))
			require.NoError(t, os.WriteFile(filepath.Join(folder, tt.file), []byte(tt.data), 0o644))

			output, err := run(folder, generate)
			require.Error(t, err)
			require.Contains(t, output, tt.want)
			left, err := os.ReadFile(pristine)
			require.NoError(t, err)
			require.Equal(t, "as before", string(left))
		})
	}
}

// repository makes a repository with one small lesson, and returns its lessons
// folder.
func repository(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for name, data := range map[string]string{
		"go.mod":                              "module concurrency-koans\n\ngo 1.26.0\n",
		"go.sum":                              "",
		"lessons/lessons.go":                  "package lessons\n",
		"lessons/testdata/workbook/README.md": "# Workbook\n",
		"lessons/01-relay/relay.go":           "package relay\n",
		"lessons/01-relay/testdata/laps.txt":  "4\n",
	} {
		name = filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
		require.NoError(t, os.WriteFile(name, []byte(data), 0o644))
	}
	return filepath.Join(root, "lessons")
}

// generator builds generate.go and returns the program.
func generator(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "generate.exe")
	output, err := run(".", "go", "build", "-o", program, "generate.go")
	require.NoError(t, err, "building generate.go:\n%s", output)
	return program
}

// run runs a command offline and returns what it prints.
func run(dir string, command ...string) (string, error) {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOPROXY=off", "GOWORK=off")
	output, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return "", err
	}
	return string(output), err
}
