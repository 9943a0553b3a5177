package ledger_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/orderd/engine"
	"example.com/orderd/orders/ledger"
)

// Sixty-four ask at once for the points account of one owner: there is one, and all get it.
func TestOneAccountForEachOwner(t *testing.T) {
	each(t, func(r *rig) {
		const callers = 64
		points := ledger.NewAccount{Owner: "ada", Kind: ledger.Points, Currency: "PTS"}
		ids, outcomes, errs := make([]string, callers), make([]engine.Outcome, callers), make([]error, callers)
		start := make(chan struct{})
		var all sync.WaitGroup
		for i := range callers {
			key := ""
			if i%2 == 0 {
				key = fmt.Sprint("open-", i)
			}
			all.Go(func() {
				<-start
				a, result, err := r.Open(r.Context(), by, key, points)
				ids[i], outcomes[i], errs[i] = a.ID, result.Outcome, err
			})
		}
		close(start)
		all.Wait()
		applied := 0
		for i := range callers {
			require.NoError(r, errs[i])
			require.Equal(r, ids[0], ids[i])
			if outcomes[i] == engine.Applied {
				applied++
			} else {
				require.Equal(r, engine.Already, outcomes[i])
			}
		}
		require.Equal(r, 1, applied)
		var rows int64
		require.NoError(r, r.db.Model(&ledger.Account{}).Count(&rows).Error)
		require.EqualValues(r, 1, rows)

		// The index is what holds, whoever writes.
		require.Error(r, r.db.Exec(`INSERT INTO accounts (id, status, version, owner, kind, currency, overdraft, balance, entries, created_at, updated_at)
			SELECT 'acc_dirty', status, version, owner, kind, currency, overdraft, balance, entries, created_at, updated_at FROM accounts`).Error)
	})
}

// An account is found by what it is for, told apart by all of it, and its key means what it meant.
func TestAccountsAndTheirKeys(t *testing.T) {
	each(t, func(r *rig) {
		open := func(key, owner, kind, currency string) (ledger.Account, engine.Result, error) {
			return r.Open(r.Context(), by, key, ledger.NewAccount{Owner: owner, Kind: kind, Currency: currency})
		}
		first, result, err := open("k1", "ada", "money", "EUR")
		require.NoError(r, err)
		require.Equal(r, engine.Applied, result.Outcome)
		seen := map[string]bool{first.ID: true}
		for _, other := range [][3]string{{"ada", "points", "EUR"}, {"ada", "money", "USD"}, {"Ada", "money", "EUR"}, {"ada ", "money", "EUR"}} {
			a, result, err := open("", other[0], other[1], other[2])
			require.NoError(r, err)
			require.Equal(r, engine.Applied, result.Outcome, other)
			require.False(r, seen[a.ID])
			seen[a.ID] = true
		}
		for _, again := range []struct {
			key    string
			detail engine.Detail
		}{{"k1", engine.Replayed}, {"k2", engine.SameState}, {"", engine.SameState}} {
			a, result, err := open(again.key, "ada", "money", "EUR")
			require.NoError(r, err)
			require.Equal(r, first.ID, a.ID)
			require.Equal(r, engine.Already, result.Outcome)
			require.Equal(r, again.detail, result.Detail, again.key)
			require.False(r, result.DryRun)
		}
		_, result, err = open("k1", "ada", "money", "USD")
		require.ErrorIs(r, err, engine.ErrConflict)
		require.Equal(r, engine.KeyReused, result.Detail)

		mine, err := r.Accounts(r.Context(), "ada")
		require.NoError(r, err)
		require.Len(r, mine, 3)
	})
}

func TestBadAccounts(t *testing.T) {
	each(t, func(r *rig) {
		var wrong *engine.RequestError
		_, err := r.Accounts(r.Context(), "")
		require.ErrorAs(r, err, &wrong, "nobody's accounts are listed")
		require.Equal(r, "owner", wrong.Field)
		for field, n := range map[string]ledger.NewAccount{
			"owner":    {Owner: ledger.System, Kind: "money", Currency: "EUR"},
			"kind":     {Owner: "ada", Kind: "gold", Currency: "EUR"},
			"currency": {Owner: "ada", Kind: "money", Currency: "PTS"},
		} {
			_, _, err := r.Open(r.Context(), by, "", n)
			var bad *engine.RequestError
			require.ErrorAs(r, err, &bad)
			require.Equal(r, field, bad.Field)
			require.ErrorIs(r, err, engine.ErrBadRequest)
		}
		_, err = r.Account(r.Context(), "acc_none")
		require.ErrorIs(r, err, engine.ErrNotFound)
		_, err = r.Entries(r.Context(), "acc_none", 0, "")
		require.ErrorIs(r, err, engine.ErrNotFound)
	})
}
