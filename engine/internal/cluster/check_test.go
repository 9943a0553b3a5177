package cluster

import (
	"reflect"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/verify"
)

// check holds every answer against the history of every node, the nodes against each other, and each
// against verify.
func (f *fleet) check() {
	f.t.Helper()
	f.AwaitWhole(f.t)
	f.Settle(f.t)
	var first []any
	for n, db := range f.dbs {
		all := f.everything(db)
		if n == 0 {
			first = all
		} else if !reflect.DeepEqual(first, all) {
			f.t.Errorf("node %d holds something else than node 0", n)
		}
		f.answers.Check(f.t, db)
		f.countTurns(n, db)
		f.verify(n, db)
	}
}

// everything is what a node holds: what happened, what is to be told, what is to come, and the crates.
func (f *fleet) everything(db *gorm.DB) (all []any) {
	f.t.Helper()
	for _, query := range []string{
		"SELECT * FROM engine_transitions ORDER BY machine, subject, version",
		"SELECT * FROM engine_messages ORDER BY machine, subject, version, ordinal",
		"SELECT * FROM engine_timers ORDER BY machine, subject, entered, name",
		"SELECT * FROM crates ORDER BY id",
	} {
		var rows []map[string]any
		if err := db.Raw(query).Scan(&rows).Error; err != nil {
			f.t.Fatal(err)
		}
		all = append(all, rows)
	}
	return all
}

// countTurns holds the column that each turn adds to against history: no write of one is lost or doubled.
func (f *fleet) countTurns(n int, db *gorm.DB) {
	f.t.Helper()
	var rows []struct {
		ID           string
		Turns, Count int64
	}
	if err := db.Raw("SELECT c.id, c.turns, COUNT(t.version) AS count FROM crates c LEFT JOIN engine_transitions t " +
		"ON t.machine = 'crate' AND t.subject = c.id AND t.event = 'turn' GROUP BY c.id, c.turns").Scan(&rows).Error; err != nil {
		f.t.Fatal(err)
	}
	for _, row := range rows {
		if row.Turns != row.Count {
			f.t.Errorf("node %d: %s counts %d turns, its history %d", n, row.ID, row.Turns, row.Count)
		}
	}
}

func (f *fleet) verify(n int, db *gorm.DB) {
	f.t.Helper()
	report, err := verify.Run(f.t.Context(), db, verify.Options{Machines: []engine.AnyMachine{f.machine}, MaxFindings: 20})
	if err != nil {
		f.t.Fatalf("verify node %d: %v", n, err)
	}
	for _, finding := range report.Findings {
		f.t.Errorf("node %d: verify: %+v", n, finding)
	}
	if report.Transitions == 0 {
		f.t.Errorf("node %d: verify saw no transition", n)
	}
}
