package checker

import "fmt"

// An EnvironmentError tells that a check could not be made for a reason that is
// not the learner's answer: no go command, no module cache and no network, a
// full disk. Remedy is a sentence that says what to do about it.
type EnvironmentError struct {
	Problem string
	Remedy  string
	Err     error  // the cause; may be nil
	Raw     string // what the tools printed
}

func (e *EnvironmentError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %v", e.Problem, e.Err)
	}
	return e.Problem
}

func (e *EnvironmentError) Unwrap() error { return e.Err }
