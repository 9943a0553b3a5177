package schema

import (
	"context"
	"fmt"
	"slices"

	"gorm.io/gorm"

	"example.com/orderd/engine/internal/sqldb"
)

// Installed is a component as a database has it.
type Installed struct {
	Component string `json:"component"`
	Version   int    `json:"version"`
	Oldest    int    `json:"oldest"` // oldest program that may use the tables, by the version it was made for
}

// record is a row of engine_schema; the zero value where there is none.
type record struct {
	Installed
	current bool // engine_schema itself is as it is today
}

// List returns the components of a database by name; none, if there never was any. It only reads.
func List(ctx context.Context, db *gorm.DB) ([]Installed, error) {
	all := []Installed{}
	records, err := recorded(ctx, db, "")
	for _, r := range records {
		if r.Oldest == 0 {
			r.Oldest = r.Version
		}
		all = append(all, r.Installed)
	}
	return all, err
}

func installed(ctx context.Context, db *gorm.DB, name string) (record, error) {
	records, err := recorded(ctx, db, name)
	if err != nil || len(records) == 0 {
		return record{}, err
	}
	return records[0], nil
}

// recorded reads the row of a component, or all rows where no name is given.
func recorded(ctx context.Context, db *gorm.DB, name string) ([]record, error) {
	if db == nil || db.Config == nil || db.ConnPool == nil || db.Statement == nil {
		return nil, sqldb.ErrNotOpen
	}
	columns, _, err := lookAt(ctx, db, "engine_schema")
	if err != nil || len(columns) == 0 {
		return nil, err
	}
	current := slices.Contains(columns, "oldest")
	query, args := "SELECT component, version, 0 FROM engine_schema", []any(nil)
	if current {
		query = "SELECT component, version, oldest FROM engine_schema"
	}
	if name != "" {
		query, args = query+" WHERE component = ?", []any{name}
	}
	var all []record
	err = each(ctx, db, query+" ORDER BY component", args, func(scan func(...any) error) error {
		r := record{current: current}
		err := scan(&r.Component, &r.Version, &r.Oldest)
		all = append(all, r)
		return err
	})
	return all, err
}

// Pending is what Migrate or Finish would do.
type Pending struct {
	Component  string   `json:"component"`
	From       int      `json:"from"` // 0: it is not installed
	To         int      `json:"to"`
	Closing    bool     `json:"closing"`    // Finish does it, Migrate does not
	Statements []string `json:"statements"` // as the database will get them
}

// String names the step.
func (p Pending) String() string {
	if p.From == 0 {
		return fmt.Sprintf("%s: version %d, all tables", p.Component, p.To)
	}
	return fmt.Sprintf("%s: version %d to %d", p.Component, p.From, p.To)
}

// Plan says what Migrate and then Finish would do, without doing it: the SQL of every step from the version that is
// there, but for what is there already. Nothing is pending where the list is empty.
func Plan(ctx context.Context, db *gorm.DB, c Component) ([]Pending, error) {
	steps, err := c.parsed()
	if err != nil {
		return nil, err
	}
	have, err := installed(ctx, db, c.Name)
	if err != nil {
		return nil, err
	}
	if have.Version == 0 {
		statements, err := creating(dialectOf(db), c.DDL)
		return []Pending{{Component: c.Name, To: c.Version, Statements: statements}}, err
	}
	var all []Pending
	for i := c.next(have.Version); i >= 0 && i < len(steps); i++ {
		s := steps[i]
		p := Pending{Component: c.Name, From: s.to - 1, To: s.to, Closing: s.closing, Statements: []string{}}
		for _, ch := range s.changes {
			statements, err := ch.needed(ctx, db)
			if err != nil {
				return nil, err
			}
			p.Statements = append(p.Statements, statements...)
		}
		p.Statements = append(p.Statements, s.data...)
		all = append(all, p)
	}
	return all, nil
}
