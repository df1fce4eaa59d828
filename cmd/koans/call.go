package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// call is how the learner calls this program. After go run there is no koans on
// the PATH, and a command is of use only if it can be typed as it is shown.
func (a *app) call() string {
	call := "koans"
	if a.world.throughGoRun() {
		call = "go run " + a.mainPackage()
	}
	if a.dir != "" {
		call += " -C " + quoted(a.dir)
	}
	return call
}

// mainPackage is this program's package as an argument to go run here.
func (a *app) mainPackage() string {
	const pkg = "cmd/koans"
	if a.dir == "" && a.book != nil {
		path := a.book.show(pkg)
		if _, err := os.Stat(a.book.path(pkg)); err == nil {
			if filepath.IsAbs(path) || strings.HasPrefix(path, "..") {
				return quoted(path)
			}
			return quoted("." + string(filepath.Separator) + path)
		}
	}
	return "./" + pkg
}

// command is a command as the learner can type it.
func (a *app) command(words ...any) string {
	for i, w := range words {
		words[i] = quoted(fmt.Sprint(w))
	}
	return styleType.Render(a.call() + " " + strings.TrimSuffix(fmt.Sprintln(words...), "\n"))
}

// quoted is a word as a shell takes it.
func quoted(word string) string {
	if word == "" || strings.ContainsAny(word, " \t\"'`$&|;<>()*?[]#~!\\") && !strings.HasPrefix(word, "-") {
		return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	return word
}

// named matches commands that texts from other packages name. There, koans may
// also be the tests: "The koans list …".
var named = regexp.MustCompile(`\bkoans (doctor|init|reset)\b|(: )koans (hint|list|next|read|solution)\b`)

// typed is a text in which the commands can be typed as they stand.
func (a *app) typed(text string) string {
	return named.ReplaceAllStringFunc(text, func(s string) string {
		return strings.Replace(s, "koans", a.call(), 1)
	})
}
