package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"concurrency-koans/solutions"
)

// A learner has names of their own and half of the file in another way; what
// counts is the line that is at fault and what stands around it.
func TestResembling(t *testing.T) {
	l := firstLesson(t)
	s, err := answersTo(l)
	require.NoError(t, err)
	pitfalls := []solutions.Pitfall{}
	for _, name := range []string{"pull-without-stop", "bare-send", "upstream-left-running"} {
		p, err := s.Pitfall(name)
		require.NoError(t, err)
		pitfalls = append(pitfalls, p)
	}
	answer := `package pipeline

import ("context"; "iter")

func Source[T any](ctx context.Context, values iter.Seq[T]) <-chan T {
	results := make(chan T)
	go func() {
		defer close(results)
		for value := range values {
			results <- value // nobody may read it
		}
	}()
	return results
}
`
	alike := resembling(pitfalls, s.Reference, []byte(answer), 1+strings.Count(answer[:strings.Index(answer, "results <-")], "\n"))
	require.Equal(t, "bare-send", alike[0].Name)
}

// What cannot be parsed, or points nowhere, is no reason to fail.
func TestResemblingTakesAnything(t *testing.T) {
	for _, answer := range []string{"", "package", "package p\nfunc (", "\x00\xff`", "package p\nfunc () F() {}\nfunc (*) G() {}"} {
		pitfalls := []solutions.Pitfall{{Name: "a"}, {Name: "b", Source: []byte(answer)}, {Name: "c", Source: []byte("package c\nfunc (c *C[T]) F() {}")}}
		for line := range 4 {
			require.LessOrEqual(t, len(resembling(pitfalls, []byte(answer), []byte(answer), line)), 1, "the pitfalls a and c are no answers")
		}
	}
}

func TestShapesForgetNames(t *testing.T) {
	shapes := func(source string) string { return shapesOf([]byte(source))[1] }
	require.Equal(t, shapes("out <- v"), shapes("results <- value // sent"))
	require.Equal(t, shapes("defer wg.Done()"), shapes("defer crew.Done()"))
	require.NotEqual(t, shapes("defer wg.Done()"), shapes("defer wg.Wait()"))
	require.NotEqual(t, shapes("close(out)"), shapes("drain(out)"))
	require.NotEqual(t, shapes("make(chan T)"), shapes("make(chan T, 100)"))
	require.Empty(t, shapes("// nothing"))
}

func TestReceiverNamesTheMethod(t *testing.T) {
	o := outlineOf([]byte("package p\n\nfunc (p *Pool[In, Out]) Submit() {\n}\n\nfunc Submit() {}\n"))
	require.Equal(t, "Pool.Submit", o.around(4))
	require.Equal(t, "Submit", o.around(6))
	require.Empty(t, o.around(1))
}
