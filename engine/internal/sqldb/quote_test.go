package sqldb

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// No name ends its quotes, wherever it has one.
func TestANameCannotLeaveItsQuotes(t *testing.T) {
	for name, quoted := range map[string]string{
		"orders": "`orders`", "shop.orders": "`shop`.`orders`", "a`b": "`a``b`", "`a": "```a`", "a`": "`a```", "s.`a": "`s`.```a`", ".a": "``.`a`",
	} {
		assert.Equal(t, quoted, quote(name), name)
	}
}
