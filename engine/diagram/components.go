package diagram

// components groups the states into connected parts, in the order of their first state. The outside
// does not connect: parts that are created separately are drawn separately.
func components(p *picture) [][]int {
	leader := make([]int, len(p.states))
	for i := range leader {
		leader[i] = i
	}
	find := func(i int) int {
		for leader[i] != i {
			leader[i] = leader[leader[i]]
			i = leader[i]
		}
		return i
	}
	for _, a := range p.arrows {
		if a.creating() {
			continue
		}
		from, to := find(a.from), find(a.to)
		leader[max(from, to)] = min(from, to)
	}
	var parts [][]int
	part := map[int]int{}
	for i := range p.states {
		l := find(i)
		n, known := part[l]
		if !known {
			n = len(parts)
			part[l] = n
			parts = append(parts, nil)
		}
		parts[n] = append(parts[n], i)
	}
	return parts
}
