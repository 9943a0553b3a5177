package sqldb

import (
	"context"
	"math/rand/v2"
	"time"

	"example.com/orderd/engine/dberr"
	"example.com/orderd/engine/retry"
)

// Backoff says how often and after which pauses Retry runs a transaction again. A zero field
// means its default.
type Backoff struct {
	Attempts int            // runs in total; 5
	Base     time.Duration  // the pause after the first run, doubled after each; 5 ms
	Max      time.Duration  // the longest pause; 200 ms
	Rand     func() float64 // jitter in [0,1), called from many goroutines; math/rand
}

// lockWaits bounds the runs that end in a lock wait: each has already waited for seconds.
const lockWaits = 3

func (b Backoff) attempts() int {
	if b.Attempts > 0 {
		return b.Attempts
	}
	return 5
}

// pause is the time to wait after the nth run: between half and all of the doubled base.
func (b Backoff) pause(n int) time.Duration {
	base, limit, random := b.Base, b.Max, b.Rand
	if base <= 0 {
		base = 5 * time.Millisecond
	}
	if limit <= 0 {
		limit = 200 * time.Millisecond
	}
	if random == nil {
		random = rand.Float64
	}
	d := min(retry.Doubled(base, limit, n), limit)
	return d/2 + time.Duration(random()*float64(d)/2)
}

// Retry is InTx, run again from the start when the transaction was rolled back for a reason that
// may pass. A commit without a clear answer is never run again. The last run's error is returned.
func (db *DB) Retry(ctx context.Context, f func(*Tx) error) error {
	for run, waits := 1, 0; ; run++ {
		stuck, err := db.inTx(ctx, f)
		if err == nil {
			return nil
		}
		class := dberr.Classify(err)
		if !class.Transient() && class != dberr.Unknown {
			class = dberr.Classify(stuck)
		}
		if class == dberr.LockWait {
			waits++
		}
		if !class.Transient() || run >= db.backoff.attempts() || waits >= lockWaits || ctx.Err() != nil {
			return err
		}
		if retry.Sleep(ctx, db.backoff.pause(run)) != nil {
			return err
		}
	}
}
