package kafkasink_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/internal/ticket"
	"example.com/orderd/engine/outbox"
	"example.com/orderd/engine/outbox/kafkasink"
)

var quiet = slog.New(slog.DiscardHandler)

func relayTo(t *testing.T, brokers []string) (*ticket.Desk, *outbox.Relay, *enginetest.Clock) {
	t.Helper()
	clock := enginetest.NewClock()
	desk := ticket.New(t, enginetest.SQLite(t), engine.Config{Now: clock.Now, Logger: quiet})
	sink, err := kafkasink.New(kafkasink.Config{Brokers: brokers, Topic: "orders", Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sink.Close)
	relay, err := outbox.NewRelay(t.Context(), desk.DB, outbox.Config{Now: clock.Now, Logger: quiet, Timeout: 5 * time.Second, Tries: 1_000_000}, sink)
	if err != nil {
		t.Fatal(err)
	}
	return desk, relay, clock
}

func TestMessagesOfASubjectStayInOnePartitionAndInOrder(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(3), kfake.SeedTopics(5, "orders"))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	desk, relay, _ := relayTo(t, cluster.ListenAddrs())
	for i := range 10 {
		id := fmt.Sprint("t", i)
		desk.Open(t, id)
		desk.Do(t, id, "nudge", "nudge", "close")
	}
	if _, err := relay.Step(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if n := desk.Count(t, "engine_messages", "status = 'sent'"); n != 40 {
		var problem string
		desk.DB.Raw("SELECT problem FROM engine_messages LIMIT 1").Scan(&problem)
		t.Fatalf("%d are sent: %s", n, problem)
	}
	reader, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.ConsumeTopics("orders"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	partition, version := map[string]int32{}, map[string]float64{}
	for n := 0; n < 40; {
		fetches := reader.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			n++
			var e map[string]any
			if err := json.Unmarshal(r.Value, &e); err != nil {
				t.Error(err)
				return
			}
			id := string(r.Key)
			if e["subject"] != id || e["ticketversion"] != version[id]+1 {
				t.Errorf("%s after version %v: %v", id, version[id], e)
			}
			if p, known := partition[id]; known && p != r.Partition {
				t.Errorf("%s is in two partitions", id)
			}
			version[id], partition[id] = version[id]+1, r.Partition
		})
	}
}

func TestABrokerThatIsAwayLosesNothing(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "orders"))
	if err != nil {
		t.Fatal(err)
	}
	addrs := cluster.ListenAddrs()
	desk, relay, clock := relayTo(t, addrs)
	cluster.Close()
	desk.Open(t, "a")
	if _, err := relay.Step(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if n := desk.Count(t, "engine_messages", "status = 'retrying' AND problem LIKE 'kafka: %'"); n != 1 {
		t.Errorf("%d wait", n)
	}
	var port int
	if _, err := fmt.Sscanf(addrs[0], "127.0.0.1:%d", &port); err != nil {
		t.Fatal(err)
	}
	if cluster, err = kfake.NewCluster(kfake.Ports(port), kfake.SeedTopics(1, "orders")); err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	for end := time.Now().Add(30 * time.Second); desk.Count(t, "engine_messages", "status = 'sent'") == 0; {
		if time.Now().After(end) {
			t.Fatal("it is not sent")
		}
		clock.Advance(time.Hour)
		if _, err := relay.Step(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
	}
}

func TestParse(t *testing.T) {
	for setting, want := range map[string]kafkasink.Config{
		"a:9092":                  {Brokers: []string{"a:9092"}},
		"kafka://a:9092,b:1/shop": {Brokers: []string{"a:9092", "b:1"}, Topic: "shop"},
		"":                        {Brokers: []string{}},
	} {
		if got := kafkasink.Parse(setting); !reflect.DeepEqual(got, want) && len(got.Brokers)+len(want.Brokers) > 0 {
			t.Errorf("%q: %+v", setting, got)
		}
	}
	if _, err := kafkasink.New(kafkasink.Parse("")); err == nil {
		t.Error("no brokers were taken")
	}
}
