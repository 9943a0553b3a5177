package doctest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/orderd/engine/diagram"
	"example.com/orderd/orders"
)

func TestTheDiagramIsThatOfTheMachine(t *testing.T) {
	for _, m := range orders.Machines() {
		d := m.Describe()
		if d.Name != orders.MachineOrder {
			continue
		}
		drawn := diagram.SVG(d, diagram.View{})
		if *update {
			write(t, drawn, top, "docs", "order-machine.svg")
		}
		require.Equal(t, drawn, read(t, "docs", "order-machine.svg"), "run: go test ./internal/doctest -update")
		return
	}
	t.Fatal("the shop has no order machine")
}
