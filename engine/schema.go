package engine

import (
	"context"
	_ "embed" // the tables

	"gorm.io/gorm"

	"example.com/orderd/engine/schema"
)

//go:embed schema.sql
var schemaSQL string

// What leads from version to version. The second of them closes: it counts the rows that lack a hash, and from then
// on there may be no more of them.
var (
	//go:embed steps/2.sql
	step2 string
	//go:embed steps/3.sql
	step3 string
)

// Schema is the engine's own tables.
var Schema = schema.Component{Name: "engine", Version: 3, Oldest: 2, DDL: schemaSQL, Steps: []schema.Step{
	{To: 2, SQL: step2},
	{To: 3, SQL: step3, Closing: true},
}}

// Migrate creates the engine's tables, or brings those of an older version to one that this program runs on, beside
// programs of the version before. It may be run again and by several processes at once. schema.Finish takes the steps
// that such programs do not survive.
func Migrate(ctx context.Context, db *gorm.DB) error { return schema.Migrate(ctx, db, Schema) }

// checkTables refuses a database whose tables are not those of this program.
func checkTables(ctx context.Context, db *gorm.DB) error { return schema.Check(ctx, db, Schema) }
