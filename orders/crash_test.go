package orders_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
	"example.com/orderd/orders"
	"example.com/orderd/orders/provider"
)

// mortal is an Applier in a process that dies: from its n-th call on nothing happens any more. With
// after set, that call still happens and only its answer is lost.
type mortal struct {
	engine.Applier
	left  atomic.Int64
	after atomic.Bool
}

var errDead = errors.New("the process is dead")

func (m *mortal) Apply(ctx context.Context, r engine.Request) (engine.Result, error) {
	switch left := m.left.Add(-1); {
	case left > 0:
		return m.Applier.Apply(ctx, r)
	case left == 0 && m.after.Load():
		_, _ = m.Applier.Apply(ctx, r)
	}
	return engine.Result{}, errDead
}

func (m *mortal) live() { m.left.Store(1 << 40) }

func mortalRig(t *testing.T, db *gorm.DB) (*rig, *mortal) {
	m := &mortal{}
	m.live()
	return newRig(t, db, func(a engine.Applier) engine.Applier { m.Applier = a; return m }), m
}

// Wherever the process dies between the callback and the paid order, what is settled afterwards is
// what would have happened without the death, once.
func TestACrashAnywhereIsSettled(t *testing.T) {
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		r, m := mortalRig(t, db)
		const steps = 4 // keep, capture, pay, note
		for _, after := range []bool{false, true} {
			for step := int64(1); step <= steps; step++ {
				o := r.place(2500)
				p := r.start(o.ID, 0)
				said := captured("tx-"+p.ID, p)
				said.Amount += 7
				m.after.Store(after)
				m.left.Store(step)
				_, err := r.Accept(t.Context(), said)
				require.Equal(t, step == 1, err != nil, "an error says that the fact may not be kept")
				_, err = r.Settle(t.Context(), 10)
				kept, noted := step > 1 || after, step == steps && after
				require.Equal(t, kept && !noted, err != nil)

				m.live()
				n, err := r.Settle(t.Context(), 10)
				require.NoError(t, err)
				require.Equal(t, kept && !noted, n == 1)
				if !kept {
					require.Equal(t, orders.OrderPlaced, r.order(o.ID).State)
				}
				f := r.accept(said)
				require.Equal(t, orders.DeskOver, f.DeskReason)
				require.EqualValues(t, 2500, f.AppliedAmount)
				require.EqualValues(t, 7, f.DeskAmount)
				require.Equal(t, orders.OrderPaid, r.order(o.ID).State)
				require.EqualValues(t, 2, r.order(o.ID).Version)
				n, err = r.Settle(t.Context(), 10)
				require.NoError(t, err)
				require.Zero(t, n)
			}
		}
	})
}

// A part payment that was credited before the crash is recognised although the rest due is another
// by the time it is settled, so that it would be credited by another event now.
func TestACrashBeforeTheRestChanges(t *testing.T) {
	for _, other := range []int64{1000, 1500} {
		enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
			r, m := mortalRig(t, db)
			o := r.place(2500)
			p, q := r.start(o.ID, 1000), r.start(o.ID, other)
			m.left.Store(4)
			require.Equal(t, orders.FactReceived, r.accept(captured("tx-1", p)).State)
			m.live()
			require.EqualValues(t, 1000, r.order(o.ID).PaidAmount, "credited, but the fact does not know")
			require.Equal(t, orders.FactApplied, r.accept(captured("tx-2", q)).State)
			require.Equal(t, orders.FactApplied, r.accept(captured("tx-1", p)).State)
			require.EqualValues(t, 1000+other, r.order(o.ID).PaidAmount)
			require.Empty(t, r.desk())
		})
	}
}

func TestLateMoneyAfterACrash(t *testing.T) {
	r, m := mortalRig(t, enginetest.SQLite(t))
	o := r.place(2500)
	p := r.start(o.ID, 0)
	m.left.Store(2)
	require.Equal(t, orders.FactReceived, r.accept(captured("tx-1", p)).State)
	m.live()
	require.Equal(t, engine.Applied, r.event(o.ID, orders.EventCancel).Outcome)
	n, err := r.Settle(t.Context(), 10)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Equal(t, orders.DeskLate, r.desk()[0].DeskReason)
	require.Equal(t, orders.PaymentCaptured, r.payment(p.ID).State)
}

// A fact that cannot be decided does not keep the others waiting.
func TestSettleGoesRound(t *testing.T) {
	stuck := map[string]bool{}
	r := newRig(t, enginetest.SQLite(t), func(a engine.Applier) engine.Applier { return refusing{a, stuck} })
	var facts []provider.Fact
	for range 6 {
		p := r.start(r.place(2500).ID, 0)
		stuck[p.ID] = true
		f := captured("tx-"+p.ID, p)
		facts = append(facts, f)
		require.Equal(t, orders.FactReceived, r.accept(f).State)
	}
	p := r.accept(facts[5])
	require.Equal(t, orders.FactReceived, p.State)
	for id := range stuck {
		if r.payment(id).Reference == facts[5].Reference {
			stuck[id] = false
		}
	}
	total := 0
	for range 3 {
		n, _ := r.Settle(t.Context(), 2)
		total += n
	}
	require.Equal(t, 1, total)
	clear(stuck)
	for range 4 {
		n, err := r.Settle(t.Context(), 2)
		require.NoError(t, err)
		total += n
	}
	require.Equal(t, 6, total)
}

// refusing is an Applier that knows no way with some subjects.
type refusing struct {
	engine.Applier
	stuck map[string]bool
}

func (a refusing) Apply(ctx context.Context, r engine.Request) (engine.Result, error) {
	if a.stuck[r.ID] {
		return engine.Result{}, errDead
	}
	return a.Applier.Apply(ctx, r)
}

// The database fails at every single call in turn, in every way it can: a repeat and a settling pass
// make good what it broke.
func TestAnyFaultOfTheDatabase(t *testing.T) {
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		broken, faults := enginetest.NewFaulty(db, nil)
		r := newRig(t, broken, nil)
		for _, fault := range enginetest.Faults() {
			for call := 1; ; call++ {
				faults.Decide(nil)
				o := r.place(2500)
				r.keyed(o.ID, orders.EventPayPart, `{"amount":500,"currency":"EUR"}`)
				p := r.start(o.ID, 0)
				faults.Decide(func(n int, _ enginetest.CallKind, _ string) enginetest.Fault {
					if n == call {
						return fault
					}
					return enginetest.NoFault
				})
				_, err := r.Accept(t.Context(), captured("tx-"+p.ID, p))
				reached := faults.Calls() >= call
				faults.Decide(nil)
				if err == nil {
					_, err = r.Settle(t.Context(), 10)
					require.NoError(t, err)
				}
				f := r.accept(captured("tx-"+p.ID, p))
				require.Equal(t, orders.FactApplied, f.State, "%s at call %d", fault, call)
				require.EqualValues(t, 2000, f.AppliedAmount)
				require.EqualValues(t, 3, r.order(o.ID).Version)
				if !reached {
					break
				}
			}
		}
		require.Empty(t, r.desk())
	})
}
