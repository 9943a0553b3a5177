package batch_test

import (
	"context"
	"testing"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/batch"
	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/internal/conformance"
)

// What the engine promises, it promises through a batcher, too: the suite is the engine's own.
func TestConformance(t *testing.T) {
	for _, k := range enginetest.Kinds() {
		t.Run(k.Name, func(t *testing.T) {
			conformance.Run(t, conformance.Setup{
				Open:  func(t *testing.T) *gorm.DB { return k.Open(t) },
				Front: func(t *testing.T, e *engine.Engine) engine.Applier { return started(t, e, batch.Config{}) },
			})
		})
	}
}

// started is a batcher that ends with its test.
func started(t *testing.T, to engine.Applier, c batch.Config) *batch.Batcher {
	t.Helper()
	b, err := batch.New(to, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(context.Background()); err != nil {
			t.Errorf("close the batcher: %v", err)
		}
	})
	return b
}
