package verify

import (
	"context"
	"database/sql"
	"fmt"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/schema"
)

// hashesSince is the first version of the engine's tables whose programs hash what they write, and closedSince the one
// that all older programs have ended before. The step to the latter notes how many rows lack a hash, and up to when.
const (
	hashesSince = 2
	closedSince = 3
)

// unhashed is what verify knows of rows without a hash, which programs of before have written.
//
// While such programs may run, a row may lack its hash. Afterwards it is damage, unless it is one of those that were
// counted when their time ended: not later than the latest of them, and in all not more than they were. So a hash that
// is taken away is found at any time where a machine is exclusive, because only programs that hash know of that; and
// else once the time of the older programs has ended.
type unhashed struct {
	open  bool // programs of before may run
	kinds map[string]*unhashedKind
}

type unhashedKind struct {
	mark       // up to when, and how many
	seen int64 // by the walk
}

const (
	kindTransitions = "transitions"
	kindAttempts    = "attempts"
)

func (v *verifier) readUnhashed(ctx context.Context, db *gorm.DB) error {
	v.unhashed.kinds = map[string]*unhashedKind{kindTransitions: {}, kindAttempts: {}}
	list, err := schema.List(ctx, db)
	if err != nil {
		return err
	}
	for _, c := range list {
		if c.Component == engine.Schema.Name {
			v.unhashed.open = c.Version < closedSince
		}
	}
	for name, kind := range v.unhashed.kinds {
		err := v.db.Each(ctx, `SELECT at, gone FROM engine_watermarks WHERE name = ?`, []any{"unhashed " + name},
			func(rows *sql.Rows) error { return rows.Scan(&kind.at, &kind.gone) })
		if err != nil {
			return err
		}
	}
	return nil
}

// lacks counts a row without a hash, and says what is wrong with that; nothing if it may lack it.
func (v *verifier) lacks(kind string, at moment) string {
	k := v.unhashed.kinds[kind]
	k.seen++
	v.report.Unhashed++
	if v.unhashed.open || k.gone > 0 && !at.After(k.at.Time) {
		return ""
	}
	return "has no hash, though all programs of its time made one"
}

// unhashedInAll compares the numbers. History is never removed, so it has all of its rows; attempts are removed in time.
func (v *verifier) unhashedInAll() {
	for name, k := range v.unhashed.kinds {
		if !v.unhashed.open && (k.seen > k.gone || name == kindTransitions && k.seen < k.gone) {
			v.found(Finding{Invariant: Unchanged, Text: fmt.Sprintf("%d %s have no hash, but there were %d when the programs "+
				"that made none had ended",
				k.seen, name, k.gone)})
		}
	}
}
