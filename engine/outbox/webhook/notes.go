package webhook

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"example.com/orderd/engine/internal/sqldb"
	"example.com/orderd/engine/retry"
)

// schedule is the pause after each post that failed. The first post is at once; a delivery whose last
// one fails is given up.
var schedule = []time.Duration{
	5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 10 * time.Hour,
}

// rule is the schedule as a rule.
func (c *Config) rule() retry.Rule {
	return retry.Rule{Pauses: schedule, Tries: len(schedule) + 1, Rand: c.Rand}
}

// failingMax is how long an endpoint may fail every delivery before it is disabled.
const failingMax = 5 * 24 * time.Hour

// notes are what came of a run.
type notes struct {
	now      time.Time
	endpoint *Endpoint
	held     string // condition under which anything is written
	holds    []any
	ended    []end
	posts    [][]any // of webhook_attempts, without their numbers
	took     bool    // the endpoint has taken one
	refused  bool    // it has refused one
	disable  string  // why it gets no more
}

// end is a delivery's new place.
type end struct {
	id      string
	status  Status
	next    time.Time
	problem string
	posted  bool
}

func (n *notes) add(r result, rule retry.Rule) {
	id := r.ID
	if r.stopped {
		return
	}
	if r.missing {
		n.ended = append(n.ended, end{id: id, status: Failed, next: n.now, problem: "the message is kept no more"})
		return
	}
	n.posts = append(n.posts, []any{id, 0, r.At, r.TookMS, r.Code, r.Answer, r.Attempt.Problem})
	one := end{id: id, status: Delivered, next: n.now, problem: r.Attempt.Problem, posted: true}
	if one.problem == "" {
		n.took = true
	} else {
		note := rule.Failed(n.now, r.Tries, errors.New(one.problem))
		n.refused, one.status, one.next = true, Failed, note.NextAt
		if !note.Parked {
			one.status = Retrying
			one.next = retry.Later(note.NextAt, n.now.Add(r.retryAfter))
		}
	}
	if r.gone {
		n.disable = "the endpoint answered 410 Gone"
	}
	n.ended = append(n.ended, one)
}

// write writes the notes. Everything stands under the condition that no other process has taken over,
// which is asked by the first statement and holds as long as that row is locked.
func (n *notes) write(ctx context.Context, tx *sqldb.Tx) error {
	ours := false
	err := tx.Each(ctx, "SELECT 1 FROM (SELECT 1 AS one) o WHERE "+n.held, n.holds,
		func(*sql.Rows) error { ours = true; return nil })
	if err != nil || !ours {
		return err
	}
	posts := map[string]int{}
	ids := make([]any, len(n.posts))
	for i, p := range n.posts {
		ids[i] = p[0]
	}
	if len(ids) > 0 {
		err := tx.Each(ctx, "SELECT delivery, MAX(number) FROM webhook_attempts WHERE delivery IN ("+placeholders(len(ids))+
			") GROUP BY delivery", ids,
			func(rows *sql.Rows) error {
				var id string
				var number int
				err := rows.Scan(&id, &number)
				posts[id] = number
				return err
			})
		if err != nil {
			return err
		}
	}
	var script sqldb.Script
	var delivered []any
	for _, one := range n.ended {
		if one.status == Delivered {
			delivered = append(delivered, one.id)
			continue
		}
		tries := 0
		if one.posted {
			tries = 1
		}
		script.Exec("UPDATE webhook_deliveries SET status = ?, tries = tries + ?, next_at = ?, problem = ? WHERE id = ? AND "+
			"status IN ('pending', 'retrying')",
			string(one.status), tries, one.next, one.problem, one.id)
	}
	if len(delivered) > 0 {
		script.Exec("UPDATE webhook_deliveries SET status = 'delivered', tries = tries + 1, next_at = ?, problem = '' WHERE "+
			"status IN ('pending', 'retrying') AND id IN ("+
			placeholders(len(delivered))+")", slices.Concat([]any{n.now}, delivered)...)
	}
	rows := make([][]any, len(n.posts))
	for i, p := range n.posts {
		rows[i] = slices.Clone(p)
		posts[p[0].(string)]++
		rows[i][1] = posts[p[0].(string)]
	}
	if len(rows) > 0 {
		script.Insert(sqldb.Insert{Table: "webhook_attempts", Columns: []string{"delivery", "number", "at", "took_ms",
			"code", "answer", "problem"}, Rows: rows})
	}
	n.noteEndpoint(&script)
	return tx.Play(ctx, script)
}

// noteEndpoint keeps since when an endpoint has taken nothing, and disables it after too long.
func (n *notes) noteEndpoint(script *sqldb.Script) {
	e := n.endpoint
	switch {
	case n.took && e.FailingFrom != nil:
		script.Exec("UPDATE webhook_endpoints SET failing_from = NULL WHERE id = ?", e.ID)
	case n.took || !n.refused:
	case e.FailingFrom == nil:
		script.Exec("UPDATE webhook_endpoints SET failing_from = ? WHERE id = ? AND failing_from IS NULL", n.now, e.ID)
	case n.now.Sub(*e.FailingFrom) >= failingMax && n.disable == "":
		n.disable = fmt.Sprintf("it has taken nothing since %s", e.FailingFrom.Format(time.RFC3339))
	}
	if n.disable != "" {
		script.Exec("UPDATE webhook_endpoints SET status = 'disabled', problem = ?, updated_at = ? WHERE id = ? AND "+
			"status = 'enabled'", n.disable, n.now, e.ID)
	}
}
