package schema_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"example.com/orderd/engine/schema"
	"example.com/orderd/engine/sqlitedb"
)

// A table gets a column while programs of before run on, and a unique key once they are gone.
func ExampleFinish() {
	if err := upgrade(context.Background()); err != nil {
		slog.Error("upgrade", "error", err)
	}
	// Output:
	// coupons: version 1 to 2 false
	// coupons: version 2 to 3 true
	// the program of before may go on: true
	// the program of before may go on: false
}

func upgrade(ctx context.Context) (err error) {
	folder, err := os.MkdirTemp("", "schema")
	if err != nil {
		return err
	}
	db, err := sqlitedb.Open(filepath.Join(folder, "shop.db"))
	if err != nil {
		return err
	}
	defer func() {
		pool, bad := db.DB()
		err = errors.Join(err, bad, pool.Close(), os.RemoveAll(folder))
	}()

	before := schema.Component{Name: "coupons", Version: 1, DDL: `
CREATE TABLE coupons (
  code VARBINARY(16) NOT NULL COMMENT 'what the customer types',
  PRIMARY KEY (code)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='discounts';`}
	today := schema.Component{
		Name: "coupons", Version: 3, Oldest: 2, DDL: `
CREATE TABLE coupons (
  code   VARBINARY(16) NOT NULL COMMENT 'what the customer types',
  serial BIGINT                 COMMENT 'printed on the card; null where there is none',
  PRIMARY KEY (code),
  UNIQUE KEY serial (serial)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='discounts';`,
		Steps: []schema.Step{
			{To: 2, SQL: `ALTER TABLE coupons ADD COLUMN serial BIGINT COMMENT 'printed on the card; null where there is none'`},
			{To: 3, SQL: `ALTER TABLE coupons ADD UNIQUE KEY serial (serial)`, Closing: true},
		},
	}
	if err := schema.Migrate(ctx, db, before); err != nil {
		return err
	}
	plan, err := schema.Plan(ctx, db, today)
	if err != nil {
		return err
	}
	for _, p := range plan {
		fmt.Println(p, p.Closing)
	}
	if err := schema.Migrate(ctx, db, today); err != nil { // takes the first
		return err
	}
	fmt.Println("the program of before may go on:", schema.Check(ctx, db, before) == nil)
	if err := schema.Finish(ctx, db, today); err != nil { // takes the second
		return err
	}
	fmt.Println("the program of before may go on:", schema.Check(ctx, db, before) == nil)
	return nil
}
