package orders_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/once"
	"example.com/orderd/engine/outbox"
	"example.com/orderd/engine/verify"
	"example.com/orderd/orders"
	"example.com/orderd/orders/ledger"
	"example.com/orderd/orders/notify"
)

// world is everything of the shop on an engine whose commits can lose their answers. Its clock stands still and its
// ids are counted, so that what happens in two worlds differs in nothing but the faults.
type world struct {
	*rig
	ledger *ledger.Ledger
	notify *notify.Notifier
	tokens *once.Tokens

	lose    int // which commit of a measured call loses its answer after it took effect; 0 loses none
	commits int // of the call being measured; below 0 outside of one
	ids     int
}

func (w *world) nextID(prefix string) string {
	w.ids++
	return fmt.Sprintf("%s_%06d", prefix, w.ids)
}

func (w *world) decide(_ int, kind enginetest.CallKind, _ string) enginetest.Fault {
	if w.commits < 0 || kind != enginetest.CallCommit && kind != enginetest.CallPacket {
		return enginetest.NoFault
	}
	w.commits++
	if w.commits == w.lose {
		return enginetest.LostAfter
	}
	return enginetest.NoFault
}

func newWorld(t *testing.T, db *gorm.DB, lose int) *world {
	for _, migrate := range []func(context.Context, *gorm.DB) error{orders.Migrate, ledger.Migrate, notify.Migrate} {
		require.NoError(t, migrate(t.Context(), db))
	}
	w := &world{rig: &rig{TB: t, db: db, clock: enginetest.NewClock(), log: &logged{}}, lose: lose, commits: -1}
	faulty, _ := enginetest.NewFaulty(db, w.decide)
	text := func() string { return w.nextID("token") }
	var err error
	w.tokens, err = once.NewTokens(t.Context(), db, 0, once.Config{Now: w.clock.Now, Text: text})
	require.NoError(t, err)
	shop := orders.Config{
		Providers: []string{"standard"}, Logger: slog.New(w.log), Tokens: w.tokens, NewID: w.nextID,
		NewReference: func() string { return w.nextID("ref") },
	}
	books := ledger.Config{NewID: w.nextID, Tokens: w.tokens}
	shopMachines, err := shop.Machines()
	require.NoError(t, err)
	booksMachines, err := books.Machines()
	require.NoError(t, err)
	machines := slices.Concat(shopMachines, booksMachines, notify.Machines())
	w.engine, err = engine.New(faulty, engine.Config{
		Now: w.clock.Now, NewID: func() string { return w.nextID("call") }, Logger: slog.New(w.log),
	}, machines...)
	require.NoError(t, err)
	w.Shop, err = orders.New(db, w.engine, w.engine, shop)
	require.NoError(t, err)
	w.ledger, err = ledger.New(db, w.engine, w.engine, books)
	require.NoError(t, err)
	w.notify, err = notify.New(t.Context(), db, w.engine, notify.Config{
		Compose: func(_ context.Context, m outbox.Message) ([]notify.Draft, error) {
			return []notify.Draft{{Channel: "log", Recipient: "ada", Title: m.Type, Text: m.Subject}}, nil
		},
		Senders: []notify.Sender{notify.Log{To: slog.New(slog.DiscardHandler)}},
		Now:     w.clock.Now, NewID: w.nextID, Logger: slog.New(w.log),
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, w.engine.Close(context.Background()))
		report, err := verify.Run(context.Background(), db, verify.Options{
			Machines: machines, Extra: slices.Concat(orders.Checks(), ledger.Checks()),
		})
		require.NoError(t, err)
		require.Empty(t, report.Findings)
	})
	return w
}

// token is a caller whose number of the next request is a submit token.
func (w *world) token(scope string) (orders.Caller, string) {
	w.Helper()
	token, err := w.tokens.Issue(w.Context(), once.Binding{Holder: "principal:" + by.Principal, Scope: scope})
	require.NoError(w, err)
	form := by
	form.Spends = true
	return form, token.Text
}

// said are all values that a call returns, field by field, as far as anybody outside can see them.
func said(values ...any) []string {
	all := make([]string, len(values))
	for i, v := range values {
		if err, failed := v.(error); failed {
			all[i] = "error: " + err.Error()
			continue
		}
		all[i] = strings.Join(fields("", reflect.ValueOf(v)), "\n")
	}
	return all
}

func fields(path string, v reflect.Value) []string {
	if !v.IsValid() {
		return []string{path + " nothing"}
	}
	if v.CanInterface() {
		if text, ok := v.Interface().(fmt.Stringer); ok && v.Kind() == reflect.Struct {
			return []string{path + " " + text.String()}
		}
	}
	var all []string
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return []string{path + " nil"}
		}
		return fields(path, v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				all = append(all, fields(path+"."+f.Name, v.Field(i))...)
			}
		}
		return all
	case reflect.Slice:
		if v.Type().Elem().Kind() != reflect.Uint8 {
			for i := range v.Len() {
				all = append(all, fields(fmt.Sprintf("%s[%d]", path, i), v.Index(i))...)
			}
			return append(all, fmt.Sprintf("%s has %d", path, v.Len()))
		}
	}
	text, err := json.Marshal(v.Interface())
	if err != nil {
		return []string{path + " " + err.Error()}
	}
	return []string{path + " " + string(text)}
}

// scene prepares a call and returns it. What the call returns is compared.
type scene struct {
	call string // of which type's which method
	set  func(w *world) func() []any
}

// Whatever commit of a public call loses its answer, what the call returns, and what is in the database afterwards,
// is what it would have been otherwise, field by field.
func TestALostCommitChangesNothingInAnyAnswer(t *testing.T) {
	scenes := slices.Concat(shopScenes(), factScenes(), ledgerScenes(), notifyScenes(), engineScenes())
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		clear, most := play(t, db, 0, scenes)
		another := map[string]func(testing.TB) *gorm.DB{"sqlite": enginetest.SQLite, "mysql": enginetest.MySQL}[db.Name()]
		for lose := 1; lose <= most; lose++ {
			settled, _ := play(t, another(t), lose, scenes)
			for i, s := range scenes {
				require.Equal(t, clear[i], settled[i], "%s, scene %d, commit %d", s.call, i, lose)
			}
		}
	})
}

// play plays all scenes, one after the other, in a world of their own. It returns what each call has returned and
// left, and the most commits that one has made.
func play(t *testing.T, db *gorm.DB, lose int, scenes []scene) (results [][]string, most int) {
	w := newWorld(t, db, lose)
	for _, s := range scenes {
		call := s.set(w)
		w.commits = 0
		values := call()
		most = max(most, w.commits)
		w.commits = -1
		results = append(results, append(said(values...), w.rows()...))
	}
	return results, most
}

// rows is what is in the tables: all that does not tell one try from another.
func (w *world) rows() []string {
	var all []string
	for _, query := range []string{
		`SELECT * FROM orders ORDER BY id`, `SELECT * FROM order_items ORDER BY order_id, line`, `SELECT * FROM payments ORDER BY id`,
		`SELECT * FROM payment_facts ORDER BY id`, `SELECT * FROM accounts ORDER BY id`, `SELECT * FROM transfers ORDER BY id`,
		`SELECT * FROM account_entries ORDER BY transfer_id, account_id`, `SELECT * FROM notifications ORDER BY id`,
		`SELECT machine, subject, version, event, from_status, to_status, source, seq, actor, reason, input, messages, at FROM engine_transitions ORDER BY machine, subject, version`,
		`SELECT machine, subject, version, ordinal, type, data FROM engine_messages ORDER BY machine, subject, version, ordinal`,
		`SELECT machine, subject, name, entered, status, arming, due_at FROM engine_timers ORDER BY machine, subject, name, entered`,
		`SELECT scope FROM engine_tokens ORDER BY scope`,
	} {
		var rows []map[string]any
		require.NoError(w, w.db.Raw(query).Scan(&rows).Error)
		all = append(all, fmt.Sprint(rows))
	}
	return all
}
