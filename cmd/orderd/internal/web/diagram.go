package web

import (
	"example.com/orderd/engine"
	"example.com/orderd/engine/diagram"
)

// Draw draws a machine as svg, mermaid or dot; false for any other format.
func Draw(format string, d engine.Description, v diagram.View) (text, contentType string, ok bool) {
	switch format {
	case "svg":
		return diagram.SVG(d, v), "image/svg+xml", true
	case "mermaid":
		return diagram.Mermaid(d, v), "text/plain; charset=utf-8", true
	case "dot":
		return diagram.DOT(d, v), "text/vnd.graphviz; charset=utf-8", true
	}
	return "", "", false
}
