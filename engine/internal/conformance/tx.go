package conformance

import (
	"errors"
	"testing"

	"gorm.io/gorm"

	"example.com/orderd/engine"
)

// txTests is what ApplyTx promises.
var txTests = map[string]func(*testing.T, *bench){
	"a handle in no transaction is refused": func(t *testing.T, b *bench) {
		b.at(t, "a")
		if _, err := b.eng.ApplyTx(t.Context(), b.db, request("a", "load")); !errors.Is(err, engine.ErrBadRequest) {
			t.Errorf("got %v", err)
		}
	},
	"a transition shares the fate of the caller's transaction": func(t *testing.T, b *bench) {
		b.at(t, "a")
		undo := errors.New("undo")
		err := b.db.Transaction(func(tx *gorm.DB) error {
			r, err := b.eng.ApplyTx(t.Context(), tx, keyed("a", "load", "1"))
			expect(t, r, err, want{engine.Applied, "", "loaded", 2, 2})
			return undo
		})
		if !errors.Is(err, undo) || b.load(t, "a").Version != 1 {
			t.Errorf("got %v", err)
		}
		err = b.db.Transaction(func(tx *gorm.DB) error {
			r, err := b.eng.ApplyTx(t.Context(), tx, keyed("a", "load", "1"))
			expect(t, r, err, want{engine.Applied, "", "loaded", 2, 2})
			r, err = b.eng.ApplyTx(t.Context(), tx, keyed("a", "load", "1"))
			expect(t, r, err, want{engine.Already, engine.Replayed, "loaded", 2, 2})
			return tx.Create(&parcelScan{Parcel: "a", Version: 2, Place: "own work"}).Error
		})
		if err != nil || b.load(t, "a").Version != 2 || b.count(t, "parcel_scans", "1 = 1") != 1 {
			t.Errorf("got %v", err)
		}
	},
	"a refusal leaves the caller's transaction usable": func(t *testing.T, b *bench) {
		b.at(t, "a")
		err := b.db.Transaction(func(tx *gorm.DB) error {
			if err := tx.Create(&parcelScan{Parcel: "x", Version: 1, Place: "before"}).Error; err != nil {
				return err
			}
			for _, place := range []string{"void", "nowhere"} {
				r, err := b.eng.ApplyTx(t.Context(), tx, scanned(keyed("a", "scan", "1"), place))
				expect(t, r, err, want{engine.Illegal, engine.GuardRefused, "posted", 1, -1})
			}
			r, err := b.eng.ApplyTx(t.Context(), tx, request("a", "load"))
			expect(t, r, err, want{engine.Applied, "", "loaded", 2, 2})
			return nil
		})
		if err != nil || b.count(t, "parcel_scans", "1 = 1") != 1 || b.load(t, "a").Version != 2 {
			t.Errorf("got %v", err)
		}
		if n := b.count(t, "engine_attempts", "subject = ?", "a"); n != 2 {
			t.Errorf("%d attempts", n)
		}
	},
	"attempts of a transaction that rolls back are gone with it": func(t *testing.T, b *bench) {
		b.at(t, "a")
		undo := errors.New("undo")
		_ = b.db.Transaction(func(tx *gorm.DB) error {
			r, err := b.eng.ApplyTx(t.Context(), tx, request("a", "deliver"))
			expect(t, r, err, want{outcome: engine.Early})
			return undo
		})
		if n := b.count(t, "engine_attempts", "1 = 1"); n != 0 {
			t.Errorf("%d attempts", n)
		}
	},
	"a creation in the caller's transaction": func(t *testing.T, b *bench) {
		err := b.db.Transaction(func(tx *gorm.DB) error {
			row := &parcel{ID: "a"}
			r, err := engine.CreateTx(t.Context(), b.eng, tx, row, engine.Request{Machine: "parcel", Input: newParcel{Weight: 7}})
			expect(t, r, err, want{engine.Applied, "", "posted", 1, 1})
			if row.Status != "posted" || row.Version != 1 || row.Weight != 7 {
				t.Errorf("row %+v", row)
			}
			r, err = b.eng.ApplyTx(t.Context(), tx, request("a", "load"))
			expect(t, r, err, want{engine.Applied, "", "loaded", 2, 2})
			return nil
		})
		if err != nil || b.load(t, "a").Version != 2 {
			t.Errorf("got %v", err)
		}
	},
	"a twin that committed after the caller's snapshot is replayed": func(t *testing.T, b *bench) {
		if b.db.Name() != "mysql" {
			t.Skip("SQLite lets nobody write beside a transaction")
		}
		b.at(t, "a")
		err := b.db.Transaction(func(tx *gorm.DB) error {
			var n int64
			if err := tx.Table("parcels").Count(&n).Error; err != nil { // takes the snapshot
				return err
			}
			b.apply(t, keyed("a", "load", "1"), want{outcome: engine.Applied})
			r, err := b.eng.ApplyTx(t.Context(), tx, keyed("a", "load", "1"))
			if r.Outcome == "" { // snapshot isolation has ended the transaction: the caller runs it again
				return err
			}
			expect(t, r, err, want{engine.Already, engine.Replayed, "loaded", 2, 2})
			return nil
		})
		if err != nil {
			t.Logf("the database ended the transaction: %v", err)
		}
	},
	"observers hear of it when the caller says so": func(t *testing.T, b *bench) {
		var heard []engine.Observation
		e, err := engine.New(b.db, engine.Config{Now: b.clock.Now,
			Observe: func(o engine.Observation) { heard = append(heard, o) }}, parcelMachine(t))
		if err != nil {
			t.Fatal(err)
		}
		b.at(t, "a")
		var result engine.Result
		err = b.db.Transaction(func(tx *gorm.DB) (err error) {
			result, err = e.ApplyTx(t.Context(), tx, request("a", "load"))
			return err
		})
		if err != nil || len(heard) != 0 {
			t.Errorf("heard %v before the commit was told (%v)", heard, err)
		}
		e.Committed(result)
		if len(heard) != 1 || heard[0].Result.Outcome != engine.Applied {
			t.Errorf("heard %v", heard)
		}
	},
}
