package checker

import (
	"crypto/rand"
	"strconv"
	"strings"
)

// An exit status can be had with os.Exit(0), and lines like "--- PASS" can be
// printed by anybody. So the checker does not ask go test's output whether a
// koan ran: it adds a witness to each koan, which says so under a word that is
// new for every process and that the learner's code has no business knowing.
//
// A frame is one line: the word, then "begin" or "pass" or "fail", then the
// koan. It goes to standard error, the same pipe as all the rest, so that what
// stands between two frames is what was printed between them.

const (
	witnessFile = "koans_witness_test.go"
	witnessEnv  = "KOANS_WITNESS"
)

// witnessSource is the file that is added to the koans' package pkg. The frame
// begins with a line feed because the learner's code may have left a line open.
func witnessSource(pkg string) []byte {
	return []byte(`package ` + pkg + `

import (
	"os"
	"runtime/debug"
	"runtime/pprof"
	"testing"
	"time"
)

// A recursion without end should not take a gigabyte to be found.
func init() { debug.SetMaxStack(16 << 20) }

var witnessWord = os.Getenv("` + witnessEnv + `")

func witness(t *testing.T) {
	stderr := os.Stderr
	stderr.WriteString("\n" + witnessWord + " begin " + t.Name() + "\n")
	begun := time.Now()
	t.Cleanup(func() {
		outcome := "pass"
		if t.Failed() {
			outcome = "fail"
			// A watchdog has fired, and what it waited for may still wait.
			if time.Since(begun) > ` + slowFailureSource + ` {
				pprof.Lookup("goroutine").WriteTo(stderr, 2)
			}
		}
		stderr.WriteString("\n" + witnessWord + " " + outcome + " " + t.Name() + "\n")
	})
}
`)
}

// slowFailureSource is slowFailure as the witness has it.
var slowFailureSource = strconv.FormatInt(int64(slowFailure), 10)

// newWitnessWord returns the word of one process.
func newWitnessWord() string { return "koans:" + rand.Text() }

// parseFrame reads a frame. Example line:
//
//	koans:4TQ2M7ZB3VJ6P5LHXK2NRDWEYC begin TestSourceCloses
func parseFrame(line, word string) (event, test string, ok bool) {
	rest, ok := strings.CutPrefix(line, word+" ")
	if !ok {
		return "", "", false
	}
	event, test, ok = strings.Cut(rest, " ")
	return event, test, ok
}
