package verify

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"slices"
)

// eventAdopt is the event of the first transition of a row that the engine did not create.
const eventAdopt = "adopt"

// past is what the database has of one subject within a span of versions.
type past struct {
	head     *head
	steps    []step // by version
	messages map[int64]counted
	timers   map[int64]counted
}

// head is a subject's row.
type head struct {
	state   string
	version int64
}

// step is a transition.
type step struct {
	version         int64
	event, from, to string
	machineVersion  string
	messages        int64
	trimmed         bool // retention may have removed its messages
	otherRequest    bool // the fingerprint is not that of the request
}

// counted is the messages or the timers of one version.
type counted struct {
	n, first, last int64
	odd            int64  // those in a state that they cannot have
	name           string // of one of them
}

// span is a range of versions.
type span struct{ after, upTo int64 } // upTo included

// The parts of the one statement that reads subjects. Messages and timers are counted there, because
// there may be many more of them than transitions.
const (
	// The mark of retention is read with the rows, so that what it has removed meanwhile is not missed.
	trimmed = `CASE WHEN at < COALESCE((SELECT w.at FROM engine_watermarks w WHERE w.name = 'engine_messages'), '1000-01-01') THEN 1 ELSE 0 END`

	readSteps = `SELECT 1, subject, version, event, from_status, to_status, machine_version, fingerprint, input,
		messages, 0, 0, ` + trimmed + ` FROM engine_transitions WHERE machine = ? AND version > ? AND version <= ? AND subject IN `
	readMessages = ` UNION ALL SELECT 2, subject, version, MIN(type), '', '', '', '', NULL, COUNT(*), MIN(ordinal), MAX(ordinal),
		COUNT(CASE WHEN status NOT IN ('pending', 'retrying', 'sent', 'parked') THEN 1 END) FROM engine_messages
		WHERE machine = ? AND version > ? AND version <= ? AND subject IN `
	readTimers = ` UNION ALL SELECT 3, subject, entered, MIN(name), '', '', '', '', NULL, COUNT(*), 0, 0,
		COUNT(CASE WHEN status NOT IN ('armed', 'fired', 'stopped', 'parked') THEN 1 END) FROM engine_timers
		WHERE machine = ? AND entered > ? AND entered <= ? AND subject IN `
)

// read reads some subjects in one statement, and so as they were at one moment.
func (w *walk) read(ctx context.Context, ids []string, s span) (map[string]*past, error) {
	pasts := make(map[string]*past, len(ids))
	for _, id := range ids {
		pasts[id] = &past{messages: map[int64]counted{}, timers: map[int64]counted{}}
	}
	list, bounds := marks(len(ids)), args(w.machine, s.after, s.upTo, texts(ids))
	query := readSteps + list + readMessages + list + ` GROUP BY subject, version` + readTimers + list + ` GROUP BY subject, entered`
	params := args(bounds, bounds, bounds)
	if w.table != nil {
		if keys := w.table.keys(ids); len(keys) > 0 {
			t := w.table
			query += ` UNION ALL SELECT 4, CAST(` + t.id + ` AS CHAR), ` + t.version + `, '', '', ` + t.state + `, '', '', NULL, 0, 0, 0, 0
				FROM ` + t.name + ` WHERE ` + t.id + ` IN ` + marks(len(keys))
			params = args(params, keys)
		}
	}
	err := w.v.db.Each(ctx, query, params, func(rows *sql.Rows) error { return w.scan(rows, pasts) })
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

func (w *walk) scan(rows *sql.Rows, pasts map[string]*past) error {
	var kind int
	var id, name, machineVersion string
	var from, to sql.NullString
	var version, n, first, last, odd int64
	var print, input sql.RawBytes
	err := rows.Scan(&kind, &id, &version, &name, &from, &to, &machineVersion, &print, &input, &n, &first, &last, &odd)
	if err != nil {
		return err
	}
	p := pasts[id]
	switch {
	case p == nil: // equal only to a collation that knows no case
	case kind == 1:
		w.v.report.Transitions++
		p.steps = append(p.steps, step{
			version: version, event: name, from: from.String, to: to.String, machineVersion: machineVersion, messages: n, trimmed: odd > 0,
			otherRequest: !fits(w.machine, id, version, name, input, print),
		})
	case kind == 2:
		w.v.report.Messages += n
		p.messages[version] = counted{n: n, first: first, last: last, odd: odd, name: name}
	case kind == 3:
		p.timers[version] = counted{n: n, odd: odd, name: name}
	case kind == 4:
		p.head = &head{state: to.String, version: version}
	}
	return nil
}

// fits reports whether a fingerprint is that of the request as it is stored. The engine's own function
// is not called, so that a change of it shows here. The fingerprint of a creation covers the new row,
// which has changed since; it is taken on trust.
func fits(machine, subject string, version int64, event string, input, print []byte) bool {
	if version == 1 && event != eventAdopt {
		return true
	}
	h := sha256.New()
	for _, part := range [][]byte{[]byte(machine), []byte(subject), []byte(event), input} {
		_ = binary.Write(h, binary.BigEndian, uint64(len(part))) // a hash takes everything
		h.Write(part)
	}
	return bytes.Equal(h.Sum(nil), print)
}
