package lessons

import (
	"io/fs"
	"path"
	"strings"
)

// picture is the drawing that a README may show.
const picture = "demo.svg"

// files are the contents of a lesson's folder.
type files struct {
	readme, hints, skeleton []byte
	answer                  string // base name of the skeleton
	tests                   map[string][]byte
}

// readFiles sorts the files of a lesson's folder by what they are for. Every
// file has a use or is a stray one; a folder that is still being written must
// not pass for a lesson.
func readFiles(fsys fs.FS, dir string, found *faults) files {
	fl := files{tests: map[string][]byte{}}
	entries, err := fs.ReadDir(fsys, dir)
	if err != nil {
		found.add("", 0, "%w", err)
		return fl
	}
	for _, e := range entries {
		name := e.Name()
		if e.IsDir() {
			if name != "testdata" {
				found.add(name, 0, "stray folder")
			}
			continue
		}
		data, err := fs.ReadFile(fsys, path.Join(dir, name))
		if err != nil {
			found.add(name, 0, "%w", err)
			continue
		}
		switch {
		case name == picture:
			// The README shows it: what the lesson's demo draws.
		case name == "README.md":
			fl.readme = data
		case name == "hints.md":
			fl.hints = data
		case strings.HasSuffix(name, "_test.go"):
			fl.tests[name] = data
		case strings.HasSuffix(name, ".go") && fl.skeleton == nil:
			fl.answer, fl.skeleton = name, data
		case strings.HasSuffix(name, ".go"):
			found.add(name, 0, "a second skeleton, beside %s", fl.answer)
		default:
			found.add(name, 0, "stray file")
		}
	}
	if fl.readme == nil {
		found.add("", 0, "no README.md")
	}
	if fl.hints == nil {
		found.add("", 0, "no hints.md")
	}
	if fl.skeleton == nil {
		found.add("", 0, "no skeleton, which is the one .go file that is no test")
	}
	if len(fl.tests) == 0 {
		found.add("", 0, "no koans, which are in _test.go files")
	}
	return fl
}
