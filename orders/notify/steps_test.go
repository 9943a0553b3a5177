package notify_test

import (
	_ "embed"
	"testing"

	"example.com/orderd/engine/enginetest"
	"example.com/orderd/orders/notify"
)

//go:embed testdata/schema-1.sql
var firstSchema string

func TestStepsLeadToTodaysTables(t *testing.T) { enginetest.Steps(t, notify.Schema, firstSchema) }
