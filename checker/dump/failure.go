package dump

import "bytes"

// A Kind is a way in which the runtime ends a program.
type Kind int

const (
	// Panic is a panic that nothing recovered.
	Panic Kind = iota
	// FatalError is what no program can recover from: a deadlock, concurrent
	// map writes, no memory.
	FatalError
	// Signal is a signal that the program did not handle, such as SIGQUIT.
	Signal
	// RaceLimit is a limit of the race detector.
	RaceLimit
)

// String returns the kind in words.
func (k Kind) String() string {
	switch k {
	case Panic:
		return "panic"
	case FatalError:
		return "fatal error"
	case Signal:
		return "signal"
	case RaceLimit:
		return "limit of the race detector"
	}
	return "unknown kind of failure"
}

// A Failure is one panic, fatal error or signal.
type Failure struct {
	Kind Kind
	// Message is the panic's value, the error or the signal, as printed, with
	// all of its lines: "test timed out after 2s\nrunning tests:\n\tTestMap (2s)".
	// That of a panic is up to the program, and can be anything.
	Message string
	// Recovered means that the panic was recovered before it ended the program.
	// Package testing recovers every panic of a test, and panics again.
	Recovered bool
}

// failureIn reads the first line of a crash, before which the program may have
// left a line of its own unfinished.
//
//	working... panic: TODO(1): make Map send its results
func failureIn(line []byte) (kind Kind, message []byte, ok bool) {
	line = bytes.TrimLeft(line, " \t")
	if kind, message, ok := failure(line); ok {
		return kind, message, true
	}
	if _, message, ok := bytes.Cut(line, []byte("panic: ")); ok {
		return Panic, message, true
	}
	if _, message, ok := bytes.Cut(line, []byte("fatal error: ")); ok {
		return FatalError, message, true
	}
	return 0, nil, false
}

// failure reads the first line of a failure.
//
//	panic: first [recovered]
//	fatal error: sync: unlock of unlocked mutex
func failure(line []byte) (kind Kind, message []byte, ok bool) {
	if message, ok := cut(line, "panic: "); ok {
		return Panic, message, true
	}
	if message, ok := cut(line, "fatal error: "); ok {
		return FatalError, message, true
	}
	return 0, nil, false
}

// cutRecovered cuts what the runtime appends to the value of a panic.
//
//	TODO(1): start the workers [recovered, repanicked]
//	first [recovered]
func cutRecovered(message []byte) (value []byte, recovered bool) {
	i := bytes.LastIndex(message, []byte(" [recovered"))
	if i < 0 {
		return message, false
	}
	switch string(message[i:]) {
	case " [recovered]", " [recovered, repanicked]":
		return message[:i], true
	}
	return message, false
}

// signal reads the line about a signal, and makes sure of the one after it.
//
//	SIGQUIT: quit
//	PC=0x47de41 m=0 sigcode=0
func (p *parser) signal() (Failure, bool) {
	indent := indentation(p.line)
	line := p.line[len(indent):]
	if !bytes.HasPrefix(line, []byte("SIG")) {
		return Failure{}, false
	}
	next, ok := bytes.CutPrefix(p.peek(), indent)
	if !ok || !bytes.HasPrefix(next, []byte("PC=0x")) {
		return Failure{}, false
	}
	return Failure{Kind: Signal, Message: string(line)}, true
}

// lastWords reads a message that no stacks follow: there is no goroutine left
// to print, or it is the race detector that gives up.
//
//	fatal error: no goroutines (main called runtime.Goexit) - deadlock!
//	race: limit on 8128 simultaneously alive goroutines is exceeded, dying
func lastWords(line []byte) (Failure, bool) {
	line = bytes.TrimLeft(line, " \t")
	const nobody = "no goroutines (main called runtime.Goexit) - deadlock!"
	if message, ok := cut(line, "fatal error: "); ok && string(message) == nobody {
		return Failure{Kind: FatalError, Message: nobody}, true
	}
	if bytes.HasPrefix(line, []byte("race: limit on ")) && bytes.HasSuffix(line, []byte(", dying")) {
		return Failure{Kind: RaceLimit, Message: string(line)}, true
	}
	return Failure{}, false
}
