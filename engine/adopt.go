package engine

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"example.com/orderd/engine/dberr"
	"example.com/orderd/engine/internal/sqldb"
)

// adoptChunk bounds the rows adopted in one transaction, strangeMax those that an error names.
const (
	adoptChunk = 500
	strangeMax = 10
)

func adoptionOf(m *machine, id string, state State, now time.Time) Transition {
	return Transition{
		Machine: m.name, Subject: id, Version: 1, Event: eventAdopt, To: state,
		Key:         Key{Source: sourceAdopt, Seq: adoptSeq(m.name, id)},
		Fingerprint: fingerprint(m.name, id, eventAdopt, nil),
		Actor:       sourceAdopt, MachineVersion: m.desc.Hash, At: now,
	}
}

// adoptSeq keeps within the length of a key: a subject may have 128 bytes, a machine 64.
func adoptSeq(machine, id string) string { return machine + "/" + id }

// AdoptError names the rows that Adopt and AdoptAll left alone. All others have been adopted, so repeating the call
// finds these again, and those only, until they are mended.
type AdoptError struct {
	Machine string
	Rows    []StrangeRow // the first ten
	More    int          // how many others there are
}

// StrangeRow is one that cannot be adopted, and why.
type StrangeRow struct {
	ID  string
	Err error
}

// Error has one line for each row.
func (e *AdoptError) Error() string {
	var lines []string
	for _, r := range e.Rows {
		lines = append(lines, fmt.Sprintf("adopt %s %s: %v", e.Machine, shortID(r.ID), r.Err))
	}
	if e.More > 0 {
		lines = append(lines, fmt.Sprintf("and %d more rows", e.More))
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives the reasons.
func (e *AdoptError) Unwrap() []error {
	var all []error
	for _, r := range e.Rows {
		all = append(all, r.Err)
	}
	return all
}

// shortID is an id for people: as it is where it is plain, else quoted and cut.
func shortID(id string) string {
	if id != "" && len(id) <= 64 && utf8.ValidString(id) && !strings.ContainsFunc(id, isControl) {
		return id
	}
	if len(id) > 64 {
		return strconv.Quote(id[:48]) + "…"
	}
	return strconv.Quote(id)
}

// AdoptProgress tells how far an adoption has come.
type AdoptProgress struct {
	Adopted int    // rows that have their first transition by this call
	Strange int    // rows that were left alone
	Last    string // id of the last row that was looked at, in the order of their keys
}

// Adopt gives up to limit rows that the engine did not create their first transition, in chunks. A
// row is unadopted while its version is 0 or NULL; AddVersion makes such a column. It returns how many it
// adopted; fewer than limit means none are left. It may be repeated and run while the engine works: a row that moves
// meanwhile is adopted by that move. Rows that cannot be adopted are left alone and named by an *AdoptError: those in
// states that the machine does not have, with ids that no request could name (empty, longer than 128 bytes, not valid UTF-8,
// with control characters), or that the database refuses to read or to write. Any other error says how far it came.
func (e *Engine) Adopt(ctx context.Context, machine string, limit int) (int, error) {
	if limit < 0 {
		return 0, &RequestError{Field: "Limit", Problem: "is negative: AdoptAll has none"}
	}
	return e.adopt(ctx, machine, limit, nil)
}

// AdoptAll is Adopt without a limit, in one pass over the table. progress, if not nil, is called after each chunk of
// at most 500 rows. What was adopted before an error stays adopted.
func (e *Engine) AdoptAll(ctx context.Context, machine string, progress func(AdoptProgress)) (int, error) {
	return e.adopt(ctx, machine, -1, progress)
}

func (e *Engine) adopt(ctx context.Context, machine string, limit int, progress func(AdoptProgress)) (int, error) {
	m, err := e.machine(machine)
	if err != nil {
		return 0, err
	}
	if err := e.enter(); err != nil {
		return 0, fmt.Errorf("adopt %s: %w", machine, err)
	}
	defer e.leave()
	a := &adopting{e: e, m: m, strange: AdoptError{Machine: machine}}
	var last any // key of the last row looked at
	for limit < 0 || a.adopted < limit {
		n := adoptChunk
		if limit >= 0 {
			n = min(n, limit-a.adopted)
		}
		found, err := m.row.unadopted(e.db.Gorm(ctx), last, n)
		if err != nil {
			return a.adopted, fmt.Errorf("adopt %s: %w", machine, err)
		}
		if len(found) == 0 {
			break
		}
		end := found[len(found)-1]
		last = end.key
		if err := a.chunk(ctx, found); err != nil {
			return a.adopted, fmt.Errorf("adopt %s: %w", machine, err)
		}
		if progress != nil {
			progress(AdoptProgress{Adopted: a.adopted, Strange: len(a.strange.Rows) + a.strange.More, Last: end.id})
		}
	}
	if len(a.strange.Rows) > 0 {
		return a.adopted, &a.strange
	}
	return a.adopted, nil
}

// adopting is one call of Adopt.
type adopting struct {
	e       *Engine
	m       *machine
	adopted int
	strange AdoptError
}

func (a *adopting) leave(id string, why error) {
	if len(a.strange.Rows) == strangeMax {
		a.strange.More++
		return
	}
	a.strange.Rows = append(a.strange.Rows, StrangeRow{ID: id, Err: why})
}

// chunk adopts some rows.
func (a *adopting) chunk(ctx context.Context, found []unadoptedKey) error {
	var good []string
	for _, k := range found {
		if k.why == nil {
			k.why = checkID(k.id)
		}
		if k.why != nil {
			a.leave(k.id, k.why)
		} else {
			good = append(good, k.id)
		}
	}
	return a.some(ctx, good)
}

// some adopts rows in one transaction. Where that fails for a reason that lies in a row, it is looked for, so that
// one strange row holds up no others.
func (a *adopting) some(ctx context.Context, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	adopted, strange := 0, []StrangeRow(nil)
	err := a.e.db.Retry(ctx, func(tx *sqldb.Tx) (err error) {
		adopted, strange, err = a.in(ctx, tx, ids)
		return err
	})
	switch class := dberr.Classify(err); {
	case err == nil:
		a.adopted += adopted
		for _, r := range strange {
			a.leave(r.ID, r.Err)
		}
		return nil
	case ctx.Err() != nil, class.Transient(), class == dberr.Unavailable, class == dberr.Unknown, class == dberr.Canceled,
		a.e.db.Away(ctx, err):
		return err
	case len(ids) == 1:
		a.leave(ids[0], err)
		return nil
	}
	half := len(ids) / 2
	if err := a.some(ctx, ids[:half]); err != nil {
		return err
	}
	return a.some(ctx, ids[half:])
}

// in adopts rows in a transaction. It decides on locked rows, so that a row which moved since the search
// is seen to have been adopted. What a row's own data rules out is no error: the row is left.
func (a *adopting) in(ctx context.Context, tx *sqldb.Tx, ids []string) (adopted int, strange []StrangeRow, err error) {
	m := a.m
	rows, err := m.row.load(ctx, tx, ids, lockRows)
	if err != nil {
		return 0, nil, err
	}
	update := sqldb.Update{
		Table: m.row.table, ID: m.row.id.DBName, State: m.row.state.DBName, Version: m.row.version.DBName,
		NullVersion: m.row.nullableVersion, Keep: m.row.setByDatabase, Where: m.row.selects.where, Args: m.row.selects.args,
	}
	history := sqldb.Insert{Table: "engine_transitions", Columns: historyColumns}
	now := a.e.cfg.Now()
	for _, id := range ids {
		row := rows[id]
		if row == nil || m.row.versionOf(row) != 0 {
			continue
		}
		state := m.row.stateOf(row)
		if !m.hasState(state) {
			strange = append(strange, StrangeRow{id, m.row.states.strange(row)})
			continue
		}
		hashes, err := m.adoptionHashes(row)
		if err != nil {
			strange = append(strange, StrangeRow{id, err})
			continue
		}
		key, _ := m.row.key(id)
		stored := m.row.states.arg(state)
		update.Rows = append(update.Rows, sqldb.UpdateRow{ID: key, From: stored, To: stored, NewVersion: 1})
		history.Rows = append(history.Rows, historyRow(adoptionOf(m, id, state, now), hashes, nil))
	}
	if len(update.Rows) == 0 {
		return 0, strange, nil
	}
	moved, err := tx.Update(ctx, update)
	if err != nil {
		return 0, nil, err
	}
	if moved != int64(len(update.Rows)) {
		return 0, nil, fmt.Errorf("table %s: the update of %s from 0 to 1 changed %d of %d rows, though they are locked and "+
			"in their states: look for a trigger that undoes it, "+
			"an AfterFind hook that changes what is read, or a column that stores something else than it gives back", m.row.table,
			m.row.version.DBName, moved, len(update.Rows))
	}
	return len(update.Rows), strange, tx.Insert(ctx, history)
}

// unadoptedKey is the key of a row that the engine has not adopted yet.
type unadoptedKey struct {
	key any    // as the database has it
	id  string // as the engine names it
	why error  // if it is no key of the row type
}

// unadopted reads keys in their order, from the one after last on. It reads nothing else, so that no row can be in the
// way of others.
func (r *rowType) unadopted(db *gorm.DB, last any, limit int) (found []unadoptedKey, err error) {
	version, id := clause.Column{Name: r.version.DBName}, clause.Column{Name: r.id.DBName}
	q := db.Session(&gorm.Session{}).Table(r.table).Clauses(clause.Select{Columns: []clause.Column{id}}).
		Where(clause.Or(clause.Eq{Column: version, Value: 0}, clause.Eq{Column: version, Value: nil}))
	if r.selects.where != "" {
		q = q.Where("("+r.selects.where+")", r.selects.args...)
	}
	if last != nil {
		q = q.Where(clause.Gt{Column: id, Value: last})
	}
	rows, err := q.Order(clause.OrderByColumn{Column: id}).Limit(limit).Rows()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		key, err := r.scanKey(rows, db.Name() == "mysql")
		if err != nil {
			return nil, err
		}
		found = append(found, key)
	}
	return found, rows.Err()
}

// scanKey reads a key. What is no UTF-8 goes back to MySQL as bytes, which it would take for broken text.
func (r *rowType) scanKey(rows *sql.Rows, mysql bool) (k unadoptedKey, err error) {
	if err := rows.Scan(&k.key); err != nil {
		return k, err
	}
	if b, isBytes := k.key.([]byte); isBytes && !r.ids.bytes && (!mysql || utf8.Valid(b)) {
		k.key = string(b)
	}
	if k.id, k.why = r.ids.read(k.key); r.ids.integer() && k.id == "0" {
		k.id = "" // a row without a key, says gorm
	}
	if k.why != nil {
		k.id = fmt.Sprintf("%s", k.key)
	}
	return k, nil
}
