package keyset_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"example.com/orderd/engine/keyset"
	"example.com/orderd/engine/sqlitedb"
)

// Note is a row of a list.
type Note struct {
	ID   int64 `gorm:"primaryKey"`
	Text string
}

func Example() {
	folder := must(os.MkdirTemp("", "keyset"))
	db := must(sqlitedb.Open(filepath.Join(folder, "notes.db")))
	defer func() { check(errors.Join(must(db.DB()).Close(), os.RemoveAll(folder))) }()
	check(db.AutoMigrate(&Note{}))
	check(db.Create(&[]Note{{1, "one"}, {2, "two"}, {3, "three"}}).Error)

	newest := keyset.List{keyset.Int("id")}
	page := func(cursor string) (notes []Note, next string) {
		part := must(newest.Next(cursor, 2, nil))
		check(db.Where(part.Where, part.Args...).Order(part.Order).Limit(part.Limit + 1).Find(&notes).Error)
		return keyset.Cut(part, notes, func(n Note) []any { return []any{n.ID} })
	}
	notes, next := page("")
	fmt.Println(notes, next != "")
	notes, next = page(next)
	fmt.Println(notes, next != "")
	// Output:
	// [{3 three} {2 two}] true
	// [{1 one}] false
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
