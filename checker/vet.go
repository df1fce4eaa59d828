package checker

import (
	"context"
	"errors"
)

// Vet runs go vet on the answer. It returns nil when vet has no complaint. A
// check does so too, once the koans have passed.
func (s *Session) Vet(ctx context.Context) (*Diagnosis, error) {
	r := s.vet(ctx)
	return r.refusal, r.err
}

// vet runs go vet, with all its analyzers, on the answer alone: the koans are
// not the learner's, and without them it is quicker.
func (s *Session) vet(ctx context.Context) laneResult {
	out, err := s.goCommand(ctx, false, "vet", "-overlay="+s.bare, s.target())
	if err == nil {
		return laneResult{}
	}
	if !errors.Is(err, errGoCommand) {
		return laneResult{err: err}
	}
	for _, c := range parseComplaints(out) {
		return laneResult{refusal: &Diagnosis{
			Kind: Vet, File: s.p.file(c.file), Line: c.line,
			Summary: "go vet: " + c.text + ".",
			Raw:     string(out),
		}}
	}
	if fault := environmentFault(out); fault != nil {
		return laneResult{err: fault}
	}
	return laneResult{err: unexplained(out)}
}
