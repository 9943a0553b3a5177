package webhook_test

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"go.uber.org/goleak"
	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/internal/ticket"
	"example.com/orderd/engine/outbox"
	"example.com/orderd/engine/outbox/webhook"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is webhooks behind a relay behind a desk of tickets.
type rig struct {
	*ticket.Desk
	*webhook.Webhooks
	relay *outbox.Relay
	clock *enginetest.Clock
	cfg   webhook.Config
}

var quiet = slog.New(slog.DiscardHandler)

func each(t *testing.T, f func(t *testing.T, r *rig)) {
	t.Helper()
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) { f(t, newRig(t, db)) })
}

func newRig(t *testing.T, db *gorm.DB) *rig {
	t.Helper()
	if err := webhook.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	clock := enginetest.NewClock()
	clock.Advance(time.Since(clock.Now())) // the independent verifier knows the real time only
	r := &rig{clock: clock, Desk: ticket.New(t, db, engine.Config{Now: clock.Now, Logger: quiet})}
	n := 0
	r.cfg = webhook.Config{
		Guard: webhook.Guard{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, Now: clock.Now, Logger: quiet,
		NewID:  func(prefix string) string { n++; return fmt.Sprintf("%s_%03d", prefix, n) },
		Random: func(n int) []byte { b := make([]byte, n); _, _ = rand.Read(b); return b },
		Rand:   func() float64 { return 0 },
	}
	r.Webhooks = r.another(t)
	var err error
	if r.relay, err = outbox.NewRelay(t.Context(), db, outbox.Config{Now: clock.Now, Logger: quiet}, r.Webhooks); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) another(t *testing.T) *webhook.Webhooks {
	t.Helper()
	w, err := webhook.New(t.Context(), r.DB, r.cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

// endpoint makes one for a receiver.
func (r *rig) endpoint(t *testing.T, url string, events ...string) (id, secret string) {
	t.Helper()
	if len(events) == 0 {
		events = []string{"*"}
	}
	e, secret, err := r.Create(t.Context(), webhook.NewEndpoint{URL: url, Events: events})
	if err != nil {
		t.Fatal(err)
	}
	return e.ID, secret
}

// relayAll hands over what is in the outbox.
func (r *rig) relayAll(t *testing.T) {
	t.Helper()
	for more := true; more; {
		var err error
		if more, err = r.relay.Step(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
	}
}

// deliver hands over and posts what is due now.
func (r *rig) deliver(t *testing.T) {
	t.Helper()
	r.relayAll(t)
	for range 20 {
		if _, err := r.Step(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		r.Wait()
	}
}

func (r *rig) statuses(t *testing.T, endpoint string) map[webhook.Status]int {
	t.Helper()
	got := map[webhook.Status]int{}
	f := webhook.Filter{Endpoint: endpoint, Limit: 2}
	for {
		page, err := r.Deliveries(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range page.Deliveries {
			got[d.Status]++
		}
		if f.Cursor = page.NextCursor; f.Cursor == "" {
			return got
		}
	}
}

// posted is what a receiver got.
type posted struct {
	header http.Header
	body   []byte
	event  struct {
		ID, Type, Subject string
		Version           int64 `json:"ticketversion"`
		Data              map[string]any
	}
}

// receiver is a server that keeps what it gets.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	got    []posted
	answer func(w http.ResponseWriter, r *http.Request, p posted)
}

func receive(t *testing.T, answer func(w http.ResponseWriter, r *http.Request, p posted)) *receiver {
	t.Helper()
	in := &receiver{answer: answer}
	in.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := posted{header: r.Header}
		p.body, _ = io.ReadAll(r.Body)
		if err := json.Unmarshal(p.body, &p.event); err != nil {
			t.Error(err)
		}
		in.mu.Lock()
		in.got = append(in.got, p)
		answer := in.answer
		in.mu.Unlock()
		if answer != nil {
			answer(w, r, p)
		}
	}))
	t.Cleanup(in.Close)
	return in
}

func (in *receiver) posts() []posted {
	in.mu.Lock()
	defer in.mu.Unlock()
	return slices.Clone(in.got)
}

func TestAMessageIsPostedAsAStandardWebhook(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		in := receive(t, nil)
		_, secret := r.endpoint(t, in.URL+"/hook?a=b", "ticket.*")
		_, _ = r.endpoint(t, in.URL+"/other", "order.*", "ticket.closed")
		r.Open(t, "a")
		r.deliver(t)
		r.deliver(t)
		got := in.posts()
		if len(got) != 1 {
			t.Fatalf("%d posts", len(got))
		}
		independent, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			t.Fatal(err)
		}
		if err := independent.Verify(got[0].body, got[0].header); err != nil {
			t.Error(err)
		}
		if e := got[0].event; e.ID != got[0].header.Get("Webhook-Id") || e.Type != "ticket.opened" || e.Subject != "a" || e.Version != 1 || e.Data["id"] != "a" {
			t.Errorf("%s", got[0].body)
		}
		page, err := r.Deliveries(t.Context(), webhook.Filter{})
		if err != nil || len(page.Deliveries) != 1 || page.Deliveries[0].Status != webhook.Delivered || page.Deliveries[0].Tries != 1 {
			t.Fatalf("%+v, %v", page, err)
		}
		_, posts, err := r.Delivery(t.Context(), page.Deliveries[0].ID)
		if err != nil || len(posts) != 1 || posts[0].Code != 200 || posts[0].Number != 1 {
			t.Errorf("%+v, %v", posts, err)
		}
	})
}

// Posts are repeated after the pauses of the schedule, with the same id and a new time, and given up
// after the last.
func TestTheSchedule(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		in := receive(t, func(w http.ResponseWriter, _ *http.Request, _ posted) {
			http.Error(w, "not today", http.StatusServiceUnavailable)
		})
		id, _ := r.endpoint(t, in.URL)
		r.Open(t, "a")
		r.deliver(t)
		for i, pause := range []time.Duration{5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 10 * time.Hour} {
			if n := len(in.posts()); n != i+1 {
				t.Fatalf("%d posts, want %d", n, i+1)
			}
			r.clock.Advance(pause - time.Second)
			r.deliver(t)
			if n := len(in.posts()); n != i+1 {
				t.Fatalf("post %d came early", n)
			}
			r.clock.Advance(time.Second)
			r.deliver(t)
		}
		got := in.posts()
		if len(got) != 8 {
			t.Fatalf("%d posts", len(got))
		}
		for _, p := range got {
			if p.header.Get("Webhook-Id") != got[0].header.Get("Webhook-Id") {
				t.Error("another id")
			}
		}
		if got[0].header.Get("Webhook-Timestamp") == got[7].header.Get("Webhook-Timestamp") {
			t.Error("the same time")
		}
		if s := r.statuses(t, id); s[webhook.Failed] != 1 {
			t.Errorf("%v", s)
		}
		page, _ := r.Deliveries(t.Context(), webhook.Filter{})
		d, posts, err := r.Delivery(t.Context(), page.Deliveries[0].ID)
		if err != nil || len(posts) != 8 || posts[7].Number != 8 || posts[7].Code != 503 || posts[7].Answer != "not today\n" || !strings.Contains(d.Problem, "503") {
			t.Errorf("%+v, %+v, %v", d, posts, err)
		}
		// Asked for again it begins again.
		in.mu.Lock()
		in.answer = nil
		in.mu.Unlock()
		if done, err := r.Redeliver(t.Context(), d.ID); !done || err != nil {
			t.Errorf("%v, %v", done, err)
		}
		if done, err := r.Redeliver(t.Context(), d.ID); done || err != nil {
			t.Errorf("again at once: %v, %v", done, err)
		}
		r.deliver(t)
		if s := r.statuses(t, id); s[webhook.Delivered] != 1 {
			t.Errorf("%v", s)
		}
	})
}

func TestRetryAfterIsHonoured(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		in := receive(t, func(w http.ResponseWriter, _ *http.Request, _ posted) {
			w.Header().Set("Retry-After", "600")
			w.WriteHeader(http.StatusTooManyRequests)
		})
		r.endpoint(t, in.URL)
		r.Open(t, "a")
		r.deliver(t)
		r.clock.Advance(599 * time.Second)
		r.deliver(t)
		if n := len(in.posts()); n != 1 {
			t.Errorf("%d posts before the time", n)
		}
		r.clock.Advance(time.Second)
		r.deliver(t)
		if n := len(in.posts()); n != 2 {
			t.Errorf("%d posts at the time", n)
		}
	})
}

func TestAnEndpointThatIsGoneIsDisabled(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		in := receive(t, func(w http.ResponseWriter, _ *http.Request, _ posted) { w.WriteHeader(http.StatusGone) })
		id, _ := r.endpoint(t, in.URL)
		began := r.clock.Now()
		r.Open(t, "a")
		r.deliver(t)
		e, err := r.Endpoint(t.Context(), id)
		if err != nil || e.Status != webhook.Disabled || !strings.Contains(e.Problem, "410") {
			t.Fatalf("%+v, %v", e, err)
		}
		r.Open(t, "b")
		r.clock.Advance(time.Hour)
		r.deliver(t)
		if n := len(in.posts()); n != 1 {
			t.Errorf("%d posts to a disabled endpoint", n)
		}
		// Enabled again, it gets what waited, and what it has missed when it asks for it.
		in.mu.Lock()
		in.answer = nil
		in.mu.Unlock()
		if _, err := r.Recover(t.Context(), id, began, time.Time{}); err == nil {
			t.Error("recovered while disabled")
		}
		on := webhook.Enabled
		if e, err = r.Change(t.Context(), id, webhook.Change{Status: &on}); err != nil || e.Problem != "" {
			t.Fatalf("%+v, %v", e, err)
		}
		for i, want := range []int{1, 0} {
			if n, err := r.Recover(t.Context(), id, began, time.Time{}); n != want || err != nil {
				t.Errorf("recover %d: %d, %v", i, n, err)
			}
			r.deliver(t)
		}
		if s := r.statuses(t, id); s[webhook.Delivered] != 2 {
			t.Errorf("%v", s)
		}
	})
}

func TestAnEndpointThatTakesNothingForDaysIsDisabled(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		in := receive(t, func(w http.ResponseWriter, _ *http.Request, p posted) {
			if p.event.Type != "ticket.closed" {
				w.WriteHeader(http.StatusInternalServerError)
			}
		})
		id, _ := r.endpoint(t, in.URL)
		failing := func() *time.Time {
			e, err := r.Endpoint(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			return e.FailingFrom
		}
		r.Open(t, "a")
		r.deliver(t)
		if failing() == nil {
			t.Fatal("nobody noticed the failure")
		}
		r.Do(t, "a", "close")
		r.deliver(t)
		if failing() != nil {
			t.Fatal("a success is no end of failing")
		}
		for day := range 6 {
			r.Open(t, fmt.Sprint("day", day))
			r.deliver(t)
			r.clock.Advance(24*time.Hour + time.Minute)
		}
		e, err := r.Endpoint(t.Context(), id)
		if err != nil || e.Status != webhook.Disabled || !strings.Contains(e.Problem, "nothing since") {
			t.Errorf("%+v, %v", e, err)
		}
	})
}

// Receivers misbehave in every way there is; each fails by itself, and a good one beside them gets
// everything at once.
func TestBadReceiversHoldUpNobody(t *testing.T) {
	r := newRig(t, enginetest.SQLite(t))
	good := receive(t, nil)
	hang := make(chan struct{})
	bad := map[string]*receiver{
		"redirects": receive(t, func(w http.ResponseWriter, r *http.Request, _ posted) {
			http.Redirect(w, r, good.URL, http.StatusTemporaryRedirect)
		}),
		"resets": receive(t, func(w http.ResponseWriter, _ *http.Request, _ posted) {
			c, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_ = c.(*net.TCPConn).SetLinger(0)
			_ = c.Close()
		}),
		"never answers": receive(t, func(_ http.ResponseWriter, r *http.Request, _ posted) {
			select {
			case <-hang:
			case <-r.Context().Done():
			}
		}),
		"one byte a second": receive(t, func(w http.ResponseWriter, r *http.Request, _ posted) {
			c, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = c.Close() }()
			second := time.NewTicker(time.Second)
			defer second.Stop()
			for range "HTTP/1.1 200 OK\r\n\r\n" {
				select {
				case <-hang:
					return
				case <-second.C:
					if _, err := io.WriteString(c, "H"); err != nil {
						return
					}
				}
			}
		}),
		"talks nonsense": receive(t, func(w http.ResponseWriter, _ *http.Request, _ posted) {
			c, _, _ := w.(http.Hijacker).Hijack()
			_, _ = io.WriteString(c, "EHLO\r\n\r\n")
			_ = c.Close()
		}),
		"endless header": receive(t, func(w http.ResponseWriter, _ *http.Request, _ posted) {
			for i := range 1000 {
				w.Header().Set(fmt.Sprint("X-", i), strings.Repeat("x", 100))
			}
		}),
	}
	endless := receive(t, func(w http.ResponseWriter, _ *http.Request, _ posted) {
		for chunk := strings.Repeat("\xff", 8<<10); ; {
			if _, err := io.WriteString(w, chunk); err != nil {
				return
			}
		}
	})
	ids := map[string]string{}
	for name, in := range bad {
		ids[name], _ = r.endpoint(t, in.URL)
	}
	endlessID, _ := r.endpoint(t, endless.URL)
	goodID, _ := r.endpoint(t, good.URL)
	for i := range 10 {
		r.Open(t, fmt.Sprint("t", i))
	}
	r.relayAll(t)
	began := time.Now()
	for r.statuses(t, goodID)[webhook.Delivered] < 10 || r.statuses(t, endlessID)[webhook.Delivered] < 10 {
		if _, err := r.Step(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		if time.Since(began) > 12*time.Second { // one that never answers is given up after 15
			t.Fatalf("the good one has %v, the endless one %v", r.statuses(t, goodID), r.statuses(t, endlessID))
		}
	}
	close(hang)
	r.Close()
	if n := len(good.posts()); n != 10 {
		t.Errorf("%d posts, a redirect was followed", n)
	}
	for name, id := range ids {
		if s := r.statuses(t, id); s[webhook.Delivered] > 0 && name != "never answers" && name != "one byte a second" {
			t.Errorf("%s: %v", name, s)
		}
	}
}

// First posts of one subject come in the order of its versions, though the receiver dawdles.
func TestFirstPostsOfASubjectAreInOrder(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		first := map[string]bool{}
		var mu sync.Mutex
		in := receive(t, func(w http.ResponseWriter, _ *http.Request, p posted) {
			mu.Lock()
			defer mu.Unlock()
			if !first[p.event.ID] && p.event.Version%3 == 0 {
				w.WriteHeader(http.StatusInternalServerError)
			}
			first[p.event.ID] = true
		})
		r.endpoint(t, in.URL)
		r.Open(t, "a", "b", "c")
		for range 20 {
			for _, id := range []string{"a", "b", "c"} {
				r.Do(t, id, "nudge")
			}
			r.relayAll(t)
		}
		r.deliver(t)
		r.clock.Advance(time.Minute)
		r.deliver(t)
		last, seen := map[string]int64{}, map[string]bool{}
		for _, p := range in.posts() {
			if seen[p.event.ID] {
				continue
			}
			seen[p.event.ID] = true
			if p.event.Version != last[p.event.Subject]+1 {
				t.Errorf("%s: %d after %d", p.event.Subject, p.event.Version, last[p.event.Subject])
			}
			last[p.event.Subject] = p.event.Version
		}
		if len(seen) != 63 {
			t.Errorf("%d messages, want 63", len(seen))
		}
	})
}

func TestASecretIsReplacedWithAnOverlap(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		in := receive(t, nil)
		id, old := r.endpoint(t, in.URL)
		_, fresh, err := r.Rotate(t.Context(), id)
		if err != nil || fresh == old {
			t.Fatal(err)
		}
		verify := func(secret string, p posted) bool {
			w, err := standardwebhooks.NewWebhook(secret)
			return err == nil && w.VerifyIgnoringTimestamp(p.body, p.header) == nil
		}
		r.Open(t, "a")
		r.deliver(t)
		r.clock.Advance(25 * time.Hour)
		r.Open(t, "b")
		r.deliver(t)
		got := in.posts()
		if !verify(old, got[0]) || !verify(fresh, got[0]) {
			t.Error("both must sign during the overlap")
		}
		if verify(old, got[1]) || !verify(fresh, got[1]) {
			t.Error("only the new one must sign after it")
		}
		e, err := r.Endpoint(t.Context(), id)
		if text := fmt.Sprintf("%+v", e); err != nil || strings.Contains(text, old[6:]) || strings.Contains(text, fresh[6:]) {
			t.Errorf("a secret is printed: %s", text)
		}
	})
}

// A message is handed over twice, after a crash: it is one delivery. Replayed, it is another.
func TestAMessageIsOneDelivery(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		in := receive(t, nil)
		id, _ := r.endpoint(t, in.URL)
		r.Open(t, "a")
		r.deliver(t)
		if err := r.DB.Exec("UPDATE engine_messages SET status = 'pending'").Error; err != nil { // the note was lost
			t.Fatal(err)
		}
		r.deliver(t)
		if n := len(in.posts()); n != 1 {
			t.Errorf("%d posts", n)
		}
		queue, err := outbox.NewQueue(t.Context(), r.DB, r.clock.Now)
		if err != nil {
			t.Fatal(err)
		}
		r.clock.Advance(time.Second)
		if n, err := queue.Replay(t.Context(), outbox.Filter{Subject: "a"}, 10); n != 1 || err != nil {
			t.Fatalf("%d, %v", n, err)
		}
		r.deliver(t)
		got := in.posts()
		if len(got) != 2 || got[0].event.ID != got[1].event.ID || r.statuses(t, id)[webhook.Delivered] != 2 {
			t.Errorf("%d posts, %v", len(got), r.statuses(t, id))
		}
	})
}

// The process dies between the post and its note: the next posts again, under the same id. A process
// that was taken over from notes nothing.
func TestAPostThatWasNotNotedIsMadeAgain(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		in := receive(t, nil)
		id, _ := r.endpoint(t, in.URL)
		if err := r.DB.Exec("INSERT INTO engine_leases (name, owner, fence, until_at) VALUES ('webhooks', 'next', 8, 0)").Error; err != nil {
			t.Fatal(err)
		}
		r.Open(t, "a")
		r.relayAll(t)
		for _, fence := range []int64{7, 8, 8} {
			if _, err := r.Step(t.Context(), fence); err != nil {
				t.Fatal(err)
			}
			r.Wait()
		}
		got := in.posts()
		if len(got) != 2 || got[0].event.ID != got[1].event.ID {
			t.Errorf("%d posts", len(got))
		}
		if s := r.statuses(t, id); s[webhook.Delivered] != 1 {
			t.Errorf("%v", s)
		}
	})
}

// Stopped in the middle of a post, the daemon blames nobody.
func TestStoppingBlamesNobody(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		arrived := make(chan struct{}, 10)
		in := receive(t, func(_ http.ResponseWriter, q *http.Request, _ posted) {
			arrived <- struct{}{}
			<-q.Context().Done()
		})
		id, _ := r.endpoint(t, in.URL)
		r.Open(t, "a", "b")
		r.relayAll(t)
		if _, err := r.Step(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		<-arrived
		r.Close()
		if s := r.statuses(t, id); s[webhook.Pending] != 2 {
			t.Errorf("%v", s)
		}
	})
}

// However the steps of a worker and Close fall together, nothing runs once Close has returned, and steps say why.
func TestAClosedSenderSaysSo(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		in := receive(t, func(http.ResponseWriter, *http.Request, posted) {})
		r.endpoint(t, in.URL)
		r.Open(t, "a")
		r.relayAll(t)
		began, stepped := make(chan struct{}), make(chan error, 1)
		go func() {
			close(began)
			for {
				if _, err := r.Step(t.Context(), 0); err != nil {
					stepped <- err
					return
				}
			}
		}()
		<-began
		r.Close()
		if err := <-stepped; !errors.Is(err, engine.ErrClosed) {
			t.Errorf("a step after Close: %v, want ErrClosed", err)
		}
		r.Close()
		if _, err := r.Step(t.Context(), 0); !errors.Is(err, engine.ErrClosed) {
			t.Errorf("a step after Close: %v, want ErrClosed", err)
		}
	})
}

func TestDeletingTwiceSucceedsAndSaysSo(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		in := receive(t, func(w http.ResponseWriter, _ *http.Request, _ posted) { w.WriteHeader(http.StatusInternalServerError) })
		id, _ := r.endpoint(t, in.URL)
		r.Open(t, "a")
		r.deliver(t)
		for _, want := range []bool{true, false} {
			if was, err := r.Delete(t.Context(), id); was != want || err != nil {
				t.Errorf("%v, %v", was, err)
			}
		}
		if s := r.statuses(t, id); s[webhook.Cancelled] != 1 {
			t.Errorf("%v", s)
		}
		for _, err := range []error{
			func() error { _, err := r.Endpoint(t.Context(), id); return err }(),
			func() error { _, _, err := r.Rotate(t.Context(), id); return err }(),
			func() error { _, err := r.Test(t.Context(), id); return err }(),
			func() error { _, err := r.Recover(t.Context(), id, time.Now(), time.Time{}); return err }(),
		} {
			if !errors.Is(err, webhook.ErrNotFound) {
				t.Errorf("%v", err)
			}
		}
	})
}

func TestATestIsPostedAndNotKept(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		in := receive(t, nil)
		id, secret := r.endpoint(t, in.URL)
		a, err := r.Test(t.Context(), id)
		if err != nil || a.Code != 200 || a.Problem != "" {
			t.Errorf("%+v, %v", a, err)
		}
		w, _ := standardwebhooks.NewWebhook(secret)
		if got := in.posts(); len(got) != 1 || got[0].event.Type != "webhook.test" || w.Verify(got[0].body, got[0].header) != nil {
			t.Errorf("%+v", got)
		}
		in.Close()
		if a, err = r.Test(t.Context(), id); err != nil || a.Code != 0 || a.Problem == "" {
			t.Errorf("%+v, %v", a, err)
		}
		if s := r.statuses(t, id); len(s) != 0 {
			t.Errorf("%v", s)
		}
	})
}

func TestBadEndpointsAreNamed(t *testing.T) {
	r := newRig(t, enginetest.SQLite(t))
	for field, n := range map[string]webhook.NewEndpoint{
		"events":      {URL: "https://example.org"},
		"events[1]":   {URL: "https://example.org", Events: []string{"*", "Order.*"}},
		"events[0]":   {URL: "https://example.org", Events: []string{"order*"}},
		"url":         {URL: "ftp://example.org", Events: []string{"*"}},
		"description": {URL: "https://example.org", Events: []string{"*"}, Description: "a\nb"},
	} {
		_, _, err := r.Create(t.Context(), n)
		var wrong *engine.RequestError
		if !errors.As(err, &wrong) || wrong.Field != field {
			t.Errorf("%+v: %v", n, err)
		}
	}
	for i := range 101 {
		_, _, err := r.Create(t.Context(), webhook.NewEndpoint{URL: "https://example.org", Events: []string{"*"}})
		if (err != nil) != (i == 100) {
			t.Errorf("endpoint %d: %v", i, err)
		}
	}
}

func TestOldDeliveriesAreRemoved(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		in := receive(t, func(w http.ResponseWriter, _ *http.Request, p posted) {
			if p.event.Subject == "bad" {
				w.WriteHeader(http.StatusInternalServerError)
			}
		})
		id, _ := r.endpoint(t, in.URL)
		r.Open(t, "good", "bad")
		r.deliver(t)
		r.clock.Advance(48 * time.Hour)
		r.Open(t, "new")
		r.deliver(t)
		if n, err := r.Trim(t.Context(), 24*time.Hour, 100); n != 1 || err != nil {
			t.Errorf("%d removed, %v", n, err)
		}
		if n := r.Count(t, "webhook_attempts", "1 = 1"); n != 3 { // two of the bad one, one of the new one
			t.Errorf("%d posts are left", n)
		}
		off := webhook.Disabled
		if _, err := r.Change(t.Context(), id, webhook.Change{Status: &off}); err != nil {
			t.Fatal(err)
		}
		r.clock.Advance(48 * time.Hour)
		if n, err := r.Trim(t.Context(), 24*time.Hour, 100); n != 2 || err != nil {
			t.Errorf("%d removed, %v", n, err)
		}
	})
}

// Close is the rig's own: the desk's engine has one, too.
func (r *rig) Close() { r.Webhooks.Close() }
