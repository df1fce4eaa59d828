package main

// hasShell reports whether a shell can bring the program back after it was
// suspended. On Windows there is no such thing.
func hasShell() bool { return false }
