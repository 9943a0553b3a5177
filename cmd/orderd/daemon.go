package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"example.com/orderd/cmd/orderd/internal/api"
	"example.com/orderd/cmd/orderd/internal/auth"
	"example.com/orderd/cmd/orderd/internal/callback"
	"example.com/orderd/cmd/orderd/internal/database"
	"example.com/orderd/cmd/orderd/internal/problem"
	"example.com/orderd/cmd/orderd/internal/submit"
	"example.com/orderd/cmd/orderd/internal/telemetry"
	"example.com/orderd/cmd/orderd/internal/web"
	"example.com/orderd/engine"
	"example.com/orderd/engine/batch"
	"example.com/orderd/engine/dberr"
	"example.com/orderd/engine/once"
	"example.com/orderd/engine/outbox/webhook"
	"example.com/orderd/engine/schema"
	"example.com/orderd/orders"
	"example.com/orderd/orders/ledger"
	"example.com/orderd/orders/notify"
	"example.com/orderd/orders/provider"
)

// config is all that a daemon is told.
type config struct {
	settings
	secrets secrets

	db      string // as database.Open takes it
	packets string // auto or off
	public  string // how others reach it
	local   string // how it reaches itself
	dev     bool
	guard   webhook.Guard // of outgoing webhooks
	now     func() time.Time
	log     *slog.Logger

	patience time.Duration // with one request; default patienceMax
}

// patienceMax is how long a request may take. It is longer than a lock is waited for and an unknown
// COMMIT is settled, and short enough for the answer to be sent before the connection is cut.
const patienceMax = 20 * time.Second

// daemon is everything between a database and an HTTP handler.
type daemon struct {
	config
	database *database.Database
	engine   *engine.Engine
	batcher  *batch.Batcher // what all requests go through
	shop     *orders.Shop
	ledger   *ledger.Ledger
	tokens   submit.Tokens
	ring     *auth.Keyring
	metrics  *telemetry.Metrics
	api      api.API

	background background
	receiver   *demoReceiver // in development
	handler    http.Handler

	draining atomic.Bool // told to stop: no longer ready
}

// newDaemon opens the database, which must be migrated, and puts everything on it together. Close
// ends it.
func newDaemon(ctx context.Context, c config) (*daemon, error) {
	db, err := database.Open(ctx, c.db, database.Packets(c.packets))
	if err != nil {
		return nil, err
	}
	if c.patience == 0 {
		c.patience = patienceMax
	}
	d := &daemon{config: c, database: db, metrics: telemetry.NewMetrics()}
	if err := d.assemble(ctx); err != nil {
		return nil, errors.Join(err, d.end(ctx))
	}
	return d, nil
}

// assemble puts engine, shop and handlers on the open database.
func (d *daemon) assemble(ctx context.Context) (err error) {
	if err := schema.Check(ctx, d.database.Gorm, tables); err != nil {
		return err
	}
	d.metrics.Watch(d.database.Pool)

	names := d.secrets.on()
	devKey := ""
	if d.dev {
		names, devKey = append(names, callback.FakeName), "dev"
	}
	spender, err := once.NewTokens(ctx, d.database.Gorm, 0, once.Config{Now: d.now, Text: newToken})
	if err != nil {
		return err
	}
	shop := orders.Config{Providers: names, Tokens: spender, Logger: d.log}
	books := ledger.Config{Tokens: spender}
	shopMachines, shopErr := shop.Machines()
	booksMachines, booksErr := books.Machines()
	if err := errors.Join(shopErr, booksErr); err != nil {
		return err
	}
	d.engine, err = engine.New(d.database.Gorm, engine.Config{
		Now: d.now, Logger: d.log, Observe: d.observe,
	}, slices.Concat(shopMachines, booksMachines, notify.Machines())...)
	if err != nil {
		return err
	}
	if d.tokens, err = d.submitTokens(spender); err != nil {
		return err
	}
	d.metrics.Know(d.engine.Machines())
	if d.batcher, err = batch.New(d.engine, batch.Config{Observe: d.metrics.Batch}); err != nil {
		return err
	}
	d.metrics.Queue(d.batcher.Waiting)
	if d.shop, err = orders.New(d.database.Gorm, d.engine, d.batcher, shop); err != nil {
		return err
	}
	if d.ledger, err = ledger.New(d.database.Gorm, d.engine, d.batcher, books); err != nil {
		return err
	}
	if err := d.assembleBackground(ctx); err != nil {
		return err
	}
	d.ring = auth.NewKeyring(auth.NewStore(d.database.Gorm), d.now, devKey)
	return d.mount()
}

// mount is the table of contents of everything that the daemon serves.
func (d *daemon) mount() error {
	mux := &web.Mux{}
	d.api = api.Mount(mux, api.Deps{
		Shop: d.shop, Engine: d.engine, Gate: auth.NewGate(d.ring, d.metrics.RefusedKey), Log: d.log, Pay: d.payLinks,
		Queue: d.background.queue, Webhooks: d.background.webhooks, Notifier: d.background.notifier, Timers: d.background.timing,
		Ledger: d.ledger, Tokens: d.tokens, Now: d.now,
	})
	document, err := json.Marshal(d.api.OpenAPI)
	if err != nil {
		return fmt.Errorf("the OpenAPI document: %w", err)
	}

	providers := d.secrets.providers()
	if d.dev {
		fake, err := callback.NewFake(d.shop.Payment, d.now, d.local)
		if err != nil {
			return err
		}
		providers[callback.FakeName] = fake
		fake.Mount(mux)
		d.receiver = &demoReceiver{now: d.now}
		d.receiver.mount(mux)
	}
	mux.Handle("POST /v1/callbacks/{provider}", &callback.Handler{
		Shop: d.shop, Providers: providers, Now: d.now, Log: d.log, Observe: d.metrics.Callback,
	})
	mux.HandleFunc("GET /v1/payments/{id}/qr.svg", d.qr)

	mux.HandleFunc("GET /healthz", healthy)
	mux.HandleFunc("GET /readyz", d.ready)
	mux.Handle("GET /metrics", d.metrics.Handler())
	mux.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/openapi+json")
		_, _ = w.Write(document)
	})
	mux.HandleFunc("GET /docs", web.Docs(d.api.OpenAPI))
	mux.HandleFunc("GET /docs/style.css", web.Style)
	mux.HandleFunc("GET /problems/{$}", web.ProblemList)
	mux.HandleFunc("GET /problems/{code}", web.Problems)
	mux.Handle("/admin/", d.admin())
	mux.Handle("GET /{$}", http.RedirectHandler("/admin/", http.StatusFound))

	all := web.Within(mux, d.patience)
	if d.dev {
		all = web.OnlyLocal(all, d.public)
	}
	d.handler = web.Outermost(all, d.log, d.metrics.HTTP)
	return nil
}

// close answers what still waits, writes what the engine still counts, and closes the database.
func (d *daemon) close(ctx context.Context) {
	if err := d.end(ctx); err != nil {
		d.log.Warn("closing", "error", err)
	}
}

// end closes what has been opened, the last first.
func (d *daemon) end(ctx context.Context) error {
	var errs []error
	d.background.close()
	if d.batcher != nil {
		errs = append(errs, d.batcher.Close(ctx))
	}
	if d.engine != nil {
		errs = append(errs, d.engine.Close(ctx))
	}
	return errors.Join(append(errs, d.database.Close())...)
}

// payLinks says where a payment is paid. Only the fake provider has its page here.
func (d *daemon) payLinks(p orders.Payment) (payURL, qrSVGURL string) {
	if !d.dev || p.Provider != callback.FakeName {
		return "", ""
	}
	return d.public + callback.PayPath(p.ID), d.public + "/v1/payments/" + p.ID + "/qr.svg"
}

// qr serves where a payment is paid as a QR code. It asks for no key, because a shop shows it to its
// customer; who knows a payment's id learns where to pay it, and nothing else.
func (d *daemon) qr(w http.ResponseWriter, r *http.Request) {
	p, err := d.shop.Payment(r.Context(), r.PathValue("id"))
	if err != nil {
		problem.From(err).Write(w)
		return
	}
	target, _ := d.payLinks(p)
	if target == "" {
		problem.New(problem.NotFound, "the payment has no page to pay it on").Write(w)
		return
	}
	if err := web.QR(w, target); err != nil {
		problem.New(problem.Internal, "a fault of the daemon").Because(err).Write(w)
	}
}

// healthy says that the process answers; whether it can work is for ready to say.
func healthy(w http.ResponseWriter, _ *http.Request) { status(w, "alive") }

const readyMax = 2 * time.Second

// ready says whether requests should be sent here: not while stopping, and not unless the engine can read its
// history, in the way in which it reads for every request. A server may greet and refuse that all the same.
func (d *daemon) ready(w http.ResponseWriter, r *http.Request) {
	if d.draining.Load() {
		problem.New(problem.Unavailable, "the daemon is stopping").Write(w)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), readyMax)
	defer cancel()
	if err := d.engine.Ready(ctx); err != nil {
		p := problem.New(problem.Unavailable, "history cannot be read: %s", dberr.Classify(err)).Because(err)
		d.log.Warn("not ready", "class", dberr.Classify(err).String(), "error", err)
		p.Write(w)
		return
	}
	status(w, "ready")
}

func status(w http.ResponseWriter, word string) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, "{\"status\":%q}\n", word)
}

// providers are the real ones that are on.
func (s secrets) providers() map[string]provider.Provider {
	on := map[string]provider.Provider{}
	if s.standard != nil {
		on[s.standard.Name()] = s.standard
	}
	return on
}

// on lists their names.
func (s secrets) on() []string {
	var names []string
	for name := range s.providers() {
		names = append(names, name)
	}
	return names
}
