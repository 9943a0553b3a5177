package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/go-sql-driver/mysql"

	"example.com/orderd/engine/dberr"
)

// askPatience is how long a database may take to say that it is there.
const askPatience = 2 * time.Second

// Away reports whether err, a failure of this database, means that the database is away or cannot
// write: then everybody's statements fail, whatever is in them. False where it was only that statement or
// its connection that was cut off, which something in the transaction may have brought about.
func (db *DB) Away(ctx context.Context, err error) bool {
	if dberr.Classify(err) != dberr.Unavailable {
		return false
	}
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok && !cutOff(e) {
		return true
	}
	if _, ok := dberr.SQLiteCode(err); ok {
		return true
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askPatience)
	defer cancel()
	return db.Read(ctx, []Reading{{Query: "SELECT 1", Row: func(*sql.Rows) error { return nil }}}) != nil
}

// cutOff tells errors that the server gives to one statement or session from those that it gives to all.
func cutOff(e *mysql.MySQLError) bool {
	switch e.Number {
	case 1152, 1158, 1159, 1160, 1161, 1184, 1317, 1927, 1969, 2006, 2013, 3024, 3169, 4031:
		return true
	}
	return false
}
