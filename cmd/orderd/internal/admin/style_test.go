package admin

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// contrasts lists what is written on what. WCAG AA asks for 4.5:1, and 3:1 for the edges of controls.
var contrasts = []struct {
	front, back string
	least       float64
}{
	{"ink", "paper", 4.5}, {"ink", "card", 4.5}, {"ink", "sunk", 4.5},
	{"soft", "paper", 4.5}, {"soft", "card", 4.5}, {"soft", "sunk", 4.5},
	{"accent", "paper", 4.5}, {"accent", "card", 4.5}, {"accent", "sunk", 4.5}, {"accent", "wait-bg", 4.5},
	{"accent-down", "card", 4.5}, {"accent-down", "wait-bg", 4.5}, {"accent", "bad-bg", 4.5},
	{"on-accent", "accent", 4.5}, {"on-accent", "accent-down", 4.5},
	{"wait", "wait-bg", 4.5}, {"move", "move-bg", 4.5}, {"good", "good-bg", 4.5},
	{"back", "back-bg", 4.5}, {"over", "over-bg", 4.5}, {"bad", "bad-bg", 4.5},
	{"ink", "wait-bg", 4.5}, {"ink", "move-bg", 4.5}, {"ink", "good-bg", 4.5}, {"ink", "over-bg", 4.5}, {"ink", "bad-bg", 4.5},
	{"wait", "card", 4.5}, {"move", "card", 4.5}, {"good", "card", 4.5}, {"good", "sunk", 4.5}, {"bad", "card", 4.5},
	{"edge", "card", 3}, {"edge", "paper", 3}, {"edge", "sunk", 3},
}

func TestContrast(t *testing.T) {
	css, err := static.ReadFile("static/style.css")
	require.NoError(t, err)
	light, rest, found := strings.Cut(string(css), "@media (prefers-color-scheme: dark)")
	require.True(t, found)
	dark, _, found := strings.Cut(rest, "/* Ground */")
	require.True(t, found)
	for scheme, text := range map[string]string{"light": light, "dark": dark} {
		colours := map[string]float64{}
		for _, c := range regexp.MustCompile(`--([a-z-]+): #([0-9a-f]{6})`).FindAllStringSubmatch(text, -1) {
			colours[c[1]] = luminance(t, c[2])
		}
		for _, c := range contrasts {
			require.Contains(t, colours, c.front, scheme)
			require.Contains(t, colours, c.back, scheme)
			a, b := colours[c.front], colours[c.back]
			ratio := (max(a, b) + .05) / (min(a, b) + .05)
			require.GreaterOrEqual(t, ratio, c.least, "%s: %s on %s", scheme, c.front, c.back)
		}
	}
}

// luminance is the relative luminance of a colour, as WCAG defines it.
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	n, err := strconv.ParseUint(hex, 16, 32)
	require.NoError(t, err)
	linear := func(shift uint) float64 {
		c := float64(n>>shift&0xff) / 255
		if c <= .04045 {
			return c / 12.92
		}
		return math.Pow((c+.055)/1.055, 2.4)
	}
	return .2126*linear(16) + .7152*linear(8) + .0722*linear(0)
}
