// Package orders is a shop on the engine: orders, the payments for them, and the facts about money
// that payment providers report. Its rule is that money is recorded first and decided about second:
// what cannot be credited to an order waits at the money desk and is never lost, never counted twice.
package orders

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/id"
	"example.com/orderd/engine/schema"
	"example.com/orderd/internal/sqldb"
)

// Config tunes a Shop. The zero value works, but takes no payments.
type Config struct {
	NewID        func(prefix string) string // unique, later ones greater; default prefix_ and a UUIDv7
	NewReference func() string              // unguessable, at most 32 of [0-9a-z_]; default ref_ and 128 random bits

	ExpireAfter   time.Duration // from placing to expiry of an unpaid order; default 30 minutes
	CompleteAfter time.Duration // from delivery to completion; default 14 days

	Providers []string       // whom StartPayment accepts
	Tokens    engine.Spender // of submit tokens; nil: there are none
	Logger    *slog.Logger   // default slog.Default
}

// Shop is the service: what the daemon calls. It is safe for concurrent use once attached.
type Shop struct {
	cfg      Config
	machines []engine.AnyMachine
	states   map[string]map[engine.State]bool // by machine

	searchMax int // orders that one page of a search looks at

	db     *sqldb.DB
	engine *engine.Engine
	apply  engine.Applier

	settling sync.Mutex // over settled
	settled  string     // id of the fact at which the last pass of Settle ended
}

// New builds the shop's machines. The shop works once it is attached to an engine with them.
func New(cfg Config) (*Shop, error) {
	s := &Shop{cfg: cfg, states: map[string]map[engine.State]bool{}, searchMax: searchMax}
	if err := s.cfg.fill(); err != nil {
		return nil, err
	}
	order, orderErr := s.orderMachine()
	payment, paymentErr := s.paymentMachine()
	fact, factErr := s.factMachine()
	if err := errors.Join(orderErr, paymentErr, factErr); err != nil {
		return nil, err
	}
	s.machines = []engine.AnyMachine{order, payment, fact}
	for _, m := range s.machines {
		d := m.Describe()
		s.states[d.Name] = map[engine.State]bool{}
		for _, state := range d.States {
			s.states[d.Name][state.Name] = true
		}
	}
	return s, nil
}

func (c *Config) fill() error {
	if c.ExpireAfter < 0 || c.CompleteAfter < 0 {
		return errors.New("orders: ExpireAfter and CompleteAfter must not be negative")
	}
	if c.NewID == nil {
		c.NewID = id.New
	}
	if c.NewReference == nil {
		c.NewReference = func() string { return id.Random("ref") }
	}
	if c.ExpireAfter == 0 {
		c.ExpireAfter = 30 * time.Minute
	}
	if c.CompleteAfter == 0 {
		c.CompleteAfter = 14 * 24 * time.Hour
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return nil
}

// Machines are the shop's machines, for engine.New.
func (s *Shop) Machines() []engine.AnyMachine { return s.machines }

// Machines are the machines of a shop with default settings, to be looked at. An engine may run them
// as well, except that what writes a second row (an offline payment, the end of a partly paid order)
// needs a shop that is attached.
func Machines() []engine.AnyMachine {
	s, err := New(Config{})
	if err != nil {
		panic(err) // the definitions are constant, and tested
	}
	return s.machines
}

// attachMax bounds the checks of Attach.
const attachMax = 30 * time.Second

// Attach gives the shop its database, the engine that runs its machines there, and the Applier that
// requests go through: the engine itself or a batcher in front of it. It is called once, before
// anything else, and refuses a database whose tables are not this program's.
func (s *Shop) Attach(db *gorm.DB, eng *engine.Engine, apply engine.Applier) error {
	ctx, cancel := context.WithTimeout(context.Background(), attachMax)
	defer cancel()
	d, err := sqldb.Wrap(ctx, db)
	if err != nil {
		return fmt.Errorf("orders: %w", err)
	}
	if err := schema.Check(ctx, db, Schema); err != nil {
		return err
	}
	s.db, s.engine, s.apply = d, eng, apply
	return nil
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
