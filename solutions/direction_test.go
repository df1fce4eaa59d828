package solutions_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "concurrency-koans"

// A goPackage is what go list tells of a package.
type goPackage struct {
	ImportPath string
	Standard   bool
	Imports    []string
}

// The commands stand on the engine, the catalogue and the solutions, and these
// three do not know one another. A learner, who has a lesson open, meets nothing
// but the standard library.
func TestImportsPointOneWay(t *testing.T) {
	packages := listPackages(t)
	standard := map[string]bool{"C": false}
	for _, p := range packages {
		standard[p.ImportPath] = p.Standard
	}
	for _, p := range packages {
		name, own := strings.CutPrefix(p.ImportPath, module+"/")
		if !own {
			continue
		}
		for _, imported := range p.Imports {
			if isAnswer(name) && !standard[imported] {
				t.Errorf("%s imports %s: an answer uses the standard library alone", name, imported)
			}
			if target, own := strings.CutPrefix(imported, module+"/"); own && !mayImport(name, target) {
				t.Errorf("%s may not import %s", name, target)
			}
		}
	}
}

// isAnswer reports whether a package of the module is a lesson's or a solution's
// own: "lessons/01-pipeline".
func isAnswer(name string) bool {
	numbered, _ := path.Match("[0-9][0-9]-*", path.Base(name))
	return numbered && slices.Contains([]string{"lessons", "solutions"}, path.Dir(name))
}

// mayImport tells whether one package of the module may import another.
func mayImport(name, target string) bool {
	top := func(s string) string { first, _, _ := strings.Cut(s, "/"); return first }
	switch {
	case top(target) == "cmd":
		return top(name) == "cmd"
	case top(name) == "cmd", name == "solutions/proof":
		return true
	case name == "checker", top(name) == "checker":
		return top(target) == "checker"
	default:
		return false
	}
}

func TestDirection(t *testing.T) {
	for _, tc := range []struct {
		name, target string
		want         bool
	}{
		{"cmd/koans", "checker", true},
		{"cmd/koans", "solutions/proof", true},
		{"checker", "checker/dump", true},
		{"checker", "lessons", false},
		{"lessons", "checker", false},
		{"lessons/01-pipeline", "lessons/02-fan-out-fan-in", false},
		{"solutions", "lessons", false},
		{"solutions/proof", "checker", true},
		{"solutions/proof", "cmd/koans", false},
	} {
		require.Equal(t, tc.want, mayImport(tc.name, tc.target), "%s imports %s", tc.name, tc.target)
	}
}

// listPackages lists the module's packages and all that they import.
func listPackages(t *testing.T) (all []goPackage) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-deps", "-json=ImportPath,Standard,Imports", "./...")
	cmd.Dir = ".."
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	require.NoError(t, err, complaints.String())
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all
		}
		require.NoError(t, err)
		all = append(all, p)
	}
}
