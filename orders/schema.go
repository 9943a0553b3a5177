package orders

import (
	"context"
	_ "embed" // for the schema

	"gorm.io/gorm"

	"example.com/orderd/internal/sqldb"
)

//go:embed schema.sql
var schemaSQL string

// Schema is the shop's own tables.
var Schema = sqldb.Component{Name: "orders", Version: 1, DDL: schemaSQL}

// Migrate creates the shop's tables where they are missing. It may be run again and by several
// processes at once; a database with another schema version is refused. The engine's tables are
// engine.Migrate's.
func Migrate(ctx context.Context, db *gorm.DB) error {
	d, err := sqldb.Wrap(ctx, db)
	if err != nil {
		return err
	}
	return sqldb.Migrate(ctx, d, Schema)
}
