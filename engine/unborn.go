package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"gorm.io/gorm/clause"

	"example.com/orderd/engine/internal/sqldb"
)

// A row may be created without a key where its INSERT makes one: by the database (AUTO_INCREMENT), or by a hook
// BeforeCreate. Until then its subject has a name of its own that is no key, made of the request's key: so a repeat
// within the same group meets it, and every try calls it the same. Nobody sees that name.

// unbornMark begins such a name. No key of a subject has it, because ids have no control characters.
const unbornMark = "\x00"

func unbornID(key Key) string { return unbornMark + key.Source + unbornMark + key.Seq }

func isUnborn(id string) bool { return strings.HasPrefix(id, unbornMark) }

// nameSubject takes the subject of a creation from its row.
func (it *item) nameSubject() error {
	row := it.m.row
	id, err := row.ids.of(it.req.row)
	switch {
	case err != nil:
		return err
	case id != "" && it.req.ID != "" && id != it.req.ID:
		return &RequestError{Field: "ID", Problem: fmt.Sprintf("is %q, but the key of the row is %q: leave ID empty, it is "+
			"taken from the row", it.req.ID, id)}
	case id == "" && it.req.ID != "":
		return &RequestError{Field: "ID", Problem: fmt.Sprintf("is %q, but field %s of the row is empty: set the key there",
			it.req.ID, row.id.Name)}
	case id != "":
		it.req.ID = id
	case row.makesKeys():
		it.unborn = true
	default:
		return &RequestError{Field: "ID", Problem: fmt.Sprintf("is empty: set field %s of the row, or let a hook "+
			"BeforeCreate of %T do so", row.id.Name, it.req.row)}
	}
	return nil
}

// makesKeys reports whether a row may be created without a key.
func (r *rowType) makesKeys() bool { return r.ids.auto || r.createHook }

// insertUnborn makes a row whose key comes with it. It is done row by row: nobody says which of several has which key.
func insertUnborn(ctx context.Context, tx *sqldb.Tx, w *world, s *subject) error {
	mv, row := s.moves[0], s.m.row // there is no other: nobody else knows its name
	planned, err := row.copyRow(s.row)
	if err == nil {
		err = row.insert(mv.item.context(ctx), tx, w, []*subject{s})
	}
	var id string
	if err == nil {
		id, err = row.ids.of(s.row)
	}
	if err == nil && id == "" {
		err = errors.New("it has made none: let the column be AUTO_INCREMENT (on SQLite INTEGER PRIMARY KEY), or a hook " +
			"BeforeCreate set it, or give Create a row with a key")
	}
	if err != nil {
		return fmt.Errorf("table %s, whose INSERT makes the key %s: %w", row.table, row.id.DBName, err)
	}
	if w.born == nil {
		w.born = map[string]*move{}
	}
	w.born[s.ref.id], s.ref.id = mv, id
	w.subjects[s.ref] = s
	mv.call.request.ID, mv.fact.Subject = id, id
	if len(mv.edge.sets) > 0 {
		if err := w.computeBorn(ctx, tx, mv, planned); err != nil {
			return err
		}
	}
	if mv.hashes.left != nil {
		mv.hashes.left, err = row.hashed.of(s.row)
	}
	return err
}

// computeBorn runs the Set actions of a creation again, now that the row has a key: what they make of it, in messages
// or in columns, is what counts. Columns that come out otherwise than planned are written once more.
func (w *world) computeBorn(ctx context.Context, tx *sqldb.Tx, mv *move, planned any) error {
	s, row := mv.subject, mv.item.m.row
	asked, err := row.copyRow(mv.item.req.row)
	if err != nil {
		return err
	}
	made(asked, row.id).Set(valueOf(s.row, row.id))
	c := *mv.call
	again := &move{item: mv.item, edge: mv.edge, call: &c, subject: s}
	if v, refused := w.compute(again, asked); refused {
		bad := culprit{item: mv.item, err: v.result.err}
		if len(v.result.Refused) > 0 {
			no := v.result.Refused[0]
			bad.action, bad.err = no.Guard, &Refusal{Reason: no.Reason}
		}
		return culprits{bad}
	}
	mv.fact, mv.fx = again.fact, again.fx
	set := map[string]any{}
	for _, f := range row.settable {
		before, err := columnValue(f, planned)
		if err != nil {
			return err
		}
		after, err := columnValue(f, c.subject)
		if err != nil {
			return err
		}
		if !equalValues(before, after) {
			set[f.DBName] = after
			made(s.row, f).Set(valueOf(c.subject, f))
		}
	}
	if len(set) == 0 {
		return nil
	}
	key, _ := row.key(s.ref.id)
	return tx.Gorm(ctx).Table(row.table).Where(clause.Eq{Column: clause.Column{Name: row.id.DBName},
		Value: key}).UpdateColumns(set).Error
}

// named is an answer with the keys that rows got since it was made.
func (w *world) named(r Result) Result {
	if mv := w.born[r.ID]; mv != nil {
		r.ID = mv.fact.Subject
	}
	if r.Proof != nil {
		if mv := w.born[r.Proof.Subject]; mv != nil {
			r.Proof = shown(mv.fact)
		}
	}
	return r
}

// withoutUnborn is an answer without names that are no keys.
func withoutUnborn(r Result) Result {
	if isUnborn(r.ID) {
		r.ID = ""
	}
	if r.Proof != nil && isUnborn(r.Proof.Subject) {
		proof := *r.Proof
		proof.Subject = ""
		r.Proof = &proof
	}
	return r
}
