package sqlitedb_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"example.com/orderd/engine/sqlitedb"
)

// Book is a row.
type Book struct {
	ID    int64 `gorm:"primaryKey"`
	Title string
}

func ExampleOpen() {
	folder := must(os.MkdirTemp("", "sqlitedb"))
	db := must(sqlitedb.Open(filepath.Join(folder, "library.db")))
	defer func() { check(errors.Join(must(db.DB()).Close(), os.RemoveAll(folder))) }()

	check(db.AutoMigrate(&Book{}))
	check(db.Create(&Book{Title: "Tao Te Ching"}).Error)
	var found Book
	check(db.First(&found).Error)
	fmt.Println(found.Title)
	// Output: Tao Te Ching
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
