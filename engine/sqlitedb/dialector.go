package sqlitedb

import (
	gormsqlite "gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"example.com/orderd/engine/dberr"
)

// dialector is gorm's, which looks for the result codes of another driver than this one when it translates errors.
type dialector struct{ *gormsqlite.Dialector }

// SQLite's extended result codes that gorm has errors for.
var translated = map[int]error{
	1555: gorm.ErrDuplicatedKey, // SQLITE_CONSTRAINT_PRIMARYKEY
	2067: gorm.ErrDuplicatedKey, // SQLITE_CONSTRAINT_UNIQUE
	2579: gorm.ErrDuplicatedKey, // SQLITE_CONSTRAINT_ROWID
	787:  gorm.ErrForeignKeyViolated,
	275:  gorm.ErrCheckConstraintViolated,
}

// Translate is asked with gorm.Config.TranslateError only.
func (dialector) Translate(err error) error {
	if code, ok := dberr.SQLiteCode(err); ok && translated[code] != nil {
		return translated[code]
	}
	return err
}
