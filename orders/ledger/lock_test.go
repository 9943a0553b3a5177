package ledger_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
	"example.com/orderd/orders/ledger"
)

// watched is a second process on the rig's database that tells of every statement before it is sent.
func (r *rig) watched(before func(query string)) *ledger.Ledger {
	r.Helper()
	db, _ := enginetest.NewFaulty(r.db, func(_ int, _ enginetest.CallKind, query string) enginetest.Fault {
		before(query)
		return enginetest.NoFault
	})
	cfg := ledger.Config{Tokens: r.tokens}
	machines, err := cfg.Machines()
	require.NoError(r, err)
	e, err := engine.New(db, engine.Config{Logger: slog.New(slog.DiscardHandler)}, machines...)
	require.NoError(r, err)
	r.Cleanup(func() { require.NoError(r, e.Close(context.Background())) })
	other, err := ledger.New(db, e, e, cfg)
	require.NoError(r, err)
	return other
}

func locksAccounts(query string) bool {
	return strings.Contains(query, "FROM accounts") && strings.Contains(query, "FOR UPDATE")
}

// Who wants the last money of an account while somebody else takes it is refused in the first try: the account is
// locked before it is decided. Without that, the decision would rest on a balance that is gone, and the whole
// transaction would have to be run again. SQLite has one writer, so nobody else can take it there.
func TestTheLastMoneyIsDecidedUnderALock(t *testing.T) {
	r := newRig(t, enginetest.MySQL(t), nil)
	ada, bob := r.account("ada", 1000), r.account("bob", 0)
	decisions, taken := 0, false // by balances that were read without a lock
	slow := r.watched(func(query string) {
		switch {
		case strings.Contains(query, "FROM accounts") && !locksAccounts(query):
			decisions++
		case locksAccounts(query), strings.Contains(query, "INTO account_entries"): // it has read, and not yet decided or written
			if !taken {
				taken = true
				_, _, err := r.Move(t.Context(), by, "quick", euros(ada, bob, 800))
				require.NoError(t, err)
			}
		}
	})
	_, result, err := slow.Move(t.Context(), by, "slow", euros(ada, bob, 600))
	require.ErrorIs(t, err, engine.ErrIllegal)
	require.Contains(t, result.Refused[0].Reason, "the balance is 2.00 EUR")
	require.True(t, taken)
	require.Equal(t, 1, decisions)
	require.EqualValues(t, 200, r.read(ada.ID).Balance)
}

// An account that has plenty is not locked before the end, however many take from it.
func TestAnAccountWithPlentyIsNotLockedFirst(t *testing.T) {
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		r := newRig(t, db, nil)
		ada, bob := r.account("ada", 1000), r.account("bob", 0)
		locks := 0
		watched := r.watched(func(query string) {
			if locksAccounts(query) {
				locks++
			}
		})
		_, _, err := watched.Move(t.Context(), by, "plenty", euros(ada, bob, 500))
		require.NoError(t, err)
		require.Zero(t, locks)
		_, _, err = watched.Move(t.Context(), by, "tight", euros(ada, bob, 251))
		require.NoError(t, err)
		require.Equal(t, map[string]int{"sqlite": 0, "mysql": 1}[db.Name()], locks, "SQLite has one writer: nothing to lock against")
	})
}

// What counts is what all transfers of a batch want together.
func TestABatchLocksForWhatItWantsTogether(t *testing.T) {
	for _, c := range []struct {
		balance int64
		amounts []int64
		tight   bool
	}{
		{1000, []int64{500}, false},
		{1000, []int64{501}, true},
		{1000, []int64{100, 100, 100, 100, 100}, false},
		{1000, []int64{100, 100, 100, 100, 100, 1}, true},
		{1000, []int64{1, 500}, true},
		{1000, []int64{500, 1}, true},
		{1000, []int64{1001}, true},
	} {
		require.Equal(t, c.tight, ledger.Tight(c.balance, c.amounts...), "%d of which %v", c.balance, c.amounts)
	}
}

// Whatever was read, the update itself takes no more than there is: who finds less runs again, and knows it then.
func TestWhatIsTakenAfterItWasReadIsNotTakenTwice(t *testing.T) {
	r := newRig(t, enginetest.MySQL(t), nil)
	ada, bob, cora := r.account("ada", 1000), r.account("bob", 0), r.account("cora", 5000)
	taken := false
	slow := r.watched(func(query string) {
		if strings.Contains(query, "INTO account_entries") && !taken {
			taken = true
			_, _, err := r.Move(t.Context(), by, "quick", euros(ada, bob, 900))
			require.NoError(t, err)
		}
	})
	_, result, err := slow.Move(t.Context(), by, "slow", euros(ada, bob, 400))
	require.ErrorIs(t, err, engine.ErrIllegal)
	require.Contains(t, result.Refused[0].Reason, "the balance is 1.00 EUR")
	require.True(t, taken)
	_, _, err = slow.Move(t.Context(), by, "other", euros(cora, bob, 2000))
	require.NoError(t, err)
	require.EqualValues(t, 100, r.read(ada.ID).Balance)
	require.EqualValues(t, 2900, r.read(bob.ID).Balance)
}
