package engine

import (
	"encoding/json"
	"fmt"
	"regexp"
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
	timers   []timer
	stops    []string
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
// is in after this transition by then. Arming the same name again in one visit replaces it.
func (fx *Effects) Arm(name string, at time.Time, event Event) {
	if !validName.MatchString(name) {
		fx.fail(fmt.Errorf("timer %q: want lower-case letters, digits and underscores", name))
		return
	}
	fx.timers = append(fx.timers, timer{name: name, dueAt: at.UTC().Truncate(time.Microsecond), event: event})
	fx.bound()
}

// Stop ends the armed timers of that name. There need not be one.
func (fx *Effects) Stop(name string) {
	fx.stops = append(fx.stops, name)
	fx.bound()
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
