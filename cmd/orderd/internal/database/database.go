// Package database opens the one database of the daemon from its setting.
package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/mysqldb"
	"example.com/orderd/engine/outbox/webhook"
	"example.com/orderd/engine/schema"
	"example.com/orderd/engine/sqlitedb"
	"example.com/orderd/engine/verify"
	"example.com/orderd/orders"
	"example.com/orderd/orders/ledger"
	"example.com/orderd/orders/notify"
)

// Database is an open database, in the shapes that its users need.
type Database struct {
	Gorm *gorm.DB
	Pool *sql.DB

	// Found is the result of the check that refuses settings which would lose or twist data.
	Found engine.Database
}

// Open opens what a setting names and checks it: "sqlite:FILE" or "mysql:" and a go-sql-driver DSN;
// "@FILE" reads the setting from a file, because a DSN holds a password. Errors never show the DSN.
// A SQLite file must be there. The options are for the MySQL family.
func Open(ctx context.Context, setting string, opts ...mysqldb.Option) (*Database, error) {
	return checked(ctx)(OpenUnchecked(setting, opts...))
}

// Create is Open for those who make the tables: it also makes the file of a SQLite database.
func Create(ctx context.Context, setting string, opts ...mysqldb.Option) (*Database, error) {
	return checked(ctx)(open(setting, opts))
}

func checked(ctx context.Context) func(*Database, error) (*Database, error) {
	return func(db *Database, err error) (*Database, error) {
		if err != nil {
			return nil, err
		}
		if db.Found, err = engine.CheckDatabase(ctx, db.Gorm); err != nil {
			return nil, errors.Join(err, db.Close())
		}
		return db, nil
	}
}

// Setting is the setting itself where it may name a file that holds it.
func Setting(setting string) (string, error) {
	file, ok := strings.CutPrefix(setting, "@")
	if !ok {
		return setting, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("the database setting: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// OpenUnchecked is Open without the check: for telling what is wrong.
func OpenUnchecked(setting string, opts ...mysqldb.Option) (*Database, error) {
	db, err := open(setting, opts, sqlitedb.Existing())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: orderd migrate would make it", err)
	}
	return db, err
}

// Packets is what the setting of packets, auto or off, asks for. None can force them.
func Packets(setting string) mysqldb.Option { return mysqldb.Packets(setting != "off") }

func open(setting string, server []mysqldb.Option, file ...sqlitedb.Option) (*Database, error) {
	setting, err := Setting(setting)
	if err != nil {
		return nil, err
	}
	kind, where, _ := strings.Cut(setting, ":")
	var g *gorm.DB
	switch kind {
	case "sqlite":
		g, err = sqlitedb.Open(where, file...)
	case "mysql":
		g, err = mysqldb.Open(where, server...)
	case "":
		return nil, errors.New("which database? Give --db or ORDERD_DB: sqlite:FILE, or mysql: and a DSN such as " +
			"mysql:user:password@tcp(127.0.0.1:3306)/shop")
	default:
		return nil, errors.New("the database setting is not understood: want sqlite:FILE, or mysql: and a go-sql-driver DSN")
	}
	if err != nil {
		return nil, err
	}
	pool, err := g.DB()
	if err != nil {
		return nil, err
	}
	return &Database{Gorm: g, Pool: pool}, nil
}

// Machines are those of the shop, of its ledger and of what it tells people.
func Machines() []engine.AnyMachine {
	return slices.Concat(orders.Machines(), ledger.Machines(), notify.Machines())
}

// Checks are the invariants of their tables.
func Checks() []verify.Check {
	return slices.Concat(orders.Checks(), orders.Reconcile(), ledger.Checks())
}

// Close closes the pool.
func (db *Database) Close() error { return db.Pool.Close() }

// Components are what has tables in the database, each before what builds on it. own is the daemon's.
func Components(own schema.Component) []schema.Component {
	return []schema.Component{engine.Schema, webhook.Schema, orders.Schema, ledger.Schema, notify.Schema, own}
}

// Migrate makes the tables of engine, webhooks, shop, ledger and daemon ready for this program, beside running programs
// of the version before. It may be run again and by several processes at once. own is the daemon's component.
func (db *Database) Migrate(ctx context.Context, own schema.Component) error {
	return db.each(ctx, own, schema.Migrate)
}

// Finish is Migrate that also takes the steps which programs of before do not survive.
func (db *Database) Finish(ctx context.Context, own schema.Component) error {
	return db.each(ctx, own, schema.Finish)
}

func (db *Database) each(ctx context.Context, own schema.Component,
	f func(context.Context, *gorm.DB, schema.Component) error) error {
	for _, c := range Components(own) {
		if err := f(ctx, db.Gorm, c); err != nil {
			return err
		}
	}
	return nil
}

// Pending is what Migrate and Finish have to do.
func (db *Database) Pending(ctx context.Context, own schema.Component) ([]schema.Pending, error) {
	all := []schema.Pending{}
	for _, c := range Components(own) {
		some, err := schema.Plan(ctx, db.Gorm, c)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}
