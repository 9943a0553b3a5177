package api

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestKeysBareAndQuotedAreTheSame(t *testing.T) {
	spaced := "\tk1 "
	for given, want := range map[string]string{
		"k1": "k1", spaced: "k1", `"k1"`: "k1", `"a\"b\\c"`: `a"b\c`, `a"b`: `a"b`, `"`: `"`,
		"~!@#$%^&*()": "~!@#$%^&*()", strings.Repeat("k", 255): strings.Repeat("k", 255),
		`"` + strings.Repeat("k", 255) + `"`: strings.Repeat("k", 255), "a,b": "a,b",
	} {
		seq, wrong := parseKey([]string{given})
		require.Empty(t, wrong, given)
		require.Equal(t, want, seq, given)
	}
	for _, given := range [][]string{
		{""}, {" "}, {`""`}, {"a b"}, {`"a b"`}, {"é"}, {"a\x01"}, {"a\x7f"}, {strings.Repeat("k", 256)},
		{`"` + strings.Repeat("k", 256) + `"`}, {"a", "b"}, {"a", "a"}, {`"a"b"`}, {`"a\n"`}, {`"a\"`}, {`"a", "b"`},
	} {
		_, wrong := parseKey(given)
		require.NotEmpty(t, wrong, "%q", given)
	}
}

func TestIfNoneMatch(t *testing.T) {
	for header, want := range map[string]bool{
		`"7"`: true, `W/"7"`: true, `"6", "7"`: true, "*": true, `"8"`: false, "7": false, "": false,
	} {
		require.Equal(t, want, matches(header, 7), header)
	}
}

func TestIfMatchWantsOneStrongVersion(t *testing.T) {
	require.True(t, strongTag.MatchString(`"7"`))
	for _, bad := range []string{"7", `W/"7"`, "*", `"0"`, `"07"`, `"-1"`, `"x"`, `"7","8"`, `""`, `"9999999999999999999"`} {
		require.False(t, strongTag.MatchString(bad), bad)
	}
}
