package schema_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"example.com/orderd/engine/schema"
	"example.com/orderd/engine/sqlitedb"
)

// Each part of a program has tables of its own, in SQL for the MySQL family. On SQLite the same text makes
// a table that keeps the same promises.
func Example() {
	ctx := context.Background()
	folder := must(os.MkdirTemp("", "schema"))
	db := must(sqlitedb.Open(filepath.Join(folder, "shop.db")))
	defer func() { check(errors.Join(must(db.DB()).Close(), os.RemoveAll(folder))) }()

	coupons := schema.Component{Name: "coupons", Version: 1, DDL: `
CREATE TABLE coupons (
  code    VARBINARY(16) NOT NULL COMMENT 'what the customer types',
  percent INT           NOT NULL COMMENT 'off the price',
  PRIMARY KEY (code)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='discounts';`}
	check(schema.Migrate(ctx, db, coupons))
	check(schema.Migrate(ctx, db, coupons)) // does nothing
	check(db.Exec("INSERT INTO coupons (code, percent) VALUES ('SPRING', 10)").Error)
	fmt.Println(db.Exec("INSERT INTO coupons (code, percent) VALUES ('A CODE FAR TOO LONG', 10)").Error != nil)

	// A program of another version finds out before it writes.
	coupons.Version = 2
	var wrong *schema.VersionError
	fmt.Println(errors.As(schema.Check(ctx, db, coupons), &wrong), wrong.Have, wrong.Want)
	// Output:
	// true
	// true 1 2
}

func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
