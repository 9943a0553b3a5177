package cli

import (
	"text/tabwriter"

	"example.com/orderd/cmd/orderd/internal/database"
)

// Migrate creates the tables.
type Migrate struct{}

// Help has the example.
func (Migrate) Help() string {
	return `Creates the tables of engine, shop and daemon where they are missing. It may be run again and by
several processes at once. A database with another schema version is refused.

Example: orderd migrate --db 'mysql:orderd:secret@tcp(127.0.0.1:3306)/shop'`
}

// Run is the command.
func (c *Migrate) Run(e *Env, g *Globals) error {
	db, err := database.Create(e.Context, g.DB, database.Packets(g.Packets))
	if err != nil {
		return err
	}
	defer closeQuietly(db)
	if err := db.Migrate(e.Context, e.Schema); err != nil {
		return err
	}
	installed, err := components(e.Context, db.Pool)
	if err != nil {
		return err
	}
	return e.print(g, installed, func(w *tabwriter.Writer) {
		say(w, "COMPONENT", "VERSION")
		for _, c := range installed {
			say(w, c.Name, c.Version)
		}
	})
}
