package sqldb

import (
	"database/sql/driver"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type picky struct{}

func (picky) CheckNamedValue(v *driver.NamedValue) error {
	if n, ok := v.Value.(int); ok {
		v.Value = int64(n)
		return nil
	}
	return driver.ErrSkip
}

func TestADriverGetsOnlyValuesThatItTakes(t *testing.T) {
	values := numbered([]any{"a", 7, nil, []byte("b")})
	require.NoError(t, checkNamed(picky{}, values))
	assert.Equal(t, []driver.NamedValue{{Ordinal: 1, Value: "a"}, {Ordinal: 2, Value: int64(7)}, {Ordinal: 3}, {Ordinal: 4, Value: []byte("b")}}, values)

	assert.ErrorContains(t, checkNamed(picky{}, numbered([]any{"a", struct{}{}})), "value 2")
	assert.ErrorContains(t, checkNamed(struct{}{}, numbered([]any{7})), "value 1")
}
