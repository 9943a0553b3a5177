package engine

import (
	"database/sql"
	"slices"
	"strconv"
	"strings"

	"example.com/orderd/engine/internal/sqldb"
)

// A subject's past can be of any length, and answers look back on all of it: nothing that once happened
// is forgotten because much has happened since. What they look for are landmarks: the latest transition
// of each kind, which is an event with the states it led from and to. There are no more kinds than edges.

// step names one transition.
type step struct {
	ref
	version int64
}

const (
	pastsPerQuery = 200     // subjects whose landmarks are asked for in one statement
	stepsPerQuery = 200     // single transitions
	inputAtOnce   = 4 << 10 // bytes of an input that is read with a landmark; a longer one only where it is wanted
)

// pastOf is the landmarks of a subject's past at its current version, moves of this round included, by
// version; false if they have to be read first.
func (w *world) pastOf(s *subject) ([]Transition, bool) {
	read, known := w.pasts[s.ref]
	if !known && w.rows[s.ref] != nil {
		w.wantPast[s.ref] = true
		return nil, false
	}
	if len(s.moves) == 0 {
		return read, true
	}
	past := slices.Clone(read)
	for _, mv := range s.moves {
		if mv.adopted != nil {
			past = append(past, *mv.adopted)
		}
		past = append(past, mv.fact)
	}
	return past, true
}

// stepOf is one whole transition of a subject, nil where there is none; false if it has to be read first.
func (w *world) stepOf(s *subject, version int64) (t *Transition, known bool) {
	for _, mv := range s.moves {
		if mv.fact.Version == version {
			return &mv.fact, true
		}
		if mv.adopted != nil && mv.adopted.Version == version {
			return mv.adopted, true
		}
	}
	at := step{s.ref, version}
	if t, known = w.steps[at]; !known {
		w.wantStep[at] = true
	}
	return t, known
}

// pastReadings are the statements that read what deciding wants of the past.
func (e *Engine) pastReadings(from reader, w *world) []sqldb.Reading {
	return append(e.landmarkReadings(from, w), stepReadings(from, w)...)
}

func (e *Engine) landmarkReadings(from reader, w *world) []sqldb.Reading {
	wanted := make([]ref, 0, len(w.wantPast))
	for r := range w.wantPast {
		wanted = append(wanted, r)
	}
	slices.SortFunc(wanted, ref.compare)
	var all []sqldb.Reading
	for chunk := range slices.Chunk(wanted, pastsPerQuery) {
		var args []any
		for _, r := range chunk {
			w.pasts[r] = nil
			// Nothing that was written after the row was read.
			args = append(args, r.machine, r.id, e.machines[r.machine].row.versionOf(w.rows[r]))
		}
		query := landmarkSelect(len(chunk), w.lockClause(from))
		all = append(all, sqldb.Reading{Query: query, Args: args, Row: func(rows *sql.Rows) error {
			var cut bool
			t, err := scanTransition(rows, &cut)
			if err != nil {
				return err
			}
			t.cut = cut
			r := ref{t.Machine, t.Subject}
			w.pasts[r] = append(w.pasts[r], t)
			return nil
		}})
	}
	return all
}

// landmarkSelect reads the landmarks of some subjects. A long input is left out and its transition
// marked, so that a group of refusals takes a bounded amount of memory.
func landmarkSelect(subjects int, lock string) string {
	long := `LENGTH(t.input) > ` + strconv.Itoa(inputAtOnce)
	columns := make([]string, len(readColumns))
	for i, c := range readColumns {
		columns[i] = "t." + c
		if c == "input" {
			columns[i] = `CASE WHEN ` + long + ` THEN NULL ELSE t.input END`
		}
	}
	const one = `(machine = ? AND subject = ? AND version <= ?)`
	return `SELECT ` + strings.Join(columns, ", ") + `, CASE WHEN ` + long + ` THEN 1 ELSE 0 END FROM
		(SELECT machine, subject, MAX(version) AS version FROM engine_transitions WHERE ` +
		one + strings.Repeat(` OR `+one, subjects-1) + ` GROUP BY machine, subject, event, from_status, to_status` + lock + `) AS last
		JOIN engine_transitions AS t ON t.machine = last.machine AND t.subject = last.subject AND t.version = last.version
		ORDER BY t.machine, t.subject, t.version` + lock
}

func stepReadings(from reader, w *world) []sqldb.Reading {
	wanted := make([]step, 0, len(w.wantStep))
	for at := range w.wantStep {
		wanted = append(wanted, at)
	}
	slices.SortFunc(wanted, func(a, b step) int {
		if c := a.compare(b.ref); c != 0 {
			return c
		}
		return int(a.version - b.version)
	})
	var all []sqldb.Reading
	for chunk := range slices.Chunk(wanted, stepsPerQuery) {
		const one = `(machine = ? AND subject = ? AND version = ?)`
		var args []any
		for _, at := range chunk {
			w.steps[at] = nil
			args = append(args, at.machine, at.id, at.version)
		}
		query := selectTransitions + ` WHERE ` + one + strings.Repeat(` OR `+one, len(chunk)-1) + w.lockClause(from)
		all = append(all, readTransitions(query, args, func(t Transition) {
			w.steps[step{ref{t.Machine, t.Subject}, t.Version}] = &t
		}))
	}
	return all
}
