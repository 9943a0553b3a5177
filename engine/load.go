package engine

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"

	"example.com/orderd/engine/internal/sqldb"
)

// reader is where a round reads: the database, or a transaction.
type reader interface {
	Read(ctx context.Context, rs []sqldb.Reading) error
	Gorm(ctx context.Context) *gorm.DB
	Dialect() sqldb.Dialect
}

// locking says what a round locks while it reads. Locks are for progress and for reading past an old
// snapshot; what is true is decided by the conditional update.
type locking uint8

const (
	lockNothing locking = iota
	lockRows            // subjects, by primary key
	lockAll             // keys and history as well: in a caller's transaction plain reads may be old
)

// Bounds of reading.
const (
	passesMax    = 6   // of deciding again in a richer world
	keysPerQuery = 500 // keys asked for in one statement
)

// read makes the world in which some items are decided: their rows first, then their keys, so that
// no request is refused on a key read older than the row. The key of an event that cannot happen twice
// is read only when the request does not move its subject: if it has been used before, writing it a
// second time fails, and what happens then begins with reading it.
func (e *Engine) read(ctx context.Context, from reader, items []*item, lock locking) (*world, error) {
	w := &world{
		engine: e,
		lock:   lock,
		now:    e.cfg.Now(), nonce: int64(e.cfg.Rand() >> 1), rows: map[ref]any{}, keys: map[Key]*Transition{},
		pasts: map[ref][]Transition{}, steps: map[step]*Transition{},
		fresh: map[ref]bool{}, asked: make(map[Key]bool, len(items)),
	}
	w.reset()
	wanted := make(map[ref]bool, len(items))
	var eager []*item
	for _, it := range items {
		wanted[it.ref()] = true
		if lock != lockNothing || it.keyFirst() {
			eager = append(eager, it)
		}
	}
	return w, e.readRowsAndKeys(ctx, from, w, wanted, eager)
}

// readMore reads what deciding found lacking.
func (e *Engine) readMore(ctx context.Context, from reader, w *world, items []*item) error {
	if len(w.wantRow) > 0 {
		for r := range w.wantRow {
			w.fresh[r] = true
		}
		clear(w.pasts) // older than the rows will be
		clear(w.steps)
		return e.readRowsAndKeys(ctx, from, w, w.wantRow, items)
	}
	rs := append(w.keyReadings(from, w.wantKey), e.pastReadings(from, w)...)
	if err := from.Read(ctx, rs); err != nil {
		return fmt.Errorf("read keys and history: %w", err)
	}
	return nil
}

func (e *Engine) readRowsAndKeys(ctx context.Context, from reader, w *world, wanted map[ref]bool, items []*item) error {
	rows, keep, err := e.rowReadings(ctx, from, w.lock, wanted)
	if err != nil {
		return err
	}
	if err := from.Read(ctx, append(rows, w.keyReadings(from, items)...)); err != nil {
		return fmt.Errorf("read: %w", err)
	}
	keep(w)
	return nil
}

// rowReadings are the statements that read some subjects' rows; keep puts what they read into a world.
func (e *Engine) rowReadings(ctx context.Context, from reader, lock locking, wanted map[ref]bool) (all []sqldb.Reading,
	keep func(*world), err error) {
	byMachine := map[string][]string{}
	for r := range wanted {
		byMachine[r.machine] = append(byMachine[r.machine], r.id)
	}
	found := map[string]map[string]any{}
	for _, name := range sortedKeys(byMachine) {
		ids := byMachine[name]
		slices.Sort(ids)
		found[name] = make(map[string]any, len(ids))
		rs, err := e.machines[name].row.readings(ctx, from, ids, lock, found[name])
		if err != nil {
			return nil, nil, fmt.Errorf("read %s rows: %w", name, err)
		}
		all = append(all, rs...)
	}
	return all, func(w *world) {
		for name, rows := range found {
			for id, row := range rows {
				w.rows[ref{name, id}] = row
			}
		}
	}, nil
}

// keyReadings are the statements that look for the items' keys in history.
func (w *world) keyReadings(from reader, items []*item) []sqldb.Reading {
	bySource := map[string][]string{}
	for _, it := range items {
		w.asked[it.key] = true
		if !it.keyless || it.inDoubt {
			bySource[it.key.Source] = append(bySource[it.key.Source], it.key.Seq)
		}
	}
	var all []sqldb.Reading
	for _, source := range sortedKeys(bySource) {
		seqs := bySource[source]
		slices.Sort(seqs)
		seqs = slices.Compact(seqs)
		for len(seqs) > 0 {
			n := min(keysPerQuery, len(seqs))
			args := make([]any, 0, n+1)
			args = append(args, source)
			for _, seq := range seqs[:n] {
				args = append(args, seq)
			}
			query := selectTransitions + ` WHERE source = ? AND seq IN (?` + strings.Repeat(",?", n-1) + `)` + w.lockClause(from)
			all = append(all, readTransitions(query, args, func(t Transition) { w.keys[t.Key] = &t }))
			seqs = seqs[n:]
		}
	}
	return all
}

func (w *world) lockClause(from reader) string {
	if w.lock == lockAll && from.Dialect() == sqldb.MySQL {
		return ` FOR UPDATE`
	}
	return ""
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// transitionColumns is history in the order of its columns; transitionRow follows it.
var transitionColumns = []string{
	"machine", "subject", "version", "event", "from_status", "to_status", "source", "seq",
	"fingerprint", "nonce", "actor", "reason", "input", "messages", "machine_version", "at",
}

// readColumns is what is read of history: scanTransition follows it.
var readColumns = append(slices.Clone(transitionColumns), "found_hash")

var selectTransitions = `SELECT ` + strings.Join(readColumns, ", ") + ` FROM engine_transitions`

func readTransitions(query string, args []any, f func(Transition)) sqldb.Reading {
	return sqldb.Reading{Query: query, Args: args, Row: func(rows *sql.Rows) error {
		t, err := scanTransition(rows)
		if err == nil {
			f(t)
		}
		return err
	}}
}

func (e *Engine) eachTransition(ctx context.Context, query string, args []any, f func(Transition)) error {
	if err := e.made(); err != nil {
		return err
	}
	return e.db.Read(ctx, []sqldb.Reading{readTransitions(query, args, f)})
}

func scanTransition(rows *sql.Rows, more ...any) (Transition, error) {
	var t Transition
	var print, input, found []byte
	err := rows.Scan(append([]any{&t.Machine, &t.Subject, &t.Version, &t.Event, &t.From, &t.To, &t.Key.Source, &t.Key.Seq,
		&print, &t.nonce, &t.Actor, &t.Reason, &input, &t.Messages, &t.MachineVersion, &t.At, &found}, more...)...)
	if err != nil {
		return t, err
	}
	if t.Version == 1 {
		t.filledIn = found
	}
	if len(input) > 0 {
		t.Input = json.RawMessage(input)
	}
	if len(print) != len(t.Fingerprint) {
		return t, fmt.Errorf("transition %s %s %d: fingerprint of %d bytes", t.Machine, t.Subject, t.Version, len(print))
	}
	copy(t.Fingerprint[:], print)
	t.At = t.At.UTC()
	return t, nil
}

func transitionRow(t Transition) []any {
	var input any
	if t.Input != nil {
		input = string(t.Input)
	}
	return append(make([]any, 0, len(historyColumns)),
		t.Machine, t.Subject, t.Version, string(t.Event), string(t.From), string(t.To), t.Key.Source, t.Key.Seq,
		t.Fingerprint[:], t.nonce, t.Actor, t.Reason, input, t.Messages, t.MachineVersion, t.At,
	)
}
