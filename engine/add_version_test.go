package engine_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/verify"
)

// A column that gorm has added to a table with rows is NULL in all of them. That is version 0: such rows are adopted,
// moved alone and in batches, and verified like any other.
func TestAVersionThatIsNullIsZero(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		if err := errors.Join(db.Exec("CREATE TABLE crates (id VARCHAR(64) NOT NULL PRIMARY KEY, status VARCHAR(20) NOT NULL)").Error,
			db.Exec("INSERT INTO crates VALUES ('a', 'placed'), ('b', 'placed'), ('c', 'placed'), ('d', 'placed'), ('e', 'packed'), ('f', 'placed')").Error,
			db.AutoMigrate(&crate{})); err != nil {
			t.Fatal(err)
		}
		m := packing[crate](t)
		e, err := engine.New(db, engine.Config{}, m)
		if err != nil {
			t.Fatal(err)
		}
		defer shut(t, e)
		if n, err := e.Adopt(t.Context(), "crate", 1); n != 1 || err != nil {
			t.Errorf("adopted %d, %v", n, err)
		}
		pack := func(id string) engine.Request { return engine.Request{Machine: "crate", ID: id, Event: "pack"} }
		if r, err := e.Apply(t.Context(), pack("b")); err != nil || r.Version != 2 {
			t.Errorf("%+v, %v", r, err)
		}
		for _, r := range e.ApplyAll(t.Context(), []engine.Request{pack("a"), pack("c"), pack("d")}) {
			if r.Outcome != engine.Applied || r.Version != 2 {
				t.Errorf("%s: %+v, %v", r.ID, r, r.Err())
			}
		}
		err = db.Transaction(func(tx *gorm.DB) error {
			_, err := e.ApplyTx(t.Context(), tx, pack("f"))
			return err
		})
		if err != nil {
			t.Error(err)
		}
		verified(t, db, m)
		if n, err := e.Adopt(t.Context(), "crate", 10); n != 1 || err != nil {
			t.Errorf("adopted %d, %v", n, err)
		}
		verified(t, db, m)
		var left int64
		if db.Table("crates").Where("version IS NULL OR version = 0").Count(&left); left != 0 {
			t.Errorf("%d rows are left", left)
		}
	})
}

func verified(t *testing.T, db *gorm.DB, m engine.AnyMachine) {
	t.Helper()
	report, err := verify.Run(t.Context(), db, verify.Options{Machines: []engine.AnyMachine{m}})
	if err != nil || len(report.Findings) > 0 {
		t.Errorf("%v, %v", report, err)
	}
}

func TestAddVersionAddsTheColumnOnce(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		m := packing[crate](t)
		if err := engine.AddVersion(t.Context(), db, m); err == nil || !strings.Contains(err.Error(), "crates") {
			t.Errorf("without a table: %v", err)
		}
		if err := errors.Join(db.Exec("CREATE TABLE crates (id VARCHAR(64) NOT NULL PRIMARY KEY, status VARCHAR(20) NOT NULL)").Error,
			db.Exec("INSERT INTO crates (id, status) VALUES ('a', 'placed')").Error); err != nil {
			t.Fatal(err)
		}
		if _, err := engine.New(db, engine.Config{}, m); err == nil || !strings.Contains(err.Error(), "engine.AddVersion") {
			t.Errorf("New without a version: %v", err)
		}
		errs := make([]error, 4)
		var all sync.WaitGroup
		for i := range errs {
			all.Go(func() { errs[i] = engine.AddVersion(t.Context(), db, m) })
		}
		all.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		if err := db.Exec("INSERT INTO crates (id, status) VALUES ('b', 'placed')").Error; err != nil { // old code
			t.Fatal(err)
		}
		var versions []int64
		if err := db.Table("crates").Order("id").Pluck("version", &versions).Error; err != nil || !slices.Equal(versions, []int64{0, 0}) {
			t.Errorf("%v, %v", versions, err)
		}
		e, err := engine.New(db, engine.Config{}, m)
		if err != nil {
			t.Fatal(err)
		}
		defer shut(t, e)
		if n, err := e.Adopt(t.Context(), "crate", 10); n != 2 || err != nil {
			t.Errorf("adopted %d, %v", n, err)
		}
		verified(t, db, m)
	})
}
