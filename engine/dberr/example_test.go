package dberr_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"example.com/orderd/engine/dberr"
	"example.com/orderd/engine/sqlitedb"
)

// User is a row with a unique key.
type User struct {
	ID    int64  `gorm:"primaryKey"`
	Email string `gorm:"uniqueIndex"`
}

// The same lines tell a taken key from a lost race on every database.
func Example() {
	folder := must(os.MkdirTemp("", "dberr"))
	db := must(sqlitedb.Open(filepath.Join(folder, "users.db")))
	defer func() { check(errors.Join(must(db.DB()).Close(), os.RemoveAll(folder))) }()
	check(db.AutoMigrate(&User{}))

	signUp := func(email string) string {
		err := db.Create(&User{Email: email}).Error
		switch class := dberr.Classify(err); {
		case class == dberr.None:
			return "welcome"
		case class == dberr.Duplicate:
			return "taken: " + dberr.DuplicateKey(err)
		case class.Transient():
			return "busy, try again"
		}
		return err.Error()
	}
	fmt.Println(signUp("ann@example.org"))
	fmt.Println(signUp("ann@example.org"))
	// Output:
	// welcome
	// taken: users.email
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
