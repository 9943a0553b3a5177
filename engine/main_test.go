package engine_test

import (
	"context"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func shut(t interface{ Error(...any) }, e *engine.Engine) {
	if err := e.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

func openSQLite(t *testing.T) *gorm.DB { return enginetest.SQLite(t) }

func forEachDatabase(t *testing.T, f func(*testing.T, *gorm.DB)) { enginetest.Databases(t, f) }

// allowedModules is what the engine may bring into a user's program, and what these bring.
var allowedModules = []string{
	"example.com/orderd",
	"gorm.io/gorm", "github.com/jinzhu/inflection", "github.com/jinzhu/now", "golang.org/x/text",
	"github.com/go-sql-driver/mysql", "filippo.io/edwards25519",
	"github.com/looplab/fsm",
}

func TestTheEngineBringsFewModules(t *testing.T) {
	args := []string{"list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}"}
	for _, p := range []string{"", "/batch", "/outbox", "/timer", "/lock", "/locked", "/once", "/worker"} {
		args = append(args, "example.com/orderd/engine"+p)
	}
	out, err := exec.CommandContext(t.Context(), "go", args...).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, module := range slices.Compact(slices.Sorted(slices.Values(strings.Fields(string(out))))) {
		if !slices.Contains(allowedModules, module) {
			t.Errorf("the engine depends on %s", module)
		}
	}
}
