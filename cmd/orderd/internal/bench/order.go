package bench

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/batch"
	"example.com/orderd/engine/id"
)

// order is the subject of all benches: the row that a shop would have, without its items.
type order struct {
	ID          string `gorm:"primaryKey;type:varbinary(64)" engine:"id"`
	Status      string `gorm:"type:varbinary(32);not null;<-:create" engine:"state"`
	Version     int64  `gorm:"not null;<-:create" engine:"version"`
	Amount      int64  `gorm:"not null"`
	Currency    string `gorm:"size:3;not null"`
	CustomerRef string `gorm:"size:190;not null"`
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// TableName keeps clear of other tables.
func (order) TableName() string { return "bench_orders" }

// The events of an order in their order, and the states they lead to.
var (
	events = []string{"pay", "ship", "deliver", "complete"}
	states = []string{"placed", "paid", "shipped", "delivered", "completed"}
)

const (
	steps       = 4 // from placed to completed
	machineName = "bench_order"
	noteEvent   = "note" // moves an order nowhere, as often as one likes
)

// machine is the bench's own: every step has a guard and emits a message.
var machine = sync.OnceValue(func() *engine.Machine[order] {
	guard := engine.Check("has an amount", func(c engine.Call[order, engine.NoInput]) error {
		if c.Subject.Amount <= 0 {
			return errors.New("the order has no amount")
		}
		return nil
	})
	tell := engine.Set("tell", func(c engine.Call[order, engine.NoInput], fx *engine.Effects) error {
		fx.Emit("order."+string(c.To), message{ID: c.Subject.ID, Amount: c.Subject.Amount, Currency: c.Subject.Currency})
		return nil
	})
	d := engine.Definition[order]{
		Name:   machineName,
		Events: map[engine.Event]engine.Spec{"place": {}, noteEvent: {Repeatable: true}},
		Edges:  []engine.Edge[order]{{Event: "place", To: engine.State(states[0])}},
	}
	for i, event := range events {
		d.Events[engine.Event(event)] = engine.Spec{}
		d.Edges = append(d.Edges, engine.Edge[order]{
			Event: engine.Event(event), From: []engine.State{engine.State(states[i])}, To: engine.State(states[i+1]),
			Guards: []engine.Guard[order]{guard}, Actions: []engine.Action[order]{tell},
		})
	}
	d.Edges = append(d.Edges, engine.Edge[order]{
		Event: noteEvent, From: []engine.State{"placed"}, To: "placed",
		Guards: []engine.Guard[order]{guard}, Actions: []engine.Action[order]{tell},
	})
	m, err := engine.NewMachine(d)
	if err != nil {
		panic(err) // at start-up, and every time
	}
	return m
})

// message is what every step tells the world.
type message struct {
	ID       string `json:"id"`
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
}

func newOrder() order {
	return order{ID: id.New("ord"), Status: states[0], Version: 1, Amount: 2599, Currency: "EUR", CustomerRef: "customer-4711"}
}

// source is who asks in all benches.
const source = "principal:bench"

// keys numbers requests as clients do: every key is new, and later ones sort later.
var keys atomic.Int64

func newSeq() string { return fmt.Sprintf("req-%013d", keys.Add(1)) }

func request(order, event string) engine.Request {
	return engine.Request{
		Machine: machineName, ID: order, Event: engine.Event(event), Actor: "bench",
		Key: engine.Key{Source: source, Seq: newSeq()},
	}
}

// withEngine puts the engine and its tables on a site.
func (r *run) withEngine(ctx context.Context, s *site) (*engine.Engine, error) {
	if err := engine.Migrate(ctx, s.gorm); err != nil {
		return nil, err
	}
	if !s.gorm.WithContext(ctx).Migrator().HasTable(&order{}) {
		if err := s.gorm.WithContext(ctx).AutoMigrate(&order{}); err != nil {
			return nil, fmt.Errorf("the bench's table: %w", err)
		}
	}
	return r.newEngine(ctx, s, machine())
}

// newEngine starts an engine on a site that has its tables.
func (r *run) newEngine(ctx context.Context, s *site, machines ...engine.AnyMachine) (*engine.Engine, error) {
	e, err := engine.New(s.gorm, engine.Config{}, machines...)
	if err != nil {
		return nil, err
	}
	s.machines = machines
	r.atEnd(func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleaning)
		defer cancel()
		return e.Close(ctx)
	})
	return e, nil
}

// withBatcher puts a batcher in front of an engine.
func (r *run) withBatcher(ctx context.Context, e *engine.Engine) (*batch.Batcher, error) {
	b, err := batch.New(e, batch.Config{})
	if err != nil {
		return nil, err
	}
	r.atEnd(func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleaning)
		defer cancel()
		return b.Close(ctx)
	})
	return b, nil
}

// placing is how many orders are placed at once.
const placing = 512

// place creates orders through the engine and returns their ids, the oldest first.
func place(ctx context.Context, a engine.Applier, n int, progress func(int)) ([]string, error) {
	ids := make([]string, 0, n)
	for len(ids) < n {
		some := make([]order, min(placing, n-len(ids)))
		errs := make([]error, len(some))
		var all sync.WaitGroup
		for i := range some {
			some[i] = newOrder()
			ids = append(ids, some[i].ID)
			all.Go(func() {
				_, errs[i] = engine.Create(ctx, a, &some[i], engine.Request{Machine: machineName})
			})
		}
		all.Wait()
		if err := errors.Join(errs...); err != nil {
			return nil, fmt.Errorf("place orders: %w", err)
		}
		if progress != nil {
			progress(len(ids))
		}
	}
	return ids, nil
}

// supply hands prepared orders to callers, each of whom takes one through all its steps.
type supply struct {
	ids  []string
	next atomic.Int64
	mine []string // by caller
}

func (s *supply) fill(callers int, ids []string) {
	s.ids, s.mine = ids, make([]string, callers)
	s.next.Store(0)
}

// take is the order of a caller's n-th step, and which step that is.
func (s *supply) take(caller, n int) (order string, step int, err error) {
	return s.takeOf(steps, caller, n)
}

// takeOf is take for orders with another number of steps before them.
func (s *supply) takeOf(steps, caller, n int) (order string, step int, err error) {
	step = n % steps
	if step == 0 {
		i := s.next.Add(1) - 1
		if i >= int64(len(s.ids)) {
			return "", 0, errSupply
		}
		s.mine[caller] = s.ids[i]
	}
	return s.mine[caller], step, nil
}

// table creates a table whose DDL is written for the MySQL family, also on SQLite.
func (s *site) table(ctx context.Context, ddl string) error {
	if !s.mysql {
		ddl = strings.ReplaceAll(ddl, "DATETIME(6)", "DATETIME") // what its driver reads as a time
	}
	return s.gorm.WithContext(ctx).Transaction(func(tx *gorm.DB) error { return tx.Exec(ddl).Error })
}
