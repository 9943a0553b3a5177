package cli

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"example.com/orderd/cmd/orderd/internal/words"
	"example.com/orderd/engine"
	"example.com/orderd/engine/strictjson"
	"example.com/orderd/orders"
)

// Order groups the commands about orders.
type Order struct {
	Get     OrderGet     `cmd:"" help:"Show one order."`
	History OrderHistory `cmd:"" help:"Show what happened to one order."`
	Apply   OrderApply   `cmd:"" help:"Let an event happen to one order."`
	Why     OrderWhy     `cmd:"" help:"Say how an order got where it is, and what stands in the way of each event."`
}

// Help says whose rights count.
func (Order) Help() string {
	return `These commands work on the database directly, beside a running daemon or without one: access to the
database is the permission. In history you are the actor cli:<your user name>, and your keys have the
source principal:cli:<your user name>.`
}

// OrderGet shows one order.
type OrderGet struct {
	ID string `arg:"" help:"The order's id."`
}

// Help has the example.
func (OrderGet) Help() string { return "Example: orderd order get ord_01… --json" }

// Run is the command.
func (c *OrderGet) Run(e *Env, g *Globals) error {
	s, err := e.shop(g)
	if err != nil {
		return err
	}
	defer s.close()
	o, err := s.shop.Order(e.Context, c.ID)
	if err != nil {
		return err
	}
	return e.print(g, o, func(w *tabwriter.Writer) {
		say(w, "id", o.ID)
		say(w, "state", o.State)
		say(w, "version", o.Version)
		say(w, "amount", orders.FormatMoney(o.Amount, o.Currency))
		say(w, "paid", orders.FormatMoney(o.PaidAmount, o.Currency))
		say(w, "refunded", orders.FormatMoney(o.RefundedAmount, o.Currency))
		say(w, "customer", o.CustomerRef)
		say(w, "placed", date(o.CreatedAt))
		say(w, "moved", date(o.UpdatedAt))
		say(w, "expires", date(o.ExpiresAt))
		for _, i := range o.Items {
			say(w, "item", fmt.Sprintf("%d × %s, %s, at %s", i.Quantity, i.SKU, i.Name, orders.FormatMoney(i.UnitPrice, o.Currency)))
		}
	})
}

// OrderHistory shows what happened.
type OrderHistory struct {
	ID       string `arg:"" help:"The order's id."`
	Attempts bool   `help:"Also what was refused or repeated."`
}

// Help has the example.
func (OrderHistory) Help() string { return "Example: orderd order history ord_01… --attempts" }

// transition is one with the key that its caller gave.
type transition struct {
	engine.Transition
	Source string `json:"source"` // "" where there was no key
	Seq    string `json:"seq"`
}

func show(t engine.Transition) transition { return transition{t, t.Key.Source, t.Key.Seq} }

// line is a line of history: a transition, or an attempt that moved nothing.
type line struct {
	transition
	Outcome engine.Outcome   `json:"outcome"`
	Detail  engine.Detail    `json:"detail"`
	Refused []engine.Refused `json:"refused,omitempty"`
	Times   int64            `json:"times,omitempty"` // of an attempt

	// Of an attempt that was stale/passed: from where today's machine has the event, ahead of where the order was.
	PossibleFrom []engine.State `json:"possible_from,omitzero"`
}

// Run is the command.
func (c *OrderHistory) Run(e *Env, g *Globals) error {
	s, err := e.shop(g)
	if err != nil {
		return err
	}
	defer s.close()
	lines, err := s.history(e, c.ID, c.Attempts)
	if err != nil {
		return err
	}
	return e.print(g, lines, func(w *tabwriter.Writer) { sayHistory(w, lines) })
}

func sayHistory(w *tabwriter.Writer, lines []line) {
	say(w, "VERSION", "AT", "EVENT", "FROM", "TO", "OUTCOME", "ACTOR", "REASON")
	for _, l := range lines {
		outcome, reason := words.Outcome(l.Outcome, l.Detail), l.Reason
		if l.Times > 1 {
			outcome += fmt.Sprintf(" (%d times)", l.Times)
		}
		for _, no := range l.Refused {
			reason += fmt.Sprintf(" [%s: %s]", no.Guard, no.Reason)
		}
		say(w, l.Version, date(l.At), l.Event, l.From, l.To, outcome, l.Actor, strings.TrimSpace(reason))
	}
}

// historyPage is how many lines are read at a time.
const historyPage = 1000

// history is the whole history of an order, oldest first.
func (s *session) history(e *Env, id string, attempts bool) ([]line, error) {
	lines := []line{}
	for after := int64(0); ; {
		past, err := s.engine.History(e.Context, orders.MachineOrder, id, engine.HistoryQuery{After: after, Limit: historyPage})
		if err != nil {
			return nil, err
		}
		for _, t := range past {
			lines = append(lines, line{transition: show(t), Outcome: engine.Applied})
			after = t.Version
		}
		if len(past) < historyPage {
			break
		}
	}
	if len(lines) == 0 {
		return nil, engine.Result{Outcome: engine.NotFound, Machine: orders.MachineOrder, ID: id}.Err()
	}
	if !attempts {
		return lines, nil
	}
	tried, err := s.engine.Attempts(e.Context, orders.MachineOrder, id, engine.AttemptQuery{Limit: historyPage})
	if err != nil {
		return nil, err
	}
	for _, a := range tried {
		var again []engine.State // not kept with it
		if a.Detail == engine.Passed {
			again = s.machine().PossibleFrom(a.State, a.Event)
		}
		lines = append(lines, line{
			transition: show(engine.Transition{
				Machine: a.Machine, Subject: a.Subject, Version: a.Version, Event: a.Event, From: a.State, To: a.State,
				Key: a.Key, Actor: a.Actor, Reason: a.Reason, At: a.FirstAt,
			}),
			Outcome: a.Outcome, Detail: a.Detail, Refused: a.Refused, Times: a.Times, PossibleFrom: again,
		})
	}
	slices.SortStableFunc(lines, func(x, y line) int { return int(x.Version - y.Version) })
	return lines, nil
}

// machine is that of orders.
func (s *session) machine() (order engine.Description) {
	for _, d := range s.engine.Machines() {
		if d.Name == orders.MachineOrder {
			order = d
		}
	}
	return order
}

// OrderApply lets an event happen.
type OrderApply struct {
	ID        string `arg:"" help:"The order's id."`
	Event     string `arg:"" help:"The event, such as ship."`
	Input     string `placeholder:"JSON" help:"What the event takes, as JSON."`
	Key       string `placeholder:"TEXT" help:"Your name for this request; repeat it with the same one."`
	IfVersion int64  `placeholder:"N" help:"Only if this is still the order's version."`
	Reason    string `placeholder:"TEXT" help:"Why; kept in history."`
	DryRun    bool   `help:"Only say what would happen."`
}

// Help has the example.
func (OrderApply) Help() string {
	return "Example: orderd order apply ord_01… cancel --reason 'asked by phone' --key call-4711"
}

// applied is the answer to an event.
type applied struct {
	Outcome    engine.Outcome   `json:"outcome"`
	Detail     engine.Detail    `json:"detail"`
	ID         string           `json:"id"`
	Event      engine.Event     `json:"event"`
	State      engine.State     `json:"state"`
	Version    int64            `json:"version"`
	DryRun     bool             `json:"dry_run,omitempty"`
	Transition *transition      `json:"transition,omitempty"`
	Refused    []engine.Refused `json:"refused,omitempty"`

	PossibleFrom []engine.State `json:"possible_from,omitzero"` // on stale/passed; empty means never
}

// Run is the command.
func (c *OrderApply) Run(e *Env, g *Globals) error {
	if c.IfVersion < 0 {
		return usage(fmt.Errorf("--if-version: versions are positive"))
	}
	if c.Input != "" {
		if err := strictjson.Check([]byte(c.Input), strictjson.Limits{}); err != nil {
			return usage(fmt.Errorf("--input: %w", err))
		}
	}
	s, err := e.shop(g)
	if err != nil {
		return err
	}
	defer s.close()
	r, err := s.shop.Transition(e.Context, person(), c.ID, orders.TransitionRequest{
		Event: engine.Event(c.Event), Input: json.RawMessage(c.Input), Reason: c.Reason, Seq: c.Key, IfVersion: c.IfVersion,
		DryRun: c.DryRun,
	})
	if r.Outcome == "" {
		return err
	}
	answer := applied{
		Outcome: r.Outcome, Detail: r.Detail, ID: r.ID, Event: r.Event, State: r.State, Version: r.Version,
		DryRun: r.DryRun, Refused: r.Refused, PossibleFrom: r.PossibleFrom,
	}
	if r.Proof != nil {
		proof := show(*r.Proof)
		answer.Transition = &proof
	}
	if printing := e.print(g, answer, func(w *tabwriter.Writer) {
		if err == nil {
			say(w, words.Outcome(r.Outcome, r.Detail), "state", r.State, "version", r.Version)
			say(w, words.Answer(r))
		}
	}); printing != nil {
		return printing
	}
	return err
}

// OrderWhy explains.
type OrderWhy struct {
	ID    string `arg:"" help:"The order's id."`
	Event string `arg:"" optional:"" help:"Only this event."`
}

// Help has the example.
func (OrderWhy) Help() string { return "Example: orderd order why ord_01… ship" }

// why is the explanation.
type why struct {
	Here   line          `json:"here"` // the transition that led to where the order is
	Events []possibility `json:"events"`
}

type possibility struct {
	Event   engine.Event     `json:"event"`
	Allowed bool             `json:"allowed"`
	To      engine.State     `json:"to,omitempty"`
	Outcome engine.Outcome   `json:"outcome"`
	Detail  engine.Detail    `json:"detail"`
	Reason  string           `json:"reason,omitempty"` // why not, in a sentence
	Refused []engine.Refused `json:"refused,omitempty"`
	Proof   int64            `json:"proof_version,omitempty"` // the transition that proves it

	NeedsInput    bool `json:"needs_input"`
	NeedsIdentity bool `json:"needs_identity"` // a key or a pinned version

	PossibleFrom []engine.State `json:"possible_from,omitzero"` // on stale/passed; empty means never
}

// Run is the command.
func (c *OrderWhy) Run(e *Env, g *Globals) error {
	s, err := e.shop(g)
	if err != nil {
		return err
	}
	defer s.close()
	lines, err := s.history(e, c.ID, false)
	if err != nil {
		return err
	}
	found, err := s.engine.Allowed(e.Context, orders.MachineOrder, c.ID)
	if err != nil {
		return err
	}
	answer := why{Here: lines[len(lines)-1], Events: []possibility{}}
	for _, p := range found {
		if c.Event != "" && c.Event != string(p.Event) {
			continue
		}
		shown := possibility{
			Event: p.Event, Allowed: p.Allowed, To: p.To, Outcome: p.Outcome, Detail: p.Detail, Refused: p.Refused,
			NeedsInput: p.NeedsInput, NeedsIdentity: p.NeedsIdentity,
		}
		if p.Proof != nil {
			shown.Proof = p.Proof.Version
		}
		if !p.Allowed {
			shown.Reason = words.WhyNot(orders.MachineOrder, p, nil)
		}
		if p.Detail == engine.Passed {
			shown.PossibleFrom = p.PossibleFrom
		}
		answer.Events = append(answer.Events, shown)
	}
	if len(answer.Events) == 0 {
		return no("there is no event %q", c.Event)
	}
	return e.print(g, answer, func(w *tabwriter.Writer) {
		sayHistory(w, []line{answer.Here})
		say(w)
		say(w, "EVENT", "NOW", "LEADS TO", "BECAUSE")
		for _, p := range answer.Events {
			say(w, p.Event, words.Outcome(p.Outcome, p.Detail), p.To, p.because())
		}
	})
}

func (p possibility) because() string {
	var reasons []string
	if p.Reason != "" {
		reasons = append(reasons, strings.TrimSuffix(p.Reason, "."))
	}
	for _, no := range p.Refused {
		reasons = append(reasons, no.Guard+": "+no.Reason)
	}
	if p.Allowed && p.NeedsInput {
		reasons = append(reasons, "if the input is right")
	}
	if p.Allowed && p.NeedsIdentity {
		reasons = append(reasons, "needs --key or --if-version")
	}
	if p.Detail == engine.Passed && p.Proof > 0 { // the sentences on others name it
		reasons = append(reasons, fmt.Sprintf("see version %d", p.Proof))
	}
	return strings.Join(reasons, "; ")
}
