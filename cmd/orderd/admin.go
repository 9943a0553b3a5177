package main

import (
	"net/http"

	"example.com/orderd/cmd/orderd/internal/admin"
	"example.com/orderd/cmd/orderd/internal/auth"
)

// admin serves /admin/, the pages for people. Their logins are limited apart from the API's keys, so
// that neither locks the other out.
func (d *daemon) admin() http.Handler {
	return admin.New(admin.Deps{
		Shop: d.shop, Engine: d.engine, Gate: auth.NewGate(d.ring, d.metrics.RefusedKey), Ring: d.ring,
		Now: d.now, Public: d.public, Dev: d.dev, Log: d.log,
		Queue: d.background.queue, Webhooks: d.background.webhooks, Notifier: d.background.notifier, Timers: d.background.timing,
	})
}
