package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"example.com/orderd/cmd/orderd/internal/cli"
	"example.com/orderd/cmd/orderd/internal/database"
	"example.com/orderd/cmd/orderd/internal/telemetry"
)

// serve is the command that runs the daemon.
type serve struct {
	settings
}

// Help has the example.
func (serve) Help() string {
	return `Serves the API until it gets SIGTERM or SIGINT; then /readyz turns 503, requests in progress get up to
10 seconds, and everything stops in order. Secrets come from the environment, each as its value or as
@FILE: ORDERD_STANDARD_WEBHOOK_SECRET (whsec_…; several, separated by spaces, while one is replaced).
A provider without a secret is off.

Example: ORDERD_DB=sqlite:shop.db orderd migrate && ORDERD_DB=sqlite:shop.db orderd serve`
}

// Run is the command.
func (c *serve) Run(e *cli.Env, g *cli.Globals) error {
	log, err := telemetry.NewLogger(os.Stderr, c.LogLevel)
	if err != nil {
		return err
	}
	return run(e.Context, config{db: g.DB, packets: g.Packets, settings: c.settings, now: e.Now, log: log})
}

// dev is the command that runs the daemon for development.
type dev struct {
	settings
}

// Help has the example.
func (dev) Help() string {
	return `Serves like serve, on ./orderd-dev.db unless ORDERD_DB or --db says otherwise. It migrates by itself, puts
a few orders in, accepts the bearer key "dev" with every role, pays with the fake provider, posts webhooks
to a receiver of its own, which shows them at /dev/webhooks, and listens on loopback only. Unless ORDERD_STANDARD_WEBHOOK_SECRET is set, callbacks of the standard provider are
signed with ` + devSecret + `.

Example: orderd dev, then: curl -H 'Authorization: Bearer dev' http://127.0.0.1:8080/v1/orders`
}

// devSecret signs the standard provider's callbacks in development. Everybody knows it, as everybody
// knows the key dev; both are worth nothing beyond loopback.
const devSecret = "whsec_b3JkZXJkLWRldmVsb3BtZW50LXNlY3JldC0x"

// devEnv is the environment with the secrets that development needs.
func devEnv(name string) string {
	if value := os.Getenv(name); value != "" || name != standardSecret {
		return value
	}
	return devSecret
}

// devDatabase is where dev keeps its data unless told otherwise.
const devDatabase = "sqlite:orderd-dev.db"

// Run is the command.
func (c *dev) Run(e *cli.Env, g *cli.Globals) error {
	if err := loopback(c.Listen); err != nil {
		return err
	}
	log, err := telemetry.NewLogger(os.Stderr, c.LogLevel)
	if err != nil {
		return err
	}
	setting := g.DB
	if setting == "" {
		setting = devDatabase
	}
	db, err := database.Create(e.Context, setting, database.Packets(g.Packets))
	if err != nil {
		return err
	}
	if err := errors.Join(db.Migrate(e.Context, e.Schema), db.Close()); err != nil {
		return err
	}
	return run(e.Context, config{db: setting, packets: g.Packets, settings: c.settings, dev: true, now: e.Now, log: log})
}

// Limits of the HTTP server.
const (
	readHeaderMax = 5 * time.Second
	readMax       = 30 * time.Second
	writeMax      = 60 * time.Second
	idleMax       = 2 * time.Minute
	headerMax     = 16 << 10 // bytes
	drainMax      = 10 * time.Second
)

// run is the daemon from start to stop: what is started last is stopped first.
func run(ctx context.Context, c config) (err error) {
	var warnings []error
	getenv := os.Getenv
	if c.dev {
		getenv = devEnv
	}
	if c.secrets, warnings, err = readSecrets(getenv); err != nil {
		return err
	}
	for _, w := range warnings {
		c.log.Warn("a payment provider stays off", "error", w)
	}

	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	defer func() { _ = listener.Close() }() // closed already when the server has run
	if c.public, err = c.settings.public(listener.Addr()); err != nil {
		return err
	}

	if c.guard, err = c.webhookGuard(c.dev); err != nil {
		return err
	}
	c.local = "http://" + listener.Addr().String()
	d, err := newDaemon(ctx, c)
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainMax)
		defer cancel()
		d.close(closing)
	}()
	if c.dev {
		if err := d.seed(ctx); err != nil {
			return fmt.Errorf("demo data: %w", err)
		}
		if err := d.receiver.subscribe(ctx, d.background.webhooks, c.local); err != nil {
			return err
		}
	}

	work, err := d.startWorker(ctx)
	if err != nil {
		return err
	}
	defer work.Close()

	server := newServer(d)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	c.log.Info("ready", "url", c.public, "listen", listener.Addr().String(), "database", d.database.Found.Server, "dev", c.dev)
	select {
	case err := <-served:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}

	c.log.Info("stopping")
	d.draining.Store(true)
	draining, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainMax)
	defer cancel()
	if err := server.Shutdown(draining); err != nil {
		c.log.Warn("requests were cut off", "error", err)
		_ = server.Close()
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	c.log.Info("stopped")
	return nil
}

// newServer bounds what a caller can make the daemon wait for and read.
func newServer(d *daemon) *http.Server {
	return &http.Server{
		Handler: d.handler, ReadHeaderTimeout: readHeaderMax, ReadTimeout: readMax, WriteTimeout: writeMax,
		IdleTimeout: idleMax, MaxHeaderBytes: headerMax, ErrorLog: slog.NewLogLogger(d.log.Handler(), slog.LevelDebug),
	}
}
