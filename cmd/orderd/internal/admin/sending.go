package admin

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"example.com/orderd/cmd/orderd/internal/auth"
	"example.com/orderd/engine"
	"example.com/orderd/engine/outbox"
	"example.com/orderd/engine/outbox/webhook"
	"example.com/orderd/orders"
	"example.com/orderd/orders/notify"
)

// The pages about what leaves the process: messages, and their deliveries to webhook endpoints.
const (
	messagesPath   = "/admin/messages"
	deliveriesPath = "/admin/deliveries"

	notificationsPath = "/admin/notifications"
)

// sendingView is a list of messages or of deliveries.
type sendingView struct {
	Path     string
	Pages    []tabView // messages, deliveries
	Statuses []tabView
	Intro    string
	Rows     []sendingRow
	Now      time.Time
	First    string // URL of the first page, "" on it
	Next     string // URL of the next page, "" on the last one
	Problem  string
	Done     string // what the last button did
}

// sendingRow is one message or delivery.
type sendingRow struct {
	ID      string
	Type    string
	Order   string // id, "" if it is of something else
	Subject string
	Status  string
	Tries   int
	At      time.Time // its place in the queue
	When    string    // what At is
	To      string    // the endpoint, "" for a message
	Problem string
	Act     string // label of its button, "" if there is none
}

// notifications shows what people were told.
func (a *admin) notifications(w http.ResponseWriter, r *http.Request) {
	state := r.FormValue("status")
	v := a.sendingView(r, notificationsPath, state, textsOf(notify.States))
	v.Intro = "What customers were told: one notification for each event and channel. One that is uncertain may have " +
		"been sent; nobody sends it again."
	page, err := a.Notifier.List(r.Context(), notify.Filter{State: engine.State(state), Cursor: r.FormValue("cursor"),
		Limit: pageRows})
	for _, n := range page.Notifications {
		v.Rows = append(v.Rows, sendingRow{
			ID: n.ID, Type: n.Title, Order: n.OrderID, Status: string(n.State), Tries: n.Tries, At: n.UpdatedAt, When: "since",
			To: n.Channel, Problem: n.Problem,
		})
	}
	if page.NextCursor != "" {
		v.Next = sendingURL(notificationsPath, state, page.NextCursor)
	}
	a.sending(w, r, "Notifications", v, err)
}

// sendTone is the colour of a status.
func sendTone(status string) string {
	switch status {
	case "sent", "delivered", "fired":
		return "tone-good"
	case "pending", "queued", "armed":
		return "tone-move"
	case "retrying", "sending":
		return "tone-wait"
	case "parked", "failed", "uncertain":
		return "tone-back"
	}
	return "tone-over"
}

func sendWhen(status string) string {
	switch status {
	case "retrying":
		return "next try"
	case "pending":
		return "since"
	}
	return status
}

func sendingURL(path, status, cursor string) string {
	q := url.Values{}
	for name, value := range map[string]string{"status": status, "cursor": cursor} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

func (a *admin) sendingView(r *http.Request, path, status string, statuses []string) sendingView {
	v := sendingView{Path: path, Now: a.Now()}
	v.Pages = []tabView{
		{Name: "Messages", URL: messagesPath, Current: path == messagesPath},
		{Name: "Webhook deliveries", URL: deliveriesPath, Current: path == deliveriesPath},
		{Name: "Notifications", URL: notificationsPath, Current: path == notificationsPath},
		{Name: "Timers", URL: timersPath, Current: path == timersPath},
	}
	v.Statuses = []tabView{{Name: "All", URL: path, Current: status == "", Tone: "tone-over"}}
	for _, s := range statuses {
		v.Statuses = append(v.Statuses, tabView{Name: label(s), URL: sendingURL(path, s, ""), Tone: sendTone(s), Current: s == status})
	}
	if r.FormValue("cursor") != "" {
		v.First = sendingURL(path, status, "")
	}
	switch r.FormValue("done") {
	case "yes":
		v.Done = "It is tried again now."
	case "no":
		v.Done = "There was nothing to do: it is on its way or done."
	}
	return v
}

func textsOf[T ~string](all []T) []string {
	texts := make([]string, len(all))
	for i, one := range all {
		texts[i] = string(one)
	}
	return texts
}

// messages shows what transitions said to the outside.
func (a *admin) messages(w http.ResponseWriter, r *http.Request) {
	status := r.FormValue("status")
	v := a.sendingView(r, messagesPath, status, textsOf(outbox.Statuses))
	v.Intro = "What transitions said to the outside. A message is sent once every sink has it; one that is parked was " +
		"given up until somebody decides."
	page, err := a.Queue.List(r.Context(), outbox.Filter{Status: outbox.Status(status), Cursor: r.FormValue("cursor"),
		Limit: pageRows})
	may := auth.From(r.Context()).May(auth.Routes["POST /v1/messages/{id}/retry"])
	for _, m := range page.Messages {
		row := sendingRow{ID: m.ID, Type: m.Type, Subject: m.Subject, Status: string(m.Status), Tries: m.Tries, At: m.NextAt,
			When: sendWhen(string(m.Status)), Problem: m.Problem}
		if m.Machine == orders.MachineOrder {
			row.Order = m.Subject
		}
		if may && (m.Status == outbox.Parked || m.Status == outbox.Retrying) {
			row.Act = "Try now"
		}
		v.Rows = append(v.Rows, row)
	}
	if page.NextCursor != "" {
		v.Next = sendingURL(messagesPath, status, page.NextCursor)
	}
	a.sending(w, r, "Messages", v, err)
}

// deliveries shows what is, was or will be posted to webhook endpoints.
func (a *admin) deliveries(w http.ResponseWriter, r *http.Request) {
	status := r.FormValue("status")
	v := a.sendingView(r, deliveriesPath, status, textsOf(webhook.Statuses))
	v.Intro = "Each message for each webhook endpoint that wants it. A delivery that fails is posted again for more than " +
		"a day, then given up."
	page, err := a.Webhooks.Deliveries(r.Context(), webhook.Filter{Status: webhook.Status(status),
		Cursor: r.FormValue("cursor"), Limit: pageRows})
	urls := map[string]string{}
	if err == nil {
		var all []*webhook.Endpoint
		all, err = a.Webhooks.Endpoints(r.Context())
		for _, e := range all {
			urls[e.ID] = e.URL
		}
	}
	may := auth.From(r.Context()).May(auth.Routes["POST /v1/webhook-deliveries/{id}/redeliver"])
	for _, d := range page.Deliveries {
		row := sendingRow{ID: d.ID, Type: d.Type, Subject: d.Subject, Status: string(d.Status), Tries: d.Tries, At: d.NextAt,
			When: sendWhen(string(d.Status)), Problem: d.Problem}
		row.To = urls[d.Endpoint]
		if row.To == "" {
			row.To = d.Endpoint + " (deleted)"
		}
		if d.Machine == orders.MachineOrder {
			row.Order = d.Subject
		}
		if may && d.Status != webhook.Pending && urls[d.Endpoint] != "" {
			row.Act = "Post again"
		}
		v.Rows = append(v.Rows, row)
	}
	if page.NextCursor != "" {
		v.Next = sendingURL(deliveriesPath, status, page.NextCursor)
	}
	a.sending(w, r, "Webhook deliveries", v, err)
}

func (a *admin) sending(w http.ResponseWriter, r *http.Request, title string, v sendingView, err error) {
	status := http.StatusOK
	switch wrong, isInput := asBadInput(err); {
	case isInput:
		v.Problem, v.Rows, status = wrong, nil, http.StatusBadRequest
	case err != nil:
		a.failed(w, r, err)
		return
	}
	a.render(w, r, status, title, sendingPage(v))
}

// resend is the button of a row: it does what the API does, and leads back to the list.
func (a *admin) resend(path, route string, do func(*http.Request, string) (bool, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, formMax)
		if !auth.From(r.Context()).May(auth.Routes[route]) {
			a.trouble(w, r, http.StatusForbidden, "Not for your key", "Your key lacks a role for this. Nothing was done.")
			return
		}
		done, err := do(r, r.PathValue("id"))
		if err != nil {
			a.failed(w, r, err)
			return
		}
		back := path + "?done=" + map[bool]string{true: "yes", false: "no"}[done]
		if status := r.PostFormValue("status"); status != "" && !strings.ContainsAny(status, "&?#") {
			back += "&status=" + url.QueryEscape(status)
		}
		http.Redirect(w, r, back, http.StatusSeeOther)
	}
}
