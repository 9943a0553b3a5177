package diagram

// arc is an arrow between two nodes of a layout. Arcs that would close a cycle are turned round, so
// that all arcs lead downwards.
type arc struct {
	from, to int
	arrow    int  // the arrow of the picture that the arc stands for
	turned   bool // the arrow leads from arc.to to arc.from
}

// breakCycles turns round the arcs that lead back, found by a depth-first search from the roots in
// order and then from whatever they do not reach. Starting at the initial states makes "back" mean
// what a reader of the machine takes it to mean.
func breakCycles(nodes int, arcs []arc, roots []int) {
	out := make([][]int, nodes)
	for i, a := range arcs {
		out[a.from] = append(out[a.from], i)
	}
	const (
		unseen = iota
		open
		done
	)
	mark := make([]int, nodes)
	var back []int
	var visit func(n int)
	visit = func(n int) {
		mark[n] = open
		for _, i := range out[n] {
			switch mark[arcs[i].to] {
			case unseen:
				visit(arcs[i].to)
			case open:
				back = append(back, i)
			}
		}
		mark[n] = done
	}
	for _, n := range roots {
		if mark[n] == unseen {
			visit(n)
		}
	}
	for n := range mark {
		if mark[n] == unseen {
			visit(n)
		}
	}
	for _, i := range back {
		a := &arcs[i]
		a.from, a.to, a.turned = a.to, a.from, !a.turned
	}
}
