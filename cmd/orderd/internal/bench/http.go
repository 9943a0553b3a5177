package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
)

// overHTTP moves real orders through the API of a daemon that runs as a program of its own, and
// compares with hand-written transitions without HTTP.
func overHTTP(ctx context.Context, r *run) error {
	s, err := r.scratch(ctx)
	if err != nil {
		return err
	}
	if _, err := r.withEngine(ctx, s); err != nil { // whose tables verify looks at
		return err
	}
	byHand, err := r.newHand(ctx, s, "hand-written, no HTTP", "hand")
	if err != nil {
		return err
	}
	api, err := r.startDaemon(ctx)
	if err != nil {
		return err
	}
	r.turns = int64(len(r.Callers) * r.Rounds * 3)
	for _, callers := range r.Callers {
		if err := r.tune(ctx, s, byHand, byHand, callers); err != nil {
			return err
		}
		contenders := []contender{byHand, &shipped{daemon: api}, &healthy{daemon: api}}
		got := make([][]sample, len(contenders))
		for range r.Rounds {
			for i, c := range contenders {
				one, err := r.turn(ctx, s, c, callers)
				if err != nil {
					return err
				}
				got[i] = append(got[i], one)
			}
		}
		goal := 0.0
		if callers == 64 {
			goal = targetHTTP
		}
		r.report.ratio("http", callers, byHand.name(), goal, quotients(got[1], got[0]))
		r.report.ratio("http", callers, contenders[2].name(), 0, quotients(got[1], got[2]))
	}
	return api.stop(ctx, r)
}

// shipped moves orders that are paid on to completed.
type shipped struct {
	daemon *daemon
	supply supply
}

func (*shipped) name() string { return "HTTP" }

func (h *shipped) pid() int { return h.daemon.process.Process.Pid }

// paidEvents are the steps that are left of a paid order.
var paidEvents = events[1:]

// prepare places and pays orders through the API.
func (h *shipped) prepare(ctx context.Context, callers, requests int) error {
	ids := make([]string, requests/len(paidEvents)+callers)
	errs := make([]error, min(len(ids), 64))
	var all sync.WaitGroup
	for worker := range errs {
		all.Go(func() {
			for i := worker; i < len(ids) && errs[worker] == nil; i += len(errs) {
				ids[i], errs[worker] = h.paid(ctx)
			}
		})
	}
	all.Wait()
	h.supply.fill(callers, ids)
	return errors.Join(errs...)
}

func (h *shipped) paid(ctx context.Context) (string, error) {
	var placed struct {
		ID       string
		Amount   int64
		Currency string
	}
	type item struct {
		SKU       string `json:"sku"`
		Name      string `json:"name"`
		Quantity  int    `json:"quantity"`
		UnitPrice int64  `json:"unit_price"`
	}
	in := map[string]any{"currency": "EUR", "customer_ref": "customer-4711", "items": []item{{"BOOK-1", "A book", 1, 2599}}}
	if err := h.daemon.call(ctx, http.MethodPost, "/v1/orders", newSeq(), in, &placed); err != nil {
		return "", err
	}
	pay := map[string]any{"event": "pay", "input": map[string]any{"amount": placed.Amount, "currency": placed.Currency}}
	return placed.ID, h.daemon.call(ctx, http.MethodPost, "/v1/orders/"+placed.ID+"/transitions", newSeq(), pay, nil)
}

func (h *shipped) step(ctx context.Context, caller, n int) error {
	id, step, err := h.supply.takeOf(len(paidEvents), caller, n)
	if err != nil {
		return err
	}
	var moved struct{ Outcome string }
	err = h.daemon.call(ctx, http.MethodPost, "/v1/orders/"+id+"/transitions", newSeq(),
		map[string]any{"event": paidEvents[step]}, &moved)
	if err == nil && moved.Outcome != "applied" {
		err = fmt.Errorf("%s %s: %s, want applied", id, paidEvents[step], moved.Outcome)
	}
	return err
}

// healthy asks for nothing: what HTTP itself costs.
type healthy struct{ daemon *daemon }

func (*healthy) name() string { return "HTTP, nothing done" }

func (h *healthy) pid() int { return h.daemon.process.Process.Pid }

func (*healthy) prepare(context.Context, int, int) error { return nil }

func (h *healthy) step(ctx context.Context, _, _ int) error {
	return h.daemon.call(ctx, http.MethodGet, "/healthz", "", nil, nil)
}
