package engine

import "example.com/orderd/engine/internal/sqldb"

// messageColumns are what a new message does not have by default.
var messageColumns = []string{"machine", "subject", "version", "ordinal", "type", "data", "next_at", "created_at", "hash"}

// recordScript writes what the moves leave behind: history, messages and timers. entered is the entry
// of each move's visit where only the database knows it.
func recordScript(w *world, entered map[*move]int64) sqldb.Script {
	var script sqldb.Script
	history := sqldb.Insert{Table: "engine_transitions", Columns: historyColumns, Required: true}
	messages := sqldb.Insert{Table: "engine_messages", Columns: messageColumns}
	for _, s := range w.order {
		for _, mv := range s.moves {
			if mv.adopted != nil {
				history.Rows = append(history.Rows, historyRow(*mv.adopted, mv.adoptedHashes, nil))
			}
			history.Rows = append(history.Rows, historyRow(mv.fact, mv.hashes, &mv.fx))
			for i, msg := range mv.fx.messages {
				messages.Rows = append(messages.Rows, []any{
					s.ref.machine, s.ref.id, mv.fact.Version, i + 1, msg.kind, string(msg.data), w.now, w.now,
					messageHash(mv.fact, i+1, msg),
				})
			}
		}
	}
	script.Insert(history)
	script.Insert(messages)
	scriptTimers(&script, w, entered)
	return script
}
