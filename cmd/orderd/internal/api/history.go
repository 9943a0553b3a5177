package api

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"example.com/orderd/cmd/orderd/internal/problem"
	"example.com/orderd/engine"
	"example.com/orderd/orders"
)

// historyMax bounds a page of history, and how many attempts are looked at.
const historyMax = 1000

// Event is one line of an order's history: a transition, or an attempt that moved nothing.
type Event struct {
	problem.Transition
	Outcome string `json:"outcome" doc:"applied for a transition; for an attempt, what it was answered."`
	Detail  string `json:"detail" doc:"Which kind of the outcome it is; empty where it has none. not_kept counts attempts that were more than are kept one by one."`

	PossibleFrom []string          `json:"possible_from,omitzero" required:"false" nullable:"false" doc:"Of an attempt that was stale/passed: the states ahead of where the order was from which today's machine has the event; empty means none."`
	ProofVersion int64             `json:"proof_version,omitempty" doc:"Of an attempt: the transition that its answer pointed to."`
	Refused      []problem.Refused `json:"refused,omitempty" doc:"Of an attempt: all conditions that said no."`
	Times        int64             `json:"times,omitempty" doc:"Of an attempt: how often it was made."`
	LastAt       *time.Time        `json:"last_at,omitempty" doc:"Of an attempt: when it was last made; at says when first."`
}

type historyInput struct {
	ID      string `path:"id" doc:"The order's id."`
	Include string `query:"include" enum:"attempts" doc:"attempts adds what was refused or repeated: there version is the order's version then, and from and to are its state."`
	Limit   int    `query:"limit" minimum:"1" maximum:"1000" default:"200" doc:"Transitions per page."`
	Cursor  string `query:"cursor" doc:"next_cursor of the page before."`
}

type historyOutput struct {
	Body struct {
		Data       []Event `json:"data" nullable:"false" doc:"Oldest first."`
		NextCursor string  `json:"next_cursor" doc:"Where the next page starts; empty on the last one."`
	}
}

func (a *api) registerHistory() {
	register(a, huma.Operation{
		OperationID: "list-transitions", Method: http.MethodGet, Path: "/v1/orders/{id}/transitions",
		Tags: []string{"transitions"}, Summary: "What happened to an order.",
	}, reading, a.history)
}

func (a *api) history(ctx context.Context, in *historyInput) (*historyOutput, error) {
	var after int64
	if in.Cursor != "" {
		n, err := strconv.ParseInt(in.Cursor, 10, 64)
		if err != nil || n < 1 {
			return nil, problem.New(problem.BadRequest, "the cursor is not one of this list").At("query.cursor",
				"not a cursor of this list")
		}
		after = n
	}
	past, err := a.Engine.History(ctx, orders.MachineOrder, in.ID, engine.HistoryQuery{After: after, Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	if len(past) == 0 && after == 0 {
		return nil, engine.Result{Outcome: engine.NotFound, Machine: orders.MachineOrder, ID: in.ID}.Err()
	}
	out := &historyOutput{}
	out.Body.Data = []Event{}
	for _, t := range past {
		out.Body.Data = append(out.Body.Data, Event{Transition: *problem.Show(t), Outcome: string(engine.Applied)})
	}
	last := int64(0) // of the page; 0: there is no later page
	if len(past) == in.Limit {
		last = past[len(past)-1].Version
		out.Body.NextCursor = strconv.FormatInt(last, 10)
	}
	if in.Include == "attempts" {
		attempts, err := a.attempts(ctx, in.ID, after, last)
		if err != nil {
			return nil, err
		}
		out.Body.Data = append(out.Body.Data, attempts...)
		slices.SortStableFunc(out.Body.Data, func(x, y Event) int { // the transition before its attempts
			return cmp.Compare(x.Version, y.Version)
		})
	}
	return out, nil
}

// attempts are those made while the order had a version after the one given, up to last (0: any).
func (a *api) attempts(ctx context.Context, id string, after, last int64) ([]Event, error) {
	found, err := a.Engine.Attempts(ctx, orders.MachineOrder, id, engine.AttemptQuery{Limit: historyMax})
	if err != nil {
		return nil, err
	}
	machine, err := a.machine(orders.MachineOrder)
	if err != nil {
		return nil, err
	}
	var events []Event
	for _, t := range found {
		if t.Version <= after || last > 0 && t.Version > last {
			continue
		}
		at := t.LastAt.UTC()
		e := Event{
			Transition: *problem.Show(engine.Transition{
				Version: t.Version, Event: t.Event, From: t.State, To: t.State, Key: t.Key,
				Actor: t.Actor, Reason: t.Reason, At: t.FirstAt,
			}),
			Outcome: string(t.Outcome), Detail: string(t.Detail), ProofVersion: t.ProofVersion, Times: t.Times, LastAt: &at,
		}
		if t.Detail == engine.Passed { // the list is not kept with it
			e.PossibleFrom = problem.PossibleFrom(t.Detail, machine.PossibleFrom(t.State, t.Event))
		}
		for _, no := range t.Refused {
			e.Refused = append(e.Refused, problem.Refused{Guard: no.Guard, Reason: no.Reason})
		}
		events = append(events, e)
	}
	return events, nil
}
