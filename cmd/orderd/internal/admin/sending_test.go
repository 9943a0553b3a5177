package admin_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/orderd/cmd/orderd/internal/auth"
	"example.com/orderd/engine/outbox"
	"example.com/orderd/engine/outbox/webhook"
)

// down is a sink that takes nothing.
type down struct{}

func (down) Name() string { return "down" }

func (down) Send(_ context.Context, ms []outbox.Message) []error {
	errs := make([]error, len(ms))
	for i := range errs {
		errs[i] = errors.New("<b>no route</b>")
	}
	return errs
}

// relay hands what waits to some sinks, which have one try.
func (s *site) relay(sinks ...outbox.Sink) {
	s.t.Helper()
	r, err := outbox.NewRelay(s.t.Context(), s.db.Gorm, outbox.Config{Tries: 1, Now: s.now, Logger: slog.New(slog.DiscardHandler)}, sinks...)
	require.NoError(s.t, err)
	_, err = r.Step(s.t.Context(), 0)
	require.NoError(s.t, err)
}

var action = regexp.MustCompile(`action="(/admin/(?:messages|deliveries|timers)/[^"]+)"`)

func TestMessagesAreShownAndTriedAgain(t *testing.T) {
	s := start(t)
	o := s.place("ada")
	s.relay(down{})
	operator, viewer := s.as(auth.Operator), s.as(auth.Viewer)
	p := operator.get("/admin/messages?status=parked")
	require.Equal(t, http.StatusOK, p.status)
	require.Contains(t, p.text, "order.placed")
	require.Contains(t, p.text, "/admin/orders/"+o.ID)
	require.Contains(t, p.text, "&lt;b&gt;no route&lt;/b&gt;", "a problem is only text")
	button := action.FindStringSubmatch(p.text)
	require.NotNil(t, button, p.text)

	p = viewer.get("/admin/messages")
	require.Contains(t, p.text, "order.placed")
	require.NotRegexp(t, action, p.text, "a viewer has no buttons")
	require.Equal(t, http.StatusForbidden, viewer.post(button[1], url.Values{}).status)
	require.Equal(t, http.StatusForbidden, operator.post(button[1], url.Values{}, "Sec-Fetch-Site", "cross-site").status)

	for _, want := range []string{"It is tried again now.", "nothing to do"} {
		p = operator.post(button[1], url.Values{})
		require.Equal(t, http.StatusSeeOther, p.status, p.text)
		require.Contains(t, operator.get(p.header.Get("Location")).text, want)
		s.relay()
	}
	require.Contains(t, operator.get("/admin/messages?status=sent").text, "order.placed")
	require.Equal(t, http.StatusNotFound, operator.post("/admin/messages/nobody", url.Values{}).status)
	for _, bad := range []string{"?status=odd", "?cursor=x"} {
		require.Equal(t, http.StatusBadRequest, operator.get("/admin/messages"+bad).status)
		require.Equal(t, http.StatusBadRequest, operator.get("/admin/deliveries"+bad).status)
	}
	require.Equal(t, http.StatusSeeOther, s.browser().get("/admin/messages").status, "nobody sees it without a login")
}

func TestNotificationsAreShown(t *testing.T) {
	s := start(t)
	o := s.place("ada")
	s.relay(s.news)
	operator := s.as(auth.Operator)
	require.Contains(t, operator.get("/admin/notifications?status=queued").text, "/admin/orders/"+o.ID)
	_, err := s.news.Step(t.Context(), 0)
	require.NoError(t, err)
	p := operator.get("/admin/notifications")
	require.Contains(t, p.text, "Your order")
	require.Contains(t, p.text, "Sent")
	require.Equal(t, http.StatusBadRequest, operator.get("/admin/notifications?status=odd").status)
	require.Equal(t, http.StatusBadRequest, operator.get("/admin/notifications?cursor=%C3%A9").status)
}

func TestDeliveriesAreShownAndPostedAgain(t *testing.T) {
	s := start(t)
	in := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	defer in.Close()
	e, secret, err := s.hooks.Create(t.Context(), webhook.NewEndpoint{URL: in.URL + "/hook", Events: []string{"*"}})
	require.NoError(t, err)
	s.place("ada")
	s.relay(s.hooks)
	_, err = s.hooks.Step(t.Context(), 0)
	require.NoError(t, err)
	s.hooks.Wait()

	operator := s.as(auth.Operator)
	p := operator.get("/admin/deliveries?status=retrying")
	require.Contains(t, p.text, in.URL+"/hook")
	require.Contains(t, p.text, "418")
	require.NotContains(t, p.text, secret)
	button := action.FindStringSubmatch(p.text)
	require.NotNil(t, button)
	p = operator.post(button[1], url.Values{"status": {"retrying"}})
	require.Equal(t, "/admin/deliveries?done=yes&status=retrying", p.header.Get("Location"))
	_, err = s.hooks.Delete(t.Context(), e.ID)
	require.NoError(t, err)
	p = operator.get("/admin/deliveries")
	require.Contains(t, p.text, "(deleted)")
	require.NotRegexp(t, action, p.text)
}

func TestParkedTimersAreShownAndTriedAgain(t *testing.T) {
	s := start(t)
	o := s.place("ada")
	require.NoError(t, s.db.Gorm.Exec("UPDATE engine_timers SET status = 'parked', tries = 100, problem = '<b>jammed</b>'").Error)
	operator, viewer := s.as(auth.Operator), s.as(auth.Viewer)
	p := operator.get("/admin/timers?status=parked")
	require.Equal(t, http.StatusOK, p.status)
	require.Contains(t, p.text, "/admin/orders/"+o.ID)
	require.Contains(t, p.text, "&lt;b&gt;jammed&lt;/b&gt;", "a problem is only text")
	button := action.FindStringSubmatch(p.text)
	require.NotNil(t, button, p.text)
	require.NotRegexp(t, action, viewer.get("/admin/timers").text, "a viewer has no buttons")
	require.Equal(t, http.StatusForbidden, viewer.post(button[1], url.Values{}).status)
	require.Equal(t, http.StatusSeeOther, operator.post(button[1], url.Values{}).status)
	var armed int64
	require.NoError(t, s.db.Gorm.Table("engine_timers").Where("status = 'armed' AND tries = 0").Count(&armed).Error)
	require.Equal(t, int64(1), armed)
	require.Equal(t, http.StatusBadRequest, operator.get("/admin/timers?status=odd").status)
}
