package timer

import (
	"context"
	"slices"
	"strings"
	"time"

	"example.com/orderd/engine/internal/sqldb"
	"example.com/orderd/engine/lock"
	"example.com/orderd/engine/retry"
)

// notes is what a step has found out about timers.
type notes struct {
	now            time.Time
	fired, stopped []timer
	moved          []timer // their subjects did: they are looked at again, behind what else is due
	failed         []failure
}

type failure struct {
	timer
	note retry.Note
}

func (n *notes) end(one timer, fired bool) {
	if fired {
		n.fired = append(n.fired, one)
	} else {
		n.stopped = append(n.stopped, one)
	}
}

// writeMax bounds writing down what has happened, which goes on when the step is told to end.
const writeMax = 15 * time.Second

// write keeps the notes. A timer that was armed anew meanwhile is left alone; so is everything once
// another process has taken over, because it finds out the same.
func (t *Timers) write(ctx context.Context, fence int64, n notes) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeMax)
	defer cancel()
	held, holds := lock.Fenced(Name, fence)
	var script sqldb.Script
	for _, place := range []struct {
		status string
		timers []timer
	}{{"fired", n.fired}, {"stopped", n.stopped}, {"armed", n.moved}} {
		for part := range slices.Chunk(place.timers, queryChunk) {
			args := slices.Concat([]any{place.status, n.now}, holds)
			for _, one := range part {
				args = append(args, one.place()...)
			}
			script.Exec("UPDATE engine_timers SET status = ?, next_at = ? WHERE "+armed+" AND "+held+" AND "+places(len(part)), args...)
		}
	}
	for _, f := range n.failed {
		status := "armed"
		if f.note.Parked {
			status = "parked"
		}
		script.Exec("UPDATE engine_timers SET status = ?, next_at = ?, tries = ?, problem = ? WHERE "+armed+" AND "+held+
			" AND "+places(1),
			slices.Concat([]any{status, f.note.NextAt, f.note.Tries, f.note.Problem}, holds, f.place())...)
	}
	return t.db.WithBackoff(sqldb.Backoff{}).Retry(ctx, func(tx *sqldb.Tx) error { return tx.Play(ctx, script) })
}

// armed is a condition on the status that no index serves: with few rows in a status, servers would
// find timers by it and not by their primary key.
const armed = "COALESCE(status, '') = 'armed'"

// places is a condition that finds timers by their primary key, as they were armed.
func places(n int) string {
	return "(machine, subject, entered, name, arming) IN ((?, ?, ?, ?, ?)" + strings.Repeat(", (?, ?, ?, ?, ?)", n-1) + ")"
}

func (t timer) place() []any { return []any{t.machine, t.subject, t.entered, t.name, t.arming} }
