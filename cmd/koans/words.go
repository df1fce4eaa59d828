package main

import (
	"fmt"
	"strings"

	"concurrency-koans/checker"
)

// What is said to the learner in more than one place, or is long, stands here.

const (
	wordsStopped     = "Stopped."
	wordsCompiling   = "Compiling for this machine, once"
	wordsNoOutput    = "The output could not be written."
	wordsNoWorkbook  = "This folder is not in a workbook: neither it nor a folder above it has lessons and the workbook's go.mod."
	wordsAllPassed   = "Every lesson of this workbook has passed."
	remedyNoWorkbook = "Go to the workbook with cd, or name it with -C DIR, or write a fresh one with: koans init DIR"
	remedyNameLesson = "Name the lesson you mean. The lessons are listed by: koans list"
	remedyDoctor     = "What this machine can check, and what it lacks, is told by: koans doctor"
)

// kindWords names each kind of diagnosis for somebody who has not met it yet.
var kindWords = map[checker.Kind]string{
	checker.Todo:        "not written yet",
	checker.Build:       "does not compile",
	checker.Vet:         "go vet objects",
	checker.Assertion:   "wrong result",
	checker.Race:        "data race",
	checker.Leak:        "goroutine left behind",
	checker.Deadlock:    "deadlock",
	checker.Stuck:       "does not end",
	checker.Panic:       "panic",
	checker.Crash:       "the program died",
	checker.Environment: "could not be checked",
}

func kindWord(k checker.Kind) string {
	if w := kindWords[k]; w != "" {
		return w
	}
	return string(k)
}

// plural is "1 koan" or "3 koans".
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// sentence makes words a sentence: a capital at the front, a full stop behind.
func sentence(s string) string {
	s = strings.TrimSpace(s)
	if s == "" {
		return s
	}
	s = strings.ToUpper(s[:1]) + s[1:]
	if !strings.ContainsRune(".!?:", rune(s[len(s)-1])) {
		s += "."
	}
	return s
}

// or lists alternatives: "a", "a or b", "a, b or c".
func or(words []string) string { return listed(words, "or") }

// and lists what goes together: "a, b and c".
func and(words []string) string { return listed(words, "and") }

func listed(words []string, last string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	n := len(words) - 1
	return strings.Join(words[:n], ", ") + " " + last + " " + words[n]
}

// What koans watch answers to keys.
const (
	wordsPolled       = "This folder sends no word of saves, so the file is read four times a second."
	wordsDiffLater    = "The reference is worth most beside an answer of your own: d opens it after the pass."
	wordsNextLater    = "This lesson has not passed yet; l lists the others."
	wordsNoVerdictYet = "There is no verdict yet: wait for it, or save the file."
	wordsNoEditor     = "Set EDITOR to your editor, and e opens the file in it: EDITOR=nano"
	wordsNoShell      = "There is no shell to come back from, so this cannot be suspended."
	wordsFault        = "Something went wrong in koans itself: this is not your doing. Your file and your progress are as they were."
	remedyFault       = "Start it again. If it comes back, report what stands here, with what you did before."
	wordsTooSmall     = "The screen needs %d columns and %d lines, and has %d and %d. Make the window larger, or leave with q and use: koans watch --plain"
)

// learnt is what all the lessons come back to.
var learnt = []string{
	"Whoever starts a goroutine knows when it ends, and waits for it.",
	"Every wait has a way out, and the end of ctx is one.",
	"A channel is closed once, by those who send, when the last has sent.",
	"State has one owner or one lock, and nobody waits with the lock in hand.",
	"What can grow has a bound, or a known price: goroutines, queues, time.",
	"An error says why, and reaches somebody.",
}
