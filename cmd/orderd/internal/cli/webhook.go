package cli

import (
	"crypto/rand"
	"errors"
	"strings"
	"text/tabwriter"
	"time"

	"example.com/orderd/engine"
	"example.com/orderd/engine/id"
	"example.com/orderd/engine/outbox/webhook"
	"example.com/orderd/orders"
)

// Webhook groups the commands about webhook endpoints and deliveries.
type Webhook struct {
	List       WebhookList       `cmd:"" help:"List endpoints."`
	Create     WebhookCreate     `cmd:"" help:"Let messages be posted to a URL."`
	Delete     WebhookDelete     `cmd:"" help:"Delete an endpoint."`
	Recover    WebhookRecover    `cmd:"" help:"Deliver what an endpoint has missed."`
	Deliveries WebhookDeliveries `cmd:"" help:"List deliveries, the latest first."`
	Redeliver  WebhookRedeliver  `cmd:"" help:"Post a delivery once more."`
}

// WebhookList lists endpoints.
type WebhookList struct{}

// Help has the example.
func (WebhookList) Help() string { return "Example: orderd webhook list" }

// Run is the command.
func (c *WebhookList) Run(e *Env, g *Globals) error {
	return e.withWebhooks(g, webhook.Guard{}, func(w *webhook.Webhooks) error {
		all, err := w.Endpoints(e.Context)
		if err != nil {
			return err
		}
		return e.print(g, all, func(w *tabwriter.Writer) {
			say(w, "ID", "STATUS", "EVENTS", "URL", "PROBLEM")
			for _, one := range all {
				say(w, one.ID, one.Status, strings.Join(one.Events, ","), one.URL, one.Problem)
			}
		})
	})
}

// WebhookCreate makes an endpoint.
type WebhookCreate struct {
	URL         string   `arg:"" help:"Where to post to."`
	Events      []string `default:"*" help:"Types such as order.paid, or order.*, or *."`
	Description string   `placeholder:"TEXT" help:"Your own words."`
	Allow       string   `env:"ORDERD_WEBHOOK_ALLOW" placeholder:"CIDRS" help:"Private networks that are fine (${env}); the daemon needs them, too."`
}

// Help has the example.
func (WebhookCreate) Help() string {
	return "The secret is shown once.\n\nExample: orderd webhook create https://shop.example/hooks --events 'order.*'"
}

// Run is the command.
func (c *WebhookCreate) Run(e *Env, g *Globals) error {
	guard, err := webhook.ParseGuard(c.Allow)
	if err != nil {
		return usage(err)
	}
	return e.withWebhooks(g, guard, func(w *webhook.Webhooks) error {
		made, secret, err := w.Create(e.Context, webhook.NewEndpoint{URL: c.URL, Events: c.Events, Description: c.Description})
		if err != nil {
			return webhookError(err)
		}
		shown := struct {
			*webhook.Endpoint
			Secret string `json:"secret"`
		}{made, secret}
		return e.print(g, shown, func(w *tabwriter.Writer) {
			say(w, "id", made.ID)
			say(w, "secret", secret)
		})
	})
}

// WebhookDelete deletes an endpoint.
type WebhookDelete struct {
	ID string `arg:"" help:"The endpoint's id."`
}

// Help has the example.
func (WebhookDelete) Help() string { return "Example: orderd webhook delete whe_06h0…" }

// Run is the command.
func (c *WebhookDelete) Run(e *Env, g *Globals) error {
	return e.withWebhooks(g, webhook.Guard{}, func(w *webhook.Webhooks) error {
		deleted, err := w.Delete(e.Context, c.ID)
		if err != nil {
			return err
		}
		answer := struct {
			ID      string `json:"id"`
			Deleted bool   `json:"deleted"`
		}{c.ID, deleted}
		return e.print(g, answer, func(w *tabwriter.Writer) {
			say(w, map[bool]string{true: "It is deleted.", false: "There was nothing left to delete."}[deleted])
		})
	})
}

// WebhookRecover recovers an endpoint.
type WebhookRecover struct {
	ID    string    `arg:"" help:"The endpoint's id."`
	Since time.Time `required:"" placeholder:"TIME" help:"What happened at or after this time, RFC 3339."`
	Until time.Time `placeholder:"TIME" help:"And before this one."`
}

// Help has the example.
func (WebhookRecover) Help() string {
	return "Example: orderd webhook recover whe_06h0… --since 2026-01-05T00:00:00Z"
}

// Run is the command.
func (c *WebhookRecover) Run(e *Env, g *Globals) error {
	return e.withWebhooks(g, webhook.Guard{}, func(w *webhook.Webhooks) error {
		n, err := w.Recover(e.Context, c.ID, c.Since, c.Until)
		if err != nil {
			return webhookError(err)
		}
		return e.print(g, map[string]int{"count": n}, func(w *tabwriter.Writer) { say(w, n, "deliveries will be posted.") })
	})
}

// WebhookDeliveries lists deliveries.
type WebhookDeliveries struct {
	Endpoint string `placeholder:"ID" help:"Only to this endpoint."`
	Order    string `placeholder:"ID" help:"Only about this order."`
	Status   string `enum:",pending,retrying,delivered,failed,cancelled" default:"" help:"Only those that have come so far."`
	Limit    int    `default:"50" help:"At most so many, up to 200."`
}

// Help has the example.
func (WebhookDeliveries) Help() string { return "Example: orderd webhook deliveries --status failed" }

// Run is the command.
func (c *WebhookDeliveries) Run(e *Env, g *Globals) error {
	return e.withWebhooks(g, webhook.Guard{}, func(w *webhook.Webhooks) error {
		f := webhook.Filter{Endpoint: c.Endpoint, Subject: c.Order, Status: webhook.Status(c.Status), Limit: c.Limit}
		if c.Order != "" {
			f.Machine = orders.MachineOrder
		}
		page, err := w.Deliveries(e.Context, f)
		if err != nil {
			return webhookError(err)
		}
		if page.Deliveries == nil {
			page.Deliveries = []webhook.Delivery{}
		}
		return e.print(g, page.Deliveries, func(w *tabwriter.Writer) {
			say(w, "ID", "ENDPOINT", "TYPE", "SUBJECT", "STATUS", "TRIES", "AT", "PROBLEM")
			for _, d := range page.Deliveries {
				say(w, d.ID, d.Endpoint, d.Type, d.Subject, d.Status, d.Tries, date(d.NextAt), d.Problem)
			}
		})
	})
}

// WebhookRedeliver posts again.
type WebhookRedeliver struct {
	ID string `arg:"" help:"The delivery's id."`
}

// Help has the example.
func (WebhookRedeliver) Help() string { return "Example: orderd webhook redeliver whd_3f2a…" }

// Run is the command.
func (c *WebhookRedeliver) Run(e *Env, g *Globals) error {
	return e.withWebhooks(g, webhook.Guard{}, func(w *webhook.Webhooks) error {
		done, err := w.Redeliver(e.Context, c.ID)
		if err != nil {
			return webhookError(err)
		}
		return e.print(g, asked{c.ID, done}, func(w *tabwriter.Writer) {
			say(w, map[bool]string{true: "It is posted by the next daemon that looks.", false: "Nothing to do: it is on its way."}[done])
		})
	})
}

// webhookError gives the errors of webhooks their exit codes.
func webhookError(err error) error {
	switch {
	case errors.Is(err, engine.ErrBadRequest):
		return usage(err)
	case errors.Is(err, webhook.ErrNotFound):
		return no("there is nothing with this id")
	}
	return err
}

func (e *Env) withWebhooks(g *Globals, guard webhook.Guard, f func(*webhook.Webhooks) error) error {
	db, err := e.open(g)
	if err != nil {
		return err
	}
	defer closeQuietly(db)
	w, err := webhook.New(e.Context, db.Gorm, webhook.Config{
		Guard: guard, NewID: id.New, Now: e.Now,
		Random: func(n int) []byte {
			b := make([]byte, n)
			_, _ = rand.Read(b) // never fails, says its documentation
			return b
		},
	})
	if err != nil {
		return err
	}
	defer w.Close()
	return f(w)
}
