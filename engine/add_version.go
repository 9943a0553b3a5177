package engine

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"example.com/orderd/engine/internal/sqldb"
)

// AddVersion adds the column of the version to the table of a machine's subjects, if it is missing: BIGINT NOT NULL
// DEFAULT 0, so that old code which does not know it goes on inserting rows. Its rows are those that Adopt takes. It changes
// nothing else, and may be repeated and run by several processes at once. The error holds the SQL, for those who do not let
// programs alter tables, or whose table is too large for one statement; Inspect tells the same as its remedy.
func AddVersion(ctx context.Context, db *gorm.DB, m AnyMachine) error {
	d, err := sqldb.Wrap(ctx, db)
	if err != nil {
		return err
	}
	plain, err := erased(m)
	if err != nil {
		return err
	}
	bound, err := plain.bound(db.NamingStrategy)
	if err != nil {
		return err
	}
	r := bound.row
	there := func() (bool, error) {
		info, err := d.Describe(ctx, r.table)
		if err == nil && info.Kind == "" {
			err = fmt.Errorf("machine %s: the table %s does not exist: create it, for example by db.AutoMigrate of the row "+
				"type, or name it by TableName", bound.name, r.table)
		}
		return info.Column(r.version.DBName) != nil, err
	}
	if has, err := there(); has || err != nil {
		return err
	}
	alter := d.Dialect().AddVersion(r.table, r.version.DBName)
	if _, err := d.Exec(ctx, alter); err != nil {
		has, looking := there()
		if has {
			return nil // another process was faster
		}
		return fmt.Errorf("machine %s: %s: %w", bound.name, alter, errors.Join(err, looking))
	}
	return nil
}
