package engine

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"time"
)

// Bounds of what one transition may ask for.
const (
	effectsMax     = 16
	messageSizeMax = 64 << 10
)

var messageType = regexp.MustCompile(`^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$`)

// Effects collects what a transition causes beside its row: messages and timers, written in the
// same transaction. The zero value is ready. Not safe for concurrent use.
type Effects struct {
	messages []message
	timers   []timer  // to be armed
	stops    []string // to be stopped; none of them is armed
	err      error
}

type message struct {
	kind string
	data json.RawMessage
}

type timer struct {
	name  string
	dueAt time.Time
	event Event
}

// Emit asks for one message of the given type, such as "order.paid". data is encoded to JSON at
// once, at most 64 KiB. The message exists if and only if the transition commits.
func (fx *Effects) Emit(messageTyp string, data any) {
	if !messageType.MatchString(messageTyp) || len(messageTyp) > 128 {
		fx.fail(fmt.Errorf("message type %q: want dotted lower-case words, at most 128 bytes", messageTyp))
		return
	}
	body, err := json.Marshal(data)
	if err != nil {
		fx.fail(fmt.Errorf("message %s: %w", messageTyp, err))
		return
	}
	if len(body) > messageSizeMax {
		fx.fail(fmt.Errorf("message %s: %d bytes, at most %d", messageTyp, len(body), messageSizeMax))
		return
	}
	fx.messages = append(fx.messages, message{kind: messageTyp, data: body})
	fx.bound()
}

// Arm asks for a timer that fires event at the given time, unless the subject has left the state it
// is in after this transition by then. A time that has passed is due at once. Arming the same name
// again in one visit replaces the timer; of several wishes about one name the last counts.
func (fx *Effects) Arm(name string, at time.Time, event Event) {
	at = at.UTC().Truncate(time.Microsecond)
	switch {
	case !validName.MatchString(name):
		fx.fail(badTimerName(name))
		return
	case at.IsZero():
		fx.fail(fmt.Errorf("timer %s: armed for no time at all, it is zero", name))
		return
	case at.Unix() <= 0 || at.Year() > timerYearMax:
		fx.fail(fmt.Errorf("timer %s: armed for %s, want a time of the years 1970 to %d", name, at.Format(time.RFC3339), timerYearMax))
		return
	}
	fx.forget(name)
	fx.timers = append(fx.timers, timer{name: name, dueAt: at, event: event})
	fx.bound()
}

// timerYearMax is the last year that every database compares with.
const timerYearMax = 9998

// Stop ends the timers of that name. There need not be one.
func (fx *Effects) Stop(name string) {
	if !validName.MatchString(name) {
		fx.fail(badTimerName(name))
		return
	}
	fx.forget(name)
	fx.stops = append(fx.stops, name)
	fx.bound()
}

func badTimerName(name string) error {
	return fmt.Errorf("timer %.100q: want a lower-case letter, then letters, digits and underscores, at most 64", name)
}

// forget drops what was asked for about a timer: each name is in one of the two lists, once.
func (fx *Effects) forget(name string) {
	fx.timers = slices.DeleteFunc(fx.timers, func(t timer) bool { return t.name == name })
	fx.stops = slices.DeleteFunc(fx.stops, func(stopped string) bool { return stopped == name })
}

func (fx *Effects) bound() {
	if n := len(fx.messages) + len(fx.timers) + len(fx.stops); n > effectsMax {
		fx.fail(fmt.Errorf("%d effects of one transition, at most %d", n, effectsMax))
	}
}

func (fx *Effects) fail(err error) {
	if fx.err == nil {
		fx.err = err
	}
}
