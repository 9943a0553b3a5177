package sqldb_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/assert"

	"example.com/orderd/engine/dberr"
	"example.com/orderd/engine/internal/sqldb"
)

func TestRetryRunsTheWholeAgainOnlyWhereThatHelps(t *testing.T) {
	conflict := &mysql.MySQLError{Number: 1213}
	for _, test := range []struct {
		name string
		err  error
		runs int
	}{
		{"conflict", conflict, 4},
		{"unavailable", mysql.ErrInvalidConn, 4},
		{"lock wait", &mysql.MySQLError{Number: 1205}, 3},
		{"duplicate", &mysql.MySQLError{Number: 1062}, 1},
		{"permanent", errors.New("no"), 1},
		{"canceled", context.Canceled, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, db := openFaulty(t)
			db = db.WithBackoff(sqldb.Backoff{Attempts: 4, Base: time.Nanosecond, Rand: func() float64 { return 0 }})
			runs := 0
			err := db.Retry(ctx, func(*sqldb.Tx) error { runs++; return test.err })
			assert.Equal(t, test.runs, runs)
			assert.Equal(t, test.err, err)

			runs = 0
			assert.NoError(t, db.Retry(ctx, func(*sqldb.Tx) error {
				if runs++; runs < test.runs {
					return fmt.Errorf("wrapped: %w", test.err)
				}
				return nil
			}), "it may succeed")

			runs = 0
			f.query = func(query string) error { return test.err }
			_ = db.Retry(ctx, func(tx *sqldb.Tx) error {
				runs++
				if _, err := tx.Query(ctx, "SELECT 1"); err != nil {
					return errors.New("hidden")
				}
				return nil
			})
			assert.Equal(t, test.runs, runs, "a cause that f hid counts")
		})
	}
}

func TestRetryNeverRepeatsAnUnknownCommit(t *testing.T) {
	f, db := openFaulty(t)
	f.commit = func(do func() error) error { _ = do(); return mysql.ErrInvalidConn }
	runs := 0
	err := db.Retry(ctx, func(*sqldb.Tx) error { runs++; return nil })
	assert.Equal(t, 1, runs)
	assert.Equal(t, dberr.Unknown, dberr.Classify(err))

	f.commit = func(do func() error) error { return &mysql.MySQLError{Number: 1213} }
	runs = 0
	_ = db.WithBackoff(sqldb.Backoff{Base: time.Nanosecond}).Retry(ctx, func(*sqldb.Tx) error { runs++; return nil })
	assert.Equal(t, 5, runs, "an aborted one is run again")
}
