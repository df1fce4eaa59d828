//go:build unix

package main

import "golang.org/x/sys/unix"

// hasShell reports whether a shell can bring the program back after it was
// suspended. The leader of a session, such as the one program of a window or of
// a container, has none: the kernel would not even stop it.
func hasShell() bool {
	session, err := unix.Getsid(0)
	return err == nil && session != unix.Getpgrp()
}
