// Package api is the HTTP API for programs: what the daemon's contract says, call by call.
package api

import (
	"log/slog"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"golang.org/x/time/rate"

	"example.com/orderd/cmd/orderd/internal/auth"
	"example.com/orderd/cmd/orderd/internal/submit"
	"example.com/orderd/engine"
	"example.com/orderd/engine/outbox"
	"example.com/orderd/engine/outbox/webhook"
	"example.com/orderd/engine/timer"
	"example.com/orderd/orders"
	"example.com/orderd/orders/ledger"
	"example.com/orderd/orders/notify"
)

// Version is that of the contract. It grows when a client could notice.
const Version = "1.0.0"

// Deps is what the API stands on.
type Deps struct {
	Shop   *orders.Shop
	Engine *engine.Engine
	Gate   *auth.Gate
	Log    *slog.Logger
	Pay    PayLinks

	Queue    *outbox.Queue
	Webhooks *webhook.Webhooks
	Notifier *notify.Notifier
	Timers   *timer.Queue

	Ledger *ledger.Ledger
	Tokens submit.Tokens
	Now    func() time.Time
}

// API is the mounted API.
type API struct {
	OpenAPI *huma.OpenAPI
	Routes  []string // method and path of every call, as in auth.Routes
}

type api struct {
	Deps
	huma    huma.API
	routes  []string
	issuers *issuers
	steps   map[engine.State][]string // of the order machine: events with a step from a state, by name
	events  map[engine.Event]bool     // of the order machine
}

// Mount adds all calls to a mux. It panics if a call has no entry in auth.Routes.
func Mount(mux humago.Mux, deps Deps) API {
	a := &api{Deps: deps, huma: newHuma(mux, Version), issuers: &issuers{now: deps.Now, each: map[string]*rate.Limiter{}},
		steps: map[engine.State][]string{}, events: map[engine.Event]bool{}}
	for _, d := range deps.Engine.Machines() {
		if d.Name == orders.MachineOrder {
			a.steps = stepsOf(d)
			for _, e := range d.Events {
				a.events[e.Name] = true
			}
		}
	}
	a.registerOrders()
	a.registerTransitions()
	a.registerHistory()
	a.registerAllowed()
	a.registerPayments()
	a.registerMoneyDesk()
	a.registerAccounts()
	a.registerTransfers()
	a.registerTokens()
	a.registerMessages()
	a.registerEndpoints()
	a.registerDeliveries()
	a.registerNotifications()
	a.registerTimers()
	a.registerMachines()
	a.describeOthers()
	return API{OpenAPI: a.huma.OpenAPI(), Routes: a.routes}
}

func stepsOf(d engine.Description) map[engine.State][]string {
	steps := map[engine.State][]string{}
	for _, e := range d.Edges {
		if e.From != "" && !slices.Contains(steps[e.From], string(e.Event)) {
			steps[e.From] = append(steps[e.From], string(e.Event))
		}
	}
	for _, events := range steps {
		slices.Sort(events)
	}
	return steps
}
