package bench

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPlotIsWellFormedAndShowsEverybody(t *testing.T) {
	r := Report{Bench: Transitions, Server: `10.11 <"&'>`, Rounds: 3}
	for _, name := range []string{"engine", "hand-written", "<odd> & name"} {
		for i, callers := range []int{1, 64, 1024} {
			r.Figures = append(r.Figures, Figure{Contender: name, Callers: callers, PerSecond: Spread{Median: float64(100 * (i + 1))}})
		}
	}
	for name, r := range map[string]Report{"three": r, "none": {}, "one": {Figures: r.Figures[:1]}, "zero": {Figures: []Figure{{Contender: "x", Callers: 1}}}} {
		t.Run(name, func(t *testing.T) {
			svg := r.Plot()
			texts, lines := parse(t, svg)
			for _, f := range r.Figures {
				assert.Contains(t, texts, f.Contender)
			}
			for _, bad := range []string{"NaN", "Inf"} {
				assert.NotContains(t, svg, bad)
			}
			if name == "three" {
				assert.Equal(t, 3, lines)
			}
		})
	}
	assert.Contains(t, r.Plot(), "prefers-color-scheme: dark")
}

// parse returns the texts of a picture and how many lines of contenders it has.
func parse(t *testing.T, svg string) (texts []string, lines int) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(svg))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return texts, lines
		}
		require.NoError(t, err)
		switch token := token.(type) {
		case xml.CharData:
			texts = append(texts, strings.TrimSpace(string(token)))
		case xml.StartElement:
			for _, a := range token.Attr {
				if a.Name.Local == "class" && strings.HasPrefix(a.Value, "line") {
					lines++
				}
			}
		}
	}
}
