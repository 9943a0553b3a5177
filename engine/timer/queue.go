package timer

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/internal/sqldb"
	"example.com/orderd/engine/keyset"
)

// Status is how far a timer has come.
type Status string

// The statuses.
const (
	Armed   Status = "armed"   // it waits: to be due, or after a try for the next one
	Fired   Status = "fired"   // its event has happened
	Stopped Status = "stopped" // its visit is over, or it was told to stop
	Parked  Status = "parked"  // its event was asked for in vain too often; a person decides
)

// Statuses lists all of them.
var Statuses = []Status{Armed, Fired, Stopped, Parked}

// Timer is an event that a transition wants at a later time.
type Timer struct {
	ID      string       `json:"id"` // says where the row is
	Machine string       `json:"machine"`
	Subject string       `json:"subject"`
	Entered int64        `json:"entered"` // version with which the visit began that it belongs to
	Name    string       `json:"name"`
	Event   engine.Event `json:"event"`
	DueAt   time.Time    `json:"due_at"`
	Status  Status       `json:"status"`
	Tries   int          `json:"tries"`   // in vain
	NextAt  time.Time    `json:"next_at"` // of the next try while it is armed; else when it ended or was parked
	Problem string       `json:"problem,omitempty"`
	ArmedAt time.Time    `json:"armed_at"`
}

// place is a timer's place in its table.
type place struct {
	machine, subject string
	entered          int64
	name             string
}

const idPrefix = "tmr_"

func (p place) id() string {
	text := fmt.Sprintf("%s/%d/%s/%s", p.machine, p.entered, p.name, p.subject)
	return idPrefix + base64.RawURLEncoding.EncodeToString([]byte(text))
}

func parseID(id string) (place, bool) {
	encoded, ours := strings.CutPrefix(id, idPrefix)
	text, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	parts := strings.SplitN(string(text), "/", 4) // names of machines and timers have no slash
	if !ours || err != nil || len(parts) != 4 {
		return place{}, false
	}
	entered, err := strconv.ParseInt(parts[1], 10, 64)
	p := place{machine: parts[0], entered: entered, name: parts[2], subject: parts[3]}
	return p, err == nil && p.id() == id
}

// Queue looks at timers and lets people act on them. It is safe for concurrent use.
type Queue struct {
	db  *sqldb.DB
	now func() time.Time
}

// NewQueue makes a Queue on a database that engine.Migrate has prepared.
func NewQueue(ctx context.Context, db *gorm.DB, now func() time.Time) (*Queue, error) {
	d, err := sqldb.Wrap(ctx, db)
	if err != nil {
		return nil, err
	}
	if now == nil {
		now = time.Now
	}
	return &Queue{db: d, now: now}, nil
}

// ErrNotFound matches when there is nothing with the id that a Queue is asked for.
var ErrNotFound = errors.New("timer: there is no such timer")

// Filter chooses timers; zero fields choose nothing away.
type Filter struct {
	Machine, Subject string
	Status           Status
	Limit            int    // 1 to 200; 0 is 50
	Cursor           string // a page's NextCursor; "" begins
}

// Page is a part of a list.
type Page struct {
	Timers     []Timer
	NextCursor string // "" at the end
}

// latest is the order of timers: their place in the queue.
var latest = keyset.List{keyset.Time("next_at"), keyset.Text("machine", 64), keyset.Text("subject", 128),
	keyset.Int("entered"), keyset.Text("name", 64)}

const columns = "machine, subject, entered, name, event, due_at, status, tries, next_at, problem, armed_at"

func scan(rows *sql.Rows) (Timer, error) {
	var t Timer
	err := rows.Scan(&t.Machine, &t.Subject, &t.Entered, &t.Name, &t.Event, &t.DueAt, &t.Status, &t.Tries, &t.NextAt,
		&t.Problem, &t.ArmedAt)
	t.ID = place{t.Machine, t.Subject, t.Entered, t.Name}.id()
	t.DueAt, t.NextAt, t.ArmedAt = t.DueAt.UTC(), t.NextAt.UTC(), t.ArmedAt.UTC()
	return t, err
}

// List lists timers by their place in the queue, the latest first. That is when a timer is tried next,
// or when it ended or was parked.
func (q *Queue) List(ctx context.Context, f Filter) (Page, error) {
	part, err := latest.Next(f.Cursor, f.Limit, nil)
	if err != nil {
		return Page{}, err
	}
	where, args, err := f.where()
	if err != nil {
		return Page{}, err
	}
	where, args = where+" AND "+part.Where, append(args, part.Args...)
	// One range of the index for each status, merged here: the index begins with the status.
	statuses := Statuses
	if f.Status != "" {
		statuses = []Status{f.Status}
	}
	var readings []sqldb.Reading
	var found []Timer
	for _, s := range statuses {
		readings = append(readings, sqldb.Reading{
			Query: "SELECT " + columns + " FROM engine_timers WHERE status = ?" + where +
				" ORDER BY " + part.Order + " LIMIT " + strconv.Itoa(part.Limit+1),
			Args: slices.Concat([]any{string(s)}, args),
			Row: func(rows *sql.Rows) error {
				t, err := scan(rows)
				found = append(found, t)
				return err
			},
		})
	}
	if err := q.db.Read(ctx, readings); err != nil {
		return Page{}, fmt.Errorf("timer: list timers: %w", err)
	}
	slices.SortFunc(found, func(a, b Timer) int {
		return -cmp.Or(a.NextAt.Compare(b.NextAt), strings.Compare(a.Machine, b.Machine), strings.Compare(a.Subject, b.Subject),
			cmp.Compare(a.Entered, b.Entered), strings.Compare(a.Name, b.Name))
	})
	var p Page
	p.Timers, p.NextCursor = keyset.Cut(part, found, func(t Timer) []any {
		return []any{t.NextAt, t.Machine, t.Subject, t.Entered, t.Name}
	})
	return p, nil
}

// where is the conditions of a filter but its status.
func (f Filter) where() (text string, args []any, err error) {
	if f.Status != "" && !slices.Contains(Statuses, f.Status) {
		return "", nil, &engine.RequestError{Field: "status", Problem: fmt.Sprintf("there is no %q", f.Status)}
	}
	for _, c := range []struct{ condition, value string }{{" AND machine = ?", f.Machine}, {" AND subject = ?", f.Subject}} {
		if c.value != "" {
			text, args = text+c.condition, append(args, c.value)
		}
	}
	return text, args, nil
}

// Retry lets a timer be tried at once that is parked, or waits for its next try. It reports whether there
// was anything to do: one that has ended, or is not due yet, needs no retry.
func (q *Queue) Retry(ctx context.Context, id string) (bool, error) {
	p, ours := parseID(id)
	found := false
	key := []any{p.machine, p.subject, p.entered, p.name}
	err := q.db.Each(ctx, "SELECT 1 FROM engine_timers WHERE machine = ? AND subject = ? AND entered = ? AND name = ?", key,
		func(*sql.Rows) error { found = true; return nil })
	switch {
	case err != nil:
		return false, fmt.Errorf("timer: read a timer: %w", err)
	case !found || !ours:
		return false, ErrNotFound
	}
	now := q.now().UTC().Truncate(sqldb.Precision)
	n, err := q.db.Exec(ctx, `UPDATE engine_timers SET status = 'armed', next_at = ?, tries = 0 WHERE machine = ? AND subject = ? AND entered = ?
		AND name = ? AND (COALESCE(status, '') = 'parked' OR `+armed+` AND due_at <= ? AND next_at > ?)`,
		slices.Concat([]any{now}, key, []any{now, now})...)
	if err != nil {
		return false, fmt.Errorf("timer: retry a timer: %w", err)
	}
	return n > 0, nil
}
