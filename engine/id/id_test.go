package id_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/orderd/engine/id"
)

func TestIDsAreWellFormedUniqueAndSorted(t *testing.T) {
	form := regexp.MustCompile(`^ord_[0-9a-hjkmnp-tv-z]{26}$`)
	var made []string
	for range 10_000 {
		made = append(made, id.New("ord"))
		require.Regexp(t, form, made[len(made)-1])
		require.Regexp(t, form, id.Random("ord"))
	}
	require.True(t, slices.IsSorted(made))
	require.Len(t, slices.Compact(made), 10_000)
}

func TestALongTextIsNamedByItsHash(t *testing.T) {
	long := strings.Repeat("é", 50) // 100 bytes
	require.Equal(t, long, id.Bounded(long, 100))
	require.Equal(t, "", id.Bounded("", 0))
	hash := id.Bounded(long, 99)
	require.Len(t, hash, 71)
	require.Equal(t, hash, id.Bounded(long, 10), "the bound does not change the name")
	require.NotEqual(t, hash, id.Bounded(long+"e", 99))
	require.Equal(t, "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", id.Bounded("abc", 2))
}
