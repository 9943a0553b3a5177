// Package enginetest proves that a machine of one's own is safe against duplicates. Walk drives it
// along its paths, Storm throws every event at it many times at once, out of order and with cut
// commits; both end by checking what is in the database. It also holds what tests of the engine
// need: fresh databases, a clock that stands still, and a database that fails on demand.
package enginetest

import (
	"errors"
	"fmt"
	"slices"
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

	// Existing, if set, names rows that were there before the engine, by their ids: those that Prepare has made in the
	// real table, in any states. Storm then storms them as well, as many as it takes to go every way on from each
	// state, while it adopts all rows of the table, and holds every one of them to a history in the end.
	Existing func(db *gorm.DB) ([]string, error)

	// Others are further machines that the actions drive.
	Others []engine.AnyMachine

	// Engine, if set, makes the engine under test out of a database; the default is engine.New. It
	// serves to test with a configuration or an Applier of one's own.
	Engine func(db *gorm.DB) (*engine.Engine, engine.Applier, error)
}

// check says what a kit lacks.
func (k *Kit[S]) check(db *gorm.DB) error {
	var mistakes []error
	if k.Machine == nil {
		mistakes = append(mistakes, errors.New("enginetest.Kit.Machine is nil: give it what engine.NewMachine returns, and "+
			"look at its error first"))
	} else if k.New == nil && slices.ContainsFunc(k.Machine.Describe().Edges,
		func(e engine.DescribedEdge) bool { return e.From == "" }) {
		mistakes = append(mistakes, errors.New("enginetest.Kit.New is nil: give it a function that makes the row of a new subject"))
	}
	if db == nil {
		mistakes = append(mistakes, errors.New("the database is nil: give enginetest.SQLite(t), or another that is prepared "+
			"by engine.Migrate"))
	}
	return errors.Join(mistakes...)
}

func (k Kit[S]) engine(db *gorm.DB) (*engine.Engine, engine.Applier, error) {
	if k.Engine != nil {
		return k.Engine(db)
	}
	e, err := engine.New(db, engine.Config{}, append([]engine.AnyMachine{k.Machine}, k.Others...)...)
	if err != nil && k.Prepare == nil {
		err = fmt.Errorf("%w\n(enginetest.Kit.Prepare, which is nil, is where the tables are made)", err)
	}
	return e, e, err
}

func (k *Kit[S]) prepare(tb testing.TB, db *gorm.DB) {
	tb.Helper()
	if err := k.check(db); err != nil {
		tb.Fatal(err)
	}
	if row := k.New; row != nil {
		k.New = func(n int) *S {
			if made := row(n); made != nil {
				return made
			}
			tb.Errorf("enginetest.Kit.New(%d) has returned nil: it makes the row of a new subject", n)
			return new(S)
		}
	}
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
