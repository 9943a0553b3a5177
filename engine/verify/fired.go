package verify

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
)

// readFired reads timers in the order of their key, from one place on. The last column is whether
// history has what a timer that has fired must have caused: its event, in its visit or at its end, asked
// for by the timers' own part of the system, and not before it was due.
const readFired = `SELECT t.machine, t.subject, t.entered, t.name, t.event, t.status = 'fired', EXISTS (
		SELECT 1 FROM engine_transitions h WHERE h.machine = t.machine AND h.subject = t.subject AND h.version > t.entered
		AND h.source = 'system:timer' AND h.event = t.event AND h.at >= t.due_at)
	FROM engine_timers t WHERE t.machine > ? OR t.machine = ? AND (t.subject > ? OR t.subject = ? AND (t.entered > ?
		OR t.entered = ? AND t.name > ?)) ORDER BY t.machine, t.subject, t.entered, t.name LIMIT `

// firedPart is how many timers one statement looks at.
const firedPart = 1000

// fired checks timers that are said to have fired.
func (v *verifier) fired(ctx context.Context) error {
	var machine, subject, name, event string
	var entered int64
	for {
		n := 0
		err := v.db.Each(ctx, readFired+strconv.Itoa(firedPart), []any{machine, machine, subject, subject, entered, entered, name}, func(rows *sql.Rows) error {
			var fired, caused bool
			if err := rows.Scan(&machine, &subject, &entered, &name, &event, &fired, &caused); err != nil {
				return err
			}
			n++
			if fired && !caused {
				v.found(Finding{Invariant: Timers, Machine: machine, Subject: subject, Version: entered,
					Text: fmt.Sprintf("the timer %s has fired, but caused no %s when it was due", name, event)})
			}
			return nil
		})
		if err != nil || n < firedPart {
			return err
		}
	}
}
