package words_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
	"example.com/orderd/orders"
	"example.com/orderd/orders/ledger"
	"example.com/orderd/orders/notify"
)

// driver takes subjects of one machine along its edges.
type driver struct {
	machine engine.Description
	create  func(event engine.Event, n int) (engine.Result, error)
	most    int                                         // ways, if fewer than waysMax
	input   func(id string, e engine.DescribedEdge) any // for an edge; nil where it needs none
}

// Bounds of the ways that subjects of one machine are taken. Two rounds on a cycle show what more would.
const (
	waysMax = 120
	rounds  = 2 // that an edge is taken on one way
)

// ways are the shortest ways through a machine from its creations, at most so many, the shorter first. Of edges that
// differ in their guards alone one is enough.
func ways(d engine.Description, most int) [][]engine.DescribedEdge {
	var edges []engine.DescribedEdge
	for _, e := range d.Edges {
		if !slices.ContainsFunc(edges, func(x engine.DescribedEdge) bool { return x.Event == e.Event && x.From == e.From && x.To == e.To }) {
			edges = append(edges, e)
		}
	}
	var all [][]engine.DescribedEdge
	for _, e := range edges {
		if e.From == "" {
			all = append(all, []engine.DescribedEdge{e})
		}
	}
	for i := 0; i < len(all); i++ {
		for _, e := range edges {
			last := all[i][len(all[i])-1]
			if e.From != "" && e.From == last.To && len(all) < most && times(all[i], e) < rounds {
				all = append(all, append(slices.Clone(all[i]), e))
			}
		}
	}
	return all
}

func times(way []engine.DescribedEdge, e engine.DescribedEdge) (n int) {
	for _, x := range way {
		if x.Event == e.Event && x.From == e.From && x.To == e.To {
			n++
		}
	}
	return n
}

// walk takes a subject along every way, and holds what is said of it there against the truth.
func (d driver) walk(t *testing.T, e *engine.Engine) {
	reached := map[engine.State]bool{}
	for n, way := range ways(d.machine, cmp.Or(d.most, waysMax)) {
		result, err := d.create(way[0].Event, n)
		require.NoError(t, err)
		for i, edge := range way[1:] {
			var input any
			if d.input != nil {
				input = d.input(result.ID, edge)
			}
			result, err = e.Apply(t.Context(), engine.Request{
				Machine: d.machine.Name, ID: result.ID, Event: edge.Event, Input: input,
				Key: engine.Key{Source: "test", Seq: fmt.Sprintf("%s/%d/%d", d.machine.Name, n, i)},
			})
			require.NoError(t, err)
		}
		reached[result.State] = true
		requireHonest(t, e, d.machine, result.ID)
	}
	require.Len(t, reached, len(d.machine.States), "states reached")
}

// Whatever a page says of an event of the shop is true in every state, on every short way to it.
func TestEverySentenceIsTrueInEveryStateOfTheShop(t *testing.T) {
	db := enginetest.SQLite(t)
	for _, migrate := range []func() error{
		func() error { return orders.Migrate(t.Context(), db) },
		func() error { return ledger.Migrate(t.Context(), db) },
		func() error { return notify.Migrate(t.Context(), db) },
	} {
		require.NoError(t, migrate())
	}
	quiet := slog.New(slog.DiscardHandler)
	e, err := engine.New(db, engine.Config{Logger: quiet}, slices.Concat(orders.Machines(), ledger.Machines(), notify.Machines())...)
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close(t.Context())) }()
	shop, err := orders.New(db, e, e, orders.Config{Providers: []string{"fake"}, Logger: quiet})
	require.NoError(t, err)
	books, err := ledger.New(db, e, e, ledger.Config{})
	require.NoError(t, err)

	drivers := drivers(t, e, shop, books)
	for _, m := range e.Machines() {
		d, known := drivers[m.Name]
		require.True(t, known, "no driver for the machine %s", m.Name)
		d.machine = m
		t.Run(m.Name, func(t *testing.T) { d.walk(t, e) })
	}
}

func drivers(t *testing.T, e *engine.Engine, shop *orders.Shop, books *ledger.Ledger) map[string]driver {
	by := orders.Caller{Principal: "till", Actor: "till"}
	key := func(n int) engine.Key { return engine.Key{Source: "test", Seq: fmt.Sprint(n)} }
	ctx := t.Context()
	fact := func(n int) json.RawMessage {
		return json.RawMessage(fmt.Sprintf(`{"id":"tx-%d","reference":"none","amount":5,"currency":"EUR"}`, n))
	}
	from, _, err := books.Open(ctx, by, "", ledger.NewAccount{Owner: "ada", Kind: ledger.Money, Currency: "EUR"})
	require.NoError(t, err)
	to, _, err := books.Open(ctx, by, "", ledger.NewAccount{Owner: "bob", Kind: ledger.Money, Currency: "EUR"})
	require.NoError(t, err)
	_, _, err = books.Deposit(ctx, by, "deposit", from.ID, 1000, "")
	require.NoError(t, err)
	return map[string]driver{
		orders.MachineOrder: {
			create: func(_ engine.Event, n int) (engine.Result, error) {
				_, result, err := shop.Place(ctx, by, fmt.Sprint("order-", n), orders.NewOrder{
					Currency: "EUR", Items: []orders.Item{{SKU: "BOOK-1", Name: "A book", Quantity: 1, UnitPrice: 1 << 20}},
				})
				return result, err
			},
			input: func(id string, edge engine.DescribedEdge) any {
				o, err := shop.Order(ctx, id)
				require.NoError(t, err)
				switch edge.To {
				case orders.OrderPaid:
					return orders.Pay{Amount: o.Rest(), Currency: "EUR", Payment: "pay_x"}
				case orders.OrderPartlyPaid:
					return orders.Pay{Amount: 1, Currency: "EUR"}
				}
				return nil
			},
		},
		orders.MachinePayment: {
			create: func(event engine.Event, n int) (engine.Result, error) {
				row := &orders.Payment{
					ID: fmt.Sprint("pay_", n), OrderID: "ord_x", Provider: "fake", Reference: fmt.Sprint("ref_", n), Amount: 5, Currency: "EUR",
				}
				r := engine.Request{Machine: orders.MachinePayment, Event: event, Key: key(n)}
				if event == orders.EventStart {
					r.Input = json.RawMessage(fmt.Sprintf(`{"order":"ord_x","provider":"fake","amount":%d}`, n+1))
				}
				return engine.Create(ctx, e, row, r)
			},
			input: func(_ string, edge engine.DescribedEdge) any {
				if edge.Event == orders.EventCapture {
					return json.RawMessage(`{"transaction":"tx","amount":5,"currency":"EUR"}`)
				}
				return nil
			},
		},
		orders.MachineFact: {create: func(event engine.Event, n int) (engine.Result, error) {
			row := &orders.Fact{ID: fmt.Sprint("fact_", n), Provider: "fake", Kind: "payment.captured", TransactionID: fmt.Sprint("tx-", n)}
			r := engine.Request{Machine: orders.MachineFact, Event: event, Key: engine.Key{Source: "fact", Seq: fmt.Sprint(n)}}
			if event != orders.EventHold {
				r.Input = fact(n)
			}
			return engine.Create(ctx, e, row, r)
		}},
		ledger.MachineAccount: {create: func(_ engine.Event, n int) (engine.Result, error) {
			_, result, err := books.Open(ctx, by, "", ledger.NewAccount{Owner: fmt.Sprint("owner-", n), Kind: ledger.Points, Currency: "EUR"})
			return result, err
		}},
		ledger.MachineTransfer: {create: func(event engine.Event, n int) (result engine.Result, err error) {
			if event == ledger.EventDeposit {
				_, result, err = books.Deposit(ctx, by, fmt.Sprint("d-", n), from.ID, 1, "")
			} else {
				_, result, err = books.Move(ctx, by, fmt.Sprint("t-", n), ledger.NewTransfer{From: from.ID, To: to.ID, Amount: 1, Currency: "EUR"})
			}
			return result, err
		}},
		notify.Machine: {create: func(_ engine.Event, n int) (engine.Result, error) {
			row := &notify.Notification{ID: fmt.Sprint("ntf_", n), Message: fmt.Sprint("m-", n), Channel: "log"}
			return engine.Create(ctx, e, row, engine.Request{Machine: notify.Machine, Key: engine.Key{Source: "ntf", Seq: fmt.Sprint(n)},
				Input: json.RawMessage(fmt.Sprintf(`{"message":"m-%d","channel":"log"}`, n))})
		}},
	}
}

// thing is a row of generated machines.
type thing struct {
	ID      string       `gorm:"primaryKey" engine:"id"`
	State   engine.State `gorm:"<-:create" engine:"state"`
	Version int64        `gorm:"<-:create" engine:"version"`
}

// And of machines that nobody has thought of.
func TestEverySentenceIsTrueOfGeneratedMachines(t *testing.T) {
	db := enginetest.SQLite(t)
	require.NoError(t, db.AutoMigrate(&thing{}))
	for seed := range uint64(25) {
		m := generated(t, rand.New(rand.NewPCG(seed, 1)), fmt.Sprint("m", seed)) //nolint:gosec // nothing is secret here
		e, err := engine.New(db, engine.Config{Logger: slog.New(slog.DiscardHandler)}, m)
		require.NoError(t, err)
		driver{machine: m.Describe(), most: 25, create: func(event engine.Event, n int) (engine.Result, error) {
			return engine.Create(t.Context(), e, &thing{ID: fmt.Sprintf("%d-%d", seed, n)},
				engine.Request{Machine: m.Describe().Name, Event: event, Key: engine.Key{Source: "test", Seq: fmt.Sprintf("%d/%d", seed, n)}})
		}}.walk(t, e)
		require.NoError(t, e.Close(t.Context()))
	}
}

// generated is a machine of up to six states whose every state can be reached. Events that can happen again are
// repeatable, as they must be; of the others, some count other events.
func generated(t *testing.T, r *rand.Rand, name string) *engine.Machine[thing] {
	states := []engine.State{"a", "b", "c", "d", "e", "f"}[:2+r.IntN(5)]
	events := []engine.Event{"go", "walk", "run", "jump", "sit"}[:2+r.IntN(4)]
	any := func() engine.Event { return events[r.IntN(len(events))] }
	d := engine.Definition[thing]{Name: name, Events: map[engine.Event]engine.Spec{"make": {}}}
	d.Edges = []engine.Edge[thing]{{Event: "make", To: states[0]}}
	taken := map[string]bool{}
	add := func(event engine.Event, from, to engine.State) {
		if !taken[string(event)+"/"+string(from)] {
			taken[string(event)+"/"+string(from)] = true
			d.Edges = append(d.Edges, engine.Edge[thing]{Event: event, From: []engine.State{from}, To: to})
			d.Events[event] = engine.Spec{Repeatable: true}
		}
	}
	for i, s := range states[1:] {
		add(any()+"_"+engine.Event(s), states[r.IntN(i+1)], s)
	}
	for range r.IntN(6) {
		from, to := r.IntN(len(states)), r.IntN(len(states))
		if r.IntN(3) > 0 && from > to {
			from, to = to, from
		}
		add(any(), states[from], states[to])
	}
	// Let what need not be repeatable be so no longer.
	for _, event := range slices.Sorted(maps.Keys(d.Events)) {
		d.Events[event] = engine.Spec{CountsOther: r.IntN(3) == 0}
		if _, err := engine.NewMachine(d); err != nil {
			d.Events[event] = engine.Spec{Repeatable: true}
		}
	}
	m, err := engine.NewMachine(d)
	require.NoError(t, err)
	return m
}
