package solutions

import (
	_ "embed"

	"golang.org/x/tools/txtar"
)

//go:generate go run generate.go

//go:embed module.txtar
var module []byte

// Module returns the module's go.mod and go.sum by name. Benchmarks need them where
// the workbook's own know only what the lessons need.
func Module() map[string][]byte {
	files := map[string][]byte{}
	for _, f := range txtar.Parse(module).Files {
		files[f.Name] = f.Data
	}
	return files
}
