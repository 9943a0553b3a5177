package ledger_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/once"
	"example.com/orderd/engine/verify"
	"example.com/orderd/orders"
	"example.com/orderd/orders/ledger"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a ledger on a database of its own. When its test ends, every answer is compared with history, and the
// books are checked.
type rig struct {
	testing.TB
	*ledger.Ledger
	db      *gorm.DB
	engine  *engine.Engine
	answers enginetest.Answers
	tokens  *once.Tokens
	keys    atomic.Int64
}

// each runs a test on every kind of database there is.
func each(t *testing.T, f func(r *rig)) {
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) { f(newRig(t, db, nil)) })
}

// newRig makes a ledger. wrap puts something between the ledger and its engine; nil puts nothing.
func newRig(tb testing.TB, db *gorm.DB, wrap func(*engine.Engine) engine.Applier) *rig {
	tb.Helper()
	require.NoError(tb, ledger.Migrate(tb.Context(), db))
	r := &rig{TB: tb, db: db}
	var err error
	r.tokens, err = once.NewTokens(tb.Context(), db, 0, once.Config{})
	require.NoError(tb, err)
	cfg := ledger.Config{Tokens: r.tokens}
	machines, err := cfg.Machines()
	require.NoError(tb, err)
	r.engine, err = engine.New(db, engine.Config{Logger: slog.New(slog.DiscardHandler)}, machines...)
	require.NoError(tb, err)
	var apply engine.Applier = r.engine
	if wrap != nil {
		apply = wrap(r.engine)
	}
	r.Ledger, err = ledger.New(db, r.engine, r.answers.Through(apply), cfg)
	require.NoError(tb, err)
	tb.Cleanup(func() {
		require.NoError(tb, r.engine.Close(context.Background()))
		r.answers.Check(tb, db)
		require.Empty(tb, r.verify().Findings)
	})
	return r
}

func (r *rig) verify() verify.Report {
	r.Helper()
	report, err := verify.Run(context.Background(), r.db, verify.Options{Machines: ledger.Machines(), Extra: ledger.Checks()})
	require.NoError(r, err)
	return report
}

var by = orders.Caller{Principal: "tester", Actor: "Tess"}

// key is a number that no request of this rig has had.
func (r *rig) key() string { return fmt.Sprint("k-", r.keys.Add(1)) }

// account opens an account of euros and puts some into it.
func (r *rig) account(owner string, balance int64) ledger.Account {
	r.Helper()
	a, _, err := r.Open(r.Context(), by, "", ledger.NewAccount{Owner: owner, Kind: ledger.Money, Currency: "EUR"})
	require.NoError(r, err)
	if balance > 0 {
		_, _, err = r.Deposit(r.Context(), by, r.key(), a.ID, balance, "to begin with")
		require.NoError(r, err)
	}
	return r.read(a.ID)
}

func (r *rig) read(id string) ledger.Account {
	r.Helper()
	a, err := r.Account(context.Background(), id)
	require.NoError(r, err)
	return a
}

// euros is a transfer of cents.
func euros(from, to ledger.Account, amount int64) ledger.NewTransfer {
	return ledger.NewTransfer{From: from.ID, To: to.ID, Amount: amount, Currency: "EUR"}
}
