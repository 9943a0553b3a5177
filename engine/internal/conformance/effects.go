package conformance

import (
	"slices"
	"testing"
	"time"

	"example.com/orderd/engine"
)

// effectTests is what messages and timers promise.
var effectTests = map[string]func(*testing.T, *bench){
	"each transition has exactly its messages": func(t *testing.T, b *bench) {
		b.at(t, "a", "load", "deliver")
		var kinds []string
		if err := b.db.Table("engine_messages").Where("subject = ?", "a").Order("version").Pluck("type", &kinds).Error; err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(kinds, []string{"parcel.posted", "parcel.loaded", "parcel.delivered"}) {
			t.Errorf("messages %v", kinds)
		}
	},
	"a timer is armed with the entry and stopped by name": func(t *testing.T, b *bench) {
		b.at(t, "a")
		type armed struct {
			Entered             int64
			Name, Event, Status string
			DueAt               time.Time
		}
		read := func() (all []armed) {
			if err := b.db.Table("engine_timers").Where("subject = ?", "a").Find(&all).Error; err != nil {
				t.Fatal(err)
			}
			return all
		}
		timers := read()
		if len(timers) != 1 || timers[0].Name != "expiry" || timers[0].Entered != 1 || timers[0].Status != "armed" ||
			!timers[0].DueAt.Equal(b.clock.Now().Truncate(time.Microsecond).Add(time.Hour)) {
			t.Errorf("timers %+v", timers)
		}
		b.apply(t, request("a", "load"), want{outcome: engine.Applied})
		b.apply(t, request("a", "deliver"), want{outcome: engine.Applied})
		if timers = read(); timers[0].Status != "stopped" {
			t.Errorf("timers %+v", timers)
		}
	},
	"a refused transition has no effects": func(t *testing.T, b *bench) {
		b.at(t, "a")
		b.apply(t, scanned(keyed("a", "scan", "1"), "void"), want{engine.Illegal, engine.GuardRefused, "posted", 1, -1})
		if n := b.count(t, "engine_messages", "subject = ?", "a"); n != 1 {
			t.Errorf("%d messages", n)
		}
	},
}
