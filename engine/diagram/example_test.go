package diagram_test

import (
	"fmt"

	"example.com/orderd/engine"
	"example.com/orderd/engine/diagram"
)

func ExampleMermaid() {
	light := engine.Description{
		Name: "light",
		Edges: []engine.DescribedEdge{
			{Event: "install", To: "off"},
			{Event: "switch", From: "off", To: "on"},
			{Event: "switch", From: "on", To: "off"},
		},
	}
	fmt.Print(diagram.Mermaid(light, diagram.View{
		Current: "on",
		Walked:  []diagram.Step{{To: "off", Event: "install"}, {From: "off", To: "on", Event: "switch"}},
	}))
	// Output:
	// stateDiagram-v2
	//     [*] --> off: install (1)
	//     off --> on: switch (2)
	//     on --> off: switch
	//     classDef walked stroke:#2563eb,stroke-width:2px
	//     classDef current fill:#2563eb,stroke:#1d4ed8,color:#ffffff,font-weight:bold
	//     class off walked
	//     class on current
}
