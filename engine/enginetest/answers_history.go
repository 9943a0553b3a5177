package enginetest

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"

	"gorm.io/gorm"

	"example.com/orderd/engine"
)

// never is later than every note.
const never = math.MaxInt64

// happened is one transition, with what the answers say of when it came.
type happened struct {
	engine.Transition
	keyless  bool
	by       *Asked // who was told applied
	possibly int64  // it cannot have been there before this note
	surely   int64  // it was there at this note
}

type (
	subject struct{ machine, id string }
	place   struct {
		subject
		version int64
	}
)

// past is history as it stands when the storm is over.
type past struct {
	at     map[place]*happened
	byKey  map[engine.Key]*happened
	last   map[subject]int64
	graphs map[string]engine.Description // by hash
}

const historySelect = `SELECT machine, subject, version, event, from_status, to_status, source, seq,
	fingerprint, actor, reason, input, messages, machine_version, at FROM engine_transitions
	ORDER BY machine, subject, version`

func readPast(ctx context.Context, db *gorm.DB) (*past, error) {
	p := &past{
		at: map[place]*happened{}, byKey: map[engine.Key]*happened{}, last: map[subject]int64{},
		graphs: map[string]engine.Description{},
	}
	err := eachRow(ctx, db, historySelect, func(rows *sql.Rows) error {
		h := &happened{surely: never}
		var print, input []byte
		err := rows.Scan(&h.Machine, &h.Subject, &h.Version, &h.Event, &h.From, &h.To, &h.Key.Source, &h.Key.Seq,
			&print, &h.Actor, &h.Reason, &input, &h.Messages, &h.MachineVersion, &h.At)
		if err != nil {
			return err
		}
		copy(h.Fingerprint[:], print)
		if len(input) > 0 {
			h.Input = input
		}
		if h.keyless = h.Key.Source == "call"; h.keyless {
			h.Key = engine.Key{}
		} else {
			p.byKey[h.Key] = h
		}
		of := subject{h.Machine, h.Subject}
		p.at[place{of, h.Version}] = h
		p.last[of] = max(p.last[of], h.Version)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return p, eachRow(ctx, db, `SELECT hash, description FROM engine_machines`, func(rows *sql.Rows) error {
		var hash string
		var text []byte
		if err := rows.Scan(&hash, &text); err != nil {
			return err
		}
		var d engine.Description
		if err := json.Unmarshal(text, &d); err != nil {
			return fmt.Errorf("machine %s: %w", hash, err)
		}
		p.graphs[hash] = d
		return nil
	})
}

func eachRow(ctx context.Context, db *gorm.DB, query string, f func(*sql.Rows) error) (err error) {
	rows, err := db.WithContext(ctx).Raw(query).Rows()
	if err != nil {
		return err
	}
	defer func() {
		if closing := rows.Close(); err == nil {
			err = closing
		}
	}()
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// order completes from the answers when each transition came: not before the one before it, and no later
// than the one after it.
func (p *past) order(asked []*Asked) {
	for _, q := range asked {
		if q.ended == 0 {
			continue
		}
		if at, told := q.told(); told {
			p.seen(at, q.ended)
		}
		if proof := q.result.Proof; proof != nil {
			p.seen(q.proofAt(), q.ended)
		}
	}
	for of, last := range p.last {
		for v := int64(2); v <= last; v++ {
			if h, before := p.at[place{of, v}], p.at[place{of, v - 1}]; h != nil && before != nil {
				h.possibly = max(h.possibly, before.possibly)
			}
		}
		for v := last - 1; v > 0; v-- {
			if h, after := p.at[place{of, v}], p.at[place{of, v + 1}]; h != nil && after != nil {
				h.surely = min(h.surely, after.surely)
			}
		}
	}
}

func (p *past) seen(at place, note int64) {
	if h := p.at[at]; h != nil {
		h.surely = min(h.surely, note)
	}
}

// edges tells whether an event leads on from a state, and whether it does from one that can be reached.
func edges(d engine.Description, from engine.State, event engine.Event) (now, later bool) {
	reached := map[engine.State]bool{from: true}
	for grown := true; grown; {
		grown = false
		for _, e := range d.Edges {
			if !reached[e.From] {
				continue
			}
			now = now || e.From == from && e.Event == event
			later = later || e.Event == event
			if !reached[e.To] {
				reached[e.To], grown = true, true
			}
		}
	}
	return now, later
}
