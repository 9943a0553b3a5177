package main

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"example.com/orderd/cmd/orderd/internal/problem"
	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
	"example.com/orderd/orders"
	"example.com/orderd/orders/ledger"
)

// asked is the one request of the engine that stands behind a request over HTTP; nil where there is none, or
// more than one, as behind a callback.
func (c *crowd) asked(method, path, body string, header http.Header) *enginetest.Asked {
	if method != http.MethodPost {
		return nil
	}
	r := engine.Request{Actor: c.principal, Input: json.RawMessage(body)}
	if seq := header.Get("Idempotency-Key") + header.Get("Submit-Token"); seq != "" { // one of them
		r.Key = engine.Key{Source: "principal:" + c.principal, Seq: seq}
	}
	parts := strings.Split(strings.TrimPrefix(path, "/v1/"), "/")
	switch parts[len(parts)-1] {
	case "orders":
		r.Machine, r.Event = orders.MachineOrder, orders.EventPlace
	case "payments":
		r.Machine, r.Event = orders.MachinePayment, orders.EventStart
	case "transfers":
		r.Machine, r.Event = ledger.MachineTransfer, ledger.EventTransfer
	case "deposits":
		r.Machine, r.Event = ledger.MachineTransfer, ledger.EventDeposit
	case "transitions":
		var said struct {
			Event engine.Event    `json:"event"`
			Input json.RawMessage `json:"input"`
		}
		if json.Unmarshal([]byte(body), &said) != nil {
			return nil
		}
		r.Machine, r.ID, r.Event, r.Input = orders.MachineOrder, parts[1], said.Event, said.Input
		r.IfVersion, _ = strconv.ParseInt(strings.Trim(header.Get("If-Match"), `"`), 10, 64)
	default:
		return nil
	}
	return c.answers.Ask(r)
}

// resultOf is what the engine must have answered, as far as the answer over HTTP tells. Who is told of a fault of
// the daemon does not know what became of the request.
func resultOf(a answer, creates bool) (r engine.Result, known bool) {
	var said struct {
		problem.Problem
		Outcome string `json:"outcome"`
		Detail  string `json:"detail"`
	}
	if json.Unmarshal([]byte(a.text), &said) != nil {
		return r, false
	}
	r = engine.Result{
		Outcome: engine.Outcome(said.Outcome), Detail: engine.Detail(said.Detail),
		ID: said.ID, State: engine.State(said.State), Version: said.Version,
	}
	if a.status >= http.StatusBadRequest {
		r.Outcome, r.Detail = engine.Outcome(said.Code), engine.Detail(said.DetailCode)
		if creates { // it tells of the order or the account then
			r.ID, r.State, r.Version = "", "", 0
		}
	}
	switch said.Code {
	case problem.Internal:
		return r, false
	case problem.BadRequest, problem.Unauthorized, problem.Forbidden, problem.TokenUnknown, problem.TooLarge, problem.RateLimited:
		return engine.Result{}, true
	}
	switch t := said.Transition; {
	case t != nil:
		r.Proof = &engine.Transition{
			Version: t.Version, Event: engine.Event(t.Event), From: engine.State(t.From), To: engine.State(t.To), Actor: t.Actor,
			Reason: t.Reason, Input: t.Input, Messages: t.Messages, MachineVersion: t.MachineVersion, At: t.At,
		}
		if t.Source != nil && t.Seq != nil {
			r.Proof.Key = engine.Key{Source: *t.Source, Seq: *t.Seq}
		}
	case creates && r.Outcome.Success(): // what was made is shown in place of the proof
		r.Proof = &engine.Transition{Version: 1}
	}
	return r, true
}
