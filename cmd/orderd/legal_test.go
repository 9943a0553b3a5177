package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"example.com/orderd/cmd/orderd/internal/database"
	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/once"
	"example.com/orderd/engine/verify"
	"example.com/orderd/orders"
	"example.com/orderd/orders/ledger"
	"example.com/orderd/orders/provider"
)

// legalMax is how long new runs are begun on one database. A failing one is made small after that.
const legalMax = 20 * time.Second

// Whatever is asked of the shop, in whatever order, with whatever identity, while its clock goes forward or
// back and old rows go away: every answer is true, and verify finds nothing.
func TestARandomLegalRunNeverMakesAFinding(t *testing.T) {
	each := map[string]func(*testing.T) string{
		"SQLite": func(t *testing.T) string { return "sqlite:" + t.TempDir() + "/test.db" },
		"MySQL":  func(t *testing.T) string { return "mysql:" + enginetest.MySQLDSN(t) },
	}
	for name, setting := range each {
		t.Run(name, func(t *testing.T) {
			l := newLegal(t, setting(t))
			runs, until := 0, time.Now().Add(legalMax)
			rapid.Check(t, func(rt *rapid.T) {
				if time.Now().After(until) && !l.failing {
					return
				}
				runs++
				l.failing = true // unless it comes to its end
				l.run(rt)
				l.failing = false
			})
			t.Logf("%d runs", runs)
		})
	}
}

// wobbly is a clock that goes back by its wobble at every other look, as one that is set while others read it.
type wobbly struct {
	*enginetest.Clock
	wobble, looks atomic.Int64
}

func (c *wobbly) Now() time.Time {
	return c.Clock.Now().Add(-time.Duration(c.wobble.Load() * (c.looks.Add(1) % 2)))
}

// legal is a shop whose every answer is noted, and what the run at hand has made in it. The actions are its
// methods; rapid calls them by name.
type legal struct {
	*daemon // a new one in each run, closed before its database is looked at
	config  config
	clock   *wobbly
	answers *enginetest.Answers
	known   map[string]bool // findings of runs before
	failing bool
	nth     int

	events   []engine.Request
	orders   []string
	payments []orders.Payment
	facts    []provider.Fact
	accounts []string
	tokens   []string
	keys     int
}

func newLegal(t *testing.T, setting string) *legal {
	clock := &wobbly{Clock: enginetest.NewClock()}
	s := start(t, setting, func(c *config) { c.now = clock.Now })
	return &legal{config: s.daemon.config, clock: clock, known: map[string]bool{}}
}

func (l *legal) run(t *rapid.T) {
	l.nth++
	l.events, l.orders, l.payments, l.facts, l.accounts, l.tokens, l.keys = nil, nil, nil, nil, nil, nil, 0
	l.answers = &enginetest.Answers{}
	var err error
	l.daemon, err = newDaemon(context.Background(), l.config)
	require.NoError(t, err)
	defer func() { l.close(context.Background()) }()
	noted := l.answers.Through(l.batcher)
	l.shop, err = orders.New(l.database.Gorm, l.engine, noted, orders.Config{Providers: l.secrets.on(), Logger: l.log})
	require.NoError(t, err)
	l.ledger, err = ledger.New(l.database.Gorm, l.engine, noted, ledger.Config{})
	require.NoError(t, err)
	l.Place(t)
	t.Repeat(map[string]func(*rapid.T){
		"place": l.Place, "start": l.Start, "fact": l.Fact, "fact again": l.FactAgain, "event": l.Event, "event again": l.EventAgain,
		"and again": l.EventAgain, "several": l.Several, "money": l.Money, "clock": l.Clock, "timers": l.Timers,
		"retention": l.Retention, "messages": l.Messages, "notifications": l.Notifications, "settle": l.Settle, "open": l.Open,
		"move": l.Move, "token": l.Token, "spend": l.Spend,
	})
	l.clock.wobble.Store(0)
	require.NoError(t, l.engine.Close(context.Background())) // writes what it still counts
	untrue, err := l.answers.Compare(context.Background(), l.database.Gorm)
	require.NoError(t, err)
	if len(untrue) > 0 {
		t.Fatalf("a false answer: %v", untrue)
	}
	l.requireNoFinding(t)
}

// requireNoFinding looks for what earlier runs have not left: a run that fails is repeated on its remains.
func (l *legal) requireNoFinding(t *rapid.T) {
	report, err := verify.Run(context.Background(), l.database.Gorm, verify.Options{Machines: database.Machines(), Extra: database.Checks()})
	require.NoError(t, err)
	var fresh []string
	for _, f := range report.Findings {
		if text := fmt.Sprintf("%+v", f); !l.known[text] {
			l.known[text] = true
			fresh = append(fresh, text)
		}
	}
	if len(fresh) > 0 {
		t.Fatalf("verify finds %v", fresh)
	}
}

// fine accepts every answer, and nothing that is none.
func fine(t *rapid.T, err error) {
	var answer *engine.Error
	if err != nil && !errors.As(err, &answer) && !errors.Is(err, engine.ErrBadRequest) && !errors.Is(err, once.ErrUnknown) {
		t.Fatalf("no answer: %v", err)
	}
}

func anyOf[T any](t *rapid.T, of []T, what string) T {
	if len(of) == 0 {
		t.Skip("there is none yet")
	}
	return rapid.SampledFrom(of).Draw(t, what)
}

// seq is a key: of the run's few, so that it may have been used, or a new one.
func (l *legal) seq(t *rapid.T) string {
	l.keys++
	if rapid.Bool().Draw(t, "known key") {
		return fmt.Sprintf("run-%d-%d", l.nth, rapid.IntRange(0, 3).Draw(t, "key"))
	}
	return fmt.Sprintf("run-%d-new-%d", l.nth, l.keys)
}

func (l *legal) by() orders.Caller { return orders.Caller{Principal: "legal", Actor: "Lea"} }

func (l *legal) Place(t *rapid.T) {
	o, _, err := l.shop.Place(t.Context(), l.by(), l.seq(t), orders.NewOrder{
		Currency: "EUR", Items: []orders.Item{{SKU: "A", Name: "A", Quantity: 1, UnitPrice: 1000}}, CustomerRef: fmt.Sprint("customer-", l.nth),
	})
	fine(t, err)
	if err == nil && !slices.Contains(l.orders, o.ID) {
		l.orders = append(l.orders, o.ID)
	}
}

func (l *legal) Start(t *rapid.T) {
	amount := rapid.SampledFrom([]int64{0, 400, 600, 1000}).Draw(t, "amount")
	n := orders.NewPayment{Provider: "standard"}
	if amount > 0 {
		n.Amount = &amount
	}
	p, _, err := l.shop.StartPayment(t.Context(), l.by(), l.seq(t), anyOf(t, l.orders, "order"), n)
	fine(t, err)
	if err == nil {
		l.payments = append(l.payments, p)
	}
}

func (l *legal) Fact(t *rapid.T) {
	p := anyOf(t, l.payments, "payment")
	f := provider.Fact{
		Provider: "standard", Kind: rapid.SampledFrom([]provider.Kind{provider.Captured, provider.Captured, provider.Failed, provider.Refunded}).Draw(t, "kind"),
		ID: fmt.Sprintf("tx-%d-%d", l.nth, len(l.facts)), Reference: p.Reference, Amount: p.Amount, Currency: "EUR",
	}
	f.Amount += rapid.SampledFrom([]int64{0, 0, 0, 11, -11}).Draw(t, "more")
	f.Currency = rapid.SampledFrom([]string{"EUR", "EUR", "EUR", "USD"}).Draw(t, "currency")
	l.facts = append(l.facts, f)
	_, err := l.shop.Accept(t.Context(), f)
	fine(t, err)
}

// FactAgain repeats a fact, perhaps with other content.
func (l *legal) FactAgain(t *rapid.T) {
	f := anyOf(t, l.facts, "fact")
	f.Amount += rapid.SampledFrom([]int64{0, 0, 1}).Draw(t, "more")
	_, err := l.shop.Accept(t.Context(), f)
	fine(t, err)
}

// request is any event but those of money, with any identity.
func (l *legal) request(t *rapid.T) engine.Request {
	d := orders.Machines()[0].Describe()
	var events []engine.Event
	for _, e := range d.Events {
		if e.Name != orders.EventPlace && e.Name != orders.EventPay && e.Name != orders.EventPayPart {
			events = append(events, e.Name)
		}
	}
	r := engine.Request{
		Machine: orders.MachineOrder, ID: anyOf(t, l.orders, "order"), Event: rapid.SampledFrom(events).Draw(t, "event"), Actor: "Lea",
		ForUpdate: rapid.IntRange(0, 7).Draw(t, "lock") == 0, DryRun: rapid.IntRange(0, 7).Draw(t, "dry") == 0,
	}
	if r.Event == orders.EventShip || r.Event == orders.EventShipPart {
		r.Input = orders.Ship{Carrier: "post", Tracking: rapid.SampledFrom([]string{"1", "2"}).Draw(t, "tracking")}
	}
	return l.identified(t, r)
}

// identified gives a request some identity: a key or none, and perhaps a pin.
func (l *legal) identified(t *rapid.T, r engine.Request) engine.Request {
	r.Key, r.IfVersion, r.IfState = engine.Key{}, 0, ""
	if rapid.IntRange(0, 2).Draw(t, "keyed") > 0 {
		r.Key = l.by().Key(l.seq(t))
	}
	switch rapid.IntRange(0, 3).Draw(t, "pin") {
	case 0:
		r.IfVersion = rapid.Int64Range(1, 4).Draw(t, "version")
	case 1:
		r.IfState = rapid.SampledFrom(orders.Machines()[0].Describe().States).Draw(t, "state").Name
	}
	return r
}

func (l *legal) Event(t *rapid.T) { l.ask(t, l.request(t)) }

// EventAgain repeats what was asked before, perhaps with another identity.
func (l *legal) EventAgain(t *rapid.T) {
	r := anyOf(t, l.events, "request")
	if rapid.IntRange(0, 3).Draw(t, "as before") > 0 {
		r = l.identified(t, r)
	}
	l.ask(t, r)
}

func (l *legal) ask(t *rapid.T, r engine.Request) {
	l.events = append(l.events, r)
	_, err := l.answers.Through(l.batcher).Apply(t.Context(), r)
	fine(t, err)
}

// Several asks for some events in one call.
func (l *legal) Several(t *rapid.T) {
	var rs []engine.Request
	for range rapid.IntRange(2, 5).Draw(t, "how many") {
		rs = append(rs, l.request(t))
	}
	for _, result := range l.answers.Through(l.engine).ApplyAll(t.Context(), rs) {
		fine(t, result.Err())
	}
}

// Money is an operator's word that some came in.
func (l *legal) Money(t *rapid.T) {
	said, err := json.Marshal(map[string]any{"amount": rapid.SampledFrom([]int64{400, 600, 1000}).Draw(t, "amount"), "currency": "EUR"})
	require.NoError(t, err)
	_, err = l.shop.Transition(t.Context(), l.by(), anyOf(t, l.orders, "order"), orders.TransitionRequest{
		Event: rapid.SampledFrom([]engine.Event{orders.EventPay, orders.EventPayPart}).Draw(t, "event"), Input: said, Seq: l.seq(t),
	})
	fine(t, err)
}

// Clock moves the time, also back.
func (l *legal) Clock(t *rapid.T) {
	l.clock.wobble.Store(int64(rapid.SampledFrom([]time.Duration{0, 0, time.Microsecond, 5 * time.Second}).Draw(t, "wobble")))
	l.clock.Advance(rapid.SampledFrom([]time.Duration{
		time.Second, time.Hour, 26 * time.Hour, 15 * 24 * time.Hour, -time.Microsecond, -time.Second, -2 * time.Hour,
	}).Draw(t, "step"))
}

const stepsMax = 50 // of a background job, until it has nothing more to do

func jobs(t *rapid.T, step func(context.Context, int64) (bool, error)) {
	more, err := true, error(nil)
	for n := 0; more && err == nil && n < stepsMax; n++ {
		more, err = step(t.Context(), 0)
	}
	if err != nil {
		t.Fatalf("%v", err)
	}
}

func (l *legal) Timers(t *rapid.T)        { jobs(t, l.background.timers.Step) }
func (l *legal) Messages(t *rapid.T)      { jobs(t, l.background.relay.Step) }
func (l *legal) Notifications(t *rapid.T) { jobs(t, l.background.notifier.Step) }
func (l *legal) Settle(t *rapid.T)        { jobs(t, l.settle) }

// Retention removes what is old, whether or not it was done today.
func (l *legal) Retention(t *rapid.T) {
	require.NoError(t, l.trim(t.Context()))
	jobs(t, l.retain)
}

func (l *legal) Open(t *rapid.T) {
	n := ledger.NewAccount{
		Owner: fmt.Sprintf("owner-%d-%d", l.nth, rapid.IntRange(0, 2).Draw(t, "owner")), Kind: ledger.Money, Currency: "EUR",
	}
	seq := l.seq(t)
	asked := l.answers.Ask(engine.Request{ // the engine itself is asked
		Machine: ledger.MachineAccount, Event: ledger.EventOpen, Key: l.by().Key(seq), Actor: l.by().Actor, Input: n,
	})
	a, result, err := l.ledger.Open(t.Context(), l.by(), seq, n)
	if result.Outcome.Success() && result.Proof == nil {
		result.Proof = &engine.Transition{Version: 1}
	}
	asked.Answered(result)
	fine(t, err)
	if err != nil {
		return
	}
	if !slices.Contains(l.accounts, a.ID) {
		l.accounts = append(l.accounts, a.ID)
	}
	_, _, err = l.ledger.Deposit(t.Context(), l.by(), l.seq(t), a.ID, 500, "float")
	fine(t, err)
}

func (l *legal) Move(t *rapid.T) {
	_, _, err := l.ledger.Move(t.Context(), l.by(), l.seq(t), ledger.NewTransfer{
		From: anyOf(t, l.accounts, "from"), To: anyOf(t, l.accounts, "to"), Amount: rapid.SampledFrom([]int64{1, 400, 700}).Draw(t, "amount"), Currency: "EUR",
	})
	fine(t, err)
}

// Token issues a submit token, or takes one back.
func (l *legal) Token(t *rapid.T) {
	if len(l.tokens) > 0 && rapid.IntRange(0, 3).Draw(t, "revoke") == 0 {
		_, err := l.daemon.tokens.Revoke(t.Context(), anyOf(t, l.tokens, "token"), "principal:legal")
		require.NoError(t, err)
		return
	}
	token, err := l.daemon.tokens.Issue(t.Context(), once.Binding{Holder: "principal:legal", Scope: orders.ScopeOrder})
	require.NoError(t, err)
	l.tokens = append(l.tokens, token.Text)
}

// Spend places an order with a token, which may be spent already.
func (l *legal) Spend(t *rapid.T) {
	by := l.by()
	by.Spends = true
	_, _, err := l.shop.Place(t.Context(), by, anyOf(t, l.tokens, "token"), orders.NewOrder{
		Currency: "EUR", Items: []orders.Item{{SKU: "B", Name: "B", Quantity: 1, UnitPrice: 1000}},
	})
	fine(t, err)
}
