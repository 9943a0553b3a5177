package orders_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/orderd/engine"
	"example.com/orderd/engine/outbox"
	"example.com/orderd/orders"
	"example.com/orderd/orders/ledger"
	"example.com/orderd/orders/notify"
	"example.com/orderd/orders/provider"
)

func shopScenes() []scene {
	place := func(form func(w *world) (orders.Caller, string)) func(w *world) func() []any {
		return func(w *world) func() []any {
			caller, seq := form(w)
			return func() []any {
				o, result, err := w.Place(w.Context(), caller, seq, oneItem(2500))
				return []any{o, result, err}
			}
		}
	}
	start := func(form func(w *world) (orders.Caller, string)) func(w *world) func() []any {
		return func(w *world) func() []any {
			o := w.place(2500)
			caller, seq := form(w)
			return func() []any {
				p, result, err := w.StartPayment(w.Context(), caller, seq, o.ID, orders.NewPayment{Provider: "standard"})
				return []any{p, result, err}
			}
		}
	}
	keyed := func(w *world) (orders.Caller, string) { return by, w.key() }
	event := func(t orders.TransitionRequest, before ...engine.Event) scene {
		return scene{"Shop.Transition", func(w *world) func() []any {
			o := w.place(2500)
			for _, e := range before {
				input := map[engine.Event]string{"pay": `{"amount":2500,"currency":"EUR"}`, "pay_part": `{"amount":500,"currency":"EUR"}`}[e]
				w.keyed(o.ID, e, input)
			}
			return func() []any {
				result, err := w.Transition(w.Context(), by, o.ID, t)
				return []any{result, err}
			}
		}}
	}
	ship := []byte(`{"carrier":"post","tracking":"T1"}`)
	return []scene{
		{"Shop.Place", place(keyed)},
		{"Shop.Place", place(func(w *world) (orders.Caller, string) { return w.token(orders.ScopeOrder) })},
		{"Shop.StartPayment", start(keyed)},
		{"Shop.StartPayment", start(func(w *world) (orders.Caller, string) { return w.token(orders.ScopePayment) })},
		event(orders.TransitionRequest{Event: "cancel"}),
		event(orders.TransitionRequest{Event: "cancel", Seq: "c-1", Reason: "asked by phone"}),
		event(orders.TransitionRequest{Event: "cancel"}, "pay_part"), // holds money, in SQL
		event(orders.TransitionRequest{Event: "pay", Seq: "p-1", Input: []byte(`{"amount":2500,"currency":"EUR"}`)}),
		event(orders.TransitionRequest{Event: "pay_part", IfVersion: 1, Input: []byte(`{"amount":2499,"currency":"EUR"}`)}),
		event(orders.TransitionRequest{Event: "ship", Input: ship}, "pay"),
		event(orders.TransitionRequest{Event: "ship", Input: ship, Seq: "s-1"}, "pay", "ship_part"),
		event(orders.TransitionRequest{Event: "deliver"}, "pay", "ship"),
		event(orders.TransitionRequest{Event: "request_refund", Seq: "r-1"}, "pay", "ship", "deliver", "complete"),
	}
}

func factScenes() []scene {
	accept := func(change func(f *provider.Fact)) scene {
		return scene{"Shop.Accept", func(w *world) func() []any {
			f := captured("tx-"+w.key(), w.start(w.place(2500).ID, 0))
			change(&f)
			return func() []any {
				receipt, err := w.Accept(w.Context(), f)
				return []any{receipt, err}
			}
		}}
	}
	return []scene{
		accept(func(*provider.Fact) {}),
		accept(func(f *provider.Fact) { f.Amount += 7 }),
		accept(func(f *provider.Fact) { f.Amount -= 7 }),
		accept(func(f *provider.Fact) { f.Reference = "nobody's" }),
		accept(func(f *provider.Fact) { f.Kind = provider.Failed }),
		accept(func(f *provider.Fact) { f.Kind = provider.Refunded }),
		{"Shop.Accept", func(w *world) func() []any { // contradicts what it has said before
			f := captured("tx-"+w.key(), w.start(w.place(2500).ID, 0))
			w.accept(f)
			f.Amount++
			return func() []any {
				receipt, err := w.Accept(w.Context(), f)
				return []any{receipt, err}
			}
		}},
		{"Shop.Settle", func(w *world) func() []any {
			p := w.start(w.place(2500).ID, 0)
			f := captured("tx-"+w.key(), p)
			_, err := engine.Create(w.Context(), w.engine, &orders.Fact{
				ID: w.nextID("fact"), Provider: f.Provider, Kind: f.Kind, TransactionID: f.ID, Reference: f.Reference, Amount: f.Amount, Currency: f.Currency,
			}, engine.Request{
				Machine: orders.MachineFact, Event: orders.EventReceive, Actor: f.Provider,
				Input: json.RawMessage(fmt.Appendf(nil, `{"id":%q,"reference":%q,"amount":%d,"currency":%q}`, f.ID, f.Reference, f.Amount, f.Currency)),
				Key:   engine.Key{Source: engine.SourceProvider + f.Provider, Seq: string(f.Kind) + "/" + f.ID},
			})
			require.NoError(w, err)
			return func() []any {
				n, err := w.Settle(w.Context(), 10)
				return []any{n, err}
			}
		}},
	}
}

func ledgerScenes() []scene {
	euros := func(owner string) ledger.NewAccount {
		return ledger.NewAccount{Owner: owner, Kind: ledger.Money, Currency: "EUR"}
	}
	open := func(w *world, owner string) ledger.Account {
		a, _, err := w.ledger.Open(w.Context(), by, "", euros(owner))
		require.NoError(w, err)
		return a
	}
	opening := func(owner, seq string) scene {
		return scene{"Ledger.Open", func(w *world) func() []any {
			return func() []any {
				a, result, err := w.ledger.Open(w.Context(), by, seq, euros(owner))
				return []any{a, result, err}
			}
		}}
	}
	deposit := func(owner string, form func(w *world) (orders.Caller, string)) scene {
		return scene{"Ledger.Deposit", func(w *world) func() []any {
			a := open(w, owner)
			caller, seq := form(w)
			return func() []any {
				made, result, err := w.ledger.Deposit(w.Context(), caller, seq, a.ID, 1000, "cash")
				return []any{made, result, err}
			}
		}}
	}
	move := func(form func(w *world) (orders.Caller, string)) scene {
		return scene{"Ledger.Move", func(w *world) func() []any {
			from, to := open(w, "ada"), open(w, "bob")
			caller, seq := form(w)
			return func() []any {
				made, result, err := w.ledger.Move(w.Context(), caller, seq, ledger.NewTransfer{From: from.ID, To: to.ID, Amount: 7, Currency: "EUR"})
				return []any{made, result, err}
			}
		}}
	}
	keyed := func(w *world) (orders.Caller, string) { return by, w.key() }
	token := func(w *world) (orders.Caller, string) { return w.token(ledger.ScopeTransfer) }
	return []scene{
		opening("ada", ""), opening("bob", "o-1"), opening("bob", "o-1"), opening("ada", ""),
		deposit("ada", keyed), deposit("bob", token), move(keyed), move(token),
		{"Rewards.Send", func(w *world) func() []any {
			id := w.key()
			m := outbox.Message{ID: id, Machine: orders.MachineOrder, Subject: "ord_x", Type: "order.completed",
				Data: []byte(`{"id":"ord_x","state":"completed","version":6,"amount":2500,"currency":"EUR","paid_amount":2500,"customer_ref":"ada"}`)}
			return func() []any { return []any{w.ledger.NewRewards().Send(w.Context(), []outbox.Message{m})} }
		}},
	}
}

func notifyScenes() []scene {
	m := outbox.Message{ID: "m-1", Machine: orders.MachineOrder, Subject: "ord_x", Version: 1, Ordinal: 1, Type: "order.paid", Data: []byte("{}")}
	return []scene{
		{"Notifier.Send", func(w *world) func() []any {
			return func() []any { return []any{w.notify.Send(w.Context(), []outbox.Message{m})} }
		}},
		{"Notifier.Step", func(w *world) func() []any {
			return func() []any {
				more, err := w.notify.Step(w.Context(), 1)
				return []any{more, err}
			}
		}},
	}
}

// engineScenes are the engine's own calls, on rows of the shop.
func engineScenes() []scene {
	pay := func(p orders.Payment) engine.Request {
		return engine.Request{Machine: orders.MachinePayment, ID: p.ID, Event: orders.EventSend}
	}
	return []scene{
		{"engine.Create", func(w *world) func() []any {
			row := &orders.Order{ID: w.nextID("ord")}
			return func() []any {
				result, err := engine.Create(w.Context(), w.engine, row, engine.Request{Machine: orders.MachineOrder, Input: oneItem(1999)})
				return []any{row, result, err}
			}
		}},
		{"orders.Create", func(w *world) func() []any {
			row := &orders.Order{ID: w.nextID("ord")}
			return func() []any {
				result, err := orders.Create(w.Context(), w.engine, row, engine.Request{Machine: orders.MachineOrder, Input: oneItem(1999)})
				return []any{row, result, err}
			}
		}},
		{"Engine.Apply", func(w *world) func() []any {
			p := w.start(w.place(2500).ID, 0)
			return func() []any {
				result, err := w.engine.Apply(w.Context(), pay(p))
				return []any{result, err}
			}
		}},
		{"Engine.ApplyAll", func(w *world) func() []any {
			o := w.place(2500)
			p, q := w.start(o.ID, 500), w.start(o.ID, 600)
			return func() []any {
				lose := pay(p)
				lose.Event = orders.EventLose
				return []any{w.engine.ApplyAll(w.Context(), []engine.Request{pay(p), pay(q), lose, pay(p)})}
			}
		}},
	}
}

// free are the exported methods without a scene, each with its reason.
var free = map[string]string{
	"Shop.Order": reads, "Shop.Orders": reads, "Shop.Payment": reads, "Shop.Payments": reads, "Shop.MoneyDesk": reads,
	"Shop.SetSearchMax": setsUp,
	"Ledger.Account":    reads, "Ledger.Accounts": reads, "Ledger.Entries": reads, "Ledger.Transfer": reads,
	"Ledger.NewRewards": setsUp, "Rewards.Name": reads,
	"Notifier.List": reads, "Notifier.Name": reads,
	"Engine.Allowed": reads, "Engine.At": reads, "Engine.Attempts": reads, "Engine.ByKey": reads, "Engine.History": reads, "Engine.Machines": reads,
	"Engine.Ready": reads,
	"Engine.Close": setsUp, "Engine.Committed": "tells observers",
	"Engine.ApplyTx":      "the COMMIT is the caller's",
	"Engine.Adopt":        "answers with a number, and is repeated until there is nothing left",
	"Engine.AdoptAll":     "as Adopt",
	"Engine.TrimAttempts": "answers with a number, and is repeated until there is nothing left",
}

const (
	reads  = "commits nothing"
	setsUp = "comes before everything else, or after it"
)

func TestEveryPublicCallIsTriedWithALostCommit(t *testing.T) {
	tried := map[string]bool{}
	for _, s := range slices.Concat(shopScenes(), factScenes(), ledgerScenes(), notifyScenes(), engineScenes()) {
		tried[s.call] = true
	}
	for _, of := range []reflect.Type{
		reflect.TypeFor[*orders.Shop](), reflect.TypeFor[*ledger.Ledger](), reflect.TypeFor[*ledger.Rewards](),
		reflect.TypeFor[*notify.Notifier](), reflect.TypeFor[*engine.Engine](),
	} {
		for m := range of.NumMethod() {
			name := of.Elem().Name() + "." + of.Method(m).Name
			require.True(t, tried[name] != (free[name] != ""), "%s is to be in a scene or in the list of those that need none", name)
			delete(tried, name)
		}
	}
	for name := range tried {
		require.True(t, strings.HasSuffix(name, ".Create"), "%s does not exist any more", name)
	}
}
