package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"example.com/orderd/engine/outbox"
	"example.com/orderd/orders"
	"example.com/orderd/orders/notify"
)

// notifyTimeout bounds a post to ORDERD_NOTIFY_URL or ORDERD_SMS_URL.
const notifyTimeout = 15 * time.Second

// newNotifier makes the senders that are configured. Development has one that writes to the log.
func (d *daemon) newNotifier(ctx context.Context) (*notify.Notifier, error) {
	var senders []notify.Sender
	if d.dev {
		senders = append(senders, notify.Log{To: d.log})
	}
	if d.secrets.smtp != "" {
		s, err := notify.NewSMTP(d.secrets.smtp, d.now)
		if err != nil {
			return nil, fmt.Errorf("ORDERD_SMTP: %w", err)
		}
		senders = append(senders, s)
	}
	if d.secrets.notifyURL != "" || d.secrets.smsURL != "" {
		client := &http.Client{
			Timeout:       notifyTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
		d.background.closers = append(d.background.closers, client.CloseIdleConnections)
		if d.secrets.notifyURL != "" {
			senders = append(senders, notify.Post{Name: "post", URL: d.secrets.notifyURL, Client: client})
		}
		if d.secrets.smsURL != "" {
			senders = append(senders, notify.Post{Name: "sms", URL: d.secrets.smsURL, Client: client, Forgets: true})
		}
	}
	channels := make([]string, len(senders))
	for i, s := range senders {
		channels[i] = s.Channel()
	}
	return notify.New(ctx, d.database.Gorm, d.batcher, notify.Config{
		Compose: func(ctx context.Context, m outbox.Message) ([]notify.Draft, error) {
			return d.compose(ctx, m, channels)
		},
		Senders: senders, Now: d.now, Logger: d.log, Wake: d.background.notifyBell.Ring,
	})
}

// news are what customers are told of, with what comes after "Your order".
var news = map[string]string{
	"order.paid":      "is paid",
	"order.shipped":   "is on its way",
	"order.delivered": "was delivered",
	"order.cancelled": "was cancelled",
	"order.expired":   "was not paid in time and is cancelled",
	"order.refunded":  "was refunded",
}

// compose tells a customer what happened to an order, over each channel that reaches them: mail goes to
// the order's metadata "email", an SMS to its "phone", the others know customers by the checkout's own name of them.
func (d *daemon) compose(ctx context.Context, m outbox.Message, channels []string) ([]notify.Draft, error) {
	what := news[m.Type]
	if what == "" || m.Machine != orders.MachineOrder || len(channels) == 0 {
		return nil, nil
	}
	o, err := d.shop.Order(ctx, m.Subject)
	if err != nil {
		return nil, err
	}
	var said orders.OrderMessage
	if err := json.Unmarshal(m.Data, &said); err != nil {
		return nil, err
	}
	var drafts []notify.Draft
	for _, channel := range channels {
		recipient := o.CustomerRef
		switch channel {
		case "email":
			recipient = o.Metadata["email"]
		case "sms":
			recipient = o.Metadata["phone"]
		}
		if recipient == "" {
			continue
		}
		drafts = append(drafts, notify.Draft{
			Channel: channel, Recipient: recipient, Title: "Your order " + what,
			Text: fmt.Sprintf("Your order %s over %s %s.\n", o.ID, orders.FormatMoney(said.Amount, said.Currency), what),
		})
	}
	return drafts, nil
}
