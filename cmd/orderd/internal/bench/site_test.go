package bench

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestWithDatabase(t *testing.T) {
	for in, want := range map[string]string{
		"mysql:root@unix(/run/m.sock)/shop":                   "mysql:root@unix(/run/m.sock)/b",
		"mysql:u:p@tcp(h:1)/shop?timeout=3s&loc=Asia%2FTokyo": "mysql:u:p@tcp(h:1)/b?timeout=3s&loc=Asia%2FTokyo",
		"mysql:u:p/w@tcp(h:1)/shop":                           "mysql:u:p/w@tcp(h:1)/b",
		"mysql:u:p?w@tcp(h:1)/shop":                           "mysql:u:p?w@tcp(h:1)/b",
		"mysql:u:p?/w@tcp(h:1)/shop?timeout=3s":               "mysql:u:p?/w@tcp(h:1)/b?timeout=3s",
	} {
		assert.Equal(t, want, withDatabase(in, "b"))
	}
}
