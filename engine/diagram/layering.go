package diagram

// rankStep is the distance in ranks between states that follow each other. The odd ranks between
// them belong to labels, which thereby have space of their own.
const rankStep = 2

// assignRanks gives every node an even rank such that arcs lead to higher ranks, by longest path
// from the nodes nothing leads to, and then moves nodes to shorten the arcs.
func assignRanks(nodes int, arcs []arc) []int {
	in, out := make([][]int, nodes), make([][]int, nodes)
	for _, a := range arcs {
		in[a.to] = append(in[a.to], a.from)
		out[a.from] = append(out[a.from], a.to)
	}
	order := topological(in, out)
	ranks := make([]int, nodes)
	for _, n := range order {
		for _, m := range in[n] {
			ranks[n] = max(ranks[n], ranks[m]+rankStep)
		}
	}
	shorten(ranks, order, in, out)
	return normalised(ranks)
}

// topological orders the nodes of an acyclic graph so that every node comes after those leading to
// it.
func topological(in, out [][]int) []int {
	waiting := make([]int, len(in))
	order := make([]int, 0, len(in))
	for n := range in {
		waiting[n] = len(in[n])
		if waiting[n] == 0 {
			order = append(order, n)
		}
	}
	for i := 0; i < len(order); i++ {
		for _, m := range out[order[i]] {
			if waiting[m]--; waiting[m] == 0 {
				order = append(order, m)
			}
		}
	}
	return order
}

// shorten moves nodes up or down within the room their neighbours leave, towards the side with more
// arcs, until nothing moves. Each move shortens the arcs in total, so it ends; the bound only
// limits the time.
func shorten(ranks, order []int, in, out [][]int) {
	for range len(order) {
		moved := false
		for i := len(order) - 1; i >= 0; i-- {
			n := order[i]
			to := ranks[n]
			if len(out[n]) > len(in[n]) {
				to = ranks[out[n][0]] - rankStep
				for _, m := range out[n] {
					to = min(to, ranks[m]-rankStep)
				}
			} else if len(in[n]) > len(out[n]) {
				to = ranks[in[n][0]] + rankStep
				for _, m := range in[n] {
					to = max(to, ranks[m]+rankStep)
				}
			}
			moved = moved || to != ranks[n]
			ranks[n] = to
		}
		if !moved {
			return
		}
	}
}

// normalised shifts ranks so that they begin at 0.
func normalised(ranks []int) []int {
	if len(ranks) == 0 {
		return ranks
	}
	low := ranks[0]
	for _, r := range ranks {
		low = min(low, r)
	}
	for i := range ranks {
		ranks[i] -= low
	}
	return ranks
}
