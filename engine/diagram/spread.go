package diagram

import (
	"cmp"
	"slices"
)

// wish is where a point wants to be, and how much.
type wish struct{ at, weight float64 }

// spread moves points as little as possible so that neighbours keep a gap and all stay between low
// and high. The wishes come in order; the gap shrinks when there is no room for it.
//
// With the gaps taken off, the best places are the isotonic regression of the wishes: runs of
// points that push each other move as one to the mean of what they want.
func spread(wishes []wish, gap, low, high float64) []float64 {
	n := len(wishes)
	if n > 1 {
		gap = min(gap, (high-low)/float64(n-1))
	}
	type run struct {
		sum, weight float64
		count       int
	}
	mean := func(r run) float64 { return r.sum / r.weight }
	var runs []run
	for i, w := range wishes {
		runs = append(runs, run{(w.at - float64(i)*gap) * w.weight, w.weight, 1})
		for k := len(runs) - 1; k > 0 && mean(runs[k-1]) > mean(runs[k]); k-- {
			runs[k-1].sum += runs[k].sum
			runs[k-1].weight += runs[k].weight
			runs[k-1].count += runs[k].count
			runs = runs[:k]
		}
	}
	places := make([]float64, 0, n)
	for _, r := range runs {
		at := min(max(mean(r), low), high-float64(n-1)*gap)
		for range r.count {
			places = append(places, at+float64(len(places))*gap)
		}
	}
	return places
}

// sortedBy returns the items in the order of their keys.
func sortedBy[K cmp.Ordered](items []int, keys []K) []int {
	sorted := slices.Clone(items)
	slices.SortStableFunc(sorted, func(a, b int) int { return cmp.Compare(keys[a], keys[b]) })
	return sorted
}
