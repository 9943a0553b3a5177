package admin_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/orderd/cmd/orderd/internal/auth"
	"example.com/orderd/engine"
	"example.com/orderd/orders"
	"example.com/orderd/orders/provider"
)

func TestTheTimelineShowsWhatWasRefused(t *testing.T) {
	s := start(t)
	o := s.paid("ada")
	_, err := s.shop.Transition(t.Context(), till, o.ID, orders.TransitionRequest{Event: orders.EventDeliver, Reason: "in a hurry"})
	require.ErrorIs(t, err, engine.ErrEarly)
	b := s.as(auth.Viewer)
	p := b.get("/admin/orders/" + o.ID)
	require.Contains(t, p.text, "Refused while the order was paid, version 2.")
	require.Contains(t, p.text, "in a hurry")
	require.Contains(t, p.text, `<code class="outcome">early</code>`)
	require.Contains(t, p.text, "principal:till")
	require.Contains(t, p.text, "pay-ada")

	require.NotContains(t, b.get("/admin/orders/"+o.ID+"?show=moved").text, "in a hurry")
	p = b.get("/admin/orders/" + o.ID + "?show=rest")
	require.Contains(t, p.text, "in a hurry")
	require.NotContains(t, p.text, "pay-ada")
}

func TestMoneyAtTheDesk(t *testing.T) {
	s := start(t)
	o := s.place("ada")
	pay, _, err := s.shop.StartPayment(t.Context(), till, "p-1", o.ID, orders.NewPayment{Provider: "fake"})
	require.NoError(t, err)
	_, err = s.shop.Transition(t.Context(), till, o.ID, orders.TransitionRequest{Event: orders.EventCancel})
	require.NoError(t, err)
	_, err = s.shop.Accept(t.Context(), provider.Fact{
		Provider: "fake", Kind: provider.Captured, ID: "tx-7", Reference: pay.Reference, Amount: 2500, Currency: "EUR",
	})
	require.NoError(t, err)
	p := s.as(auth.Viewer).get("/admin/orders/" + o.ID)
	require.Contains(t, p.text, "25.00 EUR wait at the money desk</a>: It came after the order had ended.")
	require.Contains(t, p.text, "tx-7")
	require.Contains(t, p.text, pay.ID)
}

// hostile is refused nowhere: it has no control characters.
const hostile = `"'><script>alert(1)</script><img src=x onerror=alert(1)>`

func TestTextIsOnlyText(t *testing.T) {
	s := start(t)
	o, _, err := s.shop.Place(t.Context(), orders.Caller{Principal: "till", Actor: hostile}, hostileKey, orders.NewOrder{
		Currency: "EUR", CustomerRef: hostile, Metadata: orders.Metadata{`<script>alert(1)</script>`: hostile},
		Items: []orders.Item{{SKU: hostile, Name: hostile, Quantity: 1, UnitPrice: 2500}},
	})
	require.NoError(t, err)
	by := orders.Caller{Principal: "till", Actor: hostile}
	pay, _, err := s.shop.StartPayment(t.Context(), by, hostileKey+"2", o.ID, orders.NewPayment{Provider: "fake"})
	require.NoError(t, err)
	for _, kind := range []string{"tx", "second"} {
		_, err = s.shop.Accept(t.Context(), provider.Fact{
			Provider: "fake", Kind: provider.Captured, ID: kind + hostileKey, Reference: pay.Reference, Amount: 2500, Currency: "EUR",
		})
		require.NoError(t, err)
	}
	_, err = s.shop.Transition(t.Context(), by, o.ID, orders.TransitionRequest{
		Event: orders.EventShipPart, Seq: hostileKey + "3", Reason: hostile,
		Input: []byte(`{"carrier":"<script>alert(1)</script>","tracking":"<img src=x onerror=alert(1)>"}`),
	})
	require.NoError(t, err)
	_, err = s.shop.Transition(t.Context(), by, o.ID, orders.TransitionRequest{Event: orders.EventDeliver, Seq: hostileKey + "4", Reason: hostile})
	require.ErrorIs(t, err, engine.ErrEarly)

	b := s.as(auth.Operator)
	q := url.QueryEscape(hostile)
	for _, path := range []string{
		"/admin/orders", "/admin/orders?q=" + q, "/admin/orders?state=" + q, "/admin/orders?cursor=" + q,
		"/admin/orders/" + o.ID, "/admin/orders/" + url.PathEscape(hostile), "/admin/orders/" + o.ID + "?show=" + q + "&upto=" + q,
	} {
		harmless(t, b.get(path))
	}
	p := b.get("/admin/orders/" + o.ID)
	require.Greater(t, strings.Count(p.text, "&lt;script&gt;"), 8, "all of them are shown")
	harmless(t, s.browser().get("/admin/login?next="+q))
	harmless(t, s.browser().post("/admin/login", url.Values{"key": {hostile}, "next": {hostile}}))

	form := p.form("ship", hostile)
	form.Set("version", "1")
	harmless(t, b.post("/admin/orders/"+o.ID+"/events", form))
	form.Set("event", hostile)
	harmless(t, b.post("/admin/orders/"+o.ID+"/events", form))
}

const hostileKey = `"'><script>alert(1)</script>` // visible ASCII, as keys are

func harmless(t *testing.T, p page) {
	t.Helper()
	require.NotContains(t, p.text, "<script>")
	require.NotContains(t, p.text, "<img")
	policy := p.header.Get("Content-Security-Policy")
	require.Contains(t, policy, "default-src 'none'")
	require.NotContains(t, policy, "unsafe")
	require.NotContains(t, strings.ToLower(p.text), " style=")
}

func TestAnOldPageOfALongHistory(t *testing.T) {
	s := start(t)
	o := s.paid("ada")
	for i := range 205 {
		_, err := s.shop.Transition(t.Context(), till, o.ID, orders.TransitionRequest{
			Event: orders.EventShipPart, Seq: "part-" + time.Duration(i).String(),
		})
		require.NoError(t, err)
	}
	b := s.as(auth.Viewer)
	p := b.get("/admin/orders/" + o.ID)
	require.Contains(t, p.text, "7 earlier transitions")
	require.NotContains(t, p.text, "version 7<")
	p = b.get("/admin/orders/" + o.ID + "?upto=7")
	require.Contains(t, p.text, "version 7<")
	require.Contains(t, p.text, "Back to the latest")
	require.Equal(t, http.StatusOK, b.get("/admin/orders/"+o.ID+"?upto=-1").status)
}
