package solutions

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFindByName(t *testing.T) {
	all, err := Load(sound())
	require.NoError(t, err)

	s, err := Find(all, "07-answer")
	require.NoError(t, err)
	require.Equal(t, all[0], s)

	a, err := s.Alternative("design-2")
	require.NoError(t, err)
	require.Equal(t, s.Alternatives[2], a)

	p, err := s.Pitfall("trap-0")
	require.NoError(t, err)
	require.Equal(t, s.Pitfalls[1], p)
}

func TestFindTellsWhatThereIs(t *testing.T) {
	all, err := Load(sound())
	require.NoError(t, err)

	_, err = Find(all, "13-more")
	require.EqualError(t, err, `finding solution "13-more": there is 07-answer`)

	_, err = all[0].Alternative("design-9")
	var missing *NotFoundError
	require.ErrorAs(t, err, &missing)
	require.Equal(t, []string{"design-0", "design-1", "design-2"}, missing.Names)

	_, err = all[0].Pitfall("")
	require.EqualError(t, err, `finding pitfall "": there is first, trap-0, trap-1, trap-2, trap-3, trap-4`)
}
