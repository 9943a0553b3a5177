package verify_test

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/internal/seal"
	"example.com/orderd/engine/verify"
)

// Of 20,000 transitions, a quarter of them of one box, a walk holds 200 at a time. More would only make
// the race detector slower.
func TestMemoryDoesNotGrowWithTheDatabase(t *testing.T) {
	const part = 200
	db := enginetest.SQLite(t)
	prepare(t, db)
	hash := boxMachine(t).Hash()
	require.NoError(t, db.Transaction(func(tx *gorm.DB) error {
		history(t, tx, hash, "long", 5_000)
		for i := range 150 {
			history(t, tx, hash, fmt.Sprintf("box%d", i), 100)
		}
		return nil
	}))
	before, most, last := heap(), uint64(0), int64(0)
	report := run(t, db, verify.Options{Progress: func(done, _ int64) {
		assert.LessOrEqual(t, done-last, int64(part))
		if done/2_000 > last/2_000 {
			most = max(most, heap())
		}
		last = done
	}}.InSmallParts(100, part, 100))
	assert.Empty(t, report.Findings)
	assert.EqualValues(t, 20_000, report.Transitions)
	assert.EqualValues(t, 151, report.Subjects)
	assert.Less(t, most, before+1<<20)
}

// heap is the memory that is in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// history writes the row of a box that was packed and then relabelled over and over.
func history(t *testing.T, tx *gorm.DB, hash, id string, n int) {
	require.NoError(t, tx.Create(&box{ID: id, Status: "packed", Version: int64(n)}).Error)
	at := time.Unix(0, 0).UTC()
	var rows []map[string]any
	for v := range n {
		one := seal.Transition{
			Machine: "box", Subject: id, Version: int64(v + 1), Event: "relabel", From: "packed", To: "packed", Source: "bulk",
			Seq: fmt.Sprintf("%s/%d", id, v+1), Input: []byte(`{"label":"x"}`), MachineVersion: hash, At: at,
		}
		if v == 0 {
			one.Event, one.From = "pack", ""
		}
		one.Fingerprint = fingerprint("box", id, one.Event, string(one.Input))
		sum := one.Sum()
		rows = append(rows, map[string]any{
			"machine": "box", "subject": id, "version": one.Version, "event": one.Event, "from_status": one.From, "to_status": one.To,
			"source": "bulk", "seq": one.Seq, "fingerprint": one.Fingerprint, "nonce": 0, "actor": "", "reason": "",
			"input": string(one.Input), "messages": 0, "machine_version": hash, "at": at, "hash": sum[:],
		})
	}
	require.NoError(t, tx.Table("engine_transitions").CreateInBatches(rows, 500).Error)
}

func fingerprint(parts ...string) []byte {
	h := sha256.New()
	for _, p := range parts {
		_ = binary.Write(h, binary.BigEndian, uint64(len(p)))
		h.Write([]byte(p))
	}
	return h.Sum(nil)
}
