package engine

import "encoding/json"

// asks reports whether a transition has the fingerprint of the request. Programs of version 1 took that of a creation
// in another way, and their keys go on counting: then the item takes on theirs, under which it is known.
func (it *item) asks(t *Transition) bool {
	if t.Fingerprint == it.print {
		return true
	}
	if it.req.row == nil || t.Version != 1 {
		return false
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
