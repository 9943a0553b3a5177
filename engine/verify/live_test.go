package verify_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/verify"
)

// While four writers create, move, repeat and are refused, nothing may look broken, however a walk is
// cut into parts. One box has a history longer than a part, and it grows.
func TestWritersRaiseNoFalseAlarm(t *testing.T) {
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		e := prepare(t, db)
		_, err := engine.Create(context.Background(), e, &box{ID: "long"}, engine.Request{Machine: "box", ID: "long", Input: label{"l"}})
		require.NoError(t, err)
		var stop atomic.Bool
		var writers sync.WaitGroup
		for w := range 4 {
			writers.Go(func() {
				for n := 0; !stop.Load(); n++ {
					walkBox(t, e, fmt.Sprintf("w%d-%d", w, n))
					for i := range 3 {
						apply(t, e, "long", "relabel", label{"l"}, fmt.Sprintf("long-%d-%d-%d", w, n, i), engine.Applied)
					}
				}
			})
		}
		var report verify.Report
		for began := time.Now(); time.Since(began) < 1500*time.Millisecond; {
			for _, opts := range []verify.Options{{}, verify.Options{}.InSmallParts(3, 7, 5)} {
				report = run(t, db, opts)
				assert.Empty(t, report.Findings)
			}
		}
		stop.Store(true)
		writers.Wait()
		assert.Greater(t, report.Transitions, int64(50), "there was something to see")
	})
}
