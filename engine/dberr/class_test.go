package dberr_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/assert"
	"gorm.io/gorm"

	"example.com/orderd/engine/dberr"
)

func TestClassOfEveryKnownError(t *testing.T) {
	for class, numbers := range map[dberr.Class][]uint16{
		dberr.Conflict:    {1213, 1020, 1180, 1181, 3101, 8002, 8005, 8022, 8028, 9007},
		dberr.LockWait:    {1205, 3572},
		dberr.Duplicate:   {1062, 1586},
		dberr.Unavailable: {1040, 1047, 1053, 1290, 1792, 1836, 1317, 1969, 3024, 2006, 2013, 4031, 9001, 9005},
		dberr.Permanent:   {1406, 1264, 1265, 1366, 1690, 3819, 4025, 1452, 8004, 8025, 1064, 1105},
	} {
		for _, n := range numbers {
			assert.Equal(t, class, dberr.Classify(fmt.Errorf("wrapped: %w", &mysql.MySQLError{Number: n})), "%d", n)
		}
	}
	_, dial := net.Dial("tcp", "127.0.0.1:1")
	for _, test := range []struct {
		err  error
		want dberr.Class
	}{
		{nil, dberr.None},
		{driver.ErrBadConn, dberr.Unavailable}, {mysql.ErrInvalidConn, dberr.Unavailable},
		{io.EOF, dberr.Unavailable}, {io.ErrUnexpectedEOF, dberr.Unavailable}, {sql.ErrConnDone, dberr.Unavailable},
		{dial, dberr.Unavailable}, {&net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}, dberr.Unavailable},
		{context.Canceled, dberr.Canceled}, {context.DeadlineExceeded, dberr.Canceled},
		{gorm.ErrDuplicatedKey, dberr.Duplicate},
		{&mysql.MySQLError{Number: 1105, Message: "rpc error: code = Unavailable desc = x"}, dberr.Unavailable},
		{&mysql.MySQLError{Number: 1105, Message: "rpc error: code = Aborted desc = x"}, dberr.Conflict},
		{&dberr.CommitError{Err: mysql.ErrInvalidConn, Unknown: true}, dberr.Unknown},
		{&dberr.CommitError{Err: &mysql.MySQLError{Number: 1213}}, dberr.Conflict},
		{sql.ErrTxDone, dberr.Permanent}, {errors.New("x"), dberr.Permanent}, {sql.ErrNoRows, dberr.Permanent},
	} {
		assert.Equal(t, test.want, dberr.Classify(test.err), "%v", test.err)
	}
	for _, class := range []dberr.Class{dberr.Conflict, dberr.LockWait, dberr.Unavailable} {
		assert.True(t, class.Transient(), class.String())
	}
	for _, class := range []dberr.Class{dberr.None, dberr.Duplicate, dberr.Canceled, dberr.Unknown, dberr.Permanent} {
		assert.False(t, class.Transient(), class.String())
	}
}

func TestAKeyOfAnotherDriversErrorIsNamed(t *testing.T) {
	assert.Equal(t, "k", dberr.DuplicateKey(&mysql.MySQLError{Number: 1062, Message: "Duplicate entry 'a' for key 'orders.k'"}))
	assert.Empty(t, dberr.DuplicateKey(io.EOF))
	assert.Empty(t, dberr.DuplicateKey(nil))
}

func TestEveryClassHasAName(t *testing.T) {
	for class := dberr.None; class <= dberr.Permanent; class++ {
		assert.NotContains(t, class.String(), "Class")
	}
	assert.Equal(t, "Class(8)", (dberr.Permanent + 1).String(), "what is no class says so")
}
