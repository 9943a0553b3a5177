//go:build unix

package main

import (
	"fmt"
	"strings"
)

// summary shows the survivors and the score, and returns whether the score is good enough. A mutant that hangs
// was noticed. An equivalent one says nothing about the tests, so it is shown but not counted. One that is broken
// spoils the figure.
func summary(l *list, outcomes []outcome) (string, bool) {
	var out strings.Builder
	count := map[string]map[fate]int{}
	total := map[fate]int{}
	for _, o := range outcomes {
		if count[o.mutant.Package] == nil {
			count[o.mutant.Package] = map[fate]int{}
		}
		count[o.mutant.Package][o.fate]++
		total[o.fate]++
	}
	for _, shown := range []fate{fateEquivalent, fateSurvived, fateBroken} {
		for _, o := range outcomes {
			if o.fate == shown {
				fmt.Fprintf(&out, "\n%s", o)
			}
		}
	}
	row := func(name string, n map[fate]int) {
		fmt.Fprintf(&out, "%-16s%8d%10d%10d%12d\n", name, n[fateKilled], n[fateTimeout], n[fateSurvived], n[fateEquivalent])
	}
	fmt.Fprintf(&out, "\n\n%-16s%8s%10s%10s%12s\n", "package", "killed", "timeout", "survived", "equivalent")
	for _, k := range l.Tests {
		if n := count[k.Package]; n != nil {
			row(k.Package, n)
		}
	}
	row("all", total)
	killed := total[fateKilled] + total[fateTimeout]
	counted := killed + total[fateSurvived]
	good := killed*100 >= counted*wanted && total[fateBroken] == 0
	if counted > 0 {
		fmt.Fprintf(&out, "\n%.1f %% of %d mutants killed; at least %d %% are wanted\n",
			float64(killed)*100/float64(counted), counted, wanted)
	}
	return out.String(), good
}

// record notes who killed which mutant. A note about a survivor that was killed falls away.
func (l *list) record(outcomes []outcome) {
	by := map[identity]outcome{}
	for _, o := range outcomes {
		by[o.mutant.identity] = o
	}
	for i := range l.Mutants {
		m := &l.Mutants[i]
		switch o := by[m.identity]; o.fate {
		case fateKilled, fateTimeout:
			m.Killer, m.Survives = o.by, ""
		case fateSurvived:
			m.Killer = ""
		}
	}
}
