package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/orderd/cmd/orderd/internal/auth"
)

// Deletes are idempotent: of many that come at once each succeeds, one says that it was the one, and the
// others that nothing was left to delete. So says each that comes later.
func TestDeletesAreIdempotent(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		token := s.token("order")
		endpoint := s.do("POST", "/v1/webhook-endpoints", `{"url":"https://shop.example","events":["*"]}`).str("id")
		require.NotEmpty(t, endpoint)
		for _, path := range []string{"/v1/tokens/" + token, "/v1/webhook-endpoints/" + endpoint} {
			deleted := 0
			for _, a := range append(together(16, func(int) answer { return s.do("DELETE", path, "") }), s.do("DELETE", path, "")) {
				require.Equal(t, 200, a.status, a)
				if a.body["deleted"] == true {
					deleted++
				}
			}
			require.Equal(t, 1, deleted, path)
			require.Equal(t, false, s.do("DELETE", path, "").body["deleted"])
		}

		key := strings.Split(s.key("somebody", auth.Viewer), "_")[1]
		keys := auth.NewStore(s.daemon.database.Gorm)
		var first time.Time
		for i := range 3 {
			k, ended, err := keys.Revoke(t.Context(), key, time.Now().UTC())
			require.NoError(t, err)
			require.Equal(t, i == 0, ended)
			if i == 0 {
				first = *k.RevokedAt
			}
			require.Equal(t, first, *k.RevokedAt, "it ended when it ended first")
		}
	})
}
