// Package enginetest proves that a machine of one's own is safe against duplicates. Walk drives it
// along its paths, Storm throws every event at it many times at once, out of order and with cut
// commits; both end by checking what is in the database. It also holds what tests of the engine
// need: fresh databases, a clock that stands still, and a database that fails on demand.
package enginetest

import (
	"testing"

	"gorm.io/gorm"

	"example.com/orderd/engine"
)

// Kit tells how to drive one machine in a test.
type Kit[S any] struct {
	Machine *engine.Machine[S]

	// New makes the row of a new subject, with a key of its own unless its INSERT makes one; n is the same only for
	// repeats of one request.
	New func(n int) *S

	// Input is the input for taking an edge from where row is, or NotHere where the edge cannot be
	// taken for reasons that the machine does not tell. Nil means that no event takes any.
	Input func(row S, edge engine.DescribedEdge) any

	// Prepare creates what the machine's rows need, such as their table. It may be nil.
	Prepare func(db *gorm.DB) error

	// Others are further machines that the actions drive.
	Others []engine.AnyMachine

	// Engine, if set, makes the engine under test out of a database; the default is engine.New. It
	// serves to test with a configuration or an Applier of one's own.
	Engine func(db *gorm.DB) (*engine.Engine, engine.Applier, error)
}

func (k Kit[S]) engine(db *gorm.DB) (*engine.Engine, engine.Applier, error) {
	if k.Engine != nil {
		return k.Engine(db)
	}
	e, err := engine.New(db, engine.Config{}, append([]engine.AnyMachine{k.Machine}, k.Others...)...)
	return e, e, err
}

func (k Kit[S]) prepare(tb testing.TB, db *gorm.DB) {
	tb.Helper()
	if k.Prepare == nil {
		return
	}
	if err := k.Prepare(db); err != nil {
		tb.Fatalf("prepare: %v", err)
	}
}

func (k Kit[S]) input(row S, edge engine.DescribedEdge) any {
	if k.Input == nil {
		return nil
	}
	return k.Input(row, edge)
}

type notHere struct{}

// NotHere is returned by Kit.Input for an edge that cannot be taken from a row. The path ends there.
var NotHere any = notHere{}
