package lock

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"gorm.io/gorm"

	"example.com/orderd/engine/dberr"
	"example.com/orderd/engine/internal/sqldb"
)

// SQL keeps leases in the table engine_leases, by the clock of the database: the clocks of those who
// ask need not agree.
type SQL struct {
	db    *sqldb.DB
	ttl   time.Duration
	owner func() string
}

var _ Locker = (*SQL)(nil)

// TTLDefault is how long a lease lives unless it is renewed.
const TTLDefault = 10 * time.Second

// NewSQL makes a Locker on a database that engine.Migrate has prepared. ttl is how long a lease lives
// unless it is renewed, 0 for TTLDefault; owner makes unique names of holders, at most 64 bytes.
func NewSQL(ctx context.Context, db *gorm.DB, ttl time.Duration, owner func() string) (*SQL, error) {
	d, err := sqldb.Wrap(ctx, db)
	if err != nil {
		return nil, err
	}
	if ttl <= 0 {
		ttl = TTLDefault
	}
	return &SQL{db: d, ttl: ttl, owner: owner}, nil
}

// now is the database's clock in microseconds of Unix time.
func (s *SQL) now() string {
	if s.db.Dialect() == sqldb.SQLite {
		return "CAST(unixepoch('subsec') * 1000000 AS INTEGER)"
	}
	return "CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)"
}

// Try takes the lock or says that somebody else holds it.
func (s *SQL) Try(ctx context.Context, name string) (*Lease, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	asked := time.Now()
	g := &grant{SQL: s, name: name, owner: s.owner()}
	taken := false
	err := s.db.Retry(ctx, func(tx *sqldb.Tx) error {
		var err error
		if taken, err = g.take(ctx, tx); taken || err != nil {
			return err
		}
		known := false
		err = tx.Each(ctx, "SELECT 1 FROM engine_leases WHERE name = ?", []any{name},
			func(*sql.Rows) error { known = true; return nil })
		if err != nil || known {
			return err
		}
		err = tx.Insert(ctx, sqldb.Insert{Table: "engine_leases", Columns: []string{"name", "owner", "fence", "until_at"},
			Rows: [][]any{{name, "", 0, 0}}})
		if err != nil {
			return err
		}
		taken, err = g.take(ctx, tx)
		return err
	})
	switch {
	case dberr.Classify(err) == dberr.Duplicate:
		return nil, fmt.Errorf("%w: %s", ErrHeld, name) // somebody was first to ask for it at all
	case err != nil:
		return nil, fmt.Errorf("lock %s: %w", name, err)
	case !taken:
		return nil, fmt.Errorf("%w: %s", ErrHeld, name)
	}
	return NewLease(ctx, name, g.fence, s.ttl, asked, g), nil
}

// grant is one granted lease of a SQL.
type grant struct {
	*SQL
	name, owner string
	fence       int64
}

func (g *grant) take(ctx context.Context, tx *sqldb.Tx) (bool, error) {
	n, err := tx.Exec(ctx, `UPDATE engine_leases SET owner = ?, fence = fence + 1, until_at = `+g.now()+` + ?
		WHERE name = ? AND (owner = '' OR until_at < `+g.now()+`)`, g.owner, g.ttl.Microseconds(), g.name)
	if err != nil || n == 0 {
		return false, err
	}
	err = tx.Each(ctx, "SELECT fence FROM engine_leases WHERE name = ? AND owner = ?", []any{g.name, g.owner},
		func(rows *sql.Rows) error { return rows.Scan(&g.fence) })
	return err == nil, err
}

// Renew needs the row to be the holder's, not to be in time: a late holder whom nobody has followed
// still has its fence.
func (g *grant) Renew(ctx context.Context) error {
	n, err := g.db.Exec(ctx, `UPDATE engine_leases SET until_at = `+g.now()+` + ? WHERE name = ? AND owner = ? AND fence = ?`,
		g.ttl.Microseconds(), g.name, g.owner, g.fence)
	if err == nil && n == 0 {
		err = ErrLost
	}
	return err
}

// Release lets others take the lock.
func (g *grant) Release(ctx context.Context) error {
	_, err := g.db.Exec(ctx, "UPDATE engine_leases SET owner = '', until_at = 0 WHERE name = ? AND owner = ? AND fence = ?",
		g.name, g.owner, g.fence)
	return err
}
