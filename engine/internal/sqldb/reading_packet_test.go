package sqldb_test

import (
	"context"
	"database/sql"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/internal/sqldb"
)

// short is a pool whose packets lose the statements after the first, as a proxy that takes only one may do.
type short struct{ *shaken }

func (s short) Packets() sqldb.PacketPool { return s }

func (s short) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	first, _, _ := strings.Cut(query, "; ")
	return s.ConnPool.QueryContext(ctx, first, args...)
}

// A row that was not seen must not pass for one that is not there.
func TestAPacketWithFewerResultsThanStatementsIsAnError(t *testing.T) {
	enginetest.OnServers(t, func(t *testing.T, server enginetest.Server) {
		g := openMySQL(t, server, "")
		s := short{&shaken{ConnPool: g.ConnPool, PacketPool: sqldb.PacketsOf(g.ConnPool)}}
		require.NotNil(t, s.PacketPool)
		g.ConnPool, g.Statement.ConnPool = s, s
		db := wrap(t, g)
		seen := 0
		one := sqldb.Reading{Query: "SELECT 1", Row: func(*sql.Rows) error { seen++; return nil }}
		require.NoError(t, db.Read(ctx, []sqldb.Reading{one}))
		require.ErrorContains(t, db.Read(ctx, []sqldb.Reading{one, one}), "fewer results")
		assert.Equal(t, 2, seen)
	})
}
