package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"example.com/orderd/cmd/orderd/internal/database"
	"example.com/orderd/engine/verify"
)

// free are the columns that may have another value as far as verify can tell, or some of their rows may,
// each with the reason why.
var free = map[string][]string{
	"a date for people, which nothing rests on":                  {"engine_schema.installed_at", "engine_machines.first_seen"},
	"each part of the program refuses to start on another":       {"engine_schema.component", "engine_schema.version", "engine_schema.oldest"},
	"a counter of repeats, which may be lost in a crash":         {"engine_attempts.times", "engine_attempts.last_at"},
	"who works at the moment, and until when":                    {"engine_leases.*"},
	"not spent yet, so it has not done anything":                 {"engine_tokens.*"},
	"work that moves no subject: only whoever did it knows what": {"engine_inbox.*", "engine_jobs.*"},
	"settings, which people change at any time":                  {"webhook_endpoints.*", "orderd_keys.*"},
	"how a message went out: what it says is covered, and what was not posted is posted again": {
		"engine_messages.tries", "engine_messages.replays", "engine_messages.problem", "webhook_deliveries.*", "webhook_attempts.*"},
	"how a timer came to its end: while it waits they are covered": {
		"engine_timers.status", "engine_timers.next_at", "engine_timers.tries", "engine_timers.problem"},
	"the time of an entry of the account: of which, clocks that differ cannot tell": {"accounts.updated_at"},
}

// Whatever is changed behind the daemon's back is found. This walks every column that the schema has,
// plants wrong values into it, and lets verify look; a column that is new has to be covered, or has to
// join those that are free on purpose.
func TestEveryColumnIsCoveredOrFreeOnPurpose(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		fillShop(t, s)
		db := s.daemon.database.Gorm
		requireClean(t, db)
		needless := map[string]bool{}
		for why, columns := range free {
			require.NotEmpty(t, why)
			for _, c := range columns {
				needless[c] = true
			}
		}
		for _, table := range schemaTables(t) {
			rows := table.read(t, db)
			for i, column := range table.columns {
				name, entry := table.name+"."+column.name, table.name+".*"
				if _, known := needless[entry]; !known {
					require.NotEmpty(t, rows, "the scene has no row of %s", table.name)
					entry = name
				}
				_, isFree := needless[entry]
				for n := range rows {
					row := rows[(i+n)%len(rows)]
					if n == 2 && !isFree {
						break
					}
					seen := true
					for _, value := range table.wrong(i, row, rows) {
						seen = table.plant(t, db, i, row, value) && seen
						assert.True(t, seen || isFree, "%s becomes %v in %v, and nobody sees it", name, value, row)
					}
					if !seen {
						needless[entry] = false
						break
					}
				}
				if len(rows) == 0 {
					needless[entry] = false
				}
			}
		}
		hiddenDamage(t, s)
		for entry, is := range needless {
			assert.False(t, is, "%s need not be free: whatever is done to it is found", entry)
		}
		requireClean(t, db)
	})
}

// hiddenDamage does what looks right to whoever compares sums, and expects it to be found all the same.
func hiddenDamage(t *testing.T, s *server) {
	db := s.daemon.database.Gorm
	tables := schemaTables(t)
	for name, damage := range map[string][]string{
		"money is doubled in all its places": {"UPDATE transfers SET amount = 2 * amount", "UPDATE account_entries SET amount = 2 * amount",
			"UPDATE accounts SET balance = 2 * balance"},
		"an account is another's":         {"UPDATE accounts SET owner = 'eve' WHERE owner = 'bob'"},
		"more for the same price":         {"UPDATE order_items SET quantity = 2 * quantity, unit_price = unit_price / 2"},
		"an item is lost":                 {"DELETE FROM order_items WHERE line = 2"},
		"an item is new":                  {"INSERT INTO order_items SELECT order_id, 3, 'GIFT', name, 1, 0 FROM order_items WHERE line = 1"},
		"all items are lost":              {"DELETE FROM order_items", "UPDATE orders SET amount = 0 WHERE status = 'cancelled'"},
		"an order waits longer":           {"UPDATE orders SET expires_at = updated_at WHERE status = 'paid'"},
		"timers are lost":                 {"DELETE FROM engine_timers"},
		"timers are stopped":              {"UPDATE engine_timers SET status = 'stopped'"},
		"timers are late":                 {"UPDATE engine_timers SET due_at = (SELECT MAX(expires_at) FROM orders)", "UPDATE engine_timers SET next_at = due_at"},
		"timers are told to wait":         {"UPDATE engine_timers SET next_at = (SELECT MAX(at) FROM engine_watermarks) WHERE status = 'armed'"},
		"messages are never sent":         {"UPDATE engine_messages SET status = 'sent'"},
		"messages were sent, it is said":  {"UPDATE engine_messages SET status = 'sent', sent_at = next_at WHERE status = 'pending'"},
		"messages are lost":               {"DELETE FROM engine_messages"},
		"messages were never there":       {"DELETE FROM engine_messages", "UPDATE engine_transitions SET messages = 0"},
		"messages are gone with time":     {"UPDATE engine_watermarks SET at = (SELECT MAX(expires_at) FROM orders)", "DELETE FROM engine_messages"},
		"retention takes it on itself":    {"UPDATE engine_watermarks SET gone = gone + (SELECT COUNT(*) FROM engine_messages)", "DELETE FROM engine_messages"},
		"history has lost its hashes":     {"UPDATE engine_transitions SET hash = NULL, actor = 'eve'", "UPDATE engine_messages SET hash = NULL"},
		"refusals have lost their hashes": {"UPDATE engine_attempts SET hash = NULL, actor = 'eve'"},
		"it is said that hashes may be missing": {"UPDATE engine_attempts SET hash = NULL, actor = 'eve'",
			"INSERT INTO engine_watermarks (name, at, gone) SELECT 'unhashed transitions', MAX(last_at), 1 FROM engine_attempts"},
		"a payment was asked for by none": {"UPDATE engine_transitions SET seq = subject WHERE event = 'pay'"},
		"somebody else did it":            {"UPDATE engine_transitions SET actor = 'eve' WHERE event = 'cancel'"},
		"a transition never was": {"UPDATE orders SET version = version - 1, status = 'placed' WHERE status = 'paid'",
			"DELETE FROM engine_transitions WHERE machine = 'order' AND to_status = 'paid' AND version = 2", "DELETE FROM engine_messages WHERE type = 'order.paid'"},
		"a fact speaks of another order": {"UPDATE payment_facts SET order_id = 'ord_other', desk_reason = 'late' WHERE order_id <> ''"},
	} {
		kept := map[string][][]any{}
		for _, table := range tables {
			kept[table.name] = table.read(t, db)
		}
		for _, query := range damage {
			did := db.Exec(query)
			require.NoError(t, did.Error, name)
			require.Positive(t, did.RowsAffected, "%s: %s", name, query)
		}
		report, err := verify.Run(t.Context(), db, verify.Options{Machines: database.Machines(), Extra: database.Checks()})
		require.NoError(t, err, name)
		assert.Positive(t, report.Total, "%s, and nobody sees it", name)
		for _, table := range tables {
			require.NoError(t, table.write(db, kept[table.name]), name)
		}
	}
}

// fillShop leaves something of everything in the tables of a shop, and nobody at work.
func fillShop(t *testing.T, s *server) {
	in := receiver(t)
	now := start(t, s.daemon.db, toLoopback, func(c *config) { c.secrets.notifyURL = in.URL })
	soon := start(t, s.daemon.db, toLoopback, func(c *config) { c.now = func() time.Time { return time.Now().Add(time.Hour) } })
	place := func() string {
		a := now.do("POST", "/v1/orders", `{"currency":"EUR","items":[{"sku":"BOOK-1","name":"A book","quantity":2,"unit_price":1000},
			{"sku":"PEN-3","name":"A pen","quantity":1,"unit_price":500}],"customer_ref":"c-1","metadata":{"email":"c@example.com"}}`, "Idempotency-Key", unique())
		require.Equal(t, 201, a.status, a)
		return a.str("id")
	}
	require.Equal(t, 201, now.do("POST", "/v1/webhook-endpoints", fmt.Sprintf(`{"url":%q,"events":["order.*"]}`, in.URL+"/hooks")).status)
	expiring, cancelled, done, part := place(), place(), place(), place()
	paid := now.pay(done)
	for _, event := range []string{"ship", "deliver"} {
		require.Equal(t, 200, now.event(done, event, "Idempotency-Key", unique()).status)
	}
	require.Equal(t, 200, now.event(cancelled, "cancel", "If-Match", `"1"`).status)
	require.Equal(t, 200, now.event(cancelled, "cancel", "If-Match", `"1"`, "Idempotency-Key", unique()).status)
	require.Equal(t, 409, now.event(cancelled, "ship").status)
	require.Equal(t, 200, now.do("POST", "/v1/orders/"+part+"/transitions", `{"event":"pay_part","input":{"amount":700,"currency":"EUR"},"reason":"cash"}`,
		"Idempotency-Key", unique()).status)
	require.Equal(t, 200, now.event(part, "cancel").status) // what it was paid waits at the desk
	require.Equal(t, 200, now.callback(captured("tx-other", "nobody", 100, "EUR")).status)
	require.Equal(t, 200, now.callback(captured("tx-"+paid, "another", 2500, "EUR")).status)

	ada, bob := now.account("ada", "money", "EUR"), now.account("bob", "money", "EUR")
	now.deposit(ada, 900)
	require.Equal(t, 201, now.do("POST", "/v1/transfers", transfer(ada, bob, 300), "Idempotency-Key", unique()).status)
	for _, daemon := range []*server{now, soon} {
		w, err := daemon.daemon.startWorker(t.Context())
		require.NoError(t, err)
		eventually(t, "orders are heard of", func() bool {
			return len(now.do("GET", "/v1/messages?status=pending", "").list("data")) == 0 &&
				len(now.do("GET", "/v1/notifications?state=queued", "").list("data"))+len(now.do("GET", "/v1/notifications?state=sending", "").list("data")) == 0 &&
				(daemon == now || now.do("GET", "/v1/orders/"+expiring, "").str("state") == "expired")
		})
		w.Close()
	}
	n, err := soon.daemon.background.queue.Trim(t.Context(), 0, 2)
	require.NoError(t, err)
	require.Equal(t, 2, n)
	place()
	now.pay(place())
	now.token("order")
	now.key("ada", "viewer")
	for _, daemon := range []*server{now, soon, s} {
		require.NoError(t, daemon.daemon.engine.Close(context.Background())) // writes what it has counted
	}
}

// schemaTable is a table as the schema says.
type schemaTable struct {
	name    string
	columns []schemaColumn
	key     []string
}

type schemaColumn struct{ name, kind string }

var (
	tableLine  = regexp.MustCompile(`^CREATE TABLE (\w+) \($`)
	columnLine = regexp.MustCompile(`^  (\w+) +([A-Z]+)[( ]`)
	keyLine    = regexp.MustCompile(`^  PRIMARY KEY \(([\w, ]+)\)`)
)

func schemaTables(t *testing.T) []schemaTable {
	text, err := os.ReadFile("../../schema.sql")
	require.NoError(t, err)
	var tables []schemaTable
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		last := len(tables) - 1
		if m := tableLine.FindStringSubmatch(line); m != nil {
			tables = append(tables, schemaTable{name: m[1]})
		} else if m := keyLine.FindStringSubmatch(line); m != nil {
			tables[last].key = strings.Split(m[1], ", ")
		} else if m := columnLine.FindStringSubmatch(line); m != nil && !slices.Contains([]string{"PRIMARY", "UNIQUE", "KEY"}, m[1]) {
			tables[last].columns = append(tables[last].columns, schemaColumn{m[1], m[2]})
		}
	}
	require.Greater(t, len(tables), 20)
	return tables
}

func (s schemaTable) names() string {
	var names []string
	for _, c := range s.columns {
		names = append(names, "`"+c.name+"`")
	}
	return strings.Join(names, ", ")
}

// read reads all rows, each value as it is written.
func (s schemaTable) read(t *testing.T, db *gorm.DB) [][]any {
	rows, err := db.Raw("SELECT " + s.names() + " FROM " + s.name + " ORDER BY " + strings.Join(s.key, ", ")).Rows()
	require.NoError(t, err)
	defer func() { require.NoError(t, rows.Close()) }()
	var all [][]any
	for rows.Next() {
		row := make([]any, len(s.columns))
		into := make([]any, len(row))
		for i := range row {
			into[i] = &row[i]
		}
		require.NoError(t, rows.Scan(into...))
		for i, v := range row {
			if b, ok := v.([]byte); ok && !strings.HasPrefix(s.columns[i].kind, "BINARY") {
				row[i] = string(b)
			}
		}
		all = append(all, row)
	}
	require.NoError(t, rows.Err())
	return all
}

// write puts rows back.
func (s schemaTable) write(db *gorm.DB, rows [][]any) error {
	return db.Transaction(func(tx *gorm.DB) error {
		err := tx.Exec("DELETE FROM " + s.name).Error
		for _, row := range rows {
			if err == nil {
				err = tx.Exec("INSERT INTO "+s.name+" ("+s.names()+") VALUES ( ?"+strings.Repeat(", ?", len(row)-1)+")", row...).Error
			}
		}
		return err
	})
}

// wrong are values for a column of a row that it does not have: one that is near, and one that another
// row has.
func (s schemaTable) wrong(i int, row []any, rows [][]any) []any {
	var near any
	switch old := row[i].(type) {
	case int64:
		near = old + 1
		if s.columns[i].kind == "BOOLEAN" {
			near = 1 - old
		}
	case time.Time:
		near = old.Add(time.Hour)
	case []byte:
		near = append([]byte{old[0] ^ 1}, old[1:]...)
	case string:
		near = nearText(old)
	case nil:
		near = map[string]any{"DATETIME": time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), "BINARY": make([]byte, 16)}[s.columns[i].kind]
		if near == nil {
			near = "{}"
		}
	}
	all := []any{near}
	for _, other := range rows {
		if other[i] != nil && !assert.ObjectsAreEqual(other[i], row[i]) && !assert.ObjectsAreEqual(other[i], near) {
			return append(all, other[i])
		}
	}
	return all
}

// nearText changes a text; JSON stays JSON.
func nearText(old string) string {
	if json.Valid([]byte(old)) && strings.HasPrefix(old, "{") {
		return strings.Replace(strings.Replace(old, "{", `{"x":"y",`, 1), ",}", "}", 1)
	}
	if old == "" {
		return "x"
	}
	last := byte('x')
	if old[len(old)-1] == 'x' {
		last = 'y'
	}
	return old[:len(old)-1] + string(last)
}

// plant puts a wrong value into a row, and reports whether somebody notices: verify, or the database
// itself. Then it puts the right one back.
func (s schemaTable) plant(t *testing.T, db *gorm.DB, i int, row []any, value any) bool {
	set := func(from, to any) error {
		args, where := []any{to}, []string{}
		for _, key := range s.key {
			at := slices.IndexFunc(s.columns, func(c schemaColumn) bool { return c.name == key })
			where = append(where, "`"+key+"` = ?")
			if at == i {
				args = append(args, from)
			} else {
				args = append(args, row[at])
			}
		}
		return db.Exec("UPDATE "+s.name+" SET `"+s.columns[i].name+"` = ? WHERE "+strings.Join(where, " AND "), args...).Error
	}
	if set(row[i], value) != nil {
		return true
	}
	defer func() { require.NoError(t, set(value, row[i])) }()
	report, err := verify.Run(t.Context(), db, verify.Options{Machines: database.Machines(), Extra: database.Checks()})
	return err != nil || report.Total > 0
}
