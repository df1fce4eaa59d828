package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/gotooltest"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"concurrency-koans/lessons"
)

func TestMain(m *testing.M) {
	// The race detector's default is to sleep for a second when a program that it
	// watches exits; every koans of a script is one.
	os.Setenv("GORACE", "atexit_sleep_ms=10")
	testscript.Main(m, map[string]func(){"koans": main})
}

// TestScripts proves the command line, one script for each command. Every script
// begins with a fresh workbook in $WORK/book.
func TestScripts(t *testing.T) {
	p := testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		Setup:               setUp,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"solve":   solve,
			"pitfall": pitfall,
			"replace": replace,
		},
		Condition: condition,
	}
	require.NoError(t, gotooltest.Setup(&p))
	testscript.Run(t, p)
}

func setUp(env *testscript.Env) error {
	fresh, err := lessons.Workbook()
	if err != nil {
		return err
	}
	cache, err := exec.Command("go", "env", "GOMODCACHE").Output()
	if err != nil {
		return err
	}
	env.Setenv("GOMODCACHE", strings.TrimSpace(string(cache)))
	env.Setenv("GOPROXY", "off")
	env.Setenv("GOFLAGS", "")
	env.Setenv("GORACE", os.Getenv("GORACE"))
	env.Setenv("LANG", "C.UTF-8")
	koans, err := exec.LookPath("koans") // testscript has put it on the PATH
	if err != nil {
		return err
	}
	env.Setenv("KOANS", koans) // for scripts that empty the PATH
	return writeWorkbook(env.Getenv("WORK")+"/book", fresh)
}

func condition(name string) (bool, error) {
	switch name {
	case "root":
		return os.Geteuid() == 0, nil
	default:
		return false, nil
	}
}

// answerFile returns a lesson and its answer in the script's workbook.
func answerFile(ts *testscript.TestScript, query string) (lessons.Lesson, string) {
	all, err := lessons.Pristine()
	ts.Check(err)
	l, err := lessons.Find(all, query)
	ts.Check(err)
	return l, ts.MkAbs(filepath.Join(ts.Getenv("WORK"), "book", "lessons", l.ID, l.Answer))
}

// solve LESSON... puts the reference in the place of the learner's answer; the
// lesson "all" is every one.
func solve(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: solve LESSON...")
	}
	if args[0] == "all" {
		all, err := lessons.Pristine()
		ts.Check(err)
		args = names(all, func(l lessons.Lesson) string { return l.ID })
	}
	for _, query := range args {
		l, file := answerFile(ts, query)
		s, err := answersTo(l)
		ts.Check(err)
		ts.Check(os.WriteFile(file, s.Reference, 0o644))
	}
}

// pitfall LESSON NAME puts a wrong answer in the place of the learner's.
func pitfall(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: pitfall LESSON NAME")
	}
	l, file := answerFile(ts, args[0])
	s, err := answersTo(l)
	ts.Check(err)
	p, err := s.Pitfall(args[1])
	ts.Check(err)
	ts.Check(os.WriteFile(file, p.Source, 0o644))
}

// replace LESSON OLD NEW edits the learner's answer; OLD must be in it.
func replace(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: replace LESSON OLD NEW")
	}
	_, file := answerFile(ts, args[0])
	text, err := os.ReadFile(file)
	ts.Check(err)
	if !strings.Contains(string(text), args[1]) {
		ts.Fatalf("%s does not contain %q", file, args[1])
	}
	args[2] = strings.NewReplacer(`\n`, "\n", `\t`, "\t", `\\`, `\`).Replace(args[2])
	ts.Check(os.WriteFile(file, []byte(strings.Replace(string(text), args[1], args[2], 1)), 0o644))
}
