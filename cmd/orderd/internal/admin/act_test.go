package admin_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/orderd/cmd/orderd/internal/auth"
	"example.com/orderd/engine"
	"example.com/orderd/orders"
)

func TestTheSameFormTwiceIsOneTransition(t *testing.T) {
	s := start(t)
	o := s.paid("ada")
	b := s.as(auth.Operator)
	at := "/admin/orders/" + o.ID
	for _, event := range []string{"ship_part", "ship"} { // one that needs a key and one that does not
		before := s.versions(o.ID)
		form := b.get(at).form(event, "parcel is ready")
		require.NotNil(t, form)

		first := b.post(at+"/events", form)
		require.Equal(t, http.StatusSeeOther, first.status, first.text)
		require.Equal(t, at, first.header.Get("Location"))
		shown := b.get(at)
		require.Contains(t, shown.text, ": done")
		require.NotContains(t, b.get(at).text, ": done", "a notice is shown once")

		second := b.post(at+"/events", form)
		require.Equal(t, http.StatusSeeOther, second.status, second.text)
		require.Contains(t, b.get(at).text, "already/replayed")
		require.Equal(t, before+1, s.versions(o.ID))
	}
	past, err := s.engine.History(t.Context(), orders.MachineOrder, o.ID, engine.HistoryQuery{})
	require.NoError(t, err)
	last := past[len(past)-1]
	require.Equal(t, "alice", last.Actor)
	require.Equal(t, "parcel is ready", last.Reason)
	require.Equal(t, "principal:alice", last.Key.Source)
}

func TestAStaleFormIsExplained(t *testing.T) {
	s := start(t)
	o := s.paid("ada")
	b := s.as(auth.Operator)
	at := "/admin/orders/" + o.ID
	form := b.get(at).form("request_refund", "customer asked")
	_, err := s.shop.Transition(t.Context(), till, o.ID, orders.TransitionRequest{Event: orders.EventShip})
	require.NoError(t, err)

	p := b.post(at+"/events", form)
	require.Equal(t, http.StatusPreconditionFailed, p.status)
	require.Contains(t, p.text, "The order has changed since you opened the page")
	require.Contains(t, p.text, "You saw version 2; it is shipped now, version 3.")
	require.Contains(t, p.text, "stale/version")
	require.EqualValues(t, 3, s.versions(o.ID))
	require.Equal(t, at, b.get(at+"/events").header.Get("Location"), "the address of the refusal leads to the order")
	require.NotEqual(t, form.Get("key"), p.form("deliver", "").Get("key"), "the page that explains it has new forms")
}

func TestAFormNeedsAReason(t *testing.T) {
	s := start(t)
	o := s.place("ada")
	b := s.as(auth.Operator)
	at := "/admin/orders/" + o.ID
	form := b.get(at).form("cancel", " ")
	p := b.post(at+"/events", form)
	require.Equal(t, http.StatusBadRequest, p.status)
	require.Contains(t, p.text, "Say why")
	form.Set("reason", strings.Repeat("x", 1001))
	require.Equal(t, http.StatusBadRequest, b.post(at+"/events", form).status)
	form.Set("reason", "fine")
	form.Set("version", "-1")
	require.Equal(t, http.StatusBadRequest, b.post(at+"/events", form).status)
	form.Set("version", "1")
	form.Set("key", "snow-☃-snow-☃-snow-☃")
	require.Equal(t, http.StatusBadRequest, b.post(at+"/events", form).status)
	require.EqualValues(t, 1, s.versions(o.ID))
}

func TestWhatCannotHappenIsAnsweredInWords(t *testing.T) {
	s := start(t)
	o := s.place("ada")
	b := s.as(auth.Operator)
	at := "/admin/orders/" + o.ID
	form := b.get(at).form("cancel", "try")
	form.Set("event", "ship")
	p := b.post(at+"/events", form)
	require.Equal(t, http.StatusConflict, p.status)
	require.Contains(t, p.text, "Not possible yet")
	require.Contains(t, p.text, "Nothing was done: the order is placed, version 1.")
	require.Equal(t, http.StatusNotFound, b.post("/admin/orders/ord_nobody/events", form).status)
}

func TestRoles(t *testing.T) {
	s := start(t)
	o := s.place("ada")
	at := "/admin/orders/" + o.ID
	form := s.as(auth.Operator).get(at).form("cancel", "no longer wanted")
	require.NotNil(t, form)

	viewer := s.as(auth.Viewer)
	p := viewer.get(at)
	require.Contains(t, p.text, "not for your key")
	require.NotContains(t, p.text, `name="event"`)
	require.NotContains(t, p.text, "/events")
	p = viewer.post(at+"/events", form)
	require.Equal(t, http.StatusForbidden, p.status)
	require.Contains(t, p.text, "Nothing was done")

	operator := s.as(auth.Operator)
	require.Nil(t, operator.get(at).form("expire", ""), "that is the timer's")
	form.Set("event", "expire")
	require.Equal(t, http.StatusForbidden, operator.post(at+"/events", form).status)
	require.EqualValues(t, 1, s.versions(o.ID))
	require.NotNil(t, s.as(auth.Admin).get(at).form("expire", ""))

	form.Set("event", "cancel")
	require.Equal(t, http.StatusForbidden, operator.post(at+"/events", form, "Sec-Fetch-Site", "cross-site").status)
	require.EqualValues(t, 1, s.versions(o.ID))
}
