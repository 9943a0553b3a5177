package verify

import (
	"context"
	"database/sql"
	"slices"

	"example.com/orderd/engine"
	"example.com/orderd/engine/dberr"
	"example.com/orderd/engine/internal/sqldb"
)

// eventAdopt is the event of the first transition of a row that the engine did not create.
const eventAdopt = "adopt"

// past is what the database has of one subject within a span of versions.
type past struct {
	head     *head
	steps    []step // by version
	messages map[int64]counted
	timers   map[int64][]timer // by the entry of their visit
}

// head is a subject's row.
type head struct {
	state   string // its name, or what the row holds instead
	known   bool   // the machine has it
	version int64
}

// counted is the messages of one version.
type counted struct {
	n, first, last int64
	unhashed       int64
	name           string   // type of one of them
	wrong          []string // what is wrong with single ones
}

// span is a range of versions.
type span struct{ after, upTo int64 } // upTo included

// The parts of the one statement that reads subjects. Its columns are those of history; messages and
// timers have theirs in places of the same type.
const (
	// The mark of retention is read with the rows, so that what it has removed meanwhile is not missed.
	trimmed = `CASE WHEN at < COALESCE((SELECT w.at FROM engine_watermarks w WHERE w.name = '` + messagesMark +
		`'), '1000-01-01') THEN 1 ELSE 0 END`

	readSteps = `SELECT 1, subject, version, event, from_status, to_status, machine_version, fingerprint, input, messages,
		nonce, source, seq, actor, reason, timers, at, NULL, NULL, found_hash, row_hash, hash, ` + trimmed + `
		FROM engine_transitions WHERE machine = ? AND version > ? AND version <= ? AND subject IN `
	readMessages = ` UNION ALL SELECT 2, subject, version, type, status, '', '', '', data, ordinal,
		tries, unasked, '', '', problem, taken, created_at, next_at, sent_at, NULL, NULL, hash, replays
		FROM engine_messages WHERE machine = ? AND version > ? AND version <= ? AND subject IN `
	readTimers = ` UNION ALL SELECT 3, subject, entered, name, status, event, '', '', NULL, arming,
		tries, '', '', '', problem, NULL, armed_at, next_at, due_at, NULL, NULL, '', 0
		FROM engine_timers WHERE machine = ? AND entered > ? AND entered <= ? AND subject IN `
)

// read reads some subjects in one statement, and so as they were at one moment.
func (w *walk) read(ctx context.Context, ids []string, s span) (map[string]*past, error) {
	pasts := make(map[string]*past, len(ids))
	for _, id := range ids {
		pasts[id] = &past{messages: map[int64]counted{}, timers: map[int64][]timer{}}
	}
	list, bounds := marks(len(ids)), args(w.machine, s.after, s.upTo, texts(ids))
	query := readSteps + list + readMessages + list + readTimers + list
	params := args(bounds, bounds, bounds)
	var byText map[string]string
	if w.table != nil {
		if keys := w.table.keys(ids); len(keys) > 0 {
			t := w.table
			byText = t.byText(ids)
			query += ` UNION ALL SELECT 4, ` + t.idText() + `, ` + t.version + `, '', '', CAST(` + t.state + ` AS CHAR), '', '', NULL, 0,
				0, '', '', '', '', NULL, NULL, NULL, NULL, NULL, NULL, '', 0 FROM ` + t.name + ` WHERE ` + t.id + ` IN ` + marks(len(keys))
			params = args(params, keys)
		}
	}
	err := w.v.db.Each(ctx, query, params, func(rows *sql.Rows) error { return w.scan(rows, pasts, byText) })
	if err != nil {
		return nil, err
	}
	for _, p := range pasts {
		slices.SortFunc(p.steps, func(a, b step) int {
			if a.version < b.version {
				return -1
			}
			return 1
		})
	}
	return pasts, nil
}

// record is a row of that statement, under the names of history.
type record struct {
	kind                       int
	subject                    string
	version                    int64
	event, machineVersion      string
	from, to                   sql.NullString
	print, input               sql.RawBytes
	messages, nonce, flag      int64
	source, seq, actor, reason string
	timers, found, row, hash   sql.RawBytes
	at, next, end              moment
}

// scan takes one row of it. byText are the ids of the subjects' rows.
func (w *walk) scan(rows *sql.Rows, pasts map[string]*past, byText map[string]string) error {
	var r record
	err := rows.Scan(&r.kind, &r.subject, &r.version, &r.event, &r.from, &r.to, &r.machineVersion, &r.print, &r.input, &r.messages,
		&r.nonce, &r.source, &r.seq, &r.actor, &r.reason, &r.timers, &r.at, &r.next, &r.end, &r.found, &r.row, &r.hash, &r.flag)
	if err != nil {
		return err
	}
	if r.kind == 4 {
		r.subject = byText[r.subject]
	}
	p := pasts[r.subject]
	switch {
	case p == nil: // equal only to a collation that knows no case
	case r.kind == 1:
		w.v.report.Transitions++
		p.steps = append(p.steps, r.step(w.machine))
		w.v.marked = w.v.marked || w.v.before.at.is(moment{r.at.Add(sqldb.Precision)})
	case r.kind == 2:
		w.v.report.Messages++
		p.messages[r.version] = p.messages[r.version].with(r.message(w.machine))
	case r.kind == 3:
		p.timers[r.version] = append(p.timers[r.version], r.timer())
	case r.kind == 4:
		state, known := w.table.of.ReadState(r.to.String, !r.to.Valid)
		p.head = &head{state: string(state), known: known, version: r.version}
	}
	return nil
}

// rows reads the rows of an exclusive machine's subjects. It is done before their history is read, which
// then has the transition that left a row so, whatever has moved meanwhile.
func (w *walk) rows(ctx context.Context, ids []string) (map[string]engine.StoredRow, error) {
	if w.table == nil || len(w.table.machine.Exclusive) == 0 || len(ids) == 0 {
		return nil, nil
	}
	rows, err := w.table.of.Rows(ctx, w.v.db, ids)
	switch {
	case err == nil:
		return rows, nil
	case ctx.Err() != nil || dberr.Classify(err) != dberr.Permanent:
		return nil, err
	case len(ids) == 1:
		w.v.found(Finding{Invariant: Unchanged, Machine: w.machine, Subject: ids[0], Text: "the row cannot be read: " + err.Error()})
		return nil, nil
	}
	all := map[string]engine.StoredRow{}
	for _, half := range [][]string{ids[:len(ids)/2], ids[len(ids)/2:]} {
		some, err := w.rows(ctx, half)
		if err != nil {
			return nil, err
		}
		for id, row := range some {
			all[id] = row
		}
	}
	return all, nil
}
