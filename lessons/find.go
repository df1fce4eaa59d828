package lessons

import (
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Find returns the lesson that query names: by number, name, folder, a path to
// the folder or into it, or the beginning of name or folder. Case does not
// matter. Unless that is exactly one, the error is a *QueryError with the IDs
// of lessons.
func Find(lessons []Lesson, query string) (Lesson, error) {
	q := strings.ToLower(strings.ReplaceAll(strings.TrimSpace(query), `\`, "/"))
	elements, last := strings.Split(q, "/"), path.Base(q)
	number, err := strconv.Atoi(last)
	if err != nil {
		number = -1
	}
	c := choice[Lesson]{
		noun:  "lesson",
		all:   lessons,
		name:  func(l Lesson) string { return l.ID },
		words: func(l Lesson) []string { return []string{l.Name, l.ID} },
	}
	return c.choose(query, last,
		func(l Lesson) bool { return slices.Contains(elements, l.ID) },
		func(l Lesson) bool { return l.Number == number || l.Name == last },
		func(l Lesson) bool { return strings.HasPrefix(l.Name, last) || strings.HasPrefix(l.ID, last) },
	)
}

// Section returns the section of the README that query names: by its title, a
// word of it, or the beginning of either. Neither case nor a hyphen for a space
// matters. Unless that is exactly one, the error is a *QueryError with titles.
func (l Lesson) Section(query string) (Section, error) {
	q := strings.ToLower(strings.ReplaceAll(strings.TrimSpace(query), "-", " "))
	title := func(s Section) string { return strings.ToLower(s.Title) }
	words := func(s Section) []string { return strings.Fields(title(s)) }
	c := choice[Section]{
		noun:  "section",
		all:   l.Sections,
		name:  func(s Section) string { return s.Title },
		words: words,
	}
	return c.choose(query, q,
		func(s Section) bool { return title(s) == q },
		func(s Section) bool { return slices.Contains(words(s), q) },
		func(s Section) bool {
			return strings.HasPrefix(title(s), q) ||
				slices.ContainsFunc(words(s), func(w string) bool { return strings.HasPrefix(w, q) })
		},
	)
}

// A choice is what a query can name.
type choice[T any] struct {
	noun  string
	all   []T
	name  func(T) string   // for the error
	words func(T) []string // what a mistyped query may have been meant to be
}

// choose returns the one item that meets the first rule which any item meets.
// The query is as the user wrote it, q as the rules compare it.
func (c choice[T]) choose(query, q string, rules ...func(T) bool) (T, error) {
	var none T
	miss := &QueryError{Noun: c.noun, Query: query, All: c.names(c.all)}
	for _, rule := range rules {
		var fits []T
		for _, item := range c.all {
			if rule(item) {
				fits = append(fits, item)
			}
		}
		if len(fits) == 1 {
			return fits[0], nil
		}
		if len(fits) > 1 {
			miss.Fits = c.names(fits)
			return none, miss
		}
	}
	miss.Near = c.names(c.near(q))
	return none, miss
}

// near returns the items that q comes near to, the nearest first.
func (c choice[T]) near(q string) []T {
	far := func(item T) int {
		least := math.MaxInt
		for _, w := range c.words(item) {
			if len(q) > 2 && strings.Contains(w, q) {
				return 0
			}
			least = min(least, distance(q, w))
		}
		return least
	}
	var near []T
	for _, item := range c.all {
		if far(item) <= 1+len(q)/4 { // one slip in a short word, more in a long one
			near = append(near, item)
		}
	}
	slices.SortStableFunc(near, func(a, b T) int { return far(a) - far(b) })
	return near
}

func (c choice[T]) names(items []T) []string {
	var names []string
	for _, item := range items {
		names = append(names, c.name(item))
	}
	return names
}

// distance is Levenshtein's: how many bytes to insert, delete or replace to
// make b from a.
func distance(a, b string) int {
	row := make([]int, len(b)+1) // distances of a[:i] to each b[:j]
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
