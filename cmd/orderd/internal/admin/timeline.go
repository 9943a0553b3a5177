package admin

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"example.com/orderd/engine"
	"example.com/orderd/orders"
)

// Bounds of a timeline.
const (
	timelineMax = 200  // transitions on one page
	attemptsMax = 1000 // attempts that are looked at
)

// line is one line of a timeline: a transition, or an attempt that moved nothing.
type line struct {
	Moved    bool
	Version  int64 // the order's after it
	Event    engine.Event
	From, To engine.State
	Outcome  engine.Outcome
	Detail   engine.Detail
	Proof    int64 // the version that an attempt's answer pointed to; 0 is none
	Refused  []engine.Refused
	Actor    string
	Key      engine.Key
	Reason   string
	Input    string // indented JSON
	Times    int64
	At, Last time.Time
}

// timeline is what happened to an order, the latest first.
type timeline struct {
	Show      string // "", "moved" or "rest"
	Lines     []line
	Moved     int // how many of each there are
	Rest      int
	Earlier   int64 // transitions before those shown
	EarlierTo int64 // the version that the page with them ends with
	Steps     []engine.Transition
	Partial   bool // later transitions are left out as well
}

// timelineOf reads what happened to an order up to a version.
func (a *admin) timelineOf(ctx context.Context, o orders.Order, show, upTo string) (timeline, error) {
	last := o.Version
	if n, err := strconv.ParseInt(upTo, 10, 64); err == nil && n > 0 && n < last {
		last = n
	}
	after := max(0, last-timelineMax)
	past, err := a.Engine.History(ctx, orders.MachineOrder, o.ID, engine.HistoryQuery{After: after, Limit: int(last - after)})
	if err != nil {
		return timeline{}, err
	}
	attempts, err := a.Engine.Attempts(ctx, orders.MachineOrder, o.ID, engine.AttemptQuery{Limit: attemptsMax})
	if err != nil {
		return timeline{}, err
	}
	t := timeline{Show: show, Earlier: after, EarlierTo: after, Steps: past, Moved: len(past), Partial: last < o.Version}
	var lines []line
	for _, one := range past {
		lines = append(lines, movedLine(one))
	}
	for _, one := range attempts {
		if one.Version > after && (one.Version <= last || last == o.Version) {
			lines = append(lines, attemptLine(one))
			t.Rest++
		}
	}
	// Attempts follow the transition whose version they met, whatever clocks say.
	slices.SortStableFunc(lines, func(x, y line) int {
		return cmp.Or(cmp.Compare(y.Version, x.Version), rankLine(x)-rankLine(y), y.At.Compare(x.At))
	})
	for _, l := range lines {
		if show == "" || l.Moved == (show == "moved") {
			t.Lines = append(t.Lines, l)
		}
	}
	return t, nil
}

func rankLine(l line) int {
	if l.Moved {
		return 1
	}
	return 0
}

func movedLine(t engine.Transition) line {
	return line{
		Moved: true, Version: t.Version, Event: t.Event, From: t.From, To: t.To, Outcome: engine.Applied,
		Actor: t.Actor, Key: t.Key, Reason: t.Reason, Input: indented(t.Input), Times: 1, At: t.At, Last: t.At,
	}
}

func attemptLine(t engine.Attempt) line {
	return line{
		Version: t.Version, Event: t.Event, From: t.State, Outcome: t.Outcome, Detail: t.Detail, Proof: t.ProofVersion,
		Refused: t.Refused, Actor: t.Actor, Key: t.Key, Reason: t.Reason, Times: t.Times, At: t.FirstAt, Last: t.LastAt,
	}
}

// indented is JSON for reading; empty objects are not worth showing.
func indented(input json.RawMessage) string {
	if len(input) == 0 || string(input) == "{}" || string(input) == "null" {
		return ""
	}
	var b bytes.Buffer
	if err := json.Indent(&b, input, "", "  "); err != nil {
		return string(input)
	}
	return b.String()
}
