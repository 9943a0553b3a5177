// Package kafkasink publishes messages to a topic of Kafka, keyed by their subject: those of one order
// stay in one partition, in their order.
package kafkasink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orderd/engine/outbox"
)

// Config tunes a Sink. Brokers must be given.
type Config struct {
	Brokers []string
	Topic   string       // default orderd; it must exist
	Source  string       // of events; default outbox.SourceDefault
	Logger  *slog.Logger // default slog.Default
}

// Sink is a topic. It is safe for concurrent use.
type Sink struct {
	cfg    Config
	client *kgo.Client
}

var _ outbox.Sink = (*Sink)(nil)

// Bounds of producing.
const (
	deliveryMax = 10 * time.Second // of one record, all tries of the client included
	retriesMax  = 5
)

// New makes a Sink. The brokers need not be there: messages wait in their table until they are.
func New(cfg Config) (*Sink, error) {
	if len(cfg.Brokers) == 0 {
		return nil, errors.New("kafka: no brokers")
	}
	if cfg.Topic == "" {
		cfg.Topic = "orderd"
	}
	if cfg.Source == "" {
		cfg.Source = outbox.SourceDefault
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	// The producer is idempotent and waits for all replicas: franz-go's defaults.
	client, err := kgo.NewClient(kgo.SeedBrokers(cfg.Brokers...), kgo.ClientID("orderd"), kgo.DefaultProduceTopic(cfg.Topic),
		kgo.RecordDeliveryTimeout(deliveryMax), kgo.RecordRetries(retriesMax), kgo.UnknownTopicRetries(1),
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)))
	if err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	return &Sink{cfg: cfg, client: client}, nil
}

// Parse reads a setting: brokers separated by commas, and after a slash the topic.
func Parse(setting string) Config {
	brokers, topic, _ := strings.Cut(strings.TrimPrefix(setting, "kafka://"), "/")
	return Config{Brokers: strings.FieldsFunc(brokers, func(r rune) bool { return r == ',' || r == ' ' }), Topic: topic}
}

// Close closes the connections.
func (s *Sink) Close() { s.client.Close() }

// Name is the sink's name.
func (*Sink) Name() string { return "kafka" }

// Send produces messages and waits until the brokers have each.
func (s *Sink) Send(ctx context.Context, ms []outbox.Message) []error {
	errs := make([]error, len(ms))
	var all sync.WaitGroup
	all.Add(len(ms))
	for i := range ms {
		m := &ms[i]
		// No timestamp: the client would take it for the beginning of its tries. The event has its time inside.
		record := &kgo.Record{
			Key: []byte(m.Subject), Value: m.Event(s.cfg.Source),
			Headers: []kgo.RecordHeader{{Key: "content-type", Value: []byte("application/cloudevents+json")}},
		}
		s.client.Produce(ctx, record, func(_ *kgo.Record, err error) {
			errs[i] = err
			all.Done()
		})
	}
	all.Wait()
	return errs
}
