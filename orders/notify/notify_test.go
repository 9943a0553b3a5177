package notify_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/outbox"
	"example.com/orderd/engine/verify"
	"example.com/orderd/orders/notify"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// gateway is a sender that answers as it is told, and counts its calls.
type gateway struct {
	knows bool
	mu    sync.Mutex
	calls map[string]int // by notification
	away  error          // it cannot be reached
	say   func(n notify.Notification) error
}

func (*gateway) Channel() string      { return "sms" }
func (g *gateway) KnowsRepeats() bool { return g.knows }

func (g *gateway) Send(_ context.Context, n notify.Notification) error {
	g.mu.Lock()
	if g.calls == nil {
		g.calls = map[string]int{}
	}
	g.calls[n.ID]++
	say := g.say
	g.mu.Unlock()
	if say == nil {
		return nil
	}
	return say(n)
}

func (g *gateway) counts() (calls, most int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, n := range g.calls {
		calls, most = calls+n, max(most, n)
	}
	return calls, most
}

func (g *gateway) Ready(context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.away
}

type rig struct {
	t      *testing.T
	db     *gorm.DB
	engine *engine.Engine
	clock  *enginetest.Clock
	sms    *gateway
	*notify.Notifier
}

var quiet = slog.New(slog.DiscardHandler)

func each(t *testing.T, f func(t *testing.T, r *rig)) {
	t.Helper()
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		if err := notify.Migrate(t.Context(), db); err != nil {
			t.Fatal(err)
		}
		r := &rig{t: t, db: db, clock: enginetest.NewClock(), sms: &gateway{}}
		var err error
		if r.engine, err = engine.New(db, engine.Config{Now: r.clock.Now, Logger: quiet}, notify.Machines()...); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = r.engine.Close(context.Background()) })
		r.Notifier = r.another()
		f(t, r)
		report, err := verify.Run(context.Background(), db, verify.Options{Machines: notify.Machines()})
		if err != nil || report.Total > 0 {
			t.Errorf("verify: %v %+v", err, report.Findings)
		}
	})
}

func (r *rig) another() *notify.Notifier {
	r.t.Helper()
	n, err := notify.New(r.t.Context(), r.db, r.engine, notify.Config{
		Senders: []notify.Sender{r.sms}, Now: r.clock.Now, Logger: quiet,
		Compose: func(_ context.Context, m outbox.Message) ([]notify.Draft, error) {
			if m.Type == "order.odd" {
				return nil, nil
			}
			return []notify.Draft{{Channel: "sms", Recipient: "+1", Title: m.Type, Text: "Your order: " + m.Subject}}, nil
		},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

func message(id string) outbox.Message {
	return outbox.Message{ID: id, Machine: "order", Subject: "ord_" + id, Version: 2, Ordinal: 1, Type: "order.paid", Data: []byte("{}")}
}

// hand hands messages over, which must be taken.
func (r *rig) hand(n *notify.Notifier, ms ...outbox.Message) {
	r.t.Helper()
	for _, err := range n.Send(r.t.Context(), ms) {
		if err != nil {
			r.t.Error(err)
		}
	}
}

func (r *rig) step(n *notify.Notifier) {
	r.t.Helper()
	if _, err := n.Step(r.t.Context(), 0); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) states() map[engine.State]int {
	r.t.Helper()
	page, err := r.List(r.t.Context(), notify.Filter{Limit: 200})
	if err != nil {
		r.t.Fatal(err)
	}
	got := map[engine.State]int{}
	for _, n := range page.Notifications {
		got[n.State]++
	}
	return got
}

// One notification for each event and channel, however often and from however many the message comes.
func TestOneNotificationForEachEventAndChannel(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		var all sync.WaitGroup
		for range 8 {
			n := r.another()
			all.Go(func() {
				for range 5 {
					r.hand(n, message("a"), message("b"), outbox.Message{ID: "odd", Type: "order.odd"})
				}
			})
		}
		all.Wait()
		for range 8 {
			n := r.another()
			all.Go(func() { r.step(n) })
		}
		all.Wait()
		r.hand(r.Notifier, message("a"))
		r.step(r.Notifier)
		if got := r.states(); got[notify.Sent] != 2 || len(got) != 1 {
			t.Errorf("%v", got)
		}
		if calls, most := r.sms.counts(); calls != 2 || most != 1 {
			t.Errorf("%d calls, at most %d for one", calls, most)
		}
	})
}

// The process dies after it has called a sender that cannot tell a repeat: nobody calls it again, and
// what is uncertain is shown as that.
func TestASenderThatKnowsNoRepeatsIsNeverCalledTwice(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		for name, say := range map[string]struct {
			err  error
			want engine.State
		}{
			"silence": {errors.New("timeout"), notify.Uncertain},
			"refused": {fmt.Errorf("%w: no such number", notify.ErrNotSent), notify.Failed},
			"killed":  {nil, notify.Uncertain},
			"panic":   {nil, notify.Uncertain},
		} {
			before := r.states()[say.want]
			r.sms.mu.Lock()
			r.sms.say = func(notify.Notification) error {
				switch name {
				case "panic":
					panic("on purpose")
				case "killed": // nothing is written down any more
					if err := r.db.Exec("UPDATE notifications SET version = version + 1000 WHERE status = 'sending'").Error; err != nil {
						return err
					}
				}
				return say.err
			}
			r.sms.mu.Unlock()
			r.hand(r.Notifier, message(name))
			_, _ = r.Step(t.Context(), 0) // the killed one cannot note what happened
			if name == "killed" {
				if err := r.db.Exec("UPDATE notifications SET version = version - 1000 WHERE version > 1000").Error; err != nil {
					t.Fatal(err)
				}
				if got := r.states(); got[notify.Sending] != 1 {
					t.Fatalf("%v", got)
				}
			}
			next := r.another()
			for range 5 {
				r.clock.Advance(time.Hour)
				r.step(next)
			}
			if got := r.states(); got[say.want] != before+1 {
				t.Errorf("%s: %v", name, got)
			}
		}
		if calls, most := r.sms.counts(); calls != 4 || most != 1 {
			t.Errorf("%d calls, at most %d for one", calls, most)
		}
		page, err := r.List(t.Context(), notify.Filter{State: notify.Uncertain})
		if err != nil || len(page.Notifications) != 3 || page.Notifications[0].Problem == "" {
			t.Errorf("%+v, %v", page, err)
		}
	})
}

// A sender that knows repeats is called again, after pauses that grow, and given up in the end.
func TestASenderThatKnowsRepeatsIsCalledAgain(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.sms.knows = true
		fails := 3
		r.sms.say = func(notify.Notification) error {
			if fails--; fails >= 0 {
				return errors.New("timeout")
			}
			return nil
		}
		r.hand(r.Notifier, message("a"))
		for range 3 {
			r.step(r.Notifier)
			r.step(r.Notifier) // too early
			r.clock.Advance(time.Minute)
		}
		r.step(r.Notifier)
		if got := r.states(); got[notify.Sent] != 1 {
			t.Errorf("%v", got)
		}
		if calls, _ := r.sms.counts(); calls != 4 {
			t.Errorf("%d calls", calls)
		}
		fails = 1000
		r.hand(r.Notifier, message("b"))
		for range 20 {
			r.step(r.Notifier)
			r.clock.Advance(time.Hour)
		}
		if got := r.states(); got[notify.Failed] != 1 {
			t.Errorf("%v", got)
		}
		if calls, _ := r.sms.counts(); calls != 4+8 {
			t.Errorf("%d calls", calls)
		}
	})
}

// While a gateway cannot be reached nothing is lost on it.
func TestNotificationsWaitForASenderThatIsAway(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.sms.away = errors.New("no route")
		r.hand(r.Notifier, message("a"))
		for range 3 {
			r.step(r.Notifier)
			r.clock.Advance(time.Hour)
		}
		if got := r.states(); got[notify.Queued] != 1 {
			t.Fatalf("%v", got)
		}
		r.sms.mu.Lock()
		r.sms.away = nil
		r.sms.mu.Unlock()
		r.step(r.Notifier)
		if got := r.states(); got[notify.Sent] != 1 {
			t.Errorf("%v", got)
		}
	})
}

func TestNotificationsAreListed(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.hand(r.Notifier, message("a"), message("b"), message("c"))
		seen := map[string]bool{}
		f := notify.Filter{Limit: 2}
		for range 3 {
			page, err := r.List(t.Context(), f)
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range page.Notifications {
				seen[n.ID] = true
			}
			if f.Cursor = page.NextCursor; f.Cursor == "" {
				break
			}
		}
		if len(seen) != 3 {
			t.Errorf("%d", len(seen))
		}
		for _, f := range []notify.Filter{{Limit: -1}, {Limit: 201}, {State: "odd"}, {Cursor: "é"}} {
			if _, err := r.List(t.Context(), f); !errors.Is(err, engine.ErrBadRequest) {
				t.Errorf("%+v: %v", f, err)
			}
		}
	})
}

// mailServer is a mail server that takes one mail for each connection, or refuses at some word.
func mailServer(t *testing.T, refuseAt string, hangUp bool) (address string, mails func() []string) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var got []string
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer func() { _ = conn.Close() }()
				in := bufio.NewReader(conn)
				say := func(line string) { _, _ = io.WriteString(conn, line+"\r\n") }
				say("220 here")
				var mail strings.Builder
				for body := false; ; {
					line, err := in.ReadString('\n')
					if err != nil {
						return
					}
					word, _, _ := strings.Cut(strings.TrimSpace(line), " ")
					switch {
					case body && line == ".\r\n":
						body = false
						if hangUp {
							return
						}
						mu.Lock()
						got = append(got, mail.String())
						mu.Unlock()
						say("250 taken")
					case body:
						mail.WriteString(line)
					case word == refuseAt:
						say("550 not here")
					case word == "DATA":
						body = true
						say("354 go on")
					case word == "QUIT":
						say("221 bye")
						return
					default:
						say("250 fine")
					}
				}
			})
		}
	})
	t.Cleanup(func() { _ = l.Close(); all.Wait() })
	return l.Addr().String(), func() []string { mu.Lock(); defer mu.Unlock(); return got }
}

func TestMail(t *testing.T) {
	address, mails := mailServer(t, "", false)
	s, err := notify.NewSMTP("smtp://"+address+"?from=shop@example.org", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	n := notify.Notification{ID: "ntf_1", Recipient: "Ada <ada@example.org>", Title: "Grüße\r\nBcc: all@example.org", Text: "Hello\n.\n.dots\nüber " + strings.Repeat("long ", 50)}
	if err := s.Send(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	got, err := mail.ReadMessage(strings.NewReader(mails()[0]))
	if err != nil {
		t.Fatal(err)
	}
	title, _ := new(mime.WordDecoder).DecodeHeader(got.Header.Get("Subject"))
	if title != "Grüße  Bcc: all@example.org" || got.Header.Get("Bcc") != "" || got.Header.Get("To") != `"Ada" <ada@example.org>` {
		t.Errorf("%q, %v", title, got.Header)
	}
	if !strings.HasPrefix(got.Header.Get("Message-ID"), "<ntf_1@") {
		t.Errorf("%v", got.Header)
	}
	for setting, certain := range map[string]bool{"MAIL": true, "RCPT": true, "DATA": true, "hang up": false} {
		address, _ := mailServer(t, setting, setting == "hang up")
		s, err := notify.NewSMTP("smtp://"+address+"?from=shop@example.org", time.Now)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Send(t.Context(), n); err == nil || errors.Is(err, notify.ErrNotSent) != certain {
			t.Errorf("%s: %v", setting, err)
		}
	}
	n.Recipient = "nobody"
	if err := s.Send(t.Context(), n); !errors.Is(err, notify.ErrNotSent) {
		t.Errorf("%v", err)
	}
	for _, setting := range []string{"", "smtp://", "http://a?from=a@b", "smtp://a", "smtp://a?from=x", "smtp://u:secret@a?from="} {
		if _, err := notify.NewSMTP(setting, time.Now); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", setting, err)
		}
	}
	s, err = notify.NewSMTP("smtp://u:secret@mail.example?from=a@b.example", time.Now)
	if text := fmt.Sprintf("%v %+v", s, s); err != nil || strings.Contains(text, "secret") {
		t.Errorf("%s, %v", text, err)
	}
}

func TestPost(t *testing.T) {
	status := http.StatusOK
	var keys []string
	in := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		keys = append(keys, r.Header.Get("Idempotency-Key"))
		w.WriteHeader(status)
	}))
	defer in.Close()
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	p := notify.Post{Name: "push", URL: in.URL, Client: client}
	if err := p.Send(t.Context(), notify.Notification{ID: "ntf_1"}); err != nil || keys[0] != "ntf_1" {
		t.Errorf("%v, %v", err, keys)
	}
	status = http.StatusBadGateway
	if err := p.Send(t.Context(), notify.Notification{ID: "ntf_1"}); err == nil {
		t.Error("502 was taken for success")
	}
}
