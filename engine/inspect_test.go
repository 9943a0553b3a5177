package engine_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
)

// crate is a row of somebody's own table, which says in SQL what the columns are.
type crate struct {
	ID      string       `gorm:"primaryKey" engine:"id"`
	Status  engine.State `gorm:"<-:create" engine:"state"`
	Version int64        `gorm:"<-:create" engine:"version"`
}

func (crate) TableName() string { return "crates" }

// pallet is one with numbers for keys.
type pallet struct {
	ID      int64        `gorm:"primaryKey" engine:"id"`
	Status  engine.State `gorm:"<-:create" engine:"state"`
	Version int64        `gorm:"<-:create" engine:"version"`
}

func (pallet) TableName() string { return "crates" }

// packing has two states.
func packing[S any](t *testing.T) *engine.Machine[S] { return packingAs[S](t, nil) }

func packingAs[S any](t *testing.T, stored map[engine.State]any) *engine.Machine[S] {
	t.Helper()
	m, err := engine.NewMachine(engine.Definition[S]{
		Name: "crate", Stored: stored, Events: map[engine.Event]engine.Spec{"place": {}, "pack": {}},
		Edges: []engine.Edge[S]{{Event: "place", To: "placed"}, {Event: "pack", From: []engine.State{"placed"}, To: "packed"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// look is one table and what is to be found in it: "" for nothing, else severity, column and a part of the remedy.
type look struct {
	name, columns, options string
	want                   []string
	machine                func(*testing.T) engine.AnyMachine
}

// numbered is a row whose states are numbers.
type numbered struct {
	ID      string `gorm:"primaryKey" engine:"id"`
	Status  int    `gorm:"<-:create" engine:"state"`
	Version int64  `gorm:"<-:create" engine:"version"`
}

func (numbered) TableName() string { return "crates" }

func foreignStates(t *testing.T) engine.AnyMachine {
	return packingAs[crate](t, map[engine.State]any{"placed": "PLACED", "packed": "已付款"})
}

func numberStates(t *testing.T) engine.AnyMachine {
	return packingAs[numbered](t, map[engine.State]any{"placed": 10, "packed": 20})
}

func textKeys(t *testing.T) engine.AnyMachine   { return packing[crate](t) }
func numberKeys(t *testing.T) engine.AnyMachine { return packing[pallet](t) }

const (
	goodID      = "id VARCHAR(64) COLLATE utf8mb4_bin NOT NULL PRIMARY KEY"
	goodStatus  = "status VARCHAR(20) NOT NULL"
	goodVersion = "version BIGINT NOT NULL DEFAULT 0"
)

var looksOnServers = []look{
	{"a good one", goodID + "," + goodStatus + "," + goodVersion, "", nil, textKeys},
	{"composite key", "tenant BIGINT NOT NULL DEFAULT 1, id VARCHAR(64) COLLATE utf8mb4_bin NOT NULL, " + goodStatus + "," + goodVersion + ", PRIMARY KEY (tenant, id)", "",
		[]string{"refuse id ADD UNIQUE KEY (`id`)"}, textKeys},
	{"composite key, unique id", "tenant BIGINT NOT NULL DEFAULT 1, id VARCHAR(64) COLLATE utf8mb4_bin NOT NULL UNIQUE, " + goodStatus + "," + goodVersion + ", PRIMARY KEY (tenant, id)", "",
		nil, textKeys},
	{"unique key that can be NULL", "n BIGINT PRIMARY KEY DEFAULT 1, id VARCHAR(64) COLLATE utf8mb4_bin NULL UNIQUE, " + goodStatus + "," + goodVersion, "",
		[]string{"refuse id MODIFY COLUMN `id` VARCHAR(64) NOT NULL"}, textKeys},
	{"no key", "id VARCHAR(64) COLLATE utf8mb4_bin NOT NULL, KEY (id), " + goodStatus + "," + goodVersion, "", []string{"refuse id ADD UNIQUE KEY"}, textKeys},
	{"MyISAM", goodID + "," + goodStatus + "," + goodVersion, "ENGINE=MyISAM", []string{"refuse  ENGINE = InnoDB"}, textKeys},
	{"MEMORY", goodID + "," + goodStatus + "," + goodVersion, "ENGINE=MEMORY", []string{"refuse  ENGINE = InnoDB"}, textKeys},
	{"number compared with text", goodID + "," + goodStatus + "," + goodVersion, "", []string{"refuse id a string"}, numberKeys},
	{"text compared with number", "id BIGINT PRIMARY KEY," + goodStatus + "," + goodVersion, "", []string{"refuse id an int64"}, textKeys},
	{"numbers", "id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY," + goodStatus + "," + goodVersion, "", nil, numberKeys},
	{"folding key", "id VARCHAR(64) COLLATE utf8mb4_general_ci PRIMARY KEY," + goodStatus + "," + goodVersion, "", []string{"warn id COLLATE utf8mb4_bin"}, textKeys},
	{"padded key", "id BINARY(16) PRIMARY KEY," + goodStatus + "," + goodVersion, "", []string{"warn id VARBINARY(16)"}, textKeys},
	{"short state", goodID + ", status VARCHAR(5) NOT NULL," + goodVersion, "", []string{"refuse status MODIFY COLUMN `status` VARCHAR(32)"}, textKeys},
	{"number for a state", goodID + ", status INT NOT NULL," + goodVersion, "", []string{"refuse status MODIFY COLUMN `status` VARCHAR(32)"}, textKeys},
	{"ENUM", goodID + ", status ENUM('placed','packed','it''s lost') NOT NULL," + goodVersion, "", nil, textKeys},
	{"ENUM that lacks a state", goodID + ", status ENUM('placed','it''s lost') NOT NULL," + goodVersion, "",
		[]string{"refuse status ENUM('placed','it''s lost','packed') NOT NULL"}, textKeys},
	{"ENUM with another spelling", goodID + ", status ENUM('PLACED','packed') NOT NULL," + goodVersion, "",
		[]string{"refuse status ENUM('packed','placed') NOT NULL"}, textKeys},
	{"padded state", goodID + ", status BINARY(6) NOT NULL," + goodVersion, "", nil, textKeys},
	{"state padded with zeros", goodID + ", status BINARY(7) NOT NULL," + goodVersion, "", []string{"refuse status MODIFY COLUMN"}, textKeys},
	{"wide characters", goodID + ", status VARCHAR(20) CHARACTER SET utf16 NOT NULL," + goodVersion, "", []string{"refuse status CHARACTER SET utf8mb4"}, textKeys},
	{"stored states, ENUM", goodID + ", status ENUM('PLACED','已付款') NOT NULL," + goodVersion, "", nil, foreignStates},
	{"stored states, ENUM of the names", goodID + ", status ENUM('placed','packed') NOT NULL," + goodVersion, "",
		[]string{"refuse status ENUM('packed','PLACED','已付款') NOT NULL"}, foreignStates},
	{"stored states, gbk", goodID + ", status VARCHAR(20) CHARACTER SET gbk NOT NULL," + goodVersion, "", nil, foreignStates},
	{"stored states, latin1", goodID + ", status VARCHAR(20) CHARACTER SET latin1 NOT NULL," + goodVersion, "",
		[]string{"refuse status utf8mb4"}, foreignStates},
	{"states that are numbers", goodID + ", status SMALLINT NOT NULL," + goodVersion, "", nil, numberStates},
	{"states that are numbers in text", goodID + ", status VARCHAR(20) NOT NULL," + goodVersion, "", []string{"warn status BIGINT NOT NULL"}, numberStates},
	{"states that are numbers in bytes", goodID + ", status VARBINARY(20) NOT NULL," + goodVersion, "", []string{"refuse status BIGINT NOT NULL"}, numberStates},
	{"states that are text in numbers", goodID + ", status INT NOT NULL," + goodVersion, "", []string{"refuse status VARCHAR"}, foreignStates},
	{"latin1 for ASCII", goodID + ", status VARCHAR(20) CHARACTER SET latin1 NOT NULL," + goodVersion, "", nil, textKeys},
	{"no version", goodID + "," + goodStatus, "", []string{"refuse version ADD COLUMN `version` BIGINT NOT NULL DEFAULT 0"}, textKeys},
	{"small version", goodID + "," + goodStatus + ", version SMALLINT NOT NULL", "", []string{"refuse version BIGINT NOT NULL DEFAULT 0"}, textKeys},
	{"text version", goodID + "," + goodStatus + ", version VARCHAR(20) NOT NULL", "", []string{"refuse version BIGINT NOT NULL DEFAULT 0"}, textKeys},
	{"version that can be NULL", goodID + "," + goodStatus + ", version BIGINT NULL", "", nil, textKeys},
	{"no state", goodID + "," + goodVersion, "", []string{"refuse status gorm:\"column:"}, textKeys},
	{"computed state", goodID + ", code INT NOT NULL DEFAULT 0, status VARCHAR(20) AS (CONCAT('placed')) VIRTUAL," + goodVersion, "", []string{"refuse status computed from"}, textKeys},
	{"one row in each state", goodID + ", status VARCHAR(20) NOT NULL UNIQUE," + goodVersion, "", []string{"refuse status drop"}, textKeys},
	{"everything at once", "id VARCHAR(64) COLLATE utf8mb4_bin NOT NULL, status VARCHAR(2) NOT NULL", "ENGINE=MyISAM",
		[]string{"refuse  InnoDB", "refuse id UNIQUE", "refuse status VARCHAR(32)", "refuse version ADD COLUMN"}, textKeys},
	{"a column that creations leave out", goodID + "," + goodStatus + "," + goodVersion + ", shop VARCHAR(9) NOT NULL", "", []string{"warn shop default"}, textKeys},
}

var looksOnSQLite = []look{
	{"a good one", "id TEXT PRIMARY KEY, status TEXT, version INTEGER", "", nil, textKeys},
	{"composite key", "tenant INTEGER, id TEXT, status TEXT, version INTEGER, PRIMARY KEY (tenant, id)", "", []string{"refuse id ADD UNIQUE"}, textKeys},
	{"composite key, unique id", "tenant INTEGER, id TEXT NOT NULL UNIQUE, status TEXT, version INTEGER, PRIMARY KEY (tenant, id)", "", nil, textKeys},
	{"unique key that can be NULL", "id TEXT UNIQUE, status TEXT, version INTEGER", "", []string{"refuse id NOT NULL"}, textKeys},
	{"no key", "id TEXT NOT NULL, status TEXT, version INTEGER", "", []string{"refuse id UNIQUE"}, textKeys},
	{"numbers", "id INTEGER PRIMARY KEY, status TEXT, version INTEGER", "", nil, numberKeys},
	{"text compared with number", "id INTEGER PRIMARY KEY, status TEXT, version INTEGER", "", []string{"refuse id int64"}, textKeys},
	{"folding key", "id TEXT COLLATE NOCASE PRIMARY KEY, status TEXT, version INTEGER", "", []string{"warn id utf8mb4_bin"}, textKeys},
	{"no version", "id TEXT PRIMARY KEY, status TEXT", "", []string{"refuse version ADD COLUMN"}, textKeys},
	{"text version", "id TEXT PRIMARY KEY, status TEXT, version TEXT", "", []string{"refuse version BIGINT"}, textKeys},
	{"computed state", "id TEXT PRIMARY KEY, status TEXT AS ('placed') STORED, version INTEGER", "", []string{"refuse status computed"}, textKeys},
}

// What a table is decides whether the engine can drive it, whatever the row type says.
func TestATableThatCannotBeDrivenSafelyIsRefusedWithItsRemedy(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		looks := looksOnServers
		if db.Name() == "sqlite" {
			looks = looksOnSQLite
		}
		for _, l := range looks {
			t.Run(l.name, func(t *testing.T) {
				defer db.Exec("DROP TABLE crates")
				if err := db.Exec("CREATE TABLE crates (" + l.columns + ") " + l.options).Error; err != nil {
					t.Skip(err) // an old server
				}
				checkLook(t, db, l.machine(t), l.want)
			})
		}
	})
}

func checkLook(t *testing.T, db *gorm.DB, m engine.AnyMachine, want []string) {
	t.Helper()
	in, err := engine.Inspect(t.Context(), db, m)
	if err != nil {
		t.Fatal(err)
	}
	if len(in.Findings) != len(want) {
		t.Fatalf("found %v, want %v", in.Findings, want)
	}
	var log bytes.Buffer
	e, err := engine.New(db, engine.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))}, m)
	if err == nil {
		defer shut(t, e)
	}
	var refused *engine.InspectionError
	errors.As(err, &refused)
	for i, w := range want {
		f := in.Findings[i]
		parts := strings.SplitN(w, " ", 3)
		if string(f.Severity) != parts[0] || f.Column != parts[1] || !strings.Contains(f.Remedy, parts[2]) {
			t.Errorf("found %+v, want %q", f, w)
		}
		switch {
		case f.Severity == engine.SeverityRefuse && (refused == nil || !strings.Contains(err.Error(), f.String())):
			t.Errorf("New does not refuse %+v: %v", f, err)
		case f.Severity == engine.SeverityWarn && refused == nil && !strings.Contains(log.String(), "column="+f.Column):
			t.Errorf("New does not tell of %+v: %s", f, log.String())
		}
	}
	if (in.Err() == nil) != (err == nil) {
		t.Errorf("Inspect finds %v, New %v", in.Err(), err)
	}
	if refused == nil {
		return
	}
	mend(t, db, m, refused.Findings)
}

// mend runs the SQL of the remedies. What then is found is something else.
func mend(t *testing.T, db *gorm.DB, m engine.AnyMachine, found []engine.TableFinding) {
	t.Helper()
	for _, f := range found {
		if sql, _, _ := strings.Cut(f.Remedy, "; "); strings.HasPrefix(sql, "ALTER TABLE") {
			sql, _, _ = strings.Cut(sql, ", or ")
			if db.Name() == "sqlite" && strings.Contains(sql, "ADD UNIQUE KEY") {
				continue
			}
			if err := db.Exec(sql).Error; err != nil {
				t.Errorf("the remedy does not run: %v", err)
				continue
			}
			again, err := engine.Inspect(t.Context(), db, m)
			if err != nil {
				t.Fatal(err)
			}
			for _, g := range again.Findings {
				if g.Severity == f.Severity && g.Column == f.Column && g.Problem == f.Problem {
					t.Errorf("still found after %s: %+v", sql, g)
				}
			}
		}
	}
}

func TestWhatIsNoTableIsRefused(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		checkLook(t, db, textKeys(t), []string{"refuse  AutoMigrate"})
		if err := db.Exec("CREATE TABLE boxes (id VARCHAR(64) PRIMARY KEY, status VARCHAR(9), version BIGINT)").Error; err != nil {
			t.Fatal(err)
		}
		if err := db.Exec("CREATE VIEW crates AS SELECT * FROM boxes").Error; err != nil {
			t.Fatal(err)
		}
		checkLook(t, db, textKeys(t), []string{"refuse  TableName"})
	})
}

func TestTriggersAndColumnsThatMoveByThemselvesAreTold(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		sqlite := db.Name() == "sqlite"
		stamp, trigger := "at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6)", "FOR EACH ROW SET NEW.status = NEW.status"
		want := []string{"warn  see that", "warn at autoUpdateTime"}
		if sqlite {
			stamp, trigger = "at DATETIME", "BEGIN SELECT 1; END"
			want = want[:1]
		}
		err := errors.Join(db.Exec("CREATE TABLE crates ("+goodIDOn(sqlite)+","+goodStatus+","+goodVersion+","+stamp+")").Error,
			db.Exec("CREATE TRIGGER moves BEFORE UPDATE ON crates "+trigger).Error)
		if err != nil {
			t.Fatal(err)
		}
		m, err := engine.NewMachine(engine.Definition[stamped]{
			Name: "crate", Events: map[engine.Event]engine.Spec{"pack": {}},
			Edges: []engine.Edge[stamped]{{Event: "pack", From: []engine.State{"placed"}, To: "packed"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		checkLook(t, db, m, want)
	})
}

// stamped is a crate with the time of its last change.
type stamped struct {
	ID      string       `gorm:"primaryKey" engine:"id"`
	Status  engine.State `gorm:"<-:create" engine:"state"`
	Version int64        `gorm:"<-:create" engine:"version"`
	At      time.Time    `gorm:"<-:false"`
}

func (stamped) TableName() string { return "crates" }

func goodIDOn(sqlite bool) string {
	if sqlite {
		return "id TEXT PRIMARY KEY"
	}
	return goodID
}

// Two ids that the database takes for one are two to the engine: no request moves the row of the other.
func TestAKeyInAnotherSpellingIsAnotherKey(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		id := "id VARCHAR(64) COLLATE utf8mb4_general_ci NOT NULL PRIMARY KEY"
		if db.Name() == "sqlite" {
			id = "id TEXT COLLATE NOCASE PRIMARY KEY"
		}
		if err := db.Exec("CREATE TABLE crates (" + id + "," + goodStatus + "," + goodVersion + ")").Error; err != nil {
			t.Fatal(err)
		}
		e, err := engine.New(db, engine.Config{Logger: slog.New(slog.DiscardHandler)}, textKeys(t))
		if err != nil {
			t.Fatal(err)
		}
		defer shut(t, e)
		create := func(id string) error {
			_, err := engine.Create(t.Context(), e, &crate{ID: id}, engine.Request{Machine: "crate"})
			return err
		}
		if err := create("A"); err != nil {
			t.Fatal(err)
		}
		if err := create("a"); err == nil {
			t.Error("the database cannot hold both")
		}
		for _, r := range e.ApplyAll(t.Context(), []engine.Request{
			{Machine: "crate", ID: "a", Event: "pack"}, {Machine: "crate", ID: "A ", Event: "pack"},
		}) {
			if r.Outcome != engine.NotFound {
				t.Errorf("%s: %s %v", r.ID, r.Outcome, r.Err())
			}
		}
		rs := e.ApplyAll(t.Context(), []engine.Request{{Machine: "crate", ID: "a", Event: "pack"}, {Machine: "crate", ID: "A", Event: "pack"}})
		if rs[0].Outcome != engine.NotFound || rs[1].Outcome != engine.Applied || rs[1].Version != 2 {
			t.Errorf("%+v", rs)
		}
	})
}

// A dry run of gorm's is not one of the engine's: what it would have written was written.
func TestAHandleForDryRunsIsRefused(t *testing.T) {
	db := enginetest.SQLite(t)
	if err := db.AutoMigrate(&crate{}); err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]*gorm.DB{
		"dry run": db.Session(&gorm.Session{DryRun: true}), "condition": db.Where("tenant = ?", 7), "transaction": db.Begin(),
	} {
		if _, err := engine.New(bad, engine.Config{}, textKeys(t)); err == nil {
			t.Errorf("%s: taken", name)
		}
		if name == "transaction" {
			bad.Rollback()
		}
	}
}
