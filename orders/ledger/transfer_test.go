package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/batch"
	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/once"
	"example.com/orderd/orders"
	"example.com/orderd/orders/ledger"
)

// A merchant's transfer that is repeated is told of the first one's success, also when the money is gone.
func TestARepeatedTransferReturnsTheFirstSuccess(t *testing.T) {
	each(t, func(r *rig) {
		ada, bob, eve := r.account("ada", 1000), r.account("bob", 0), r.account("eve", 0)
		first, result, err := r.Move(r.Context(), by, "m-1", euros(ada, bob, 1000))
		require.NoError(r, err)
		require.Equal(r, engine.Applied, result.Outcome)
		require.Equal(r, ledger.TransferSucceeded, first.State)
		for range 3 {
			again, result, err := r.Move(r.Context(), by, "m-1", euros(ada, bob, 1000))
			require.NoError(r, err)
			require.Equal(r, engine.Replayed, result.Detail)
			require.Equal(r, first.ID, again.ID)
		}
		_, result, err = r.Move(r.Context(), by, "m-1", euros(ada, eve, 1000))
		require.ErrorIs(r, err, engine.ErrConflict)
		require.Equal(r, engine.KeyReused, result.Detail)
		_, result, err = r.Move(r.Context(), by, "m-2", euros(ada, bob, 1))
		require.ErrorIs(r, err, engine.ErrIllegal)
		require.Equal(r, engine.GuardRefused, result.Detail)
		require.Contains(r, err.Error(), "the balance is 0.00 EUR")
		_, result, err = r.Move(r.Context(), by, "", euros(bob, ada, 1))
		require.ErrorIs(r, err, engine.ErrIllegal)
		require.Equal(r, engine.IdentityRequired, result.Detail)

		require.Zero(r, r.read(ada.ID).Balance)
		require.EqualValues(r, 1000, r.read(bob.ID).Balance)
		entries, err := r.Entries(r.Context(), ada.ID, 1, "")
		require.NoError(r, err)
		require.Equal(r, first.ID, entries.Data[0].TransferID)
		require.EqualValues(r, -1000, entries.Data[0].Amount)
		rest, err := r.Entries(r.Context(), ada.ID, 1, entries.NextCursor)
		require.NoError(r, err)
		require.EqualValues(r, 1000, rest.Data[0].Amount)
		require.Empty(r, rest.NextCursor)
	})
}

// What a transfer may not do is refused with the reason, and leaves no row.
func TestRefusedTransfers(t *testing.T) {
	each(t, func(r *rig) {
		ada, bob := r.account("ada", 500), r.account("bob", 0)
		points, _, err := r.Open(r.Context(), by, "", ledger.NewAccount{Owner: "ada", Kind: "points", Currency: "EUR"})
		require.NoError(r, err)
		dollars, _, err := r.Open(r.Context(), by, "", ledger.NewAccount{Owner: "ada", Kind: "money", Currency: "USD"})
		require.NoError(r, err)
		var system ledger.Account
		require.NoError(r, r.db.Where("owner = ?", ledger.System).First(&system).Error)
		nobody := ledger.Account{ID: "acc_none"}
		for reason, n := range map[string]ledger.NewTransfer{
			"too much":                euros(ada, bob, 501),
			"no account acc_none":     euros(ada, nobody, 1),
			"is no account acc_none":  euros(nobody, ada, 1),
			"has points in EUR":       euros(ada, points, 1),
			"has money in USD":        euros(ada, dollars, 1),
			"not in USD":              {From: ada.ID, To: bob.ID, Amount: 1, Currency: "USD"},
			"is for deposits only":    euros(system, bob, 1),
			"account is for deposits": euros(ada, system, 1),
		} {
			_, result, err := r.Move(r.Context(), by, r.key(), n)
			require.ErrorIs(r, err, engine.ErrIllegal, reason)
			require.Equal(r, engine.GuardRefused, result.Detail)
			require.Contains(r, err.Error(), reason)
		}
		for field, n := range map[string]ledger.NewTransfer{
			"to": euros(ada, ada, 1), "amount": euros(ada, bob, 0), "from": {To: bob.ID, Amount: 1, Currency: "EUR"},
			"currency": {From: ada.ID, To: bob.ID, Amount: 1, Currency: "euro"},
		} {
			_, _, err := r.Move(r.Context(), by, r.key(), n)
			var bad *engine.RequestError
			require.ErrorAs(r, err, &bad)
			require.Equal(r, field, bad.Field)
		}
		_, _, err = r.Deposit(r.Context(), by, r.key(), "acc_none", 1, "")
		require.ErrorIs(r, err, engine.ErrNotFound)
		_, _, err = r.Deposit(r.Context(), by, r.key(), system.ID, 1, "")
		require.ErrorIs(r, err, engine.ErrBadRequest)
		_, _, err = r.Deposit(r.Context(), by, r.key(), ada.ID, orders.AmountMax, "")
		require.ErrorIs(r, err, engine.ErrIllegal)
		require.EqualValues(r, 500, r.read(ada.ID).Balance)
		var rows int64
		require.NoError(r, r.db.Model(&ledger.Transfer{}).Count(&rows).Error)
		require.EqualValues(r, 1, rows) // the deposit
	})
}

// A storm of transfers among a few accounts, each asked for twice, half of them through a batcher and
// half straight: no cent is made or lost, nobody owes, every repeat names the first, and verify agrees.
func TestAStormOfTransfers(t *testing.T) {
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		var batcher *batch.Batcher
		r := newRig(t, db, func(e *engine.Engine) engine.Applier {
			var err error
			batcher, err = batch.New(e, batch.Config{})
			require.NoError(t, err)
			return batcher
		})
		defer func() { require.NoError(t, batcher.Close(context.Background())) }()
		straight, err := ledger.New(db, r.engine, r.answers.Through(r.engine), ledger.Config{})
		require.NoError(t, err)
		const owners, callers, requests, begin = 4, 16, 40, 2000
		var accounts []ledger.Account
		for i := range owners {
			accounts = append(accounts, r.account(fmt.Sprint("owner-", i), begin))
		}
		var all sync.WaitGroup
		for c := range callers {
			random := rand.New(rand.NewPCG(uint64(c), 7))
			all.Go(func() {
				for n := range requests {
					from := random.IntN(owners)
					move := euros(accounts[from], accounts[(from+1+random.IntN(owners-1))%owners], 1+random.Int64N(900))
					key := fmt.Sprintf("storm-%d-%d", c, n)
					ids, refused := map[string]bool{}, 0
					var twins sync.WaitGroup
					var mu sync.Mutex
					for _, l := range []*ledger.Ledger{r.Ledger, straight} {
						twins.Go(func() {
							moved, _, err := l.Move(t.Context(), by, key, move)
							mu.Lock()
							defer mu.Unlock()
							switch {
							case err == nil:
								ids[moved.ID] = true
							case errors.Is(err, engine.ErrIllegal):
								refused++
							case !errors.Is(err, engine.ErrConflict): // lost_race, under such a load
								t.Error(err)
							}
						})
					}
					twins.Wait()
					if len(ids) > 1 {
						t.Errorf("%s was done as %v", key, ids)
					}
				}
			})
		}
		all.Wait()
		var sum int64
		for _, a := range accounts {
			balance := r.read(a.ID).Balance
			require.GreaterOrEqual(t, balance, int64(0))
			sum += balance
		}
		require.EqualValues(t, owners*begin, sum)
	})
}

// Of a hundred who want the last ten euros, ten get one each, and all others are told that it is gone:
// nobody is told to try again.
func TestAHotAccountIsNeverOverdrawn(t *testing.T) {
	lastTen := func(t *testing.T, r *rig) {
		hot, to := r.account("hot", 1000), r.account("to", 0)
		got := make([]error, 100)
		var all sync.WaitGroup
		for i := range got {
			all.Go(func() { _, _, got[i] = r.Move(t.Context(), by, fmt.Sprint("hot-", i), euros(hot, to, 100)) })
		}
		all.Wait()
		done := 0
		for _, err := range got {
			if err == nil {
				done++
			} else {
				require.ErrorIs(t, err, engine.ErrIllegal)
			}
		}
		require.Equal(t, 10, done)
		require.Zero(t, r.read(hot.ID).Balance)
		require.EqualValues(t, 1000, r.read(to.ID).Balance)
	}
	t.Run("each alone", func(t *testing.T) {
		enginetest.Databases(t, func(t *testing.T, db *gorm.DB) { lastTen(t, newRig(t, db, nil)) })
	})
	t.Run("together", func(t *testing.T) {
		enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
			var b *batch.Batcher
			r := newRig(t, db, func(e *engine.Engine) engine.Applier {
				var err error
				b, err = batch.New(e, batch.Config{})
				require.NoError(t, err)
				return b
			})
			defer func() { require.NoError(t, b.Close(context.Background())) }()
			lastTen(t, r)
		})
	})
}

// Every fault at every call leaves a transfer done or not done, and repeating it tells.
func TestTransfersSurviveFaults(t *testing.T) {
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		shaken, faults := enginetest.NewFaulty(db, nil)
		r := newRig(t, shaken, nil)
		ada, bob := r.account("ada", 100_000), r.account("bob", 0)
		moves := int64(0)
		for _, fault := range enginetest.Faults() {
			for at := 1; at <= 14; at++ {
				faults.Decide(func(n int, _ enginetest.CallKind, _ string) enginetest.Fault {
					if n == at {
						return fault
					}
					return enginetest.NoFault
				})
				key := fmt.Sprintf("fault-%d-%d", fault, at)
				first, _, err := r.Move(t.Context(), by, key, euros(ada, bob, 1))
				faults.Decide(nil)
				again, _, settled := r.Move(t.Context(), by, key, euros(ada, bob, 1))
				require.NoError(t, settled, key)
				if err == nil {
					require.Equal(t, first.ID, again.ID, key)
				}
				moves++
				require.Equal(t, moves, r.read(bob.ID).Balance, key)
			}
		}
	})
}

// A submit token makes one transfer, and none if the transfer is refused.
func TestATokenMakesOneTransfer(t *testing.T) {
	each(t, func(r *rig) {
		ada, bob := r.account("ada", 1000), r.account("bob", 0)
		token, err := r.tokens.Issue(r.Context(), once.Binding{Holder: "principal:tester", Scope: ledger.ScopeTransfer})
		require.NoError(r, err)
		form := by
		form.Spends = true
		_, result, err := r.Move(r.Context(), form, token.Text, euros(ada, bob, 2000))
		require.ErrorIs(r, err, engine.ErrIllegal)
		require.Equal(r, engine.GuardRefused, result.Detail)
		first, result, err := r.Move(r.Context(), form, token.Text, euros(ada, bob, 700))
		require.NoError(r, err)
		require.Equal(r, engine.Applied, result.Outcome)
		again, result, err := r.Move(r.Context(), form, token.Text, euros(ada, bob, 700))
		require.NoError(r, err)
		require.Equal(r, engine.Replayed, result.Detail)
		require.Equal(r, first.ID, again.ID)
		_, _, err = r.Move(r.Context(), form, "never-issued", euros(ada, bob, 1))
		require.ErrorIs(r, err, once.ErrUnknown)
		require.EqualValues(r, 300, r.read(ada.ID).Balance)
	})
}
