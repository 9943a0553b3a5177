package admin

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/a-h/templ"

	"example.com/orderd/cmd/orderd/internal/auth"
	"example.com/orderd/cmd/orderd/internal/words"
	"example.com/orderd/engine"
	"example.com/orderd/engine/diagram"
	"example.com/orderd/orders"
)

// moneyMax is how many payments, and facts at the desk, are shown of one order.
const moneyMax = 200

type orderView struct {
	Order    orders.Order
	Now      time.Time
	Notice   *notice
	Staff    bool // may do anything at all
	Seq      string
	Possible []choice
	Not      []choice
	Nothing  string // why nothing is possible, if so
	Timeline timeline
	Payments []orders.Payment
	Desk     []orders.Fact
	Diagram  string
}

// Waiting tells whether the order still expires.
func (v orderView) Waiting() bool {
	return v.Order.State == orders.OrderPlaced || v.Order.State == orders.OrderPartlyPaid
}

// URL is the page's address with another choice of lines.
func (v orderView) URL(show string) templ.SafeURL {
	if show == "" {
		return orderURL(v.Order.ID) + "#timeline"
	}
	return orderURL(v.Order.ID) + templ.SafeURL("?show="+show+"#timeline")
}

// Earlier is the address of the page with the transitions before those shown.
func (v orderView) Earlier() templ.SafeURL {
	q := url.Values{"upto": {itoa(v.Timeline.EarlierTo)}}
	if v.Timeline.Show != "" {
		q.Set("show", v.Timeline.Show)
	}
	return orderURL(v.Order.ID) + templ.SafeURL("?"+q.Encode()+"#timeline")
}

// order shows one order.
func (a *admin) order(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	a.showOrder(w, r, http.StatusOK, id, a.sessions.take(sessionOf(r.Context()), id))
}

// showOrder answers with the page of an order as it is now.
func (a *admin) showOrder(w http.ResponseWriter, r *http.Request, status int, id string, n *notice) {
	view, err := a.look(r.Context(), id, showOf(r.URL.Query().Get("show")), r.URL.Query().Get("upto"))
	if err != nil {
		a.failed(w, r, err)
		return
	}
	view.Notice = n
	a.render(w, r, status, view.Order.ID, orderPage(view))
}

// showOf is what the timeline is to show; everything, unless one of its choices is asked for.
func showOf(asked string) string {
	if asked == "moved" || asked == "rest" {
		return asked
	}
	return ""
}

// look reads everything about an order. Each part is read by itself: one that moves in between shows
// in its version, to which all forms are pinned.
func (a *admin) look(ctx context.Context, id, show, upTo string) (v orderView, err error) {
	if v.Order, err = a.Shop.Order(ctx, id); err != nil {
		return v, err
	}
	p := auth.From(ctx)
	v.Now, v.Seq = a.Now(), "admin-"+rand.Text()
	for _, roles := range auth.Events {
		v.Staff = v.Staff || p.May(roles)
	}
	all, err := a.Engine.Allowed(ctx, orders.MachineOrder, id)
	if err != nil {
		return v, err
	}
	v.Possible, v.Not = a.choicesOf(v.Order.State, all, p, v.Now)
	v.Nothing = words.NothingNext(a.machine, v.Order.State)
	if v.Timeline, err = a.timelineOf(ctx, v.Order, show, upTo); err != nil {
		return v, err
	}
	payments, err := a.Shop.Payments(ctx, orders.PaymentFilter{OrderID: id, Limit: moneyMax})
	if err != nil {
		return v, err
	}
	desk, err := a.Shop.MoneyDesk(ctx, orders.DeskFilter{OrderID: id, Limit: moneyMax})
	if err != nil {
		return v, err
	}
	v.Payments, v.Desk = payments.Data, desk.Data
	v.Diagram = a.draw(v.Order.State, v.Timeline.Steps)
	return v, nil
}

// draw is the machine with the way of an order through it.
func (a *admin) draw(current engine.State, steps []engine.Transition) string {
	view := diagram.View{Current: current}
	for _, t := range steps {
		view.Walked = append(view.Walked, diagram.Step{From: t.From, To: t.To, Event: t.Event})
	}
	return diagram.SVG(a.machine, view)
}

// withNonce lets the policy accept the diagram's own style.
func withNonce(svg, nonce string) string {
	return strings.Replace(svg, "<style>", `<style nonce="`+nonce+`">`, 1)
}

func orderURL(id string) templ.SafeURL {
	return templ.URL("/admin/orders/" + id)
}

// deskReasons says why money waits.
var deskReasons = map[orders.DeskReason]string{
	orders.DeskLate:             "It came after the order had ended.",
	orders.DeskShort:            "It is less than the payment is for.",
	orders.DeskOver:             "It is more than the order still needed; the excess waits.",
	orders.DeskCurrency:         "It is in another currency than the payment.",
	orders.DeskSecond:           "The payment or the order had been paid already.",
	orders.DeskMismatch:         "It contradicts what the provider said before.",
	orders.DeskUnknownReference: "No payment has this reference.",
	orders.DeskRefund:           "It is a refund that was made at the provider.",
	orders.DeskHeld:             "It was paid in part before the order ended.",
}

// sortedMetadata lists names and values by name.
func sortedMetadata(m orders.Metadata) [][2]string {
	var all [][2]string
	for name, value := range m {
		all = append(all, [2]string{name, value})
	}
	slices.SortFunc(all, func(x, y [2]string) int { return strings.Compare(x[0], y[0]) })
	return all
}
