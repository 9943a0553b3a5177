package orders_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/verify"
	"example.com/orderd/orders"
	"example.com/orderd/orders/provider"
)

// rig is a shop on a database of its own. When its test ends, every answer of its engine is compared with
// history, and the books are checked.
type rig struct {
	testing.TB
	*orders.Shop
	db      *gorm.DB
	engine  *engine.Engine
	answers enginetest.Answers
	clock   *enginetest.Clock
	log     *logged
	keys    atomic.Int64
}

// each runs a test on every kind of database there is.
func each(t *testing.T, f func(r *rig)) {
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) { f(newRig(t, db, nil)) })
}

func onSQLite(tb testing.TB) *rig { return newRig(tb, enginetest.SQLite(tb), nil) }

// newRig makes a shop. wrap puts something between the shop and its engine; nil puts nothing.
func newRig(tb testing.TB, db *gorm.DB, wrap func(engine.Applier) engine.Applier) *rig {
	tb.Helper()
	require.NoError(tb, orders.Migrate(tb.Context(), db))
	r := &rig{TB: tb, db: db, clock: enginetest.NewClock(), log: &logged{}}
	var err error
	r.engine, err = engine.New(db, engine.Config{Now: r.clock.Now, Logger: slog.New(r.log)}, orders.Machines()...)
	require.NoError(tb, err)
	apply := r.answers.Through(r.engine)
	if wrap != nil {
		apply = wrap(apply)
	}
	r.Shop, err = orders.New(db, r.engine, apply, orders.Config{Providers: []string{"standard", "fake"}, Logger: slog.New(r.log)})
	require.NoError(tb, err)
	tb.Cleanup(func() {
		ctx := context.Background() // the test's own has ended
		require.NoError(tb, r.engine.Close(ctx))
		r.answers.Check(tb, db)
		report, err := verify.Run(ctx, db, verify.Options{Machines: orders.Machines(), Extra: orders.Checks()})
		require.NoError(tb, err)
		require.Empty(tb, report.Findings)
	})
	return r
}

var by = orders.Caller{Principal: "tester", Actor: "Tess"}

// key is a number that no request of this rig has had.
func (r *rig) key() string { return fmt.Sprint("k-", r.keys.Add(1)) }

// place places an order of one item for an amount of cents.
func (r *rig) place(amount int64) orders.Order {
	r.Helper()
	o, result, err := r.Place(r.Context(), by, r.key(), oneItem(amount))
	require.NoError(r, err)
	require.Equal(r, engine.Applied, result.Outcome)
	return o
}

func oneItem(amount int64) orders.NewOrder {
	return orders.NewOrder{Currency: "EUR", Items: []orders.Item{{SKU: "BOOK-1", Name: "A book", Quantity: 1, UnitPrice: amount}}}
}

// start starts a payment; 0 is the rest due.
func (r *rig) start(order string, amount int64) orders.Payment {
	r.Helper()
	n := orders.NewPayment{Provider: "standard"}
	if amount > 0 {
		n.Amount = &amount
	}
	p, result, err := r.StartPayment(r.Context(), by, r.key(), order, n)
	require.NoError(r, err)
	require.Equal(r, engine.Applied, result.Outcome)
	return p
}

// captured is the fact that a payment's money has arrived, in full.
func captured(transaction string, p orders.Payment) provider.Fact {
	return provider.Fact{
		Provider: "standard", Kind: provider.Captured, ID: transaction, Reference: p.Reference, Amount: p.Amount, Currency: p.Currency,
	}
}

// accept has a fact accepted and returns what became of it.
func (r *rig) accept(f provider.Fact) orders.Fact {
	r.Helper()
	receipt, err := r.Accept(r.Context(), f)
	require.NoError(r, err)
	return receipt.Fact
}

// event asks for an event without input and without key.
func (r *rig) event(order string, event engine.Event) engine.Result {
	r.Helper()
	result, _ := r.Transition(r.Context(), by, order, orders.TransitionRequest{Event: event})
	return result
}

// keyed asks for an event under a new key and wants it applied.
func (r *rig) keyed(order string, event engine.Event, input string) engine.Result {
	r.Helper()
	result, err := r.Transition(r.Context(), by, order, orders.TransitionRequest{Event: event, Seq: r.key(), Input: []byte(input)})
	require.NoError(r, err)
	require.Equal(r, engine.Applied, result.Outcome)
	return result
}

func (r *rig) order(id string) orders.Order {
	r.Helper()
	o, err := r.Order(r.Context(), id)
	require.NoError(r, err)
	return o
}

func (r *rig) payment(id string) orders.Payment {
	r.Helper()
	p, err := r.Payment(r.Context(), id)
	require.NoError(r, err)
	return p
}

// desk is everything on the money desk, newest first.
func (r *rig) desk() []orders.Fact {
	r.Helper()
	page, err := r.MoneyDesk(r.Context(), orders.DeskFilter{Limit: 200})
	require.NoError(r, err)
	return page.Data
}

// messages are the types of an order's messages, by version.
func (r *rig) messages(order string) []string {
	r.Helper()
	var types []string
	require.NoError(r, r.db.Raw(`SELECT type FROM engine_messages WHERE machine = ? AND subject = ? ORDER BY version, ordinal`,
		orders.MachineOrder, order).Scan(&types).Error)
	return types
}

// timer is when an order's timer of a name fires, if one is armed for the visit that began at a version.
func (r *rig) timer(order, name string, entered int64) (time.Time, bool) {
	r.Helper()
	var due []time.Time
	require.NoError(r, r.db.Raw(`SELECT due_at FROM engine_timers WHERE subject = ? AND name = ? AND entered = ? AND status = 'armed'`,
		order, name, entered).Scan(&due).Error)
	if len(due) == 0 {
		return time.Time{}, false
	}
	return due[0].UTC(), true
}

// logged counts what is logged as an error.
type logged struct{ errors atomic.Int64 }

func (*logged) Enabled(context.Context, slog.Level) bool { return true }

func (l *logged) Handle(_ context.Context, r slog.Record) error {
	if r.Level >= slog.LevelError {
		l.errors.Add(1)
	}
	return nil
}

func (l *logged) WithAttrs([]slog.Attr) slog.Handler { return l }
func (l *logged) WithGroup(string) slog.Handler      { return l }
