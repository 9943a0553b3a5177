package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/orderd/cmd/orderd/internal/auth"
	"example.com/orderd/engine"
)

// One checkout key cannot fill the journal: of what it tries in vain on one order, a part is kept, the
// rest is counted, and both are shown.
func TestWhatAPrincipalTriesInVainIsKeptInPartAndShown(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		order, key := s.place(), s.key("eager", auth.Checkout)
		const tries = 300
		together(tries, func(i int) answer {
			a := s.as(key, "POST", "/v1/orders/"+order+"/transitions", `{"event":"request_return"}`, "Idempotency-Key", fmt.Sprint("r-", i))
			require.Equal(t, 409, a.status, a)
			return a
		})
		var kept, rest int
		require.Eventually(t, func() bool { // counts are written each second
			kept, rest = 0, 0
			for _, one := range s.do("GET", "/v1/orders/"+order+"/transitions?include=attempts", "").list("data") {
				line := one.(map[string]any)
				times, _ := line["times"].(float64)
				switch {
				case line["detail"] == string(engine.NotKept):
					require.Equal(t, "principal:eager", line["source"])
					rest += int(times)
				case line["outcome"] != "applied":
					kept++
				}
			}
			return kept+rest == tries
		}, 20*time.Second, 20*time.Millisecond)
		require.Equal(t, 250, kept)
	})
}

func TestTheDailyJobRemovesOldAttempts(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		order := s.place()
		for i := range 20 {
			refused(t, s.event(order, "complete", "Idempotency-Key", fmt.Sprint("c-", i)), 409, "early", "")
		}
		count := func() (n int64) {
			require.NoError(t, s.daemon.database.Gorm.Table("engine_attempts").Count(&n).Error)
			return n
		}
		require.NoError(t, s.daemon.trim(t.Context()))
		require.EqualValues(t, 20, count())
		long := time.Now().UTC().Add(-91 * 24 * time.Hour)
		require.NoError(t, s.daemon.database.Gorm.Exec("UPDATE engine_attempts SET last_at = ?", long).Error)
		require.NoError(t, s.daemon.trim(t.Context()))
		require.Zero(t, count())
	})
}
