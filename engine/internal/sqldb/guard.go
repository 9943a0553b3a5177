package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"example.com/orderd/engine/internal/sqldb/sqltext"
)

// guard is the pool beneath the gorm handle that user code gets in a transaction. It is no
// TxCommitter, so gorm's Commit and Rollback have nothing to call.
type guard struct{ tx *Tx }

var _ gorm.ConnPoolBeginner = (*guard)(nil)

var errNested = errors.New("sqldb: a transaction inside the engine's transaction is refused: use the handle as it is")

// BeginTx refuses, so that a nested Transaction fails loudly and the refusal sticks.
func (g *guard) BeginTx(context.Context, *sql.TxOptions) (gorm.ConnPool, error) {
	return nil, g.tx.Fail(errNested)
}

// PrepareContext refuses: a prepared statement would run past the guard.
func (g *guard) PrepareContext(context.Context, string) (*sql.Stmt, error) {
	return nil, g.tx.Fail(errors.New("sqldb: prepared statements are refused inside the engine's transaction"))
}

func (g *guard) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if err := g.allowed(query); err != nil {
		return nil, err
	}
	return g.tx.exec(ctx, query, args)
}

func (g *guard) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := g.allowed(query); err != nil {
		return nil, err
	}
	return g.tx.Query(ctx, query, args...)
}

// endingWords begin statements that end a transaction, openly or, like most of the DDL, on the
// quiet.
var endingWords = map[string]bool{
	"COMMIT": true, "BEGIN": true, "START": true, "END": true, "XA": true, "LOCK": true, "UNLOCK": true,
	"CREATE": true, "ALTER": true, "DROP": true, "TRUNCATE": true, "RENAME": true, "GRANT": true, "REVOKE": true,
	"ANALYZE": true, "OPTIMIZE": true, "REPAIR": true, "FLUSH": true, "RESET": true,
}

// allowed refuses SQL that would end the transaction, and the refusal sticks. It stops slips, not
// a program that hides what it does.
func (g *guard) allowed(query string) error {
	statements := []string{query}
	if strings.Contains(query, ";") {
		statements = sqltext.Statements(query)
	}
	for _, s := range statements {
		words := strings.Fields(strings.ToUpper(uncommented(s)))
		if len(words) == 0 {
			continue
		}
		first, rest := words[0], strings.Join(words[1:], " ")
		switch {
		case first == "SET" && setsCharset(words[1:]):
			return g.tx.Fail(errors.New("sqldb: another character set for the engine's session is refused: its texts would be read in it"))
		case endingWords[first],
			first == "ROLLBACK" && !strings.HasPrefix(strings.TrimPrefix(rest, "WORK "), "TO "),
			first == "SET" && strings.Contains(rest, "AUTOCOMMIT"):
			return g.tx.Fail(fmt.Errorf("sqldb: %s would end the engine's transaction and is refused", first))
		}
	}
	return nil
}

// setsCharset reports whether the words after SET choose character sets for the session.
func setsCharset(words []string) bool {
	text := strings.Join(words, " ")
	return strings.HasPrefix(text, "NAMES") || strings.HasPrefix(text, "CHARACTER SET") || strings.HasPrefix(text, "CHARSET") ||
		strings.Contains(text, "CHARACTER_SET_") || strings.Contains(text, "COLLATION_CONNECTION")
}

// uncommented drops the comments before the first word, and all but the first few words after.
func uncommented(query string) string {
	for {
		query = strings.TrimLeft(query, " \t\r\n(")
		var found bool
		switch {
		case strings.HasPrefix(query, "--"), strings.HasPrefix(query, "#"):
			_, query, found = strings.Cut(query, "\n")
		case strings.HasPrefix(query, "/*") && !strings.HasPrefix(query, "/*!"):
			_, query, found = strings.Cut(query, "*/")
		default:
			return query[:min(len(query), 64)]
		}
		if !found {
			return ""
		}
	}
}

// listener makes errors stick that never reach the pool, such as gorm's refusal of an UPDATE
// without WHERE or a value that does not scan: gorm tells its logger of every statement's error.
type listener struct{ tx *Tx }

func (l listener) LogMode(logger.LogLevel) logger.Interface      { return l }
func (l listener) Info(context.Context, string, ...interface{})  {}
func (l listener) Warn(context.Context, string, ...interface{})  {}
func (l listener) Error(context.Context, string, ...interface{}) {}

func (l listener) Trace(_ context.Context, _ time.Time, _ func() (string, int64), err error) {
	if err != nil && !errors.Is(err, gorm.ErrRecordNotFound) && l.tx.Err() == nil { // what the database said comes first
		_ = l.tx.failOn(err)
	}
}
