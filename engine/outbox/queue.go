package outbox

import (
	"cmp"
	"context"
	"database/sql"
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

// Queue looks at messages and lets people act on them. It is safe for concurrent use.
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
var ErrNotFound = errors.New("outbox: there is no such message")

// Filter chooses messages; zero fields choose nothing away.
type Filter struct {
	Machine, Subject string
	Type             string
	Status           Status
	From, To         time.Time // of the transition: From inclusive, To exclusive

	Limit  int    // 1 to 200; 0 is 50
	Cursor string // a page's NextCursor; "" begins
}

// Page is a part of a list.
type Page struct {
	Messages   []Message
	NextCursor string // "" at the end
}

// latest is the order of messages: their place in the queue.
var latest = keyset.List{keyset.Time("next_at"), keyset.Text("machine", 64), keyset.Text("subject", 128),
	keyset.Int("version"), keyset.Int("ordinal")}

// Get finds one message.
func (q *Queue) Get(ctx context.Context, id string) (Message, error) {
	a, ok := parseID(id)
	if !ok {
		return Message{}, ErrNotFound
	}
	var found []Message
	err := q.db.Each(ctx, "SELECT "+columns+" FROM engine_messages WHERE machine = ? AND subject = ? AND version = ? "+
		"AND ordinal = ?",
		[]any{a.machine, a.subject, a.version, a.ordinal}, func(rows *sql.Rows) error {
			m, err := scan(rows)
			found = append(found, m)
			return err
		})
	if err != nil {
		return Message{}, fmt.Errorf("outbox: read a message: %w", err)
	}
	if len(found) == 0 {
		return Message{}, ErrNotFound
	}
	return found[0], nil
}

// List lists messages by their place in the queue, the latest first. That is when a message was sent,
// or parked, or is tried next.
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
	var found []Message
	for _, s := range statuses {
		readings = append(readings, sqldb.Reading{
			Query: "SELECT " + columns + " FROM engine_messages WHERE status = ?" + where +
				" ORDER BY " + part.Order + " LIMIT " + strconv.Itoa(part.Limit+1),
			Args: slices.Concat([]any{string(s)}, args),
			Row: func(rows *sql.Rows) error {
				m, err := scan(rows)
				found = append(found, m)
				return err
			},
		})
	}
	if err := q.db.Read(ctx, readings); err != nil {
		return Page{}, fmt.Errorf("outbox: list messages: %w", err)
	}
	slices.SortFunc(found, func(a, b Message) int {
		return -cmp.Or(a.NextAt.Compare(b.NextAt), strings.Compare(a.Machine, b.Machine), strings.Compare(a.Subject, b.Subject),
			cmp.Compare(a.Version, b.Version), cmp.Compare(a.Ordinal, b.Ordinal))
	})
	var p Page
	p.Messages, p.NextCursor = keyset.Cut(part, found, func(m Message) []any {
		return []any{m.NextAt, m.Machine, m.Subject, m.Version, int64(m.Ordinal)}
	})
	return p, nil
}

// where is the conditions of a filter but its status.
func (f Filter) where() (text string, args []any, err error) {
	add := func(condition string, value any) { text, args = text+" AND "+condition, append(args, value) }
	for _, c := range []struct{ condition, value string }{{"machine = ?", f.Machine}, {"subject = ?", f.Subject},
		{"type = ?", f.Type}} {
		if c.value != "" {
			add(c.condition, c.value)
		}
	}
	if f.Status != "" && !slices.Contains(Statuses, f.Status) {
		return "", nil, &engine.RequestError{Field: "status", Problem: fmt.Sprintf("there is no %q", f.Status)}
	}
	for _, c := range []struct {
		name, condition string
		at              time.Time
	}{{"from", "created_at >= ?", f.From}, {"to", "created_at < ?", f.To}} {
		if c.at.IsZero() {
			continue
		}
		if year := c.at.UTC().Year(); year < 1000 || year > 9998 { // what MySQL's DATETIME compares with
			return "", nil, &engine.RequestError{Field: c.name, Problem: "want a time of the years 1000 to 9998"}
		}
		add(c.condition, c.at.UTC().Truncate(sqldb.Precision))
	}
	return text, args, nil
}

// Retry lets a parked message, or one that waits for its next try, be tried at once. It reports
// whether there was anything to do: a message that is sent or on its way needs no retry.
func (q *Queue) Retry(ctx context.Context, id string) (bool, error) {
	if _, err := q.Get(ctx, id); err != nil {
		return false, err
	}
	a, _ := parseID(id)
	now := q.now().UTC().Truncate(sqldb.Precision)
	n, err := q.db.Exec(ctx, `UPDATE engine_messages SET status = 'retrying', next_at = ?, tries = 0
		WHERE machine = ? AND subject = ? AND version = ? AND ordinal = ? AND (status = 'parked' OR status = 'retrying' AND next_at > ?)`,
		now, a.machine, a.subject, a.version, a.ordinal, now)
	if err != nil {
		return false, fmt.Errorf("outbox: retry a message: %w", err)
	}
	return n > 0, nil
}

// replayPart bounds one transaction of Replay.
const replayPart = 500

// Replay puts messages back into the queue. With no status, or Sent, it is those that were sent: of one
// subject, or of transitions in a range of time, which must be given; they are sent again to every
// sink, under the same ids, and calling it again would replay them again. With the status Parked it is
// those that were given up; sinks that have them already do not get them again. It handles at most most
// messages and returns how many it put back.
func (q *Queue) Replay(ctx context.Context, f Filter, most int) (int, error) {
	f.Status = cmp.Or(f.Status, Sent)
	set := "status = 'pending', next_at = ?, tries = 0, replays = replays + 1, taken = ''"
	switch {
	case f.Status == Parked:
		set = "status = 'retrying', next_at = ?, tries = 0"
	case f.Status != Sent:
		return 0, &engine.RequestError{Field: "status", Problem: "only messages that were sent or parked are replayed"}
	case f.Subject == "" && (f.From.IsZero() || f.To.IsZero()):
		return 0, &engine.RequestError{Field: "subject", Problem: "a replay needs one, or both from and to"}
	}
	where, args, err := f.where()
	if err != nil {
		return 0, err
	}
	if !f.From.IsZero() { // none was sent before its transition: lets the index help
		where, args = where+" AND next_at >= ?", append(args, f.From.UTC().Truncate(sqldb.Precision))
	}
	began := q.now().UTC().Truncate(sqldb.Precision)
	where, args = where+" AND next_at < ?", append(args, began) // not what this call has put back and a relay has sent
	total := 0
	for total < most {
		var part []Message
		err := q.db.Each(ctx, "SELECT "+columns+" FROM engine_messages WHERE status = ?"+where+
			" ORDER BY next_at LIMIT "+strconv.Itoa(min(replayPart, most-total)), slices.Concat([]any{string(f.Status)}, args),
			func(rows *sql.Rows) error {
				m, err := scan(rows)
				part = append(part, m)
				return err
			})
		if err != nil {
			return total, fmt.Errorf("outbox: find what to replay: %w", err)
		}
		if len(part) == 0 {
			break
		}
		condition, places := places(part)
		n, err := q.db.Exec(ctx, "UPDATE engine_messages SET "+set+" WHERE COALESCE(status, '') = ? AND "+condition,
			slices.Concat([]any{began, string(f.Status)}, places)...)
		if err != nil {
			return total, fmt.Errorf("outbox: replay: %w", err)
		}
		total += int(n)
	}
	return total, nil
}

// Backlog is how many messages wait, and since when the oldest does.
type Backlog struct {
	Pending  int        `json:"pending"`
	Retrying int        `json:"retrying"`
	Parked   int        `json:"parked"`
	Oldest   *time.Time `json:"oldest,omitempty"` // transition of the first that was never tried
}

// Backlog counts what is not sent.
func (q *Queue) Backlog(ctx context.Context) (b Backlog, err error) {
	err = q.db.Each(ctx, "SELECT status, COUNT(*) FROM engine_messages WHERE status IN ('pending', 'retrying', 'parked') "+
		"GROUP BY status", nil,
		func(rows *sql.Rows) error {
			var status Status
			var n int
			err := rows.Scan(&status, &n)
			switch status {
			case Pending:
				b.Pending = n
			case Retrying:
				b.Retrying = n
			case Parked:
				b.Parked = n
			}
			return err
		})
	if err == nil && b.Pending > 0 {
		err = q.db.Each(ctx, "SELECT created_at FROM engine_messages WHERE status = 'pending' ORDER BY next_at LIMIT 1", nil,
			func(rows *sql.Rows) error {
				var at time.Time
				err := rows.Scan(&at)
				at = at.UTC()
				b.Oldest = &at
				return err
			})
	}
	if err != nil {
		return Backlog{}, fmt.Errorf("outbox: count messages: %w", err)
	}
	return b, nil
}

// Trim removes up to limit messages that were sent longer than keep ago, and returns how many. With
// them it writes down how far it went and how many they were, so that verify misses these and no others.
func (q *Queue) Trim(ctx context.Context, keep time.Duration, limit int) (int, error) {
	cutoff := q.now().Add(-keep).UTC().Truncate(sqldb.Precision)
	var old []Message
	err := q.db.Each(ctx, "SELECT "+columns+" FROM engine_messages WHERE status = 'sent' AND next_at < ? ORDER BY next_at LIMIT "+
		strconv.Itoa(min(max(limit, 1), trimMax)), []any{cutoff}, func(rows *sql.Rows) error {
		m, err := scan(rows)
		old = append(old, m)
		return err
	})
	if err != nil || len(old) == 0 {
		return 0, err
	}
	mark := old[0].At
	for _, m := range old {
		if m.At.After(mark) {
			mark = m.At
		}
	}
	mark = mark.Add(sqldb.Precision) // transitions before it may lack messages
	removed := 0
	err = q.db.Retry(ctx, func(tx *sqldb.Tx) error {
		removed = 0
		for part := range slices.Chunk(old, sentChunk) {
			condition, places := places(part)
			n, err := tx.Exec(ctx, "DELETE FROM engine_messages WHERE COALESCE(status, '') = 'sent' AND "+condition, places...)
			if err != nil {
				return err
			}
			removed += int(n)
		}
		if removed == 0 {
			return nil // somebody was faster
		}
		return raise(ctx, tx, mark, removed)
	})
	if err != nil {
		return 0, fmt.Errorf("outbox: remove old messages: %w", err)
	}
	return removed, nil
}

// raise writes down that messages of transitions before mark may be gone, and how many are.
func raise(ctx context.Context, tx *sqldb.Tx, mark time.Time, removed int) error {
	n, err := tx.Exec(ctx, "UPDATE engine_watermarks SET at = CASE WHEN at < ? THEN ? ELSE at END, gone = gone + ? WHERE "+
		"name = 'engine_messages'",
		mark, mark, removed)
	if err != nil || n > 0 {
		return err
	}
	return tx.Insert(ctx, sqldb.Insert{Table: "engine_watermarks", Columns: []string{"name", "at", "gone"},
		Rows: [][]any{{"engine_messages", mark, removed}}})
}

// trimMax bounds one Trim.
const trimMax = 1000
