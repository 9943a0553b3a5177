package engine

import "example.com/orderd/engine/internal/left"

func init() {
	left.Of = func(result any) any {
		r, _ := result.(Result)
		return r.row
	}
}
