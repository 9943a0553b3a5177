package enginetest

import (
	"context"
	"testing"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/verify"
)

// checkDatabase looks for anything in the database that history cannot explain.
func checkDatabase[S any](t *testing.T, db *gorm.DB, kit Kit[S]) {
	t.Helper()
	report, err := verify.Run(context.Background(), db, verify.Options{
		Machines: append([]engine.AnyMachine{kit.Machine}, kit.Others...), MaxFindings: 20,
	})
	if err != nil {
		t.Errorf("verify: %v", err)
	}
	for _, f := range report.Findings {
		t.Errorf("verify: %+v", f)
	}
	if report.Transitions == 0 {
		t.Error("verify saw no transition")
	}
}
