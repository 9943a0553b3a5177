package webhook

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"example.com/orderd/engine"
	"example.com/orderd/engine/internal/sqldb"
	"example.com/orderd/engine/standardwebhook"
)

const (
	secretBytes = 32
	overlap     = 24 * time.Hour // how long a replaced secret signs, too
)

const endpointColumns = "id, url, events, description, status, problem, secret, old_secret, old_until, failing_from, " +
	"created_at, updated_at"

func scanEndpoint(rows *sql.Rows) (*Endpoint, error) {
	var e Endpoint
	var events, secret, old string
	var until, failing sql.NullTime
	err := rows.Scan(&e.ID, &e.URL, &events, &e.Description, &e.Status, &e.Problem, &secret, &old, &until, &failing,
		&e.CreatedAt, &e.UpdatedAt)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal([]byte(events), &e.Events); err != nil {
		return nil, fmt.Errorf("events of %s: %w", e.ID, err)
	}
	if e.secret, err = standardwebhook.ParseSecret(secret); err != nil {
		return nil, fmt.Errorf("secret of %s: %w", e.ID, err)
	}
	if old != "" {
		if e.oldSecret, err = standardwebhook.ParseSecret(old); err != nil {
			return nil, fmt.Errorf("old secret of %s: %w", e.ID, err)
		}
	}
	e.OldUntil, e.FailingFrom = timeOf(until), timeOf(failing)
	e.CreatedAt, e.UpdatedAt = e.CreatedAt.UTC(), e.UpdatedAt.UTC()
	return &e, nil
}

func timeOf(t sql.NullTime) *time.Time {
	if !t.Valid {
		return nil
	}
	at := t.Time.UTC()
	return &at
}

func (w *Webhooks) now() time.Time { return w.cfg.Now().UTC().Truncate(sqldb.Precision) }

// Create makes an endpoint and the secret that signs what it gets, which is told this once.
func (w *Webhooks) Create(ctx context.Context, n NewEndpoint) (e *Endpoint, secret string, err error) {
	now := w.now()
	e = &Endpoint{
		ID: w.cfg.NewID("whe"), URL: n.URL, Events: n.Events, Description: n.Description, Status: Enabled, CreatedAt: now,
		UpdatedAt: now,
	}
	if err := e.check(w.cfg.Guard); err != nil {
		return nil, "", err
	}
	if e.secret, err = standardwebhook.NewSecret(w.cfg.Random(secretBytes)); err != nil {
		return nil, "", err
	}
	err = w.db.Retry(ctx, func(tx *sqldb.Tx) error {
		n := 0
		if err := tx.Each(ctx, "SELECT COUNT(*) FROM webhook_endpoints", nil,
			func(rows *sql.Rows) error { return rows.Scan(&n) }); err != nil {
			return err
		}
		if n >= endpointsMax {
			return tx.Fail(&engine.RequestError{Field: "url",
				Problem: fmt.Sprintf("there are %d endpoints already, which is the most", n)})
		}
		return tx.Insert(ctx, sqldb.Insert{
			Table: "webhook_endpoints",
			Columns: []string{"id", "url", "events", "description", "status", "problem", "secret", "old_secret", "created_at",
				"updated_at"},
			Rows: [][]any{{e.ID, e.URL, encodeEvents(e.Events), e.Description, string(e.Status), "", e.secret.Reveal(), "", now, now}},
		})
	})
	if err != nil {
		return nil, "", fmt.Errorf("create a webhook endpoint: %w", err)
	}
	return e, e.secret.Reveal(), nil
}

// Endpoint finds one.
func (w *Webhooks) Endpoint(ctx context.Context, id string) (*Endpoint, error) {
	all, err := w.endpoints(ctx, "WHERE id = ?", id)
	if err == nil && len(all) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

// Endpoints lists all of them, the newest first.
func (w *Webhooks) Endpoints(ctx context.Context) ([]*Endpoint, error) {
	return w.endpoints(ctx, "ORDER BY created_at DESC, id DESC")
}

func (w *Webhooks) endpoints(ctx context.Context, which string, args ...any) ([]*Endpoint, error) {
	all := []*Endpoint{}
	err := w.db.Each(ctx, "SELECT "+endpointColumns+" FROM webhook_endpoints "+which, args, func(rows *sql.Rows) error {
		e, err := scanEndpoint(rows)
		all = append(all, e)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read webhook endpoints: %w", err)
	}
	return all, nil
}

// Change changes an endpoint. Enabling one forgets why it was disabled.
func (w *Webhooks) Change(ctx context.Context, id string, c Change) (*Endpoint, error) {
	e, err := w.Endpoint(ctx, id)
	if err != nil {
		return nil, err
	}
	if c.URL != nil {
		e.URL = *c.URL
	}
	if c.Events != nil {
		e.Events = *c.Events
	}
	if c.Description != nil {
		e.Description = *c.Description
	}
	if c.Status != nil {
		if e.Status != *c.Status {
			e.Problem, e.FailingFrom = "", nil
		}
		e.Status = *c.Status
	}
	if err := e.check(w.cfg.Guard); err != nil {
		return nil, err
	}
	e.UpdatedAt = w.now()
	_, err = w.db.Exec(ctx, `UPDATE webhook_endpoints SET url = ?, events = ?, description = ?, status = ?, problem = ?, failing_from = ?, updated_at = ?
		WHERE id = ?`, e.URL, encodeEvents(e.Events), e.Description, string(e.Status), e.Problem, e.FailingFrom, e.UpdatedAt, id)
	if err != nil {
		return nil, fmt.Errorf("change a webhook endpoint: %w", err)
	}
	w.cfg.Wake()
	return e, nil
}

// Rotate replaces an endpoint's secret and tells the new one this once. For a day both sign.
func (w *Webhooks) Rotate(ctx context.Context, id string) (e *Endpoint, secret string, err error) {
	if e, err = w.Endpoint(ctx, id); err != nil {
		return nil, "", err
	}
	fresh, err := standardwebhook.NewSecret(w.cfg.Random(secretBytes))
	if err != nil {
		return nil, "", err
	}
	now := w.now()
	until := now.Add(overlap)
	n, err := w.db.Exec(ctx, "UPDATE webhook_endpoints SET old_secret = secret, old_until = ?, secret = ?, updated_at = "+
		"? WHERE id = ? AND secret = ?",
		until, fresh.Reveal(), now, id, e.secret.Reveal())
	if err != nil {
		return nil, "", fmt.Errorf("rotate a webhook secret: %w", err)
	}
	if n == 0 { // somebody else rotates it now, and is told their secret
		return nil, "", ErrBusy
	}
	e.oldSecret, e.secret, e.OldUntil, e.UpdatedAt = e.secret, fresh, &until, now
	return e, fresh.Reveal(), nil
}

// ErrBusy says that somebody else is changing the same thing.
var ErrBusy = fmt.Errorf("webhook: somebody else is changing this, look again")

// Delete ends an endpoint and what was to be delivered to it. It reports whether there was one:
// deleting it again is no error.
func (w *Webhooks) Delete(ctx context.Context, id string) (bool, error) {
	var n int64
	err := w.db.Retry(ctx, func(tx *sqldb.Tx) error {
		var err error
		if n, err = tx.Exec(ctx, "DELETE FROM webhook_endpoints WHERE id = ?", id); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE webhook_deliveries SET status = 'cancelled', next_at = ?, problem = 'the endpoint was deleted'
			WHERE endpoint = ? AND status IN ('pending', 'retrying')`, w.now(), id)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("delete a webhook endpoint: %w", err)
	}
	return n > 0, nil
}
