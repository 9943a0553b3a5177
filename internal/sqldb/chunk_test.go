package sqldb

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
)

// A statement takes as many rows as fit, at least one, and no row is in none or in two.
func TestAStatementTakesAsManyRowsAsFit(t *testing.T) {
	const half = maxBytes / 2
	for _, c := range []struct {
		sizes   []int
		maxRows int
		params  int
		want    string
	}{
		{nil, 0, 1, "[]"},
		{[]int{1, 1, 1}, 0, 1, "[0-3]"},
		{[]int{1, 1, 1, 1, 1}, 2, 1, "[0-2 2-4 4-5]"},
		{[]int{1, 1, 1}, 0, maxParams / 2, "[0-2 2-3]"},
		{[]int{1, 1, 1}, 0, maxParams/2 + 1, "[0-1 1-2 2-3]"},
		{[]int{1, 1}, 0, 2 * maxParams, "[0-1 1-2]"}, // one is never too much
		{[]int{1, 1}, 0, 0, "[0-2]"},
		{[]int{maxBytes, 1, 1}, 0, 1, "[0-1 1-3]"},     // full
		{[]int{maxBytes - 1, 1, 1}, 0, 1, "[0-2 2-3]"}, // not yet full, then full
		{[]int{half, half, half, half, 1}, 0, 1, "[0-2 2-4 4-5]"},
		{[]int{5 * maxBytes, 5 * maxBytes}, 0, 1, "[0-1 1-2]"},
	} {
		got := []string{}
		for lo, hi := range chunks(len(c.sizes), c.maxRows, c.params, func(i int) int { return c.sizes[i] }) {
			got = append(got, fmt.Sprintf("%d-%d", lo, hi))
		}
		assert.Equal(t, c.want, fmt.Sprint(got), "%v", c)
	}
	for lo := range chunks(10, 1, 1, func(int) int { return 1 }) {
		if lo == 3 {
			break // whoever has enough may stop
		}
	}
}
