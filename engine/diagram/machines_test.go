package diagram

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"example.com/orderd/engine"
)

// machine builds a description from rows "event: from from → to"; a row without from creates.
func machine(name string, states string, rows ...string) engine.Description {
	d := engine.Description{Name: name}
	creates, leaves := map[engine.State]bool{}, map[engine.State]bool{}
	for _, row := range rows {
		event, rest, _ := strings.Cut(row, ":")
		froms, to, _ := strings.Cut(rest, "→")
		target := engine.State(strings.TrimSpace(to))
		edge := engine.DescribedEdge{Event: engine.Event(strings.TrimSpace(event)), To: target}
		if len(strings.Fields(froms)) == 0 {
			creates[target] = true
			d.Edges = append(d.Edges, edge)
		}
		for _, from := range strings.Fields(froms) {
			edge.From = engine.State(from)
			if edge.To = target; target == "=" {
				edge.To = edge.From
			}
			leaves[edge.From] = true
			d.Edges = append(d.Edges, edge)
		}
	}
	for _, s := range strings.Fields(states) {
		n := engine.State(s)
		d.States = append(d.States, engine.DescribedState{Name: n, Initial: creates[n], Final: !leaves[n]})
	}
	return d
}

// orderMachine is a definition of the size and tangle this package is made for.
func orderMachine() engine.Description {
	d := machine("order",
		"placed partly_paid paid partly_shipped shipped delivered completed returning refunding refunded cancelled expired",
		"place: → placed",
		"pay_part: placed partly_paid → partly_paid",
		"pay: placed partly_paid → paid",
		"pay_part: partly_paid → paid",
		"cancel: placed partly_paid → cancelled",
		"expire: placed partly_paid → expired",
		"ship_part: paid partly_shipped → partly_shipped",
		"ship: paid partly_shipped → shipped",
		"deliver: shipped → delivered",
		"complete: delivered → completed",
		"fail_delivery: shipped → returning",
		"request_return: delivered → returning",
		"accept_return: returning → refunding",
		"reject_return: returning → delivered",
		"request_refund: paid partly_shipped completed → refunding",
		"finish_refund: refunding → refunded",
		"refund_part: paid partly_shipped shipped delivered completed → =",
	)
	for i, e := range d.Edges {
		if e.Event == "pay_part" && e.To == "paid" {
			d.Edges[i].Guards = []string{"covers_total"}
		}
	}
	return d
}

// orderView is an order that took a roundabout way.
func orderView() View {
	v := View{Current: "refunding"}
	from := engine.State("")
	for _, s := range []struct {
		event engine.Event
		to    engine.State
	}{
		{"place", "placed"}, {"pay_part", "partly_paid"}, {"pay_part", "partly_paid"}, {"pay", "paid"},
		{"ship_part", "partly_shipped"}, {"ship", "shipped"}, {"deliver", "delivered"},
		{"request_return", "returning"}, {"reject_return", "delivered"}, {"refund_part", "delivered"},
		{"request_return", "returning"}, {"accept_return", "refunding"},
	} {
		v.Walked = append(v.Walked, Step{From: from, To: s.to, Event: s.event})
		from = s.to
	}
	return v
}

// randomMachine has states in a loose order with some edges back, loops and repeated pairs.
func randomMachine(seed uint64, states, edges int) engine.Description {
	r := rand.New(rand.NewPCG(seed, 1))
	d := engine.Description{Name: "random"}
	leaves := make([]bool, states)
	for i := range edges {
		from, to := r.IntN(states), r.IntN(states)
		if from > to && r.IntN(4) > 0 {
			from, to = to, from
		}
		leaves[from] = true
		d.Edges = append(d.Edges, engine.DescribedEdge{
			Event: engine.Event(fmt.Sprintf("event_%d", i%17)),
			From:  engine.State(fmt.Sprintf("state_%d", from)), To: engine.State(fmt.Sprintf("state_%d", to)),
		})
	}
	d.Edges = append(d.Edges, engine.DescribedEdge{Event: "create", To: "state_0"})
	for i := range states {
		d.States = append(d.States, engine.DescribedState{
			Name: engine.State(fmt.Sprintf("state_%d", i)), Initial: i == 0, Final: !leaves[i],
		})
	}
	return d
}

// example is a machine with a golden file in each format.
type example struct {
	name        string
	description engine.Description
	view        View
}

func examples() []example {
	light := machine("light", "off on", "install: → off", "switch: off → on", "switch: on → off")
	return []example{
		{"order", orderMachine(), View{}},
		{"order-walked", orderMachine(), orderView()},
		{"order-new", orderMachine(), View{Current: "placed", Walked: []Step{{To: "placed", Event: "place"}}}},
		{"two-states", light, View{}},
		{"two-states-walked", light, View{Current: "off", Walked: []Step{
			{"", "off", "install"}, {"off", "on", "switch"}, {"on", "off", "switch"}, {"off", "on", "switch"},
			{"on", "off", "switch"},
		}}},
		{"self-loop", machine("counter", "counting", "start: → counting", "add: counting → =", "subtract: counting → =",
			"reset: counting → ="), View{}},
		{"diamond", machine("review", "open left right merged", "open: → open", "a: open → left", "b: open → right",
			"c: left → merged", "d: right → merged"), View{}},
		{"long-back-edge", machine("cycle", "one two three four five six", "begin: → one", "next: one → two",
			"next: two → three", "next: three → four", "next: four → five", "next: five → six", "restart: six → one",
			"undo: five → three"), View{}},
		{"random-30", randomMachine(7, 30, 48), View{}},
		{"empty", engine.Description{Name: "empty"}, View{}},
		{"disconnected", machine("islands", "a b c d lone", "make_a: → a", "make_c: → c", "go: a → b", "go: c → d"), View{}},
		{"awkward-names", engine.Description{Name: `a "b" & <c>`, Edges: []engine.DescribedEdge{
			{Event: `<script>alert("x")</script>`, From: "end", To: `say "hi"`},
			{Event: "größer: 50% # x;", From: "end", To: "支払い済み"},
			{Event: "tab\tnew\nline\x00", From: `back\slash`, To: "end"},
		}}, View{Current: "end"}},
	}
}
