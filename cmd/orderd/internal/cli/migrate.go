package cli

import (
	"fmt"
	"text/tabwriter"

	"example.com/orderd/cmd/orderd/internal/database"
	"example.com/orderd/engine/schema"
)

// Migrate creates the tables, or brings them to the next version.
type Migrate struct {
	DryRun bool `name:"dry-run" help:"Print the SQL and change nothing."`
	Finish bool `name:"finish" help:"Also take the steps that programs of the version before do not survive."`
}

// Help has the example.
func (Migrate) Help() string {
	return `Creates the tables of engine, shop and daemon where they are missing, or brings those of an older version to
one that this program runs on. Usual steps only add, so running programs of the version before go on: first
migrate, then replace them one by one, and when none is left run migrate --finish. It may be run again and by
several processes at once; what died half-way is completed. A step over a large table can take longer than the
30 seconds that a statement has: give the DSN a readTimeout, such as ?readTimeout=1h.

Example: orderd migrate --dry-run --db 'mysql:orderd:secret@tcp(127.0.0.1:3306)/shop'`
}

// Run is the command.
func (c *Migrate) Run(e *Env, g *Globals) error {
	open := database.Create
	if c.DryRun {
		open = database.Open
	}
	db, err := open(e.Context, g.DB, database.Packets(g.Packets))
	if err != nil {
		return err
	}
	defer closeQuietly(db)
	if c.DryRun {
		return c.plan(e, g, db)
	}
	do := db.Migrate
	if c.Finish {
		do = db.Finish
	}
	if err := do(e.Context, e.Schema); err != nil {
		return err
	}
	installed, err := schema.List(e.Context, db.Gorm)
	if err != nil {
		return err
	}
	pending, err := db.Pending(e.Context, e.Schema)
	if err != nil {
		return err
	}
	return e.print(g, installed, func(w *tabwriter.Writer) {
		say(w, "COMPONENT", "VERSION")
		for _, c := range installed {
			say(w, c.Component, c.Version)
		}
		for _, p := range pending {
			say(w, fmt.Sprintf("Pending: %s. %s", p, remedy(p)))
		}
	})
}

// remedy says when and how a pending step is taken.
func remedy(p schema.Pending) string {
	if p.Closing {
		return fmt.Sprintf("Once no program of a version before %d runs: orderd migrate --finish", p.To-1)
	}
	return "Run orderd migrate"
}

// plan prints what would be done.
func (c *Migrate) plan(e *Env, g *Globals, db *database.Database) error {
	pending, err := db.Pending(e.Context, e.Schema)
	if err != nil {
		return err
	}
	return e.print(g, pending, func(w *tabwriter.Writer) {
		if len(pending) == 0 {
			say(w, "-- nothing to do")
		}
		for _, p := range pending {
			note := ""
			if p.Closing {
				note = ", with --finish only"
			}
			say(w, fmt.Sprintf("-- %s%s", p, note))
			for _, statement := range p.Statements {
				say(w, statement+";")
			}
		}
	})
}
