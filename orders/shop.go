// Package orders is a shop on the engine: orders, the payments for them, and the facts about money
// that payment providers report. Its rule is that money is recorded first and decided about second:
// what cannot be credited to an order waits at the money desk and is never lost, never counted twice.
package orders

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"example.com/orderd/engine"
	"example.com/orderd/engine/id"
	"example.com/orderd/engine/schema"
)

// Config tunes a shop and its machines, which are given the same one. The zero value works, but takes no payments.
type Config struct {
	NewID        func(prefix string) string // unique, later ones greater; default prefix_ and a UUIDv7
	NewReference func() string              // unguessable, at most 32 of [0-9a-z_]; default ref_ and 128 random bits

	ExpireAfter   time.Duration // from placing to expiry of an unpaid order; default 30 minutes
	CompleteAfter time.Duration // from delivery to completion; default 14 days

	Providers []string       // whom StartPayment accepts
	Tokens    engine.Spender // of submit tokens; nil: there are none
	Logger    *slog.Logger   // default slog.Default
}

func (cfg *Config) fill() error {
	if cfg.ExpireAfter < 0 || cfg.CompleteAfter < 0 {
		return errors.New("orders: ExpireAfter and CompleteAfter must not be negative")
	}
	if cfg.NewID == nil {
		cfg.NewID = id.New
	}
	if cfg.NewReference == nil {
		cfg.NewReference = func() string { return id.Random("ref") }
	}
	cfg.ExpireAfter = cmp.Or(cfg.ExpireAfter, 30*time.Minute)
	cfg.CompleteAfter = cmp.Or(cfg.CompleteAfter, 14*24*time.Hour)
	cfg.Logger = cmp.Or(cfg.Logger, slog.Default())
	return nil
}

// Machines are the machines of a shop, for the engine.New that the shop is to work on.
func (cfg Config) Machines() ([]engine.AnyMachine, error) {
	if err := cfg.fill(); err != nil {
		return nil, err
	}
	order, orderErr := cfg.orderMachine()
	payment, paymentErr := cfg.paymentMachine()
	fact, factErr := cfg.factMachine()
	if err := errors.Join(orderErr, paymentErr, factErr); err != nil {
		return nil, err
	}
	return []engine.AnyMachine{order, payment, fact}, nil
}

// Machines are the machines of a shop with default settings, to be looked at or run.
func Machines() []engine.AnyMachine {
	machines, err := Config{}.Machines()
	if err != nil {
		panic(err) // the definitions are constant, and tested
	}
	return machines
}

// Shop is the service: what the daemon calls. It is safe for concurrent use.
type Shop struct {
	cfg    Config
	states map[string]map[engine.State]bool // by machine

	searchMax int // orders that one page of a search looks at

	db     *gorm.DB
	engine *engine.Engine
	apply  engine.Applier

	settling sync.Mutex // over settled
	settled  string     // id of the fact at which the last pass of Settle ended
}

// checkMax bounds the checks of New.
const checkMax = 30 * time.Second

// New makes a shop on a database and an engine that runs the machines of cfg there. Requests go through apply: the
// engine itself or a batcher in front of it. New refuses a database whose tables are not this program's.
func New(db *gorm.DB, eng *engine.Engine, apply engine.Applier, cfg Config) (*Shop, error) {
	if err := cfg.fill(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), checkMax)
	defer cancel()
	if err := schema.Check(ctx, db, Schema); err != nil {
		return nil, err
	}
	s := &Shop{
		cfg: cfg, states: map[string]map[engine.State]bool{}, searchMax: searchMax,
		db: db.Session(&gorm.Session{NewDB: true, Logger: logger.Discard}), engine: eng, apply: apply,
	}
	for _, m := range eng.Machines() {
		s.states[m.Name] = map[engine.State]bool{}
		for _, state := range m.States {
			s.states[m.Name][state.Name] = true
		}
	}
	for _, name := range []string{MachineOrder, MachinePayment, MachineFact} {
		if s.states[name] == nil {
			return nil, fmt.Errorf("orders: the engine does not run the machine %s: give engine.New what Config.Machines returns", name)
		}
	}
	return s, nil
}

// The scopes of submit tokens.
const (
	ScopeOrder   = "order"
	ScopePayment = "payment"
)

// Caller is who asks. Principal survives the rotation of its secrets and scopes the caller's keys;
// Actor is shown in history.
type Caller struct {
	Principal, Actor string

	// Spends says that the number of the request is a submit token, which its work spends.
	Spends bool
}

// Token is the submit token that a request with this number spends; "" where it spends none.
func (c Caller) Token(seq string) string {
	if c.Spends {
		return seq
	}
	return ""
}

// Key is the caller's own number of a request as a key; none without a number.
func (c Caller) Key(seq string) engine.Key {
	if seq == "" {
		return engine.Key{}
	}
	return engine.Key{Source: "principal:" + c.Principal, Seq: seq}
}
