package orders

import (
	"context"
	"errors"

	"example.com/orderd/engine"
)

// Create asks for a new row whose id has just been drawn. An answer that leaves no row, or perhaps none, names
// no id: nobody has that one. What a key was used for before is in the result's Proof.
func Create[S any](ctx context.Context, a engine.Applier, row *S, r engine.Request) (engine.Result, error) {
	result, err := engine.Create(ctx, a, row, r)
	if result.Outcome.Success() {
		return result, err
	}
	result.ID = ""
	if no := (*engine.Error)(nil); errors.As(err, &no) {
		err = result.Err()
	}
	return result, err
}
