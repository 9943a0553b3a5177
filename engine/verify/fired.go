package verify

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"

	"example.com/orderd/engine"
)

// readArmed reads timers in the order of their primary key, from one place on. The last column is
// whether there is the transition that armed the timer, which has its time. A timer of no visit is found
// with its subject. Programs of before there were hashes had other numbers.
const readArmed = `SELECT t.machine, t.subject, t.entered, t.name, t.event, t.arming, t.status = 'fired', EXISTS (
		SELECT 1 FROM engine_transitions h WHERE h.machine = t.machine AND h.subject = t.subject AND h.version = t.arming AND h.at = t.armed_at)
		OR NOT EXISTS (SELECT 1 FROM engine_transitions h WHERE h.machine = t.machine AND h.subject = t.subject AND h.version = t.entered)
		OR EXISTS (SELECT 1 FROM engine_transitions h WHERE h.machine = t.machine AND h.subject = t.subject AND h.version >= t.entered AND h.hash IS NULL)
	FROM engine_timers t WHERE t.machine > ? OR t.machine = ? AND (t.subject > ? OR t.subject = ? AND (t.entered > ?
		OR t.entered = ? AND t.name > ?)) ORDER BY t.machine, t.subject, t.entered, t.name LIMIT `

const (
	timersPart = 1000 // timers that one statement looks at
	keysPart   = 250  // keys that one looks for
)

// armed is a timer.
type armed struct {
	machine, subject string
	entered          int64
	name, event      string
	arming           int64
}

// fired checks what armed timers, and what those have caused that are said to have fired. That is found
// by the timer's key and not by its time: clocks are set back.
func (v *verifier) fired(ctx context.Context) error {
	var last armed
	for {
		var ended []armed
		n := 0
		err := v.db.Each(ctx, readArmed+strconv.Itoa(timersPart),
			[]any{last.machine, last.machine, last.subject, last.subject, last.entered, last.entered, last.name},
			func(rows *sql.Rows) error {
				var one armed
				var fired, known bool
				if err := rows.Scan(&one.machine, &one.subject, &one.entered, &one.name, &one.event, &one.arming, &fired,
					&known); err != nil {
					return err
				}
				n++
				last = one
				switch {
				case !known:
					v.wrong(one, fmt.Sprintf("the timer %s was not armed by version %d, as it says", one.name, one.arming))
				case fired:
					ended = append(ended, one)
				}
				return nil
			})
		if err != nil {
			return err
		}
		for part := range slices.Chunk(ended, keysPart) {
			if err := v.caused(ctx, part); err != nil {
				return err
			}
		}
		if n < timersPart {
			return nil
		}
	}
}

// caused checks that timers which have fired were followed by their event.
func (v *verifier) caused(ctx context.Context, ended []armed) error {
	params := []any{}
	var source string
	for _, one := range ended {
		key := engine.TimerKey(one.machine, one.subject, one.entered, one.name, one.arming)
		source, params = key.Source, append(params, key.Seq)
	}
	caused := map[string]armed{}
	err := v.db.Each(ctx, `SELECT seq, machine, subject, event, version FROM engine_transitions WHERE source = ? AND seq IN `+marks(len(ended)),
		slices.Concat([]any{source}, params), func(rows *sql.Rows) error {
			var seq string
			var one armed
			err := rows.Scan(&seq, &one.machine, &one.subject, &one.event, &one.entered)
			caused[seq] = one
			return err
		})
	if err != nil {
		return err
	}
	for i, one := range ended {
		did := caused[params[i].(string)]
		if did.machine != one.machine || did.subject != one.subject || did.event != one.event || did.entered <= one.arming {
			v.wrong(one, fmt.Sprintf("the timer %s has fired, but caused no %s", one.name, one.event))
		}
	}
	return nil
}

func (v *verifier) wrong(one armed, text string) {
	v.found(Finding{Invariant: Timers, Machine: one.machine, Subject: one.subject, Version: one.entered, Text: text})
}
