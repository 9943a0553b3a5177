package diagram

import (
	"strconv"
	"strings"

	"example.com/orderd/engine"
)

// trail answers, while drawing, what a subject did where.
type trail struct {
	view    View
	steps   map[Step][]int        // the numbers of the steps that are alike
	visited map[engine.State]bool // the states the subject has been in
}

func newTrail(v View) trail {
	t := trail{view: v, steps: map[Step][]int{}, visited: map[engine.State]bool{}}
	for i, s := range v.Walked {
		t.steps[s] = append(t.steps[s], i+1)
		t.visited[s.From] = true
		t.visited[s.To] = true
	}
	if v.Current != "" {
		t.visited[v.Current] = true
	}
	return t
}

// visits returns the numbers of the steps along one label of an arrow.
func (t trail) visits(p *picture, a arrow, l label) []int {
	return t.steps[Step{From: p.stateName(a.from), To: p.stateName(a.to), Event: l.event}]
}

// walked tells whether any label of the arrow was taken.
func (t trail) walked(p *picture, a arrow) bool {
	for _, l := range a.labels {
		if len(t.visits(p, a, l)) > 0 {
			return true
		}
	}
	return false
}

// badge shortens visit numbers to what fits into the room beside a label: the numbers themselves
// while they are few, how often it was otherwise.
func badge(visits []int) string {
	for _, mark := range []string{joinNumbers(visits, ","), strconv.Itoa(len(visits)) + "×"} {
		if badgeWidth(mark)+badgeGap <= 2*labelPadding {
			return mark
		}
	}
	return "…"
}

func joinNumbers(numbers []int, separator string) string {
	parts := make([]string, len(numbers))
	for i, n := range numbers {
		parts[i] = strconv.Itoa(n)
	}
	return strings.Join(parts, separator)
}
