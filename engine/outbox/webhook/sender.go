package webhook

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"example.com/orderd/engine"
	"example.com/orderd/engine/internal/sqldb"
	"example.com/orderd/engine/lock"
)

// SenderName is the name of the lease under which deliveries are posted.
const SenderName = "webhooks"

// Bounds of what is under way.
const (
	endpointsBusy = 64  // at most so many endpoints at a time
	runMax        = 100 // deliveries of one run for an endpoint
	runPosts      = 8   // of them at a time
	noteEvery     = time.Second
)

// Step starts a run for every endpoint that has something due and is not being posted to, as far as there
// is room; endpoints take turns. It does not wait for the runs; when one ends, Config.Wake is called. It
// is a worker's step, under the lease SenderName.
func (w *Webhooks) Step(ctx context.Context, fence int64) (more bool, err error) {
	if w.life.Err() != nil {
		return false, fmt.Errorf("webhook: the sender is %w", engine.ErrClosed)
	}
	endpoints, err := w.endpoints(ctx, "WHERE status = 'enabled' ORDER BY id")
	if err != nil {
		return false, err
	}
	var failures []error
	for _, e := range w.inTurn(endpoints) {
		if !w.occupy(e.ID) {
			continue
		}
		due, err := w.due(ctx, e)
		if err != nil || len(due) == 0 {
			w.free(e.ID)
			w.all.Done()
			failures = append(failures, err)
			continue
		}
		go func() {
			defer w.all.Done()
			defer w.cfg.Wake()
			defer w.free(e.ID)
			w.run(e, due, fence)
		}()
	}
	return false, errors.Join(failures...)
}

// inTurn puts those endpoints first whose last run began longest ago, so that those that always have
// something due leave room for the others.
func (w *Webhooks) inTurn(endpoints []*Endpoint) []*Endpoint {
	w.mu.Lock()
	defer w.mu.Unlock()
	ran := make(map[string]int64, len(endpoints)) // without those that are gone
	for _, e := range endpoints {
		ran[e.ID] = w.ran[e.ID]
	}
	w.ran = ran
	slices.SortStableFunc(endpoints, func(a, b *Endpoint) int { return cmp.Compare(ran[a.ID], ran[b.ID]) })
	return endpoints
}

// Wait returns when no run is under way.
func (w *Webhooks) Wait() { w.all.Wait() }

// occupy begins a run, unless there is one, or no room, or Close has come; w.all.Done ends it. It counts under the lock
// under which Close ends the runs, so that none begins once Close waits for them.
func (w *Webhooks) occupy(endpoint string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.busy[endpoint] || len(w.busy) >= endpointsBusy || w.life.Err() != nil {
		return false
	}
	w.all.Add(1)
	w.busy[endpoint] = true
	w.runs++
	w.ran[endpoint] = w.runs
	return true
}

func (w *Webhooks) free(endpoint string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.busy, endpoint)
}

// due reads what an endpoint should be sent now. First posts do not wait for their next_at: they are
// due from the beginning.
func (w *Webhooks) due(ctx context.Context, e *Endpoint) ([]Delivery, error) {
	var due []Delivery
	add := func(rows *sql.Rows) error {
		var data sql.NullString
		var at sql.NullTime
		d, err := scanDelivery(rows, &data, &at)
		if data.Valid {
			d.data, d.at = &data.String, at.Time.UTC()
		}
		due = append(due, d)
		return err
	}
	const query = "SELECT " + deliveryColumns + `, m.data, m.created_at FROM webhook_deliveries d LEFT JOIN engine_messages m
		ON m.machine = d.machine AND m.subject = d.subject AND m.version = d.version AND m.ordinal = d.ordinal
		WHERE d.endpoint = ? AND d.status = ?`
	err := w.db.Read(ctx, []sqldb.Reading{
		{Query: query + " AND d.next_at <= ? ORDER BY d.next_at, d.id LIMIT " + strconv.Itoa(runMax/4),
			Args: []any{e.ID, string(Retrying), w.now()}, Row: add},
		{Query: query + " ORDER BY d.next_at, d.id LIMIT " + strconv.Itoa(runMax), Args: []any{e.ID, string(Pending)}, Row: add},
	})
	if err != nil {
		return nil, fmt.Errorf("read what is due at %s: %w", e.ID, err)
	}
	return due, nil
}

// run posts some deliveries of one endpoint, several at a time, those of one subject one after the
// other in the order of its versions.
func (w *Webhooks) run(e *Endpoint, due []Delivery, fence int64) {
	work := make(chan []Delivery)
	results := make(chan result)
	var posters sync.WaitGroup
	var gone atomic.Bool // the endpoint wants no more: the rest waits
	for range min(runPosts, len(due)) {
		posters.Go(func() {
			for ds := range work {
				for _, d := range ds {
					if w.life.Err() != nil || gone.Load() {
						break
					}
					r := w.deliver(e, d)
					if r.gone {
						gone.Store(true)
					}
					results <- r
				}
			}
		})
	}
	go func() {
		defer close(results)
		for _, ds := range bySubject(due) {
			work <- ds
		}
		close(work)
		posters.Wait()
	}()
	var done []result
	var noted time.Time
	for r := range results {
		if done = append(done, r); noted.IsZero() {
			noted = time.Now()
		}
		if time.Since(noted) > noteEvery {
			w.note(e, done, fence)
			done, noted = nil, time.Time{}
		}
	}
	w.note(e, done, fence)
}

// bySubject groups deliveries, keeping the order of their subjects.
func bySubject(due []Delivery) [][]Delivery {
	at := map[[2]string]int{}
	var groups [][]Delivery
	for _, d := range due {
		s := [2]string{d.Machine, d.Subject}
		i, known := at[s]
		if !known {
			i = len(groups)
			at[s], groups = i, append(groups, nil)
		}
		groups[i] = append(groups[i], d)
	}
	for _, g := range groups {
		slices.SortStableFunc(g, func(a, b Delivery) int {
			return cmp.Or(cmp.Compare(a.Version, b.Version), cmp.Compare(a.Ordinal, b.Ordinal))
		})
	}
	return groups
}

// result is a delivery after a post.
type result struct {
	Delivery
	answer
	stopped bool // the daemon ended the post: the endpoint is not to blame
	missing bool // the message is kept no more
}

func (w *Webhooks) deliver(e *Endpoint, d Delivery) result {
	if d.data == nil {
		return result{Delivery: d, missing: true}
	}
	r := result{Delivery: d, answer: w.post(w.life, e, d.Message, d.body(w.cfg.Source))}
	r.Attempt.Delivery = d.ID
	r.stopped = r.Code == 0 && w.life.Err() != nil
	if !r.stopped {
		w.cfg.Posted(r.Attempt)
	}
	return r
}

// noteMax bounds writing down what came of posts, which goes on while the daemon ends: what is not
// noted is posted again.
const noteMax = 5 * time.Second

// note writes down what came of posts. After another process has taken over it writes nothing.
func (w *Webhooks) note(e *Endpoint, done []result, fence int64) {
	if len(done) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.life), noteMax)
	defer cancel()
	n := notes{now: w.now(), endpoint: e}
	n.held, n.holds = lock.Fenced(SenderName, fence)
	for _, r := range done {
		n.add(r, w.cfg.rule())
	}
	err := w.db.Retry(ctx, func(tx *sqldb.Tx) error { return n.write(ctx, tx) })
	switch {
	case err != nil:
		w.cfg.Logger.ErrorContext(ctx, "what became of webhooks could not be written down, they are posted again",
			"endpoint", e.ID, "posts", len(done), "error", err)
	case n.disable != "":
		w.cfg.Logger.ErrorContext(ctx, "a webhook endpoint was disabled", "endpoint", e.ID, "problem", n.disable)
	}
}
