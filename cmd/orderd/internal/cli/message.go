package cli

import (
	"errors"
	"strconv"
	"text/tabwriter"
	"time"

	"example.com/orderd/engine"
	"example.com/orderd/engine/outbox"
	"example.com/orderd/orders"
)

// Message groups the commands about messages.
type Message struct {
	List   MessageList   `cmd:"" help:"List messages, the latest first."`
	Retry  MessageRetry  `cmd:"" help:"Let a message be tried at once that is parked or waits."`
	Replay MessageReplay `cmd:"" help:"Send messages once more, under their own ids."`
}

// MessageList lists messages.
type MessageList struct {
	Order  string `placeholder:"ID" help:"Only of this order."`
	Status string `enum:",pending,retrying,sent,parked" default:"" help:"Only pending, retrying, sent or parked ones."`
	Limit  int    `default:"50" help:"At most so many, up to 200."`
}

// Help has the example.
func (MessageList) Help() string { return "Example: orderd message list --status parked" }

// Run is the command.
func (c *MessageList) Run(e *Env, g *Globals) error {
	return e.withQueue(g, func(q *outbox.Queue) error {
		page, err := q.List(e.Context, filterOf(c.Order, time.Time{}, time.Time{}, outbox.Status(c.Status), c.Limit))
		if err != nil {
			return queueError(err)
		}
		if page.Messages == nil {
			page.Messages = []outbox.Message{}
		}
		return e.print(g, page.Messages, func(w *tabwriter.Writer) {
			say(w, "ID", "TYPE", "SUBJECT", "STATUS", "TRIES", "AT", "PROBLEM")
			for _, m := range page.Messages {
				say(w, m.ID, m.Type, m.Subject, m.Status, strconv.Itoa(m.Tries), date(m.NextAt), m.Problem)
			}
		})
	})
}

// MessageRetry retries one.
type MessageRetry struct {
	ID string `arg:"" help:"The message's id."`
}

// Help has the example.
func (MessageRetry) Help() string { return "Example: orderd message retry msg_b3JkZXIv…" }

// asked is the answer to a wish that may have come true already.
type asked struct {
	ID    string `json:"id"`
	Asked bool   `json:"asked"`
}

// Run is the command.
func (c *MessageRetry) Run(e *Env, g *Globals) error {
	return e.withQueue(g, func(q *outbox.Queue) error {
		done, err := q.Retry(e.Context, c.ID)
		if err != nil {
			return queueError(err)
		}
		return e.print(g, asked{c.ID, done}, func(w *tabwriter.Writer) {
			say(w, map[bool]string{
				true: "It is tried again by the next daemon that looks.", false: "Nothing to do: it is on its way or done.",
			}[done])
		})
	})
}

// MessageReplay sends messages again.
type MessageReplay struct {
	Order  string    `placeholder:"ID" help:"Messages of this order."`
	From   time.Time `placeholder:"TIME" help:"Messages of transitions at or after this time, RFC 3339."`
	To     time.Time `placeholder:"TIME" help:"And before this one."`
	Parked bool      `help:"Those that were given up, instead of those that were sent."`
}

// Help has the example.
func (MessageReplay) Help() string {
	return `An order, or both times, must be given, except with --parked. Every call sends them again.

Example: orderd message replay --from 2026-01-05T00:00:00Z --to 2026-01-06T00:00:00Z`
}

// replayMax bounds one replay.
const replayMax = 1_000_000

// Run is the command.
func (c *MessageReplay) Run(e *Env, g *Globals) error {
	return e.withQueue(g, func(q *outbox.Queue) error {
		var status outbox.Status
		if c.Parked {
			status = outbox.Parked
		}
		n, err := q.Replay(e.Context, filterOf(c.Order, c.From, c.To, status, 0), replayMax)
		if err != nil {
			return queueError(err)
		}
		return e.print(g, map[string]int{"count": n}, func(w *tabwriter.Writer) { say(w, n, "messages will be sent again.") })
	})
}

func filterOf(order string, from, to time.Time, status outbox.Status, limit int) outbox.Filter {
	f := outbox.Filter{Subject: order, From: from, To: to, Status: status, Limit: limit}
	if order != "" {
		f.Machine = orders.MachineOrder
	}
	return f
}

// queueError gives the errors of a queue their exit codes.
func queueError(err error) error {
	switch {
	case errors.Is(err, engine.ErrBadRequest):
		return usage(err)
	case errors.Is(err, outbox.ErrNotFound):
		return no("%v", err)
	}
	return err
}

func (e *Env) withQueue(g *Globals, f func(*outbox.Queue) error) error {
	db, err := e.open(g)
	if err != nil {
		return err
	}
	defer closeQuietly(db)
	q, err := outbox.NewQueue(e.Context, db.Gorm, e.Now)
	if err != nil {
		return err
	}
	return f(q)
}
