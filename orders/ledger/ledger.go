// Package ledger keeps accounts of money and points in double entry: what one account gets, another
// gives, in one transaction. A transfer that is asked for again is told of the first one's success. No
// balance falls below zero, except those of the shop's own accounts, where deposits come from.
package ledger

import (
	"context"
	_ "embed" // for the schema
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/id"
	"example.com/orderd/engine/schema"
	"example.com/orderd/internal/sqldb"
)

//go:embed schema.sql
var schemaSQL string

// Schema is the ledger's own tables.
var Schema = schema.Component{Name: "ledger", Version: 1, DDL: schemaSQL}

// Migrate creates the ledger's tables where they are missing.
func Migrate(ctx context.Context, db *gorm.DB) error {
	return schema.Migrate(ctx, db, Schema)
}

// Config tunes a Ledger. The zero value is good.
type Config struct {
	NewID  func(prefix string) string // unique, later ones greater; default prefix_ and a UUIDv7
	Tokens engine.Spender             // of submit tokens; nil: there are none
}

// Ledger is the service. It is safe for concurrent use once attached.
type Ledger struct {
	cfg      Config
	machines []engine.AnyMachine

	db     *sqldb.DB
	engine *engine.Engine
	apply  engine.Applier
}

// New builds the ledger's machines. The ledger works once it is attached to an engine with them.
func New(cfg Config) (*Ledger, error) {
	if cfg.NewID == nil {
		cfg.NewID = id.New
	}
	l := &Ledger{cfg: cfg}
	account, accountErr := accountMachine()
	transfer, transferErr := l.transferMachine()
	if err := errors.Join(accountErr, transferErr); err != nil {
		return nil, err
	}
	l.machines = []engine.AnyMachine{account, transfer}
	return l, nil
}

// Machines are the ledger's machines, for engine.New.
func (l *Ledger) Machines() []engine.AnyMachine { return l.machines }

// Machines are the machines of a ledger with default settings.
func Machines() []engine.AnyMachine {
	l, err := New(Config{})
	if err != nil {
		panic(err) // the definitions are constant, and tested
	}
	return l.machines
}

// attachMax bounds the checks of Attach.
const attachMax = 30 * time.Second

// Attach gives the ledger its database, the engine that runs its machines there, and the Applier that
// transfers go through: the engine itself or a batcher in front of it. It is called once, before
// anything else, and refuses a database whose tables are not this program's.
func (l *Ledger) Attach(db *gorm.DB, eng *engine.Engine, apply engine.Applier) error {
	ctx, cancel := context.WithTimeout(context.Background(), attachMax)
	defer cancel()
	d, err := sqldb.Wrap(ctx, db)
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	if err := schema.Check(ctx, db, Schema); err != nil {
		return err
	}
	l.db, l.engine, l.apply = d, eng, apply
	return nil
}
