package engine_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/internal/sqldb"
)

// slowNet is a pool whose next packet gets no answer and stays on its way until it is told to arrive.
type slowNet struct {
	gorm.ConnPool
	gorm.TxBeginner
	mu     sync.Mutex
	armed  func() // runs when the packet has been sent
	arrive func() error
}

func (n *slowNet) Packets() sqldb.PacketPool {
	return slowPackets{sqldb.PacketsOf(n.ConnPool), n}
}

type slowPackets struct {
	sqldb.PacketPool
	net *slowNet
}

func (p slowPackets) Play(ctx context.Context, text func() string, args []any) error {
	p.net.mu.Lock()
	defer p.net.mu.Unlock()
	sent := p.net.armed
	if sent == nil {
		return p.PacketPool.Play(ctx, text, args)
	}
	packet := text()
	p.net.armed = nil
	p.net.arrive = func() error {
		return p.PacketPool.Play(context.Background(), func() string { return packet }, args)
	}
	sent()
	return mysql.ErrInvalidConn
}

// coupon can be redeemed for an hour.
type coupon struct {
	ID      string `gorm:"primaryKey;size:64" engine:"id"`
	Status  string `gorm:"size:16;<-:create" engine:"state"`
	Version int64  `gorm:"<-:create" engine:"version"`
	Until   time.Time
}

func couponMachine(t *testing.T) *engine.Machine[coupon] {
	m, err := engine.NewMachine(engine.Definition[coupon]{
		Name:   "coupon",
		Events: map[engine.Event]engine.Spec{"issue": {}, "redeem": {}},
		Edges: []engine.Edge[coupon]{
			{Event: "issue", To: "open"},
			{Event: "redeem", From: []engine.State{"open"}, To: "redeemed", Guards: []engine.Guard[coupon]{
				engine.Check("in time", func(c engine.Call[coupon, engine.NoInput]) error {
					if c.Now.After(c.Subject.Until) {
						return errors.New("it is too late")
					}
					return nil
				}),
			}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

var redeem = engine.Request{Machine: "coupon", ID: "c", Event: "redeem", Key: engine.Key{Source: "principal:a", Seq: "1"}}

// onSlowNet is an engine with an issued coupon, whose next packet stays on its way while the coupon's time
// runs out.
func onSlowNet(t *testing.T, cfg engine.Config) (*engine.Engine, *slowNet, *enginetest.Faulty) {
	db := enginetest.MySQL(t)
	if err := db.AutoMigrate(&coupon{}); err != nil {
		t.Fatal(err)
	}
	clock := enginetest.NewClock()
	cfg.Now = clock.Now
	net := &slowNet{ConnPool: db.ConnPool, TxBeginner: db.ConnPool.(gorm.TxBeginner)}
	db.ConnPool, db.Statement.ConnPool = net, net
	t.Cleanup(func() { db.ConnPool, db.Statement.ConnPool = net.ConnPool, net.ConnPool })
	shaken, faults := enginetest.NewFaulty(db, nil)
	e, err := engine.New(shaken, cfg, couponMachine(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shut(t, e) })
	if _, err := engine.Create(t.Context(), e, &coupon{ID: "c", Until: clock.Now().Add(time.Hour)}, engine.Request{Machine: "coupon"}); err != nil {
		t.Fatal(err)
	}
	net.armed = func() { clock.Advance(2 * time.Hour) }
	return e, net, faults
}

func expectCoupon(t *testing.T, e *engine.Engine, version int64) {
	t.Helper()
	past, err := e.History(t.Context(), "coupon", "c", engine.HistoryQuery{})
	if err != nil || int64(len(past)) != version {
		t.Errorf("history is %v (%v), want %d transitions", past, err, version)
	}
}

// What its caller was told did not happen must not happen later.
func TestAPacketThatComesAfterItsRefusalHasNoEffect(t *testing.T) {
	e, net, _ := onSlowNet(t, engine.Config{})
	r, err := e.Apply(t.Context(), redeem)
	if r.Outcome != engine.Illegal || r.Detail != engine.GuardRefused {
		t.Fatalf("got %s/%s (%v)", r.Outcome, r.Detail, err)
	}
	if net.arrive() == nil {
		t.Error("the packet came late and was carried out")
	}
	expectCoupon(t, e, 1)
}

func TestAPacketThatComesWhileItIsSettledIsApplied(t *testing.T) {
	e, net, faults := onSlowNet(t, engine.Config{})
	arrived := make(chan error, 1)
	var once sync.Once
	faults.Decide(func(_ int, kind enginetest.CallKind, query string) enginetest.Fault {
		if kind == enginetest.CallQuery && strings.Contains(query, "UTC_TIMESTAMP") { // refused on locked rows, but is that the last word?
			once.Do(func() { go func() { arrived <- net.arrive() }() })
		}
		return enginetest.NoFault
	})
	r, err := e.Apply(t.Context(), redeem)
	faults.Decide(nil)
	if err != nil || r.Outcome != engine.Applied || r.State != "redeemed" || r.Version != 2 {
		t.Fatalf("got %s/%s %s %d (%v)", r.Outcome, r.Detail, r.State, r.Version, err)
	}
	if err := <-arrived; err != nil {
		t.Error(err)
	}
	expectCoupon(t, e, 2)
}

func TestWhatMayStillBeUnderWayIsUnknown(t *testing.T) {
	e, net, _ := onSlowNet(t, engine.Config{Settle: 200 * time.Millisecond})
	r, err := e.Apply(t.Context(), redeem)
	if r.Outcome != engine.Unknown || !errors.Is(err, engine.ErrUnknown) {
		t.Fatalf("got %s/%s (%v)", r.Outcome, r.Detail, err)
	}
	if err := net.arrive(); err != nil {
		t.Fatal(err)
	}
	r, err = e.Apply(t.Context(), redeem)
	if err != nil || r.Outcome != engine.Already || r.Detail != engine.Replayed {
		t.Errorf("got %s/%s (%v)", r.Outcome, r.Detail, err)
	}
	expectCoupon(t, e, 2)
}
