package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"strings"
)

// Reading is one reading statement and what becomes of its rows.
type Reading struct {
	Query string
	Args  []any
	Row   func(*sql.Rows) error // called for every row
}

// Read runs some statements one after the other, in one round trip where the database takes packets.
// Each sees what was committed before it began. Reading needs no packets to be atomic, but it goes without
// them where transactions do: then there is one rule, and no connection takes several statements at once.
func (db *DB) Read(ctx context.Context, rs []Reading) error {
	size := 0
	for _, r := range rs {
		size += len(r.Query) + sizeOf(r.Args)
	}
	if db.packets.on() && len(rs) > 1 && size <= packetBytes {
		var no NoPackets
		if err := db.readPacket(ctx, rs); !errors.As(err, &no) {
			return err
		}
		db.packets.stop(string(no))
	}
	for _, r := range rs {
		if err := db.Each(ctx, r.Query, r.Args, r.Row); err != nil {
			return err
		}
	}
	return nil
}

// Read runs some statements one after the other.
func (tx *Tx) Read(ctx context.Context, rs []Reading) error {
	for _, r := range rs {
		if err := tx.Each(ctx, r.Query, r.Args, r.Row); err != nil {
			return err
		}
	}
	return nil
}

// errFewResults stands for results that never came: a row not seen must not pass for one that is
// not there.
var errFewResults = errors.New("sqldb: a packet was answered with fewer results than it has statements")

func (db *DB) readPacket(ctx context.Context, rs []Reading) (err error) {
	queries := make([]string, len(rs))
	var args []any
	for i, r := range rs {
		queries[i] = r.Query
		args = append(args, r.Args...)
	}
	rows, err := db.packets.pool.QueryContext(ctx, strings.Join(queries, "; "), stored(args)...)
	if err != nil {
		return err
	}
	defer func() {
		if closing := rows.Close(); err == nil {
			err = closing
		}
	}()
	for i, r := range rs {
		if i > 0 && !rows.NextResultSet() {
			if err := rows.Err(); err != nil {
				return err
			}
			return errFewResults
		}
		for rows.Next() {
			if err := r.Row(rows); err != nil {
				return err
			}
		}
	}
	return rows.Err()
}
