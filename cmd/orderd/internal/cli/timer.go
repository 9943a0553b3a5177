package cli

import (
	"errors"
	"strconv"
	"text/tabwriter"

	"example.com/orderd/engine"
	"example.com/orderd/engine/timer"
	"example.com/orderd/orders"
)

// Timer groups the commands about timers.
type Timer struct {
	List  TimerList  `cmd:"" help:"List timers, the latest first."`
	Retry TimerRetry `cmd:"" help:"Let a timer be tried at once that is parked or waits after a try."`
}

// TimerList lists timers.
type TimerList struct {
	Order  string `placeholder:"ID" help:"Only of this order."`
	Status string `enum:",armed,fired,stopped,parked" default:"" help:"Only armed, fired, stopped or parked ones."`
	Limit  int    `default:"50" help:"At most so many, up to 200."`
}

// Help has the example.
func (TimerList) Help() string { return "Example: orderd timer list --status parked" }

// Run is the command.
func (c *TimerList) Run(e *Env, g *Globals) error {
	return e.withTimers(g, func(q *timer.Queue) error {
		f := timer.Filter{Subject: c.Order, Status: timer.Status(c.Status), Limit: c.Limit}
		if c.Order != "" {
			f.Machine = orders.MachineOrder
		}
		page, err := q.List(e.Context, f)
		if err != nil {
			return timerError(err)
		}
		if page.Timers == nil {
			page.Timers = []timer.Timer{}
		}
		return e.print(g, page.Timers, func(w *tabwriter.Writer) {
			say(w, "ID", "SUBJECT", "EVENT", "DUE", "STATUS", "TRIES", "AT", "PROBLEM")
			for _, t := range page.Timers {
				say(w, t.ID, t.Subject, t.Event, date(t.DueAt), t.Status, strconv.Itoa(t.Tries), date(t.NextAt), t.Problem)
			}
		})
	})
}

// TimerRetry retries one.
type TimerRetry struct {
	ID string `arg:"" help:"The timer's id."`
}

// Help has the example.
func (TimerRetry) Help() string { return "Example: orderd timer retry tmr_b3JkZXIv…" }

// Run is the command.
func (c *TimerRetry) Run(e *Env, g *Globals) error {
	return e.withTimers(g, func(q *timer.Queue) error {
		done, err := q.Retry(e.Context, c.ID)
		if err != nil {
			return timerError(err)
		}
		return e.print(g, asked{c.ID, done}, func(w *tabwriter.Writer) {
			say(w, map[bool]string{
				true: "It is tried again by the next daemon that looks.", false: "Nothing to do: it is not due, on its way or done.",
			}[done])
		})
	})
}

// timerError gives the errors of a queue of timers their exit codes.
func timerError(err error) error {
	switch {
	case errors.Is(err, engine.ErrBadRequest):
		return usage(err)
	case errors.Is(err, timer.ErrNotFound):
		return no("%v", err)
	}
	return err
}

func (e *Env) withTimers(g *Globals, f func(*timer.Queue) error) error {
	db, err := e.open(g)
	if err != nil {
		return err
	}
	defer closeQuietly(db)
	q, err := timer.NewQueue(e.Context, db.Gorm, e.Now)
	if err != nil {
		return err
	}
	return f(q)
}
