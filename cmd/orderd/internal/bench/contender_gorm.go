package bench

import (
	"context"
	"encoding/json"
	"time"

	"github.com/looplab/fsm"
	"gorm.io/gorm"
)

// gormed is gorm with looplab/fsm, as the tutorials have it: one transaction per request. Its tables
// are those of a hand.
type gormed struct{ *hand }

func (g *gormed) step(ctx context.Context, caller, n int) error {
	id, step, err := g.supply.take(caller, n)
	if err != nil {
		return err
	}
	return g.move(ctx, id, events[step])
}

// steps of an order in the way of looplab/fsm.
var fsmEvents = func() (all fsm.Events) {
	for i, event := range events {
		all = append(all, fsm.EventDesc{Name: event, Src: []string{states[i]}, Dst: states[i+1]})
	}
	return all
}()

func (g *gormed) move(ctx context.Context, id, event string) error {
	err := g.hand.gorm.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		var o order
		if err := tx.Table(g.prefix+"_orders").First(&o, "id = ?", id).Error; err != nil {
			return err
		}
		from := o.Status
		m := fsm.NewFSM(from, fsmEvents, nil)
		if err := m.Event(ctx, event); err != nil {
			return err
		}
		now := time.Now()
		moved := tx.Table(g.prefix+"_orders").Where("id = ? AND status = ? AND version = ?", id, from, o.Version).
			Updates(map[string]any{"status": m.Current(), "version": o.Version + 1, "updated_at": now})
		if moved.Error != nil || moved.RowsAffected != 1 {
			return errStale
		}
		if err := tx.Table(g.prefix + "_history").Create(map[string]any{
			"order_id": id, "version": o.Version + 1, "event": event, "from_status": from, "to_status": m.Current(),
			"source": source, "seq": newSeq(), "actor": "bench", "at": now,
		}).Error; err != nil {
			return err
		}
		data, err := json.Marshal(message{ID: id, Amount: o.Amount, Currency: o.Currency})
		if err != nil {
			return err
		}
		return tx.Table(g.prefix + "_outbox").Create(map[string]any{
			"order_id": id, "version": o.Version + 1, "type": "order." + m.Current(), "data": string(data),
			"status": "pending", "created_at": now,
		}).Error
	})
	if err == nil {
		g.acked.Add(1)
	}
	return err
}
