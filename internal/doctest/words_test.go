package doctest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/orderd/engine"
)

func TestEveryOutcomeIsExplained(t *testing.T) {
	text := read(t, "docs", "concepts.md")
	for _, outcome := range []engine.Outcome{
		engine.Applied, engine.Already, engine.Stale, engine.Early, engine.Illegal, engine.Conflict,
		engine.NotFound, engine.Unavailable, engine.Unknown,
	} {
		require.Contains(t, text, "| `"+string(outcome)+"` |")
	}
	for _, detail := range []engine.Detail{
		engine.Replayed, engine.SameState, engine.Superseded, engine.Passed, engine.VersionMoved,
		engine.ReachedOtherwise, engine.UnknownEvent, engine.NoPath, engine.GuardRefused,
		engine.IdentityRequired, engine.LostRace, engine.KeyReused, engine.FactMismatch,
	} {
		require.Contains(t, text, "| `"+string(detail)+"` |")
	}
}
