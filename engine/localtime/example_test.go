package localtime_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"gorm.io/gorm/schema"

	"example.com/orderd/engine/localtime"
	"example.com/orderd/engine/sqlitedb"
)

// Visit is a row of a table that an older program shares, which writes the wall clock of Shanghai.
type Visit struct {
	ID int64     `gorm:"primaryKey"`
	At time.Time `gorm:"serializer:cst"`
}

func ExampleIn() {
	schema.RegisterSerializer("cst", localtime.In(time.FixedZone("CST", 8*3600))) // or a zone of time.LoadLocation
	folder := must(os.MkdirTemp("", "localtime"))
	db := must(sqlitedb.Open(filepath.Join(folder, "visits.db")))
	defer func() { check(errors.Join(must(db.DB()).Close(), os.RemoveAll(folder))) }()
	check(db.AutoMigrate(&Visit{}))

	// What the column keeps is the clock on the wall, what Go sees is the moment.
	check(db.Create(&Visit{At: time.Date(2026, 7, 1, 10, 30, 0, 0, time.UTC)}).Error)
	var column string
	check(db.Raw("SELECT strftime('%H:%M', at) FROM visits").Scan(&column).Error)
	var visit Visit
	check(db.First(&visit).Error)
	fmt.Println(column, visit.At.UTC().Format(time.RFC3339))
	// Output: 18:30 2026-07-01T10:30:00Z
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
