package diagram

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"example.com/orderd/engine"
)

func TestArcsLeadDownwards(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := newPicture(machines().Draw(t, "machine"))
		for _, states := range components(p) {
			g := newGraph(p, states)
			for _, c := range g.chains {
				for i, n := range c.nodes[1:] {
					if g.nodes[n].rank != g.nodes[c.nodes[i]].rank+1 {
						t.Errorf("chain %v skips a rank", c)
					}
				}
			}
			placed := 0
			for r, rank := range g.ranks {
				placed += len(rank)
				for _, n := range rank {
					if g.nodes[n].rank != r || g.nodes[n].kind == stateNode && r%rankStep != 0 {
						t.Errorf("node %d of rank %d is in rank %d", n, g.nodes[n].rank, r)
					}
				}
			}
			if placed != len(g.nodes) {
				t.Errorf("%d of %d nodes are in a rank", placed, len(g.nodes))
			}
		}
	})
}

func TestOnlyArrowsThatLeadBackAreTurned(t *testing.T) {
	for name, want := range map[string][]string{
		"order":          {"returning delivered"},
		"two-states":     {"on off"},
		"long-back-edge": {"six one", "five three"},
		"diamond":        nil,
	} {
		i := slices.IndexFunc(examples(), func(e example) bool { return e.name == name })
		p := newPicture(examples()[i].description)
		l := newLayout(p)
		var got []string
		for i, a := range p.arrows {
			if l.routes[i].back {
				got = append(got, string(p.stateName(a.from)+" "+p.stateName(a.to)))
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q lead back, want %q", name, got, want)
		}
	}
}

func TestMainRoadIsStraight(t *testing.T) {
	p := newPicture(orderMachine())
	l := newLayout(p)
	for i, s := range p.states {
		onRoad := slices.Contains([]engine.State{"placed", "partly_paid", "paid", "partly_shipped", "shipped",
			"delivered", "completed", "refunding", "refunded"}, s.name)
		if got := number(l.states[i].middle().x) == number(l.states[0].middle().x); got != onRoad {
			t.Errorf("%s below the first state: %v, want %v", s.name, got, onRoad)
		}
	}
}

func TestCrossingsCountsLikeComparingAllPairs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := newPicture(machines().Draw(t, "machine"))
		for _, states := range components(p) {
			g := newGraph(p, states)
			position, want := g.positions(), 0
			for _, rank := range g.ranks {
				for i, a := range rank {
					for _, b := range rank[i+1:] {
						want += pairCrossings(g.nodes[a].down, g.nodes[b].down, position)
					}
				}
			}
			if got := g.crossings(); got != want {
				t.Errorf("counted %d crossings, there are %d", got, want)
			}
		}
	})
}

func TestOrderMachineHasOneCrossing(t *testing.T) {
	p := newPicture(orderMachine())
	if got := newGraph(p, components(p)[0]).crossings(); got > 1 {
		t.Errorf("%d crossings, it can be drawn with 1", got)
	}
}

func TestSpreadKeepsGapsAndBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := rapid.SliceOf(rapid.Float64Range(-50, 150)).Draw(t, "at")
		slices.Sort(at)
		wishes := make([]wish, len(at))
		for i, x := range at {
			wishes[i] = wish{x, rapid.Float64Range(1, 20).Draw(t, "weight")}
		}
		places := spread(wishes, 10, 0, 100)
		gap := 10.0
		if len(at) > 1 {
			gap = min(gap, 100/float64(len(at)-1))
		}
		for i, x := range places {
			if x < -1e-6 || x > 100+1e-6 {
				t.Errorf("place %d is out of bounds: %v", i, places)
			}
			if i > 0 && x-places[i-1] < gap-1e-6 {
				t.Errorf("places %d and %d are too close: %v", i-1, i, places)
			}
		}
	})
}

var geometry = regexp.MustCompile(`viewBox="[^"]*"|<path class="(?:line|head)" d="[^"]*"|<rect x="[^"]*" y="[^"]*" width="[^"]*" height="[^"]*" rx="9"`)

func TestViewDoesNotMoveAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := machines().Draw(t, "machine")
		plain := geometry.FindAllString(SVG(d, View{}), -1)
		viewed := geometry.FindAllString(SVG(d, views(t, d)), -1)
		slices.Sort(plain)
		slices.Sort(viewed)
		if !slices.Equal(plain, viewed) {
			t.Errorf("the view moved something:\n%q\n%q", plain, viewed)
		}
	})
}

func TestViewIsHighlighted(t *testing.T) {
	drawn := SVG(orderMachine(), orderView())
	for _, want := range []string{
		`<g class="state current" id="order-state-refunding" data-state="refunding">`,
		`<g class="state visited initial" id="order-state-placed" data-state="placed">`,
		`<g class="state" id="order-state-completed" data-state="completed">`,
		`<g class="edge walked" id="order-edge-start-placed" data-from="" data-to="placed">`,
		`<g class="edge walked back" id="order-edge-returning-delivered" data-from="returning" data-to="delivered">`,
		`<g class="edge" id="order-edge-placed-paid" data-from="placed" data-to="paid">`,
		`<title>delivered to returning by request_return; steps 8, 11</title>`,
		`Current state: refunding. Path so far: place to placed, pay_part to partly_paid,`,
	} {
		if !strings.Contains(drawn, want) {
			t.Errorf("missing: %s", want)
		}
	}
	if got := strings.Count(drawn, `class="edge walked`); got != 11 {
		t.Errorf("%d walked arrows, want 11", got)
	}
	if got := strings.Count(drawn, `state current`); got != 1 {
		t.Errorf("%d current states, want 1", got)
	}
}

func TestBadge(t *testing.T) {
	for want, visits := range map[string][]int{
		"7": {7}, "8,11": {8, 11}, "3×": {10, 12, 14}, "…": make([]int, 1000),
	} {
		if got := badge(visits); got != want {
			t.Errorf("badge(%d visits) = %q, want %q", len(visits), got, want)
		}
	}
}

func TestMermaidIDs(t *testing.T) {
	p := &picture{states: []shape{{name: "s1"}, {name: "end"}, {name: "two words"}, {name: "plain"}, {name: "2nd"}}}
	if got, want := mermaidIDs(p), []string{"s1", "s2", "s3", "plain", "s4"}; !slices.Equal(got, want) {
		t.Errorf("ids are %q, want %q", got, want)
	}
}

func TestMermaidAndDOTStayOnTheirLines(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := machines().Draw(t, "machine")
		for _, line := range strings.Split(strings.TrimSuffix(Mermaid(d, View{}), "\n"), "\n")[1:] {
			if !strings.HasPrefix(line, "    ") {
				t.Errorf("a name broke out of its line: %q", line)
			}
		}
		drawn := DOT(d, View{})
		quoted := regexp.MustCompile(`"(?:[^"\\]|\\.)*"`).ReplaceAllString(drawn, "")
		if strings.ContainsAny(quoted, `"\`) || strings.Count(quoted, "{") != 1 {
			t.Errorf("a name broke out of its quotes:\n%s", drawn)
		}
	})
}

func TestPictureIsLenient(t *testing.T) {
	p := newPicture(engine.Description{
		States: []engine.DescribedState{{Name: "a", Initial: true}, {Name: "a"}, {Name: ""}},
		Edges: []engine.DescribedEdge{
			{Event: "go", From: "a", To: "b", Guards: []string{"one"}},
			{Event: "go", From: "a", To: "b", Guards: []string{"two"}},
			{Event: "vanish", From: "b"},
		},
	})
	if len(p.states) != 2 || len(p.arrows) != 2 {
		t.Fatalf("got %d states and %d arrows, want 2 and 2: %+v", len(p.states), len(p.arrows), p)
	}
	if got := arrowText(p, p.arrows[0]); got != "a to b by go [one, two]" {
		t.Errorf("the arrow reads %q", got)
	}
	if !p.arrows[1].creating() || len(p.arrows[1].labels) != 0 {
		t.Errorf("the initial state has no arrow from outside: %+v", p.arrows[1])
	}
}
