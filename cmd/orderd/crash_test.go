package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/orderd/cmd/orderd/internal/database"
)

// Everything in this file kills the real program with kill -9.

// acknowledged is one answer that promises something: that an order has moved.
type acknowledged struct {
	order, event string
	version      int64
	applied      bool // by this very call
}

// work is callers who move orders through their lives, in pairs that do the same under the same keys,
// and who write down what they were promised.
type work struct {
	*crowd
	stopping atomic.Bool // finish the order at hand, begin no other
	promises atomic.Int64

	mu      sync.Mutex
	journal map[string][]acknowledged // by key
	paid    map[string]string         // orders by the transactions that the daemon has taken
	payouts map[string]string         // transfers by key

	shop, merchant string // accounts: a cent goes from one to the other for each order
	callers        sync.WaitGroup
}

const (
	kills    = 10
	pairs    = 8 // of callers
	workMax  = 2 * time.Minute
	killSeed = 20
)

func TestKillsUnderLoadLoseNothingAndDoNothingTwice(t *testing.T) {
	eachBinary(t, func(t *testing.T, b *binary, setting, key string) {
		r := b.serveMortal()
		ctx, w, in := startWork(t, key, r.url)
		random := rand.New(rand.NewPCG(killSeed, killSeed))
		for range kills {
			enough := w.promises.Load() + 20 + random.Int64N(100)
			waitFor(ctx, t, "enough has happened to be lost", func() bool { return w.promises.Load() >= enough })
			require.NoError(t, sleep(ctx, time.Duration(random.Int64N(int64(10*time.Millisecond)))))
			cut := w.cut.Load()
			waitFor(ctx, t, "work is in flight", func() bool { return w.waiting.Load() > pairs })
			r.killHard()
			waitFor(ctx, t, "callers notice", func() bool { return w.cut.Load() > cut })
			r = b.serveMortal()
			w.meet(r.url)
		}
		w.finish(ctx, t)
		w.requirePromisesKept(ctx, t, setting, in)
		code, log := r.stop()
		require.Equal(t, 0, code, log)
		b.requireVerified()
		requireOncePerKey(t, setting)
		w.requireTrue(t, setting)
	})
}

// startWork lets pairs of callers move orders until finish, at daemons that also post what happens to a receiver.
// The context ends with the first caller that is told what cannot be, and that is its cause.
func startWork(t *testing.T, key string, urls ...string) (context.Context, *work, *shopfront) {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), workMax, errors.New("the work lasts too long"))
	ctx, giveUp := context.WithCancelCause(ctx)
	w := &work{
		crowd:   newCrowd(t, 2*pairs, key, urls...),
		journal: map[string][]acknowledged{}, paid: map[string]string{}, payouts: map[string]string{},
	}
	t.Cleanup(func() {
		giveUp(nil)
		w.callers.Wait()
		cancel()
	})
	w.stands = true
	in := receiver(t)
	made, err := w.post(ctx, "/v1/webhook-endpoints", fmt.Sprintf(`{"url":%q,"events":["order.*"]}`, in.URL))
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, made.status, made)
	w.openAccounts(ctx, t)
	for caller := range 2 * pairs {
		w.callers.Go(func() {
			for n := 0; !w.stopping.Load() && ctx.Err() == nil; n++ {
				if err := w.live(ctx, fmt.Sprintf("%d-%d", caller/2, n), n); err != nil {
					giveUp(err)
				}
			}
		})
	}
	return ctx, w, in
}

// finish lets each caller finish the order at hand. Nobody may have been told what cannot be.
func (w *work) finish(ctx context.Context, t *testing.T) {
	t.Helper()
	w.stopping.Store(true)
	w.callers.Wait()
	require.NoError(t, context.Cause(ctx))
	t.Logf("%d requests cut, %d asked again, %d keys, %d promises", w.cut.Load(), w.retried.Load(), len(w.journal), w.promises.Load())
}

// requirePromisesKept holds what was promised against what the daemons say and what the receiver has heard.
func (w *work) requirePromisesKept(ctx context.Context, t *testing.T, setting string, in *shopfront) {
	t.Helper()
	w.requireKept(t)
	requireHeard(ctx, t, setting, in)
	w.requirePaidOut(t)
}

// live takes one order from nothing to its end. Every fourth is cancelled before its money comes.
func (w *work) live(ctx context.Context, name string, n int) error {
	placed, err := w.post(ctx, "/v1/orders", twoBooks, "Idempotency-Key", "place-"+name)
	if err != nil {
		return err
	}
	if placed.status != http.StatusCreated && placed.status != http.StatusOK {
		return fmt.Errorf("place %s: %s", name, placed)
	}
	order := placed.str("id")
	w.promised("place-"+name, acknowledged{order, "place", 1, placed.str("outcome") == "applied"})

	events := []string{"ship", "deliver", "complete"}
	if n%4 == 3 {
		events = []string{"cancel"}
	}
	payment, err := w.post(ctx, "/v1/orders/"+order+"/payments", `{"provider":"standard"}`, "Idempotency-Key", "payment-"+name)
	switch {
	case err != nil:
		return err
	case n%4 == 3 && payment.status == http.StatusUnprocessableEntity: // the twin has cancelled it
		return w.move(ctx, order, "cancel", name)
	case payment.status != http.StatusCreated && payment.status != http.StatusOK:
		return fmt.Errorf("start payment %s: %s", name, payment)
	}
	if n%4 == 3 {
		if err := w.move(ctx, order, "cancel", name); err != nil {
			return err
		}
		events = nil
	}
	taken, err := w.report(ctx, captured("tx-"+name, payment.str("reference"), 2500, "EUR"))
	if err != nil {
		return err
	}
	if taken.status != http.StatusOK {
		return fmt.Errorf("callback %s: %s", name, taken)
	}
	w.mu.Lock()
	w.paid["tx-"+name] = order
	w.mu.Unlock()
	for _, event := range events {
		if err := w.move(ctx, order, event, name); err != nil {
			return err
		}
	}
	return w.payOut(ctx, "payout-"+name)
}

// move asks for an event until it has happened. A payment that a crash left undecided makes shipping
// early until it is settled.
func (w *work) move(ctx context.Context, order, event, name string) error {
	key := event + "-" + name
	for {
		a, err := w.post(ctx, "/v1/orders/"+order+"/transitions", fmt.Sprintf(`{"event":%q}`, event), "Idempotency-Key", key)
		switch {
		case err != nil:
			return err
		case a.status == http.StatusOK:
			proof, _ := a.body["transition"].(map[string]any)
			version, _ := proof["version"].(float64)
			w.promised(key, acknowledged{order, event, int64(version), a.str("outcome") == "applied"})
			return nil
		case a.str("code") != "early":
			return fmt.Errorf("%s: %s", key, a)
		}
		if err := sleep(ctx, retryPause); err != nil {
			return err
		}
	}
}

func (w *work) promised(key string, a acknowledged) {
	w.mu.Lock()
	w.journal[key] = append(w.journal[key], a)
	w.mu.Unlock()
	w.promises.Add(1)
}

// openAccounts opens both accounts and fills one.
func (w *work) openAccounts(ctx context.Context, t *testing.T) {
	t.Helper()
	open := func(owner string) string {
		a, err := w.post(ctx, "/v1/accounts", fmt.Sprintf(`{"owner":%q,"kind":"money","currency":"EUR"}`, owner))
		require.NoError(t, err)
		require.Equal(t, http.StatusCreated, a.status, a)
		return a.str("id")
	}
	w.shop, w.merchant = open("shop"), open("merchant")
	a, err := w.post(ctx, "/v1/accounts/"+w.shop+"/deposits", `{"amount":1000000,"reason":"float"}`, "Idempotency-Key", "float")
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, a.status, a)
}

// payOut transfers a cent.
func (w *work) payOut(ctx context.Context, key string) error {
	a, err := w.post(ctx, "/v1/transfers", transfer(w.shop, w.merchant, 1), "Idempotency-Key", key)
	if err != nil {
		return err
	}
	if a.status != http.StatusCreated && a.status != http.StatusOK {
		return fmt.Errorf("%s: %s", key, a)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if first := w.payouts[key]; first != "" && first != a.str("id") {
		return fmt.Errorf("%s was done as %s and as %s", key, first, a.str("id"))
	}
	w.payouts[key] = a.str("id")
	w.promises.Add(1)
	return nil
}

// A callback's money goes through four transactions: the fact is kept, the payment captured, the order
// paid, the fact noted as applied. The daemon is killed while one of the later three is stuck, so after
// exactly those before it.
func TestAKillBetweenTheFactAndThePaidOrderIsSettledAtStart(t *testing.T) {
	eachBinary(t, func(t *testing.T, b *binary, setting, key string) {
		db, err := database.Create(t.Context(), setting)
		require.NoError(t, err)
		defer func() { require.NoError(t, db.Close()) }()
		for _, death := range []struct {
			stuck          string // the table whose row cannot be changed
			payment, order string // states that are left
		}{
			{"payments", "created", "placed"},
			{"orders", "captured", "placed"},
			{"payment_facts", "captured", "paid"},
		} {
			t.Run(death.stuck, func(t *testing.T) {
				ctx, cancel := context.WithTimeoutCause(t.Context(), workMax, errors.New("too long"))
				defer cancel()
				r := b.serveMortal()
				c := newCrowd(t, 1, key, r.url)
				placed, err := c.post(ctx, "/v1/orders", twoBooks, "Idempotency-Key", "place-"+death.stuck)
				require.NoError(t, err)
				order := placed.str("id")
				payment, err := c.post(ctx, "/v1/orders/"+order+"/payments", `{"provider":"standard"}`, "Idempotency-Key", "payment-"+death.stuck)
				require.NoError(t, err)
				require.Equal(t, http.StatusCreated, payment.status, payment)
				transaction := "tx-" + death.stuck
				status := func(of, by, value string) (state string) {
					err := db.Pool.QueryRowContext(ctx, `SELECT status FROM `+of+` WHERE `+by+` = ?`, value).Scan(&state)
					if !errors.Is(err, sql.ErrNoRows) {
						require.NoError(t, err)
					}
					return state
				}

				answered := make(chan error, 1)
				free := obstruct(ctx, t, db, death.stuck, map[string]string{"payments": payment.str("id"), "orders": order}, func() {
					go func() {
						_, err := c.report(ctx, captured(transaction, payment.str("reference"), 2500, "EUR"))
						answered <- err
					}()
				})
				waitFor(ctx, t, "the daemon is stuck", func() bool {
					return status("payment_facts", "transaction_id", transaction) == "received" &&
						status("payments", "id", payment.str("id")) == death.payment && status("orders", "id", order) == death.order
				})
				r.killHard()
				require.Error(t, <-answered, "the provider has no answer")
				forget(ctx, t, db)
				free()
				require.Equal(t, "received", status("payment_facts", "transaction_id", transaction))
				require.Equal(t, death.payment, status("payments", "id", payment.str("id")))
				require.Equal(t, death.order, status("orders", "id", order))

				r = b.serveMortal() // nobody repeats the callback
				c.meet(r.url)
				waitFor(ctx, t, "the fact is settled", func() bool {
					return status("payment_facts", "transaction_id", transaction) == "applied"
				})
				repeated, err := c.report(ctx, captured(transaction, payment.str("reference"), 2500, "EUR"))
				require.NoError(t, err)
				require.Equal(t, http.StatusOK, repeated.status, repeated)
				history, err := c.get(ctx, "/v1/orders/"+order+"/transitions")
				require.NoError(t, err)
				require.Len(t, history.list("data"), 2)
				require.Equal(t, "pay", history.list("data")[1].(map[string]any)["event"])
				paid, err := c.get(ctx, "/v1/orders/"+order)
				require.NoError(t, err)
				require.Equal(t, "paid", paid.str("state"))
				require.EqualValues(t, 2500, paid.body["paid_amount"])
				code, log := r.stop()
				require.Equal(t, 0, code, log)
				c.answers.Check(t, db.Gorm)
				b.requireVerified()
			})
		}
	})
}

// obstruct makes changes of a table's row wait until it is freed, without help from the daemon, and
// begins what runs into it. rows has the ids of the rows that are there already.
func obstruct(ctx context.Context, t *testing.T, db *database.Database, table string, rows map[string]string, begin func()) (free func()) {
	t.Helper()
	if db.Gorm.Name() == "sqlite" {
		// A lock of the file would stop the fact as well, so the change itself takes for ever.
		exec := func(statement string) {
			_, err := db.Pool.ExecContext(ctx, statement)
			require.NoError(t, err)
		}
		exec(`CREATE VIEW IF NOT EXISTS for_ever AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT MAX(i) FROM n`)
		exec(`CREATE TRIGGER obstacle BEFORE UPDATE ON ` + table + ` BEGIN SELECT * FROM for_ever; END`)
		begin()
		return func() { exec(`DROP TRIGGER obstacle`) }
	}
	if id := rows[table]; id != "" {
		free = lockRow(ctx, t, db, table, id)
		begin()
		return free
	}
	// The row comes into being on the way: stop at the order, lock the row, go on.
	pass := lockRow(ctx, t, db, "orders", rows["orders"])
	begin()
	var id string
	waitFor(ctx, t, "there is a row to lock", func() bool {
		return db.Pool.QueryRowContext(ctx, `SELECT id FROM `+table+` WHERE status = 'received'`).Scan(&id) == nil
	})
	free = lockRow(ctx, t, db, table, id)
	pass()
	return free
}

// forget lets a server notice that a daemon has gone while its statements wait for rows. Until then it
// would carry out the rest of a transaction that it got as one packet.
func forget(ctx context.Context, t *testing.T, db *database.Database) {
	t.Helper()
	if db.Gorm.Name() == "sqlite" {
		return
	}
	waitFor(ctx, t, "the server has ended what the daemon began", func() bool {
		var stuck []int64
		require.NoError(t, db.Gorm.WithContext(ctx).Raw(
			"SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND command = 'Query' AND id <> CONNECTION_ID()").Scan(&stuck).Error)
		for _, id := range stuck {
			_, _ = db.Pool.ExecContext(ctx, fmt.Sprintf("KILL %d", id)) // it may have ended by itself
		}
		return len(stuck) == 0
	})
}

// lockRow holds a row in a transaction of its own.
func lockRow(ctx context.Context, t *testing.T, db *database.Database, table, id string) (unlock func()) {
	t.Helper()
	tx, err := db.Pool.BeginTx(ctx, nil)
	require.NoError(t, err)
	var locked string
	require.NoError(t, tx.QueryRowContext(ctx, `SELECT id FROM `+table+` WHERE id = ? FOR UPDATE`, id).Scan(&locked))
	return func() { require.NoError(t, tx.Rollback()) }
}
