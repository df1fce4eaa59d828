package checker

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// writeOverlay writes the file for go build's -overlay flag: in folder, each
// name of replace has the given text, and each other name of hidden is not there. The
// names may have folders of their own, slash-separated. The
// texts are put in the folder texts under the same names, so that a message of
// the compiler about them still ends in the name the learner knows.
func writeOverlay(file, folder, texts string, replace map[string][]byte, hidden []string) error {
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	for _, name := range hidden {
		overlay.Replace[filepath.Join(folder, name)] = ""
	}
	for name, text := range replace {
		path := filepath.Join(texts, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return diskError(err)
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			return diskError(err)
		}
		overlay.Replace[filepath.Join(folder, filepath.FromSlash(name))] = path
	}
	data, err := json.Marshal(overlay)
	if err != nil {
		return fmt.Errorf("encoding overlay: %w", err)
	}
	if err := os.WriteFile(file, data, 0o600); err != nil {
		return diskError(err)
	}
	return nil
}
