// Package natssink publishes messages to a stream of NATS JetStream. The id of a message is its
// Nats-Msg-Id, so that the stream drops what it gets twice within its window.
package natssink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"example.com/orderd/engine/outbox"
)

// Config tunes a Sink. Only URL must be given.
type Config struct {
	URL    string        // of the servers, separated by commas; may hold a user and a password
	Stream string        // created if it does not exist; default ORDERD
	Prefix string        // of subjects: a message order.paid goes to orderd.order.paid; default orderd
	Window time.Duration // in which a created stream drops repeats; default 1 hour
	Source string        // of events; default outbox.SourceDefault
	Logger *slog.Logger  // default slog.Default
}

// Sink is a stream. It is safe for concurrent use.
type Sink struct {
	cfg    Config
	conn   *nats.Conn
	stream jetstream.JetStream
	known  atomic.Bool // the stream exists
}

var _ outbox.Sink = (*Sink)(nil)

// Bounds of a connection.
const (
	reconnectWait = time.Second
	pendingMax    = 1024 // publishes without an acknowledgement
)

// New makes a Sink. The servers need not be there: messages wait in their table until they are.
func New(cfg Config) (*Sink, error) {
	if cfg.URL == "" {
		return nil, errors.New("nats: no URL")
	}
	if cfg.Stream == "" {
		cfg.Stream = "ORDERD"
	}
	if cfg.Prefix == "" {
		cfg.Prefix = "orderd"
	}
	if cfg.Window == 0 {
		cfg.Window = time.Hour
	}
	if cfg.Source == "" {
		cfg.Source = outbox.SourceDefault
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	s := &Sink{cfg: cfg}
	var err error
	s.conn, err = nats.Connect(cfg.URL, nats.Name("orderd"), nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1),
		nats.ReconnectWait(reconnectWait),
		nats.ReconnectBufSize(-1), // what cannot be sent now fails now
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { cfg.Logger.Warn("the connection to NATS is lost", "error", err) }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { cfg.Logger.Warn("NATS", "error", err) }))
	if err != nil {
		return nil, fmt.Errorf("nats: %w", err)
	}
	if s.stream, err = jetstream.New(s.conn, jetstream.WithPublishAsyncMaxPending(pendingMax)); err != nil {
		s.conn.Close()
		return nil, fmt.Errorf("nats: %w", err)
	}
	return s, nil
}

// Close closes the connection.
func (s *Sink) Close() { s.conn.Close() }

// Name is the sink's name.
func (*Sink) Name() string { return "nats" }

// Send publishes messages and waits until the stream has stored each.
func (s *Sink) Send(ctx context.Context, ms []outbox.Message) []error {
	errs := make([]error, len(ms))
	if err := s.ready(ctx); err != nil {
		for i := range errs {
			errs[i] = err
		}
		return errs
	}
	acks := make([]jetstream.PubAckFuture, len(ms))
	for i := range ms {
		acks[i], errs[i] = s.stream.PublishMsgAsync(s.message(&ms[i]))
	}
	for i, ack := range acks {
		if errs[i] != nil {
			continue
		}
		select {
		case <-ack.Ok():
		case errs[i] = <-ack.Err():
		case <-ctx.Done():
			errs[i] = ctx.Err()
		}
	}
	for _, err := range errs {
		if errors.Is(err, jetstream.ErrNoStreamResponse) || errors.Is(err, nats.ErrNoResponders) {
			s.known.Store(false) // somebody has removed it
		}
	}
	return errs
}

func (s *Sink) message(m *outbox.Message) *nats.Msg {
	return &nats.Msg{
		Subject: s.cfg.Prefix + "." + m.Type, Data: m.Event(s.cfg.Source),
		Header: nats.Header{jetstream.MsgIDHeader: {m.ID}, "Content-Type": {"application/cloudevents+json"}},
	}
}

// ready makes sure that there is a stream. One that exists is left as it is.
func (s *Sink) ready(ctx context.Context) error {
	if !s.conn.IsConnected() {
		return errors.New("not connected")
	}
	if s.known.Load() {
		return nil
	}
	_, err := s.stream.Stream(ctx, s.cfg.Stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		_, err = s.stream.CreateStream(ctx, jetstream.StreamConfig{
			Name: s.cfg.Stream, Subjects: []string{s.cfg.Prefix + ".>"}, Duplicates: s.cfg.Window, Storage: jetstream.FileStorage,
			Description: "messages of orderd",
		})
	}
	if err != nil {
		return fmt.Errorf("the stream %s: %w", s.cfg.Stream, err)
	}
	s.known.Store(true)
	return nil
}
