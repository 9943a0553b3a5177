package enginetest_test

import (
	"strings"
	"testing"

	"example.com/orderd/engine/enginetest"
)

// What runs on MySQL 5.6 runs on MySQL, not on something that takes its place.
func TestMySQL56IsMySQLItself(t *testing.T) {
	var version, made string
	for _, s := range enginetest.Servers() {
		if s.Env != enginetest.MySQL56Env {
			continue
		}
		if err := s.Open(t).Raw("SELECT VERSION(), @@version_comment").Row().Scan(&version, &made); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.HasPrefix(version, "5.6.") || !strings.HasPrefix(made, "MySQL") {
		t.Errorf("%s holds the DSN of %s, %s", enginetest.MySQL56Env, made, version)
	}
}
