package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// editorGrace is how long an editor may take to end in order.
const editorGrace = 3 * time.Second

// editor is the command that opens a file at a line in the learner's editor; 0
// is no line. It is nil if the learner has not said which editor that is.
func (w world) editor(ctx context.Context, file string, line int) *exec.Cmd {
	words := strings.Fields(w.getenv("VISUAL"))
	if len(words) == 0 {
		words = strings.Fields(w.getenv("EDITOR"))
	}
	if len(words) == 0 {
		return nil
	}
	cmd := exec.CommandContext(ctx, words[0], append(words[1:], editorArgs(words[0], file, line)...)...)
	cmd.Env = w.env
	cmd.Stdin, cmd.Stdout, cmd.Stderr = w.stdin, w.stdout, w.stderr
	// An editor keeps unsaved text when it is told to end.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = editorGrace
	return cmd
}

// editorArgs are how an editor wants to be told of a line. One that is not known
// gets the file alone.
func editorArgs(editor, file string, line int) []string {
	if line == 0 {
		return []string{file}
	}
	at := fmt.Sprintf("%s:%d", file, line)
	switch strings.TrimSuffix(filepath.Base(editor), ".exe") {
	case "vi", "vim", "nvim", "gvim", "view", "nano", "pico", "emacs", "emacsclient", "micro", "kak", "joe", "ne", "mg", "jed", "gedit":
		return []string{fmt.Sprintf("+%d", line), file}
	case "code", "code-insiders", "codium", "cursor", "windsurf":
		return []string{"--goto", at}
	case "subl", "zed", "hx", "helix":
		return []string{at}
	case "goland", "idea":
		return []string{"--line", fmt.Sprint(line), file}
	default:
		return []string{file}
	}
}
