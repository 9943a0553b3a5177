package sqlitedb

import (
	"context"
	"database/sql"
	"strings"

	"gorm.io/gorm"
)

// pool sends single SELECTs to the readers and everything else to the one writer. In WAL mode
// neither waits for the other, and a SELECT sees every commit made before it.
type pool struct {
	*sql.DB // the writer
	readers *sql.DB
}

var (
	_ gorm.ConnPool       = (*pool)(nil)
	_ gorm.TxBeginner     = (*pool)(nil)
	_ gorm.GetDBConnector = (*pool)(nil)
)

// GetDBConn returns the writer. Closing it closes the readers, too.
func (p *pool) GetDBConn() (*sql.DB, error) { return p.DB, nil }

func (p *pool) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return p.forQuery(query).QueryContext(ctx, query, args...)
}

func (p *pool) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return p.forQuery(query).QueryRowContext(ctx, query, args...)
}

// forQuery takes no chances: what does not plainly read, such as INSERT … RETURNING, is a write.
func (p *pool) forQuery(query string) *sql.DB {
	query = strings.TrimLeft(query, " \t\r\n")
	if len(query) > 6 && strings.EqualFold(query[:6], "SELECT") {
		return p.readers
	}
	return p.DB
}
