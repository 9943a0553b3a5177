package engine

import (
	"context"

	"gorm.io/gorm"

	"example.com/orderd/engine/internal/sqldb"
)

// Database is what the engine has found out about a database.
type Database struct {
	Server    string // what it says it is, such as "10.11.19-MariaDB" or "SQLite 3.54.1"
	Packets   bool   // whether a whole transaction may go in one round trip
	NoPackets string // why not
}

// CheckDatabase looks whether the engine can use a database, as New does. Its error names every setting that would
// lose or twist data, each with its remedy, or says why the handle itself cannot be used.
func CheckDatabase(ctx context.Context, db *gorm.DB) (Database, error) {
	d, err := sqldb.Wrap(ctx, db)
	if err != nil {
		return Database{}, err
	}
	on, why := d.Packets()
	return Database{Server: d.Server(), Packets: on, NoPackets: why}, nil
}
