package sqldb

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"gorm.io/gorm"

	"example.com/orderd/engine/internal/sqldb/sqltext"
)

// A driver that puts arguments into the text of a statement escapes them with backslashes. That holds as long as
// the server reads the text in UTF-8. In big5, gbk, gb18030 or sjis a byte beyond ASCII takes the backslash after it
// along, and the rest of the argument is read as SQL. Wrap refuses a session that is not utf8mb4, but a pool of the
// user's own has many sessions, and whoever uses it can change any of them. So there, arguments with such bytes and
// something to escape are written in hexadecimal, which every character set reads alike.

// hexadecimal returns a statement with the arguments that need it in its text, and the others.
func hexadecimal(query string, args []any) (string, []any, error) {
	i := 0
	for i < len(args) && !delicate(args[i]) {
		i++
	}
	if i == len(args) {
		return query, args, nil
	}
	var b strings.Builder
	rest := make([]any, 0, len(args))
	n := 0
	for _, t := range sqltext.Lex(query) {
		if t.Kind != sqltext.Mark || t.Text != "?" {
			b.WriteString(t.Text)
			continue
		}
		switch {
		case n >= len(args):
		case delicate(args[n]):
			b.WriteString(hexLiteral(args[n]))
			n++
			continue
		default:
			rest = append(rest, args[n])
		}
		b.WriteByte('?')
		n++
	}
	if n != len(args) {
		return "", nil, fmt.Errorf("sqldb: a statement with %d places was given %d arguments", n, len(args))
	}
	return b.String(), rest, nil
}

// delicate reports whether the safety of an argument in the text of a statement depends on the session.
func delicate(arg any) bool {
	switch v := arg.(type) {
	case string:
		return delicateText(v)
	case []byte:
		return delicateText(v)
	case json.RawMessage:
		return delicateText(v)
	}
	return false
}

func delicateText[T string | []byte | json.RawMessage](text T) bool {
	high, escaped := false, false
	for i := range len(text) {
		switch c := text[i]; {
		case c >= 0x80:
			high = true
		case c == '\'', c == '"', c == '\\', c < 0x20:
			escaped = true
		}
	}
	return high && escaped
}

func hexLiteral(arg any) string {
	switch v := arg.(type) {
	case string:
		return fmt.Sprintf("_utf8mb4 x'%x'", v)
	case json.RawMessage: // the driver takes it for text
		return fmt.Sprintf("_utf8mb4 x'%x'", []byte(v))
	default:
		return fmt.Sprintf("x'%x'", v)
	}
}

// literalPool is a user's pool for statements outside of transactions.
type literalPool struct{ gorm.ConnPool }

func (p literalPool) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	query, args, err := hexadecimal(query, args)
	if err != nil {
		return nil, err
	}
	return p.ConnPool.ExecContext(ctx, query, args...)
}

func (p literalPool) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	query, args, err := hexadecimal(query, args)
	if err != nil {
		return nil, err
	}
	return p.ConnPool.QueryContext(ctx, query, args...)
}

func (p literalPool) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	text, rest, err := hexadecimal(query, args)
	if err != nil { // the server says so, too
		text, rest = query, nil
	}
	return p.ConnPool.QueryRowContext(ctx, text, rest...)
}

// literal is the pool with arguments in hexadecimal where the sessions are not the engine's own.
func literal(d Dialect, pool gorm.ConnPool, own bool) gorm.ConnPool {
	if d != MySQL || own {
		return pool
	}
	return literalPool{pool}
}

// ownSessions reports whether engine/mysqldb prepares the sessions of a pool: they are utf8mb4 and READ COMMITTED.
func ownSessions(pool gorm.ConnPool) bool {
	if wrapped, ok := pool.(gorm.GetDBConnector); ok {
		if d, err := wrapped.GetDBConn(); err == nil {
			pool = d
		}
	}
	d, ok := pool.(*sql.DB)
	if !ok {
		return false
	}
	rc, ok := d.Driver().(interface{ ReadCommitted() bool })
	return ok && rc.ReadCommitted()
}

// askCharset asks in which character sets a session is read and answered.
const askCharset = "SELECT @@session.character_set_client, @@session.character_set_connection, " +
	"COALESCE(@@session.character_set_results, 'binary')"

// charsetProblem says what is wrong with the character sets of a session, or nil.
func charsetProblem(client, connection, results string) error {
	for _, v := range []struct{ name, value string }{
		{"character_set_client", client}, {"character_set_connection", connection}, {"character_set_results", results},
	} {
		if !strings.EqualFold(v.value, "utf8mb4") {
			return fmt.Errorf("the session is not in utf8mb4 (%s is %s), so texts are changed on their way and can even be read as SQL: "+
				"set charset=utf8mb4 in the DSN, without another charset, collation or character_set variable", v.name, v.value)
		}
	}
	return nil
}

// utf8mb4 reports what is wrong with the session of a caller's transaction.
func (tx *Tx) utf8mb4(ctx context.Context) error {
	rows, err := tx.pool.QueryContext(ctx, askCharset)
	if err != nil {
		return err
	}
	var client, connection, results string
	err = each(rows, func(r *sql.Rows) error { return r.Scan(&client, &connection, &results) })
	if err != nil {
		return err
	}
	if err := charsetProblem(client, connection, results); err != nil {
		return errors.Join(errSession, err)
	}
	return nil
}

var errSession = errors.New("sqldb: the transaction cannot be used")
