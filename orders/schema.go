package orders

import (
	"context"
	_ "embed" // for the schema

	"gorm.io/gorm"

	"example.com/orderd/engine/schema"
)

//go:embed schema.sql
var schemaSQL string

// Schema is the shop's own tables.
var Schema = schema.Component{Name: "orders", Version: 1, DDL: schemaSQL}

// Migrate creates the shop's tables where they are missing. It may be run again and by several
// processes at once; a database with another schema version is refused. The engine's tables are
// engine.Migrate's.
func Migrate(ctx context.Context, db *gorm.DB) error {
	return schema.Migrate(ctx, db, Schema)
}
