//go:build unix

package checker

import (
	"os/exec"
	"sync"
	"syscall"
)

// A tree is a process and its descendants: on Unix, a process group. A
// descendant that leaves the group leaves the tree.
type tree struct{ group int }

// noCoreFiles keeps an aborted koan, which prints its stacks on the way out,
// from writing a core file. The limit is inherited, so it is set on this process.
var noCoreFiles = sync.OnceFunc(func() {
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_CORE, &l) == nil {
		l.Cur = 0
		_ = syscall.Setrlimit(syscall.RLIMIT_CORE, &l) // a core file would be a nuisance, no more
	}
})

func startTree(cmd *exec.Cmd) (*tree, error) {
	noCoreFiles()
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &tree{group: cmd.Process.Pid}, nil
}

// kill ends every process of the tree. It may be called when none is left.
func (t *tree) kill() { _ = syscall.Kill(-t.group, syscall.SIGKILL) }

// dump asks the first process of the tree to print its goroutines and end.
func (t *tree) dump() error { return syscall.Kill(t.group, syscall.SIGQUIT) }

// interrupt asks the first process of the tree to end by itself.
func (t *tree) interrupt() error { return syscall.Kill(t.group, syscall.SIGINT) }

func (t *tree) close() {}
