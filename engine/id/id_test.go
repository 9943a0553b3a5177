package id_test

import (
	"regexp"
	"slices"
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
