package engine

import (
	"bytes"
	"encoding/json"
)

// A creation answers with its row filled in: defaults, what Set actions and hooks made. Who gives Create the same Go
// variable again with its key asks for the same, although the row says more by now. What such a row would say is known
// when it has been written, so a creation keeps two fingerprints: of what was asked, and of what its row says filled in.
// The second counts for a row with a version only, which nobody sets but the engine: so a column that the caller gives
// or changes stays a part of what is asked.

// filledPrintLen is how much of the second fingerprint is kept, in bytes. It takes the place of the hash of the row as it
// was found, which a creation has not.
const filledPrintLen = 16

// fillPrints takes the second fingerprints of the creations of a round, whose rows have been written.
func (w *world) fillPrints() error {
	for _, s := range w.order {
		mv := s.moves[0]
		if mv.call.from != "" {
			continue
		}
		print, _, err := mv.item.fingerprintOf(mv.call.subject)
		if err != nil {
			return err
		}
		mv.hashes.found = print[:filledPrintLen]
	}
	return nil
}

// asks reports whether a transition has the fingerprint of the request, or is the creation that has filled in its row.
// Programs of version 1 took that of a creation in another way, and their keys go on counting. In both cases the item
// takes on the transition's, under which it is known.
func (it *item) asks(t *Transition) bool {
	if t.Fingerprint == it.print {
		return true
	}
	if it.req.row == nil || t.Version != 1 {
		return false
	}
	if it.m.row.versionOf(it.req.row) > 0 && bytes.Equal(t.filledIn, it.print[:len(t.filledIn)]) && len(t.filledIn) > 0 {
		it.print = t.Fingerprint
		return true
	}
	first, err := it.firstPrint()
	if err != nil || t.Fingerprint != first {
		return false
	}
	it.print = first
	return true
}

// firstPrint is the fingerprint of a creation as version 1 took it: of the input where the event has one, and else of
// all columns of the row. No program writes it any more, unless it is the same as today's.
func (it *item) firstPrint() ([32]byte, error) {
	if it.m.events[it.req.Event].input != nil {
		return fingerprint(it.m.name, "", it.req.Event, it.canonical), nil
	}
	content := map[string]any{}
	for _, f := range it.m.row.others {
		if f.AutoCreateTime > 0 {
			continue
		}
		v, err := columnValue(f, it.req.row)
		if err != nil {
			return [32]byte{}, err
		}
		content[f.DBName] = v
	}
	text, err := json.Marshal(content) // sorts the columns
	if err != nil {
		return [32]byte{}, err
	}
	return fingerprint(it.m.name, "", it.req.Event, text), nil
}
