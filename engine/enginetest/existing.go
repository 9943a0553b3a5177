package enginetest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"example.com/orderd/engine"
)

// existing is a row that was there before the engine.
type existing struct {
	id      string
	state   engine.State
	version int64 // 0 while it is not adopted
}

// existing finds where the rows stand that Kit.Existing names.
func (k *Kit[S]) existing(db *gorm.DB) ([]existing, error) {
	ids, err := k.Existing(db)
	if err != nil {
		return nil, err
	}
	if len(ids) == 0 {
		return nil, errors.New("it names no rows: let Kit.Prepare make some, in every state, and return their ids")
	}
	table, err := engine.TableOf(db, k.Machine)
	if err != nil {
		return nil, err
	}
	var all []existing
	for _, id := range ids {
		row, err := readExisting(db, table, id)
		if err != nil {
			return nil, fmt.Errorf("row %q: %w", id, err)
		}
		all = append(all, row)
	}
	return all, nil
}

func readExisting(db *gorm.DB, table engine.Table, id string) (existing, error) {
	key, possible := table.Key(id)
	if !possible {
		return existing{}, errors.New("no row can have this id")
	}
	var stored sql.NullString
	var version sql.NullInt64
	err := db.Table(table.Name).Select([]string{table.State, table.Version}).
		Where(clause.Eq{Column: clause.Column{Name: table.ID}, Value: key}).Row().Scan(&stored, &version)
	if err != nil {
		return existing{}, err
	}
	state, known := table.ReadState(stored.String, !stored.Valid)
	if !known {
		return existing{}, fmt.Errorf("its column %s holds %q, which is no state of the machine: see Definition.Stored",
			table.State, stored.String)
	}
	return existing{id: id, state: state, version: version.Int64}, nil
}

// stormExisting storms as many of the rows as it takes to go every way on from each state, while all rows of the table
// are adopted. Each storm meets a row that is not adopted yet, or has just been.
func stormExisting[S any](t *testing.T, db *gorm.DB, kit Kit[S], e *engine.Engine, a engine.Applier, opts Storms) {
	t.Helper()
	rows, err := kit.existing(db)
	if err != nil {
		t.Fatalf("Kit.Existing: %v", err)
	}
	d := kit.Machine.Describe()
	ways := map[engine.State][]path{}
	for _, s := range d.States {
		ways[s.Name] = covering(pathsFrom(d, s.Name, walkPathsMax))
	}
	var adopting sync.WaitGroup
	defer adopting.Wait()
	adopting.Go(func() { adoptAll(t, e, d.Name) })
	for n, row := range rows {
		if len(ways[row.state]) == 0 || t.Failed() {
			continue
		}
		p := ways[row.state][0]
		ways[row.state] = ways[row.state][1:]
		if len(p.edges) == 1 {
			continue // nothing leads on
		}
		s := &storm[S]{t: t, kit: kit, e: e, a: a, p: p, n: 2_000_000 + n, opts: opts, existing: &row, check: newStoredCheck[S](t, db)}
		s.moved = sync.NewCond(&s.mu)
		s.blow()
	}
}

// adoptAll adopts as somebody would whose commits lose their answers.
func adoptAll(t *testing.T, e *engine.Engine, machine string) {
	for range 1000 {
		_, err := e.AdoptAll(context.Background(), machine, nil)
		if err == nil {
			return
		}
		if strange, ok := errors.AsType[*engine.AdoptError](err); ok {
			t.Errorf("rows that cannot be adopted: %v", strange)
			return
		}
	}
	t.Error("adopting did not end in 1000 tries")
}

// checkAdopted holds every row of Kit.Existing to having a history.
func checkAdopted[S any](t *testing.T, db *gorm.DB, kit Kit[S]) {
	t.Helper()
	rows, err := kit.existing(db)
	if err != nil {
		t.Errorf("Kit.Existing, after the storm: %v", err)
	}
	for _, row := range rows {
		if row.version == 0 {
			t.Errorf("row %s was not adopted", row.id)
		}
	}
}

// pathsFrom lists ways on from a state as paths does from creations. The first step of each is to be there.
func pathsFrom(d engine.Description, from engine.State, limit int) []path {
	start := path{d: d, from: from, edges: []int{there}}
	all := extended(start, limit)
	taken := map[int]bool{}
	for _, p := range all {
		for _, i := range p.edges {
			taken[i] = true
		}
	}
	for i, e := range d.Edges { // those that the limit has cut off, where one step leads to them
		if e.From == from && !taken[i] {
			all = append(all, start.with(i))
		}
	}
	return all
}

// extended lists the ways that begin with p, take no edge twice and cannot be continued so, at most limit of them.
func extended(p path, limit int) (all []path) {
	stuck := true
	for i, e := range p.d.Edges {
		if e.From == p.end() && !slices.Contains(p.edges, i) && len(all) < limit {
			stuck = false
			all = append(all, extended(p.with(i), limit-len(all))...)
		}
	}
	if stuck {
		all = append(all, p)
	}
	return all
}
