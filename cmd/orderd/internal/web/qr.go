package web

import (
	"bytes"
	"fmt"
)

// qrSVG draws a QR code with its quiet zone, one unit per module, dark runs of a row as one piece.
func qrSVG(modules [][]bool) []byte {
	var b bytes.Buffer
	n := len(modules)
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" shape-rendering="crispEdges" role="img" aria-label="QR code">`,
		n, n, 6*n, 6*n)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#fff"/><path fill="#000" d="`, n, n)
	for y, row := range modules {
		for x := 0; x < len(row); {
			end := x
			for end < len(row) && row[end] {
				end++
			}
			if end > x {
				fmt.Fprintf(&b, "M%d %dh%dv1h-%dz", x, y, end-x, end-x)
			}
			x = max(end, x+1)
		}
	}
	b.WriteString(`"/></svg>`)
	return b.Bytes()
}
