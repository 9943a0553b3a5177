package engine_test

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/verify"
)

// Nobody can take the key that a row's adoption will have: the row could never be adopted, nor move.
func TestTheKeysOfAdoptionsAreTheEnginesOwn(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		if err := db.AutoMigrate(&ticket{}); err != nil {
			t.Fatal(err)
		}
		e, err := engine.New(db, engine.Config{}, ticketMachine(t))
		if err != nil {
			t.Fatal(err)
		}
		defer shut(t, e)
		if err := errors.Join(db.Create(&ticket{ID: "a", Status: "sold"}).Error, db.Create(&ticket{ID: "b", Status: "sold"}).Error); err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{"a", "b"} {
			key := engine.Key{Source: "system:adopt", Seq: "ticket/" + id}
			_, err := engine.Create(t.Context(), e, &ticket{ID: "c"}, engine.Request{Machine: "ticket", Key: key})
			if !errors.Is(err, engine.ErrBadRequest) {
				t.Errorf("created with it: %v", err)
			}
			if _, err := e.ByKey(t.Context(), key); !errors.Is(err, engine.ErrNotFound) {
				t.Errorf("before: %v", err)
			}
		}
		if n, err := e.Adopt(t.Context(), "ticket", 1); n != 1 || err != nil {
			t.Errorf("adopted %d, %v", n, err)
		}
		if _, err := e.Apply(t.Context(), engine.Request{Machine: "ticket", ID: "b", Event: "use"}); err != nil {
			t.Error(err)
		}
		for _, id := range []string{"a", "b"} {
			adopted, err := e.ByKey(t.Context(), engine.Key{Source: "system:adopt", Seq: "ticket/" + id})
			if err != nil || adopted.Event != "adopt" || adopted.Subject != id {
				t.Errorf("%+v, %v", adopted, err)
			}
		}
	})
}

// oldCrates makes a table that was there before the engine, with bytes for ids and rows of every kind.
func oldCrates(t *testing.T, db *gorm.DB) (strange []string) {
	t.Helper()
	ddl := "CREATE TABLE crates (id VARBINARY(255) NOT NULL PRIMARY KEY, status VARCHAR(20) NULL, version BIGINT NULL, weight BIGINT NULL, touched DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6))"
	if db.Name() == "sqlite" {
		ddl = "CREATE TABLE crates (id TEXT PRIMARY KEY, status TEXT, version INTEGER, weight INTEGER, touched DATETIME DEFAULT '2020-01-02 03:04:05+00:00')"
	}
	if err := db.Exec(ddl).Error; err != nil {
		t.Fatal(err)
	}
	insert := func(id any, status any) {
		t.Helper()
		if err := db.Exec("INSERT INTO crates (id, status, touched) VALUES (?, ?, '2020-01-02 03:04:05')", id, status).Error; err != nil {
			t.Fatal(err)
		}
	}
	for i := range 20 {
		insert(fmt.Sprintf("good%02d", i), "placed")
	}
	for id, status := range map[string]any{
		strings.Repeat("x", 200): "placed", "": "placed", "lost": "gone", "null": nil, "line\x01": "placed", "PLACED": "PLACED", "empty": "",
	} {
		insert(id, status)
		strange = append(strange, id)
	}
	broken := "INSERT INTO crates (id, status, touched) VALUES (UNHEX('62ff'), 'placed', '2020-01-02 03:04:05')"
	if db.Name() == "sqlite" {
		broken = "INSERT INTO crates (id, status) VALUES (CAST(x'62ff' AS TEXT), 'placed')"
	}
	if err := db.Exec(broken).Error; err != nil {
		t.Fatal(err)
	}
	return append(strange, "b\xff")
}

// What cannot be adopted holds up nothing: the others are, however small the chunks, and it is named.
func TestStrangeRowsAreNamedAndTheOthersAdopted(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		strange := oldCrates(t, db)
		m := packing[crate](t)
		e, err := engine.New(db, engine.Config{Logger: slog.New(slog.DiscardHandler)}, m)
		if err != nil {
			t.Fatal(err)
		}
		defer shut(t, e)
		for _, limit := range []int{1, 3, 3, 20} {
			n, err := e.Adopt(t.Context(), "crate", limit)
			if want := min(limit, 13); n != want || limit == 20 && err == nil {
				t.Errorf("limit %d: %d, %v", limit, n, err)
			}
		}
		var last engine.AdoptProgress
		n, err := e.AdoptAll(t.Context(), "crate", func(p engine.AdoptProgress) { last = p })
		if n != 0 || last.Strange != len(strange) {
			t.Errorf("again: %d, %+v", n, last)
		}
		var told *engine.AdoptError
		if !errors.As(err, &told) || len(told.Rows) != len(strange) || told.More != 0 || told.Machine != "crate" {
			t.Fatalf("%v", err)
		}
		for _, r := range told.Rows {
			if !slices.Contains(strange, r.ID) || r.Err == nil {
				t.Errorf("%q: %v", r.ID, r.Err)
			}
		}
		for _, part := range []string{`crate lost: the row is in state "gone"`, `ID has 200 bytes, at most 128`, `crate "b\xff": ID is not valid UTF-8`, `ID is empty`, `crate null: the row is in state ""`} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%v lacks %q", err, part)
			}
		}
		var moved int64
		if db.Table("crates").Where("version = 1 AND touched = ?", time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)).Count(&moved); moved != 20 && db.Name() == "mysql" {
			t.Errorf("of 20 rows %d have kept the time of their last change", moved)
		}
		verified := func() {
			report, err := verify.Run(t.Context(), db, verify.Options{Machines: []engine.AnyMachine{m}})
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range report.Findings {
				if f.Invariant != verify.Live || !slices.Contains(strange, f.Subject) {
					t.Errorf("%+v", f)
				}
			}
		}
		verified()
		// They can be mended, and then be adopted.
		if err := db.Exec("UPDATE crates SET status = 'packed' WHERE id IN ('lost', 'null')").Error; err != nil {
			t.Fatal(err)
		}
		if n, err := e.Adopt(t.Context(), "crate", 100); n != 2 || err == nil {
			t.Errorf("mended: %d, %v", n, err)
		}
		verified()
	})
}

// However many strange rows there are, the error is short; and a row that the database refuses to write is one.
func TestTheErrorOfAnAdoptionIsBounded(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		if err := db.AutoMigrate(&crate{}); err != nil {
			t.Fatal(err)
		}
		var rows []crate
		for i := range 1200 {
			status := engine.State("placed")
			if i%40 == 0 {
				status = "gone"
			}
			rows = append(rows, crate{ID: fmt.Sprintf("%04d", i), Status: status})
		}
		stop := "CREATE TRIGGER stop BEFORE UPDATE ON crates FOR EACH ROW BEGIN IF OLD.id = '0777' THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'not this one'; END IF; END"
		if db.Name() == "sqlite" {
			stop = "CREATE TRIGGER stop BEFORE UPDATE ON crates WHEN OLD.id = '0777' BEGIN SELECT RAISE(ABORT, 'not this one'); END"
		}
		if err := errors.Join(db.CreateInBatches(rows, 400).Error, db.Exec(stop).Error); err != nil {
			t.Fatal(err)
		}
		e, err := engine.New(db, engine.Config{Logger: slog.New(slog.DiscardHandler)}, packing[crate](t))
		if err != nil {
			t.Fatal(err)
		}
		defer shut(t, e)
		calls := 0
		n, err := e.AdoptAll(t.Context(), "crate", func(p engine.AdoptProgress) {
			if calls++; p.Last != rows[min(500*calls, 1200)-1].ID {
				t.Errorf("%d: %+v", calls, p)
			}
		})
		var told *engine.AdoptError
		if n != 1169 || calls != 3 || !errors.As(err, &told) || len(told.Rows) != 10 || told.More != 21 || len(err.Error()) > 2000 {
			t.Errorf("%d in %d, %v", n, calls, err)
		}
		if err := db.Exec("UPDATE crates SET status = 'placed' WHERE status = 'gone'").Error; err != nil {
			t.Fatal(err)
		}
		n, err = e.AdoptAll(t.Context(), "crate", nil)
		if n != 30 || err == nil || !strings.Contains(err.Error(), "0777") || !strings.Contains(err.Error(), "not this one") {
			t.Errorf("%d, %v", n, err)
		}
	})
}
