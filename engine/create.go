package engine

import (
	"context"
	"fmt"
	"reflect"

	"gorm.io/gorm"
)

// Create makes a new subject out of row; its state and version are set by the engine. r.Event may be empty where
// the machine has exactly one creating event.
//
// The key of row may be left empty where its INSERT makes one: an integer that gorm takes for AUTO_INCREMENT, or a row
// with a hook BeforeCreate. Result.ID then says which it is. Without a key of the request every call makes a row. Guards
// do not see the key; Set actions run once more when it is known, and what they make of it counts. Such rows are
// inserted one by one, so a batch of them is slower. A hook must not change a key that row came with.
//
// What a creation asks for is its input and every column of row that is not at its zero value, but for
// the key, the times that gorm fills in, and columns tagged `engine:"derived"`. With a key that has been
// used for the same before, the answer is already/replayed, Result.ID names the first row, and row is
// left as it is; with other content it is conflict/key_reused. A row that exists under another key, or
// without one, is already there if it was made of the same, and conflict/input_differs if not.
//
// An applied creation fills row in: key, state, version, defaults, what actions and hooks made. The same variable given
// again asks for the same, unless a column was changed in between.
func Create[S any](ctx context.Context, a Applier, row *S, r Request) (Result, error) {
	if row == nil || a == nil {
		result := Failed(r, noRow(r, row == nil))
		return result, result.Err()
	}
	r.row = row
	result, err := a.Apply(ctx, r)
	takeOver(row, result)
	return result, err
}

// CreateTx is Create inside the caller's transaction, as ApplyTx.
func CreateTx[S any](ctx context.Context, e *Engine, tx *gorm.DB, row *S, r Request) (Result, error) {
	if row == nil {
		result := Failed(r, noRow(r, true))
		return result, result.Err()
	}
	r.row = row
	result, err := e.ApplyTx(ctx, tx, r)
	takeOver(row, result)
	return result, err
}

// noRow refuses a call of Create without a row, or without anybody to ask.
func noRow(r Request, row bool) error {
	err := &RequestError{Field: "Row", Problem: "is nil: give Create the row to insert"}
	if !row {
		err = &RequestError{Field: "Applier", Problem: "is nil: give Create an Engine, or a Batcher in front of one"}
	}
	return fmt.Errorf("%s%w", asked(r.Machine, r.ID, r.Event), err)
}

// fits refuses the row of a creation that is of another type than the machine's.
func (r *rowType) fits(row any) error {
	if row != nil && reflect.TypeOf(row) != r.pointer {
		return &RequestError{Field: "Row", Problem: fmt.Sprintf("is a %T, but the machine's rows are %v: give one of those, "+
			"or name the machine of this row",
			row, r.pointer)}
	}
	return nil
}

// takeOver gives the caller's row what the engine wrote. It happens here and not in the engine,
// because a caller who stops waiting for a batch takes the row along.
func takeOver[S any](row *S, result Result) {
	if written, ok := result.row.(*S); ok {
		*row = *written
	}
}
