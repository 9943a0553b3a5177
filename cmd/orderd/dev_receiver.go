package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"example.com/orderd/cmd/orderd/internal/problem"
	"example.com/orderd/cmd/orderd/internal/web"
	"example.com/orderd/engine/outbox/webhook"
	"example.com/orderd/engine/standardwebhook"
)

// demoReceiver is a receiver of webhooks in development: it checks their signatures and shows the
// latest on a page.
type demoReceiver struct {
	mu      sync.Mutex
	secrets []standardwebhook.Secret
	latest  []web.Received // the newest last
	now     func() time.Time
}

const (
	receiverPath  = "/dev/webhooks"
	receiverName  = "demo receiver of orderd dev"
	receivedMax   = 50
	receivedBytes = 256 << 10
)

func (d *demoReceiver) mount(mux *web.Mux) {
	mux.HandleFunc("GET "+receiverPath, func(w http.ResponseWriter, _ *http.Request) {
		d.mu.Lock()
		latest := slices.Clone(d.latest)
		d.mu.Unlock()
		slices.Reverse(latest)
		web.ReceivedPage(w, latest)
	})
	mux.HandleFunc("POST "+receiverPath, d.receive)
}

func (d *demoReceiver) receive(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, receivedBytes))
	if err != nil {
		problem.New(problem.BadRequest, "the body could not be read").Write(w)
		return
	}
	id, timestamp := r.Header.Get(standardwebhook.HeaderID), r.Header.Get(standardwebhook.HeaderTimestamp)
	d.mu.Lock()
	defer d.mu.Unlock()
	if !standardwebhook.Signed(d.secrets, id, timestamp, body, r.Header.Get(standardwebhook.HeaderSignature)) {
		problem.New(problem.Unauthorized, "the signature does not verify").Write(w)
		return
	}
	var event struct{ Type, Subject string }
	if err := json.Unmarshal(body, &event); err != nil {
		problem.New(problem.BadRequest, "the body is no JSON").Write(w)
		return
	}
	got := web.Received{At: d.now().UTC(), ID: id, Type: event.Type, Subject: event.Subject, Body: indented(body)}
	got.Repeat = slices.ContainsFunc(d.latest, func(known web.Received) bool { return known.ID == id })
	d.latest = append(d.latest, got)
	d.latest = d.latest[max(0, len(d.latest)-receivedMax):]
	status(w, "received")
}

// indented is JSON for a person.
func indented(text []byte) string {
	var b bytes.Buffer
	if json.Indent(&b, text, "", "  ") != nil {
		return string(text)
	}
	return b.String()
}

// subscribe makes the receiver an endpoint. One of an earlier start is taken over, with a new secret
// and today's address.
func (d *demoReceiver) subscribe(ctx context.Context, hooks *webhook.Webhooks, local string) error {
	all, err := hooks.Endpoints(ctx)
	if err != nil {
		return err
	}
	url, secret := local+receiverPath, ""
	i := slices.IndexFunc(all, func(e *webhook.Endpoint) bool { return e.Description == receiverName })
	if i < 0 {
		_, secret, err = hooks.Create(ctx, webhook.NewEndpoint{URL: url, Events: []string{"*"}, Description: receiverName})
	} else {
		on := webhook.Enabled
		if _, err = hooks.Change(ctx, all[i].ID, webhook.Change{URL: &url, Status: &on}); err == nil {
			_, secret, err = hooks.Rotate(ctx, all[i].ID)
		}
	}
	if err != nil {
		return fmt.Errorf("the demo receiver of webhooks: %w", err)
	}
	parsed, err := standardwebhook.ParseSecret(secret)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.secrets = append(d.secrets, parsed)
	return nil
}
