package engine

import (
	"errors"
	"fmt"

	"gorm.io/gorm"

	"example.com/orderd/engine/dberr"
)

// takenError is a unique key of the user's that was taken. It matches gorm.ErrDuplicatedKey on every database, whether or
// not gorm was told to translate errors.
type takenError struct {
	key string // as the database calls it; empty where it does not say
	err error
}

func (e *takenError) Error() string {
	key := "a unique key"
	if e.key != "" {
		key = "the unique key " + e.key
	}
	return fmt.Sprintf("%s is taken: another row has these values, so give others, or refuse them before (a guard, or "+
		"Refuse in an action); "+
		"it matches gorm.ErrDuplicatedKey: %v", key, e.err)
}

func (e *takenError) Unwrap() []error { return []error{gorm.ErrDuplicatedKey, e.err} }

// taken is err, made to say which key was taken if it is about one. said is what the database said, where err may have
// been made of it; nil where nobody knows.
func taken(err, said error) error {
	if _, told := errors.AsType[*takenError](err); told {
		return err
	}
	if refusal := (*Refusal)(nil); errors.As(err, &refusal) {
		return err // the action has an answer of its own
	}
	if dberr.Classify(err) != dberr.Duplicate {
		return err
	}
	key := dberr.DuplicateKey(err)
	if key == "" {
		key = dberr.DuplicateKey(said)
	}
	return &takenError{key: key, err: err}
}
