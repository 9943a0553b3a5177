package sqldb

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

func TestChunksHoldEveryRowOnceAndNoMoreThanOneStatementTakes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sizes := rapid.SliceOfN(rapid.SampledFrom([]int{1, maxBytes / 4, maxBytes / 2, maxBytes - 1, maxBytes, maxBytes + 1}), 0, 12).Draw(t, "sizes")
		maxRows := rapid.IntRange(0, 5).Draw(t, "rows")
		params := rapid.SampledFrom([]int{0, 1, maxParams / 3, maxParams, maxParams + 1}).Draw(t, "params")
		next := 0
		for lo, hi := range chunks(len(sizes), maxRows, params, func(row int) int { return sizes[row] }) {
			if lo != next || hi <= lo || hi > len(sizes) {
				t.Fatalf("rows %d to %d come after %d of %d", lo, hi, next, len(sizes))
			}
			next = hi
			bytes := 0
			for _, size := range sizes[lo:hi] {
				bytes += size
			}
			if rows := hi - lo; rows > 1 && (bytes > maxBytes || rows*params > maxParams || maxRows > 0 && rows > maxRows) {
				t.Fatalf("%d rows of %d bytes and %d parameters each in one statement", rows, bytes, params)
			}
		}
		if next != len(sizes) {
			t.Fatalf("%d of %d rows", next, len(sizes))
		}
	})
}

func TestChunksAreFull(t *testing.T) {
	for _, c := range []struct {
		n, maxRows, params, size int
		want                     string
	}{
		{7, 3, 1, 1, "0-3 3-6 6-7 "},
		{6, 3, 1, 1, "0-3 3-6 "},
		{4, 0, maxParams / 2, 1, "0-2 2-4 "},
		{4, 0, 0, maxBytes / 2, "0-2 2-4 "},
		{3, 0, 1, maxBytes + 1, "0-1 1-2 2-3 "},
		{5, 0, 1, 1, "0-5 "},
	} {
		got := ""
		for lo, hi := range chunks(c.n, c.maxRows, c.params, func(int) int { return c.size }) {
			got += fmt.Sprintf("%d-%d ", lo, hi)
		}
		assert.Equal(t, c.want, got, "%+v", c)
	}
	for range chunks(3, 1, 1, func(int) int { return 1 }) {
		break // whoever has enough is not asked again
	}
}
