package solutions

import (
	"fmt"
	"strings"
)

// A NotFoundError tells that nothing has the name asked for, and what there is.
type NotFoundError struct {
	What  string // "solution", "alternative" or "pitfall"
	Name  string
	Names []string // all there are, in order
}

func (e *NotFoundError) Error() string {
	return fmt.Sprintf("finding %s %q: there is %s", e.What, e.Name, strings.Join(e.Names, ", "))
}

// Find returns the solution of a lesson, or a *NotFoundError.
func Find(all []Solution, lesson string) (Solution, error) {
	return find("solution", all, lesson, func(s Solution) string { return s.Lesson })
}

// Alternative returns the alternative of that name, or a *NotFoundError.
func (s Solution) Alternative(name string) (Alternative, error) {
	return find("alternative", s.Alternatives, name, func(a Alternative) string { return a.Name })
}

// Pitfall returns the pitfall of that name, or a *NotFoundError.
func (s Solution) Pitfall(name string) (Pitfall, error) {
	return find("pitfall", s.Pitfalls, name, func(p Pitfall) string { return p.Name })
}

func find[T any](what string, all []T, name string, nameOf func(T) string) (T, error) {
	names := make([]string, 0, len(all))
	for _, x := range all {
		if nameOf(x) == name {
			return x, nil
		}
		names = append(names, nameOf(x))
	}
	var none T
	return none, &NotFoundError{What: what, Name: name, Names: names}
}
