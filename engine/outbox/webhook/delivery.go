package webhook

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.com/orderd/engine"
	"example.com/orderd/engine/internal/sqldb"
	"example.com/orderd/engine/keyset"
)

// Status is how far a delivery has come.
type Status string

// The statuses of a delivery.
const (
	Pending   Status = "pending"   // not posted yet
	Retrying  Status = "retrying"  // posted in vain, and waiting
	Delivered Status = "delivered" // the endpoint has taken it
	Failed    Status = "failed"    // given up
	Cancelled Status = "cancelled" // its endpoint is gone
)

// Statuses lists all of them.
var Statuses = []Status{Pending, Retrying, Delivered, Failed, Cancelled}

// Delivery is one message for one endpoint.
type Delivery struct {
	ID        string    `json:"id"`
	Endpoint  string    `json:"endpoint_id"`
	Message   string    `json:"message_id"` // webhook-id of every post
	Round     int       `json:"round"`      // grows when the message is replayed
	Machine   string    `json:"machine"`
	Subject   string    `json:"subject"`
	Version   int64     `json:"version"`
	Ordinal   int       `json:"ordinal"`
	Type      string    `json:"type"`
	Status    Status    `json:"status"`
	Tries     int       `json:"tries"`
	NextAt    time.Time `json:"next_at"` // of the next post while it waits; else when it ended
	Problem   string    `json:"problem,omitempty"`
	CreatedAt time.Time `json:"created_at"`

	data *string   // of the message; nil if it is kept no more
	at   time.Time // of the message
}

// Attempt is one post.
type Attempt struct {
	Delivery string        `json:"delivery_id"`
	Endpoint string        `json:"endpoint_id"`
	Number   int           `json:"number"` // from 1
	At       time.Time     `json:"at"`
	Took     time.Duration `json:"-"`
	TookMS   int64         `json:"took_ms"`
	Code     int           `json:"code"`              // HTTP status; 0 without an answer
	Answer   string        `json:"answer,omitempty"`  // its beginning
	Problem  string        `json:"problem,omitempty"` // why it counts as failed
}

const deliveryColumns = "d.id, d.endpoint, d.message, d.round, d.machine, d.subject, d.version, d.ordinal, d.type, " +
	"d.status, d.tries, d.next_at, d.problem, d.created_at"

func scanDelivery(rows *sql.Rows, more ...any) (Delivery, error) {
	var d Delivery
	err := rows.Scan(append([]any{&d.ID, &d.Endpoint, &d.Message, &d.Round, &d.Machine, &d.Subject, &d.Version, &d.Ordinal, &d.Type,
		&d.Status, &d.Tries, &d.NextAt, &d.Problem, &d.CreatedAt}, more...)...)
	d.NextAt, d.CreatedAt = d.NextAt.UTC(), d.CreatedAt.UTC()
	return d, err
}

// Filter chooses deliveries; zero fields choose nothing away.
type Filter struct {
	Endpoint         string
	Machine, Subject string
	Status           Status
	Limit            int    // 1 to 200; 0 is 50
	Cursor           string // a page's NextCursor; "" begins
}

// Page is a part of a list.
type Page struct {
	Deliveries []Delivery
	NextCursor string // "" at the end
}

// latest is the order of deliveries: their place in the queue.
var latest = keyset.List{keyset.Time("d.next_at"), keyset.ID("d.id", 64)}

// Deliveries lists deliveries by their place in the queue, the latest first.
func (w *Webhooks) Deliveries(ctx context.Context, f Filter) (Page, error) {
	part, err := latest.Next(f.Cursor, f.Limit, nil)
	if err != nil {
		return Page{}, err
	}
	if f.Status != "" && !slices.Contains(Statuses, f.Status) {
		return Page{}, &engine.RequestError{Field: "status", Problem: "there is no such status"}
	}
	where, args := part.Where, part.Args
	for _, c := range []struct{ condition, value string }{
		{" AND d.endpoint = ?", f.Endpoint}, {" AND d.machine = ?", f.Machine}, {" AND d.subject = ?", f.Subject},
		{" AND d.status = ?", string(f.Status)},
	} {
		if c.value != "" {
			where, args = where+c.condition, append(args, c.value)
		}
	}
	var found []Delivery
	err = w.db.Each(ctx, "SELECT "+deliveryColumns+" FROM webhook_deliveries d WHERE "+where+" ORDER BY "+part.Order+" LIMIT "+
		strconv.Itoa(part.Limit+1), args, func(rows *sql.Rows) error {
		d, err := scanDelivery(rows)
		found = append(found, d)
		return err
	})
	if err != nil {
		return Page{}, fmt.Errorf("list webhook deliveries: %w", err)
	}
	var p Page
	p.Deliveries, p.NextCursor = keyset.Cut(part, found, func(d Delivery) []any { return []any{d.NextAt, d.ID} })
	return p, nil
}

// Delivery finds one with its posts, the latest of them last.
func (w *Webhooks) Delivery(ctx context.Context, id string) (d Delivery, posts []Attempt, err error) {
	found := false
	err = w.db.Read(ctx, []sqldb.Reading{
		{Query: "SELECT " + deliveryColumns + " FROM webhook_deliveries d WHERE d.id = ?", Args: []any{id},
			Row: func(rows *sql.Rows) error {
				found = true
				d, err = scanDelivery(rows)
				return err
			}},
		{Query: "SELECT number, at, took_ms, code, answer, problem FROM webhook_attempts WHERE delivery = ? ORDER BY number " +
			"DESC LIMIT 100", Args: []any{id}, Row: func(rows *sql.Rows) error {
			a := Attempt{Delivery: id}
			err := rows.Scan(&a.Number, &a.At, &a.TookMS, &a.Code, &a.Answer, &a.Problem)
			a.At, a.Took = a.At.UTC(), time.Duration(a.TookMS)*time.Millisecond
			posts = append(posts, a)
			return err
		}},
	})
	if err != nil {
		return Delivery{}, nil, fmt.Errorf("read a webhook delivery: %w", err)
	}
	if !found {
		return Delivery{}, nil, ErrNotFound
	}
	for i := range posts {
		posts[i].Endpoint = d.Endpoint
	}
	slices.Reverse(posts)
	return d, posts, nil
}

// Redeliver asks for a delivery once more, whatever became of it. It reports whether there was
// anything to do: one that is on its way needs nothing.
func (w *Webhooks) Redeliver(ctx context.Context, id string) (bool, error) {
	d, _, err := w.Delivery(ctx, id)
	if err != nil {
		return false, err
	}
	if _, err := w.Endpoint(ctx, d.Endpoint); err != nil {
		return false, err
	}
	now := w.now()
	n, err := w.db.Exec(ctx, `UPDATE webhook_deliveries SET status = 'retrying', tries = 0, next_at = ?
		WHERE id = ? AND (status IN ('delivered', 'failed', 'cancelled') OR status = 'retrying' AND next_at > ?)`, now, id, now)
	if err != nil {
		return false, fmt.Errorf("redeliver: %w", err)
	}
	w.cfg.Wake()
	return n > 0, nil
}

// placeholders is n question marks.
func placeholders(n int) string { return "?" + strings.Repeat(", ?", n-1) }
