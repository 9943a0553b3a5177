package natssink_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/internal/ticket"
	"example.com/orderd/engine/outbox"
	"example.com/orderd/engine/outbox/natssink"
)

// start runs a real server with JetStream on a folder, which it finds again after a stop.
func start(t *testing.T, folder string, port int) *server.Server {
	t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: folder, NoSigs: true, NoLog: true, SyncAlways: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(20 * time.Second) {
		t.Fatal("the server does not start")
	}
	return s
}

func stop(s *server.Server) { s.Shutdown(); s.WaitForShutdown() }

type rig struct {
	*ticket.Desk
	relay *outbox.Relay
	clock *enginetest.Clock
}

var quiet = slog.New(slog.DiscardHandler)

func newRig(t *testing.T, url string) *rig {
	t.Helper()
	clock := enginetest.NewClock()
	r := &rig{clock: clock, Desk: ticket.New(t, enginetest.SQLite(t), engine.Config{Now: clock.Now, Logger: quiet})}
	sink, err := natssink.New(natssink.Config{URL: url, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sink.Close)
	r.relay, err = outbox.NewRelay(t.Context(), r.DB, outbox.Config{Now: clock.Now, Logger: quiet, Timeout: 5 * time.Second, Tries: 1_000_000}, sink)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// until runs steps until so many messages are sent.
func (r *rig) until(t *testing.T, sent int64) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); r.Count(t, "engine_messages", "status = 'sent'") < sent; {
		if time.Now().After(end) {
			t.Fatalf("%d of %d are sent", r.Count(t, "engine_messages", "status = 'sent'"), sent)
		}
		if _, err := r.relay.Step(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		r.clock.Advance(time.Hour)
	}
}

// stored is what the stream has, in its order.
func stored(t *testing.T, url string) (ids, subjects []string, events []map[string]any) {
	t.Helper()
	conn, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(t.Context(), "ORDERD")
	if err != nil {
		t.Fatal(err)
	}
	for n := uint64(1); n <= stream.CachedInfo().State.LastSeq; n++ {
		m, err := stream.GetMsg(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		var event map[string]any
		if err := json.Unmarshal(m.Data, &event); err != nil {
			t.Fatal(err)
		}
		ids, subjects, events = append(ids, m.Header.Get("Nats-Msg-Id")), append(subjects, m.Subject), append(events, event)
	}
	return ids, subjects, events
}

func TestMessagesReachTheStreamOnceAndInOrder(t *testing.T) {
	s := start(t, t.TempDir(), server.RANDOM_PORT)
	defer stop(s)
	r := newRig(t, s.ClientURL())
	r.Open(t, "a", "b")
	r.Do(t, "a", "nudge", "close")
	r.until(t, 4)
	if err := r.DB.Exec("UPDATE engine_messages SET status = 'pending'").Error; err != nil { // the notes were lost
		t.Fatal(err)
	}
	r.until(t, 4)
	ids, subjects, events := stored(t, s.ClientURL())
	if len(ids) != 4 {
		t.Fatalf("%v", subjects)
	}
	version := 0.0
	for i, e := range events {
		if e["id"] != ids[i] || subjects[i] != "orderd."+e["type"].(string) || e["specversion"] != "1.0" {
			t.Errorf("%s %s %v", ids[i], subjects[i], e)
		}
		if e["subject"] == "a" {
			if v := e["ticketversion"].(float64); v != version+1 {
				t.Errorf("version %v after %v", v, version)
			} else {
				version = v
			}
		}
	}
}

// The broker dies and comes back: nothing is lost, nothing is stored twice.
func TestABrokerThatDiesLosesNothing(t *testing.T) {
	folder := t.TempDir()
	s := start(t, folder, server.RANDOM_PORT)
	url, port := s.ClientURL(), s.Addr().String()
	r := newRig(t, url)
	r.Open(t, "a")
	r.until(t, 1)
	stop(s)
	for i := range 5 {
		r.Open(t, fmt.Sprint("b", i))
	}
	if _, err := r.relay.Step(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if n := r.Count(t, "engine_messages", "status = 'retrying' AND problem LIKE '%nats%'"); n != 5 {
		t.Errorf("%d wait", n)
	}
	r.clock.Advance(time.Hour)
	var number int
	if _, err := fmt.Sscanf(port[len("127.0.0.1:"):], "%d", &number); err != nil {
		t.Fatal(err)
	}
	s = start(t, folder, number)
	defer stop(s)
	r.until(t, 6)
	if ids, _, _ := stored(t, url); len(ids) != 6 {
		t.Errorf("%d are stored", len(ids))
	}
}

// A sink needs no broker to start, and says what is the matter.
func TestWithoutABroker(t *testing.T) {
	r := newRig(t, "nats://127.0.0.1:1")
	r.Open(t, "a")
	if _, err := r.relay.Step(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if n := r.Count(t, "engine_messages", "status = 'retrying' AND problem = 'nats: not connected'"); n != 1 {
		t.Errorf("%d wait", n)
	}
	if _, err := natssink.New(natssink.Config{}); err == nil {
		t.Error("no URL was taken")
	}
	if _, err := natssink.New(natssink.Config{URL: "nats://\x00"}); err == nil {
		t.Error("a malformed URL was taken")
	}
}
