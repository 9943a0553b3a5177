package admin

import (
	"net/http"

	"example.com/orderd/cmd/orderd/internal/auth"
	"example.com/orderd/engine/timer"
	"example.com/orderd/orders"
)

const timersPath = "/admin/timers"

// timers shows what happens by itself at a later time.
func (a *admin) timers(w http.ResponseWriter, r *http.Request) {
	status := r.FormValue("status")
	v := a.sendingView(r, timersPath, status, textsOf(timer.Statuses))
	v.Intro = "What happens by itself at a later time. A timer that is parked was asked for in vain too often: nothing " +
		"happens until somebody decides."
	page, err := a.Timers.List(r.Context(), timer.Filter{Status: timer.Status(status), Cursor: r.FormValue("cursor"),
		Limit: pageRows})
	may := auth.From(r.Context()).May(auth.Routes["POST /v1/timers/{id}/retry"])
	for _, t := range page.Timers {
		row := sendingRow{ID: t.ID, Type: label(string(t.Event)), Subject: t.Subject, Status: string(t.Status),
			Tries: t.Tries, At: t.NextAt, When: string(t.Status), Problem: t.Problem}
		if t.Status == timer.Armed {
			row.When = "next try"
		}
		if t.Machine == orders.MachineOrder {
			row.Order = t.Subject
		}
		if may && (t.Status == timer.Parked || t.Status == timer.Armed && t.Tries > 0) {
			row.Act = "Try now"
		}
		v.Rows = append(v.Rows, row)
	}
	if page.NextCursor != "" {
		v.Next = sendingURL(timersPath, status, page.NextCursor)
	}
	a.sending(w, r, "Timers", v, err)
}
