package checker

import (
	"concurrency-koans/checker/dump"
)

// A Kind names what sort of fault a koan found.
type Kind string

// The kinds of diagnosis.
const (
	Todo        Kind = "todo"        // a function is not written yet
	Build       Kind = "build"       // the answer does not compile
	Vet         Kind = "vet"         // go vet found a mistake
	Assertion   Kind = "assertion"   // the answer did something else than its contract says
	Race        Kind = "race"        // two goroutines touch the same memory, and nothing orders them
	Leak        Kind = "leak"        // a goroutine is left behind
	Deadlock    Kind = "deadlock"    // every goroutine waits, and the runtime has proved it hopeless
	Stuck       Kind = "stuck"       // out of time: spinning, or waiting in a way the runtime cannot prove hopeless
	Panic       Kind = "panic"       // a panic
	Crash       Kind = "crash"       // the process ended otherwise: fatal error, os.Exit, out of memory, too much output
	Environment Kind = "environment" // not the learner's fault
)

// A Status is the outcome of one koan.
type Status string

// The outcomes of a koan.
const (
	Passed     Status = "passed"
	Failed     Status = "failed"
	NotReached Status = "not_reached"
)

// A Diagnosis says why a koan failed.
type Diagnosis struct {
	Kind    Kind
	File    string   // the learner's file, slash-separated and relative to Package.Root; "" where no line is to blame
	Line    int      // in File; 0 where no line is to blame
	Summary string   // one or two sentences
	Detail  []string // further lines, in the order to read them
	Raw     string   // what the tools printed, untouched

	// What Summary and Detail were made from, for callers that draw their own.
	Goroutines []dump.Goroutine
	Races      []dump.Race
}

// An Outcome is what became of one koan.
type Outcome struct {
	Test      string // name of the test function
	Status    Status
	Diagnosis *Diagnosis // nil unless Status is Failed
	// Flaky is not nil when the koan failed only sometimes.
	Flaky *Flaky
}

// Flaky tells how often a koan failed that also passed.
type Flaky struct {
	Failed, Runs int
	Seed         int64 // order of the koans in the first run that failed, as in go test -shuffle
}

// A Report is the result of a check that could be made.
type Report struct {
	Koans []Outcome // one for each koan, in the order of the files
	// RaceChecked tells that every koan ran under the race detector.
	RaceChecked bool
	// NoRace says why not, as a sentence for the learner; "" when RaceChecked,
	// or when a failure made it needless.
	NoRace string
	// TestsEdited are the koan files on disk that differ from the pristine
	// ones or are missing. The check was made with the pristine ones.
	TestsEdited []string
	// SoakRuns is how often all the koans ran again after the pass.
	SoakRuns int
}

// Passed reports whether every koan passed.
func (r Report) Passed() bool {
	for _, k := range r.Koans {
		if k.Status != Passed {
			return false
		}
	}
	return len(r.Koans) > 0
}

// FirstFailure returns the first koan in order that failed.
func (r Report) FirstFailure() (Outcome, bool) {
	for _, k := range r.Koans {
		if k.Status == Failed {
			return k, true
		}
	}
	return Outcome{}, false
}
