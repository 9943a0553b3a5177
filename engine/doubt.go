package engine

import (
	"context"
	"errors"
	"time"

	"example.com/orderd/engine/internal/sqldb"
)

// errUnderWay says that what a COMMIT in doubt has carried may still be on its way to the database, so that
// nothing can be said yet that it would make untrue.
var errUnderWay = errors.New("a transaction in doubt may still be under way")

// certain returns errUnderWay if a round would refuse what a COMMIT in doubt has carried, and the database may
// still be about to receive that. Moving it is safe: then the transaction in doubt no longer finds it where it
// was. So is what history says of its key. Only a refusal rests on nothing.
//
// It is asked while the rows are locked: what has not come by the end of its time is then stopped by its own end.
func (g *group) certain(ctx context.Context, tx *sqldb.Tx, r *round) error {
	var until time.Time
	for _, d := range g.doubts {
		if d.until.After(until) {
			until = d.until
		}
	}
	if until.IsZero() || !r.refusesAny(g.run.doubtful) {
		return nil
	}
	switch over, err := tx.Reached(ctx, until); {
	case err != nil:
		return err
	case !over:
		return errUnderWay
	}
	return nil
}

// refusesAny reports whether the round's answer to a request with one of some keys neither is in history nor
// depends on what the round is about to write, or may come to that once its SQL actions have run.
func (r *round) refusesAny(keys map[Key]bool) bool {
	for i, it := range r.items {
		if !keys[it.key] || r.w.keys[it.key] != nil {
			continue
		}
		v, mv := r.verdicts[i], r.w.planned[it.key]
		if v.kind == verdictFinal && v.after == nil || mv != nil && len(mv.edge.execs) > 0 {
			return true
		}
	}
	return false
}
