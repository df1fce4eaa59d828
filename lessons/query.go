package lessons

import (
	"fmt"
	"strings"
)

// A QueryError says why a query does not name exactly one lesson or section.
type QueryError struct {
	Noun  string   // "lesson" or "section"
	Query string   // as it was given
	Fits  []string // what the query fits, if that is more than one
	Near  []string // else what it may have been meant to be, the nearest first
	All   []string // everything there is, in order
}

// Error names what the query fits, else what is near, else all there is.
func (e *QueryError) Error() string {
	switch {
	case len(e.Fits) > 0:
		return fmt.Sprintf("finding %s %q: it fits %s", e.Noun, e.Query, strings.Join(e.Fits, ", "))
	case len(e.Near) > 0:
		return fmt.Sprintf("finding %s %q: none is called so; near it is %s", e.Noun, e.Query, strings.Join(e.Near, ", "))
	default:
		return fmt.Sprintf("finding %s %q: none is called so; there is %s", e.Noun, e.Query, strings.Join(e.All, ", "))
	}
}
