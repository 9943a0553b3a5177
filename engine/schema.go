package engine

import (
	"context"
	_ "embed" // the tables

	"gorm.io/gorm"

	"example.com/orderd/engine/schema"
)

//go:embed schema.sql
var schemaSQL string

// Schema is the engine's own tables.
var Schema = schema.Component{Name: "engine", Version: 2, DDL: schemaSQL}

// Migrate creates the engine's tables where they are missing. It may be run again and by several
// processes at once; a database with another schema version is refused.
func Migrate(ctx context.Context, db *gorm.DB) error { return schema.Migrate(ctx, db, Schema) }

// checkTables refuses a database whose tables are not those of this program.
func checkTables(ctx context.Context, db *gorm.DB) error { return schema.Check(ctx, db, Schema) }
