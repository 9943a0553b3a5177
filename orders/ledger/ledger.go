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
	"gorm.io/gorm/logger"

	"example.com/orderd/engine"
	"example.com/orderd/engine/id"
	"example.com/orderd/engine/schema"
)

//go:embed schema.sql
var schemaSQL string

// Schema is the ledger's own tables.
var Schema = schema.Component{Name: "ledger", Version: 1, DDL: schemaSQL}

// Migrate creates the ledger's tables where they are missing.
func Migrate(ctx context.Context, db *gorm.DB) error {
	return schema.Migrate(ctx, db, Schema)
}

// Config tunes a ledger and its machines, which are given the same one. The zero value is good.
type Config struct {
	NewID  func(prefix string) string // unique, later ones greater; default prefix_ and a UUIDv7
	Tokens engine.Spender             // of submit tokens; nil: there are none
}

// Machines are the ledger's machines, for the engine.New that the ledger is to work on.
func (cfg Config) Machines() ([]engine.AnyMachine, error) {
	account, accountErr := accountMachine()
	transfer, transferErr := cfg.transferMachine()
	if err := errors.Join(accountErr, transferErr); err != nil {
		return nil, err
	}
	return []engine.AnyMachine{account, transfer}, nil
}

// Machines are the machines of a ledger with default settings, to be looked at or run.
func Machines() []engine.AnyMachine {
	machines, err := Config{}.Machines()
	if err != nil {
		panic(err) // the definitions are constant, and tested
	}
	return machines
}

// Ledger is the service. It is safe for concurrent use.
type Ledger struct {
	cfg    Config
	db     *gorm.DB
	engine *engine.Engine
	apply  engine.Applier
}

// checkMax bounds the checks of New.
const checkMax = 30 * time.Second

// New makes a ledger on a database and an engine that runs the machines of cfg there. Transfers go through apply:
// the engine itself or a batcher in front of it. New refuses a database whose tables are not this program's.
func New(db *gorm.DB, eng *engine.Engine, apply engine.Applier, cfg Config) (*Ledger, error) {
	if cfg.NewID == nil {
		cfg.NewID = id.New
	}
	ctx, cancel := context.WithTimeout(context.Background(), checkMax)
	defer cancel()
	if err := schema.Check(ctx, db, Schema); err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for _, m := range eng.Machines() {
		known[m.Name] = true
	}
	for _, name := range []string{MachineAccount, MachineTransfer} {
		if !known[name] {
			return nil, fmt.Errorf("ledger: the engine does not run the machine %s: give engine.New what Config.Machines returns", name)
		}
	}
	return &Ledger{cfg: cfg, db: db.Session(&gorm.Session{NewDB: true, Logger: logger.Discard}), engine: eng, apply: apply}, nil
}
