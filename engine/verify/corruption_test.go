package verify_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/verify"
)

// corruption is damage to a healthy database, and everything that must be found then: invariant,
// machine, subject, version. Damage that shows in two places was looked at, and does.
type corruption struct {
	name string
	sql  []string // what does it
	want []string
}

var zeros = "x'" + strings.Repeat("00", 32) + "'"

var corruptions = []corruption{
	{"a row's state was changed", []string{`UPDATE boxes SET status = 'sent' WHERE id = 'b1'`}, []string{"I1 box b1 5"}},
	{"a row's version was changed", []string{`UPDATE boxes SET version = 6 WHERE id = 'b1'`}, []string{"I1 box b1 6"}},
	{"a row was reset", []string{`UPDATE boxes SET version = 0 WHERE id = 'b1'`}, []string{"I1 box b1 0"}},
	{"the last transition was lost", []string{`DELETE FROM engine_transitions WHERE subject = '10' AND version = 2`},
		[]string{"I1 crate 10 2"}},

	{"history begins somewhere", []string{`UPDATE engine_transitions SET from_status = 'standing' WHERE subject = '-3'`},
		[]string{"I2 crate -3 1", "I7 crate -3 1"}},
	{"a transition begins elsewhere", []string{`UPDATE engine_transitions SET from_status = 'sent' WHERE subject = 'b1' AND version = 3`},
		[]string{"I2 box b1 3", "I7 box b1 3"}},
	{"a transition ends elsewhere", []string{`UPDATE engine_transitions SET to_status = 'sent' WHERE subject = 'b1' AND version = 3`},
		[]string{"I2 box b1 3", "I2 box b1 4", "I7 box b1 3"}}, // no such edge; the next does not follow
	{"a transition and its row end elsewhere", []string{
		`UPDATE engine_transitions SET to_status = 'standing' WHERE subject = '10' AND version = 2`,
		`UPDATE crates_of_wood SET place = 'standing' WHERE no = 10`,
	}, []string{"I2 crate 10 2", "I7 crate 10 2"}},
	{"another event is told", []string{`UPDATE engine_transitions SET event = 'lose' WHERE subject = 'b1' AND version = 4`},
		[]string{"I2 box b1 4", "I5 box b1 4", "I7 box b1 4"}}, // no such edge; not what was asked
	{"an adoption leads nowhere", []string{`UPDATE engine_transitions SET to_status = 'gone' WHERE subject = 'old2'`,
		`UPDATE boxes SET status = 'gone' WHERE id = 'old2'`}, []string{"I16 box old2 1", "I2 box old2 1", "I7 box old2 1"}}, // then, and now
	{"an adoption in the middle", []string{`UPDATE engine_transitions SET event = 'adopt', input = NULL WHERE subject = 'b1' AND version = 2`},
		[]string{"I2 box b1 2", "I5 box b1 2", "I7 box b1 2"}},
	{"nobody knows the machine", []string{`UPDATE engine_transitions SET machine_version = 'nobody' WHERE subject = '-3'`},
		[]string{"I2 crate -3 1", "I7 crate -3 1"}},
	{"a machine was forged", []string{`UPDATE engine_machines SET description = REPLACE(description, 'burnt', 'burst') WHERE name = 'crate'`},
		[]string{"I2 crate  0"}},
	{"a machine is not readable", []string{`UPDATE engine_machines SET description = '{' WHERE name = 'crate'`}, []string{"I2 crate  0"}},

	{"a transition is lost", []string{`DELETE FROM engine_transitions WHERE subject = 'b1' AND version = 3`}, []string{"I3 box b1 4"}},
	{"the first transition is lost", []string{`DELETE FROM engine_transitions WHERE subject = '10' AND version = 1`},
		[]string{"I3 crate 10 2"}},
	{"versions leap", []string{`UPDATE engine_transitions SET version = 1000000000000 WHERE subject = '10' AND version = 2`,
		`UPDATE crates_of_wood SET moves = 1000000000000 WHERE no = 10`}, []string{"I3 crate 10 1000000000000", "I7 crate 10 1000000000000"}},

	{"an input was changed", []string{`UPDATE engine_transitions SET input = '{"label":"three"}' WHERE subject = 'b1' AND version = 3`},
		[]string{"I5 box b1 3", "I7 box b1 3"}},
	{"an input was lost", []string{`UPDATE engine_transitions SET input = NULL WHERE subject = 'b1' AND version = 3`}, []string{"I5 box b1 3", "I7 box b1 3"}},
	{"the input of a creation was changed", []string{`UPDATE engine_transitions SET input = '{}' WHERE subject = 'b1' AND version = 1`},
		[]string{"I7 box b1 1"}},
	{"a fingerprint was changed", []string{`UPDATE engine_transitions SET fingerprint = ` + zeros + ` WHERE subject = 'b1' AND version = 4`},
		[]string{"I5 box b1 4", "I7 box b1 4"}},
	{"a fingerprint of an adoption was changed", []string{`UPDATE engine_transitions SET fingerprint = ` + zeros + ` WHERE subject = 'old2'`},
		[]string{"I5 box old2 1", "I7 box old2 1"}},
	{"a key was changed", []string{`UPDATE engine_transitions SET seq = 'other' WHERE seq = 'b1-relabel1'`},
		[]string{"I5 box b1 2", "I5 box b1 2", "I7 box b1 2"}}, // what repeated it; what had reused it
	{"a request was refused after it was applied", []string{`UPDATE engine_attempts SET version = 5 WHERE seq = 'b1-arrive'`},
		[]string{"I5 box b1 5"}},
	{"a repeat was of another transition", []string{`UPDATE engine_attempts SET proof_version = 3 WHERE seq = 'b1-relabel1' AND outcome = 'already'`},
		[]string{"I5 box b1 2"}},
	{"a request was refused for its own key", []string{`UPDATE engine_attempts SET fingerprint =
		(SELECT fingerprint FROM engine_transitions WHERE seq = 'b1-relabel1') WHERE seq = 'b1-relabel1' AND outcome = 'conflict'`},
		[]string{"I5 box b1 2"}},
	{"a lost race contradicts nothing", []string{`UPDATE engine_attempts SET detail = 'lost_race', seq = 'nobody'
		WHERE seq = 'b1-relabel1' AND outcome = 'conflict'`}, []string{"I7 box b1 2"}},
	{"an event that the machine has lost contradicts nothing", []string{`UPDATE engine_attempts SET seq = 'b1-relabel2', fingerprint =
		(SELECT fingerprint FROM engine_transitions WHERE seq = 'b1-relabel2') WHERE seq = 'b1-fly'`}, []string{"I7 box b1 5"}},

	{"a row was deleted", []string{`DELETE FROM boxes WHERE id = 'b1'`}, []string{"I8 box b1 0"}},
	{"a row with a number was deleted", []string{`DELETE FROM crates_of_wood WHERE no = 9`}, []string{"I8 crate 9 0"}},
	{"all of a history was lost", []string{`DELETE FROM engine_transitions WHERE subject = '9'`}, []string{"I8 crate 9 1"}},
	{"a history lost its row", []string{`UPDATE engine_transitions SET subject = '09' WHERE subject = '9'`},
		[]string{"I7 crate 09 1", "I8 crate 09 0", "I8 crate 9 1"}}, // history without row, row without history
	{"a journalled attempt was applied", []string{`UPDATE engine_attempts SET outcome = 'applied' WHERE seq = 'b1-fly'`},
		[]string{"I8 box b1 5"}},
	{"a proof is missing", []string{`UPDATE engine_attempts SET proof_version = 77 WHERE seq = 'b1-lose'`}, []string{"I8 box b1 5"}},

	{"a message was lost", []string{`DELETE FROM engine_messages WHERE subject = 'b1' AND version = 4 AND ordinal = 2`},
		[]string{"I9 box b1 4"}},
	{"all messages of a transition were lost", []string{`DELETE FROM engine_messages WHERE subject = 'b1' AND version = 4`},
		[]string{"I9 box b1 4"}},
	{"messages are numbered with a gap", []string{`UPDATE engine_messages SET ordinal = 3 WHERE subject = 'b1' AND version = 4 AND ordinal = 2`},
		[]string{"I9 box b1 4", "I9 box b1 4"}},
	{"a message went to another transition", []string{`UPDATE engine_messages SET version = 99 WHERE subject = 'b1' AND version = 1`},
		[]string{"I9 box b1 1", "I9 box b1 99"}}, // too few here, too many there
	{"a message is of nobody", []string{copyOf("engine_messages", `'nobody', version, ordinal`, `subject, version, ordinal`,
		`type, data, status, tries, next_at, problem, created_at, hash`, `subject = 'b1' AND version = 1`)},
		[]string{"I9 box nobody 1"}},
	{"a message is in no known state", []string{`UPDATE engine_messages SET status = 'odd' WHERE subject = 'b1' AND version = 1`},
		[]string{"I9 box b1 1"}},

	{"a timer is of no transition", []string{`UPDATE engine_timers SET entered = 99 WHERE subject = 'b1' AND entered = 1`},
		[]string{"I12 box b1 99"}},
	{"a timer is of a self-loop", []string{`UPDATE engine_timers SET entered = 2 WHERE subject = 'b1' AND entered = 1`},
		[]string{"I12 box b1 2"}},
	{"a timer is of nobody", []string{copyOf("engine_timers", `'nobody', entered`, `subject, entered`,
		`name, event, due_at, status, arming, next_at, tries, problem, armed_at`, `subject = 'b1' AND entered = 1`)},
		[]string{"I12 box nobody 1"}},
	{"a timer fired without effect", []string{`UPDATE engine_timers SET status = 'fired' WHERE subject = 'b1' AND entered = 1`},
		[]string{"I12 box b1 1"}},
	{"a timer is in no known state", []string{`UPDATE engine_timers SET status = 'odd' WHERE subject = 'b1' AND entered = 1`},
		[]string{"I12 box b1 1"}},

	{"the dead moved", []string{
		copyOf("engine_transitions", `3, 'burnt', 'burn-again'`, `version, from_status, seq`,
			`subject, event, to_status, source, fingerprint, nonce, actor, reason, input, messages, machine_version, at, hash`,
			`subject = '10' AND version = 2`),
		`UPDATE crates_of_wood SET moves = 3 WHERE no = 10`,
	}, []string{"I13 crate 10 3", "I7 crate 10 3"}},

	{"a row yet to be adopted is nowhere", []string{`UPDATE boxes SET status = 'melted' WHERE id = 'old3'`}, []string{"I16 box old3 0"}},
}

// copyOf is SQL that copies a row with some columns changed.
func copyOf(table, values, changed, same, where string) string {
	return fmt.Sprintf(`INSERT INTO %[1]s (machine, %[3]s, %[4]s) SELECT machine, %[2]s, %[4]s FROM %[1]s WHERE %[5]s`,
		table, values, changed, same, where)
}

// onlySQLite and onlyMySQL are damage to the tables themselves, each on a database of its own.
var onlySQLite = []corruption{
	{"the key of requests is gone", []string{`DROP INDEX engine_transitions_request`}, []string{"I4   0"}},
	{"the key of requests is not unique", []string{`DROP INDEX engine_transitions_request`,
		`CREATE INDEX engine_transitions_request ON engine_transitions (source, seq)`}, []string{"I4   0"}},
	{"the key of requests is longer", []string{`DROP INDEX engine_transitions_request`,
		`CREATE UNIQUE INDEX engine_transitions_request ON engine_transitions (source, seq, version)`}, []string{"I4   0"}},
	{"the key of requests has some of them", []string{`DROP INDEX engine_transitions_request`,
		`CREATE UNIQUE INDEX engine_transitions_request ON engine_transitions (source, seq) WHERE version > 1`}, []string{"I4   0"}},
	{"a request was applied twice", []string{`DROP INDEX engine_transitions_request`,
		`UPDATE engine_transitions SET seq = 'build-9' WHERE seq = 'build--3'`}, []string{"I4   0", "I4 crate -3 0", "I7 crate -3 1"}},
	{"a primary key is gone", []string{`ALTER TABLE engine_timers RENAME TO other`,
		`CREATE TABLE engine_timers AS SELECT * FROM other`}, []string{"I12   0"}},
}

var onlyMySQL = []corruption{
	{"the key of requests is gone", []string{`ALTER TABLE engine_transitions DROP INDEX request`}, []string{"I4   0"}},
	{"the key of requests is not unique", []string{
		`ALTER TABLE engine_transitions DROP INDEX request, ADD INDEX request (source, seq)`}, []string{"I4   0"}},
	{"the key of requests is longer", []string{
		`ALTER TABLE engine_transitions DROP INDEX request, ADD UNIQUE INDEX request (source, seq, version)`}, []string{"I4   0"}},
	{"the key of requests is cut", []string{
		`ALTER TABLE engine_transitions DROP INDEX request, ADD UNIQUE INDEX request (source, seq(40))`}, []string{"I4   0"}},
	{"a request was applied twice", []string{`ALTER TABLE engine_transitions DROP INDEX request`,
		`UPDATE engine_transitions SET seq = 'build-9' WHERE seq = 'build--3'`}, []string{"I4   0", "I4 crate -3 0", "I7 crate -3 1"}},
	{"a primary key is gone", []string{`ALTER TABLE engine_timers DROP PRIMARY KEY`}, []string{"I12   0"}},
	{"a collation knows no case", []string{`ALTER TABLE boxes CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci`}, nil},
	{"an id changed its case", []string{`ALTER TABLE boxes CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci`,
		`UPDATE boxes SET id = 'B1' WHERE id = 'b1'`}, []string{"I8 box B1 5", "I8 box b1 0"}},
}

func TestDamageIsFoundAndNothingElseOnSQLite(t *testing.T) { damage(t, enginetest.SQLite, onlySQLite) }

func TestDamageIsFoundAndNothingElseOnMySQL(t *testing.T) {
	enginetest.OnServers(t, func(t *testing.T, s enginetest.Server) { damage(t, s.Open, onlyMySQL) })
}

func damage(t *testing.T, open func(testing.TB) *gorm.DB, more []corruption) {
	db := open(t)
	fill(t, db)
	keep(t, db)
	for _, c := range corruptions {
		t.Run(c.name, func(t *testing.T) {
			defer restore(t, db)
			c.test(t, db)
		})
	}
	for _, c := range more {
		t.Run(c.name, func(t *testing.T) {
			db := open(t)
			fill(t, db)
			c.test(t, db)
		})
	}
}

func (c corruption) test(t *testing.T, db *gorm.DB) {
	for _, query := range c.sql {
		require.NoError(t, db.Exec(query).Error)
	}
	for _, opts := range []verify.Options{{}, verify.Options{}.InSmallParts(2, 2, 2)} {
		report := run(t, db, opts)
		assert.ElementsMatch(t, c.want, told(report), "%+v", report.Findings)
		assert.Equal(t, len(c.want), report.Total)
	}
}

var kept = []string{"boxes", "crates_of_wood", "engine_machines", "engine_transitions", "engine_attempts", "engine_messages", "engine_timers"}

// keep copies every table, for restore.
func keep(t *testing.T, db *gorm.DB) {
	for _, table := range kept {
		require.NoError(t, db.Exec(`CREATE TABLE kept_`+table+` AS SELECT * FROM `+table).Error)
	}
}

func restore(t *testing.T, db *gorm.DB) {
	require.NoError(t, db.Transaction(func(tx *gorm.DB) error {
		for _, table := range kept {
			require.NoError(t, tx.Exec(`DELETE FROM `+table).Error)
			require.NoError(t, tx.Exec(`INSERT INTO `+table+` SELECT * FROM kept_`+table).Error)
		}
		return nil
	}))
}

// told is findings without their words, sorted.
func told(r verify.Report) []string {
	var all []string
	for _, f := range r.Findings {
		all = append(all, fmt.Sprintf("%s %s %s %d", f.Invariant, f.Machine, f.Subject, f.Version))
	}
	slices.Sort(all)
	return all
}
