// Package outbox takes the messages that transitions have left in the database to where they should
// go: at least once each, with an id that stays the same, and a subject's first attempts in order.
package outbox

import (
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"example.com/orderd/engine"
)

// Status is how far a message has come.
type Status string

// The statuses.
const (
	Pending  Status = "pending"  // not tried yet
	Retrying Status = "retrying" // tried, or held up by a sink that rests, and waiting for the next try
	Sent     Status = "sent"     // every sink has it
	Parked   Status = "parked"   // given up; a person decides
)

// Statuses lists all of them.
var Statuses = []Status{Pending, Retrying, Sent, Parked}

// Message is one thing that a transition says to the outside.
type Message struct {
	ID string `json:"id"` // the same in every attempt; says where the row is

	Machine string          `json:"machine"` // of the transition
	Subject string          `json:"subject"`
	Version int64           `json:"version"`
	Ordinal int             `json:"ordinal"` // among the transition's messages, from 1
	Type    string          `json:"type"`    // such as order.paid
	Data    json.RawMessage `json:"data"`
	At      time.Time       `json:"at"` // of the transition

	Status  Status     `json:"status"`
	Tries   int        `json:"tries"`             // since the last replay
	Replays int        `json:"replays"`           // how often it was asked to be sent once more
	NextAt  time.Time  `json:"next_at"`           // of the next try while it waits; else when it was sent or parked
	SentAt  *time.Time `json:"sent_at,omitempty"` //
	Problem string     `json:"problem,omitempty"` // of the last try

	taken   []string             // sinks that have it
	unasked []string             // sinks that rested, and have not been asked about it; all of them while it is pending
	behind  map[string]time.Time // sinks at which others come first, and when these are tried next
}

// address is a message's place in its table.
type address struct {
	machine, subject string
	version          int64
	ordinal          int
}

func (m *Message) address() address { return address{m.Machine, m.Subject, m.Version, m.Ordinal} }

const idPrefix = "msg_"

// id has no dot, so that it may be signed as the id of a Standard Webhook.
func (a address) id() string {
	text := fmt.Sprintf("%s/%d/%d/%s", a.machine, a.version, a.ordinal, a.subject)
	return idPrefix + base64.RawURLEncoding.EncodeToString([]byte(text))
}

// parseID finds the place that an id stands for.
func parseID(id string) (address, bool) {
	encoded, ours := strings.CutPrefix(id, idPrefix)
	text, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	parts := strings.SplitN(string(text), "/", 4) // names of machines have no slash
	if !ours || err != nil || len(parts) != 4 {
		return address{}, false
	}
	version, err1 := strconv.ParseInt(parts[1], 10, 64)
	ordinal, err2 := strconv.Atoi(parts[2])
	a := address{machine: parts[0], subject: parts[3], version: version, ordinal: ordinal}
	return a, err1 == nil && err2 == nil && a.id() == id
}

// columns are what scan reads.
const columns = "machine, subject, version, ordinal, type, data, created_at, status, tries, replays, next_at, " +
	"sent_at, problem, taken, unasked"

func scan(rows *sql.Rows) (Message, error) {
	var m Message
	var data, taken, unasked string
	var sent sql.NullTime
	err := rows.Scan(&m.Machine, &m.Subject, &m.Version, &m.Ordinal, &m.Type, &data, &m.At, &m.Status, &m.Tries, &m.Replays,
		&m.NextAt, &sent, &m.Problem, &taken, &unasked)
	m.ID, m.Data, m.taken, m.unasked = m.address().id(), json.RawMessage(data), strings.Fields(taken), strings.Fields(unasked)
	m.At, m.NextAt = m.At.UTC(), m.NextAt.UTC()
	if sent.Valid {
		at := sent.Time.UTC()
		m.SentAt = &at
	}
	return m, err
}

// Event is the message as a CloudEvent 1.0 in JSON. Its extension attribute with the subject's version
// is named after the machine, such as orderversion: attribute names have letters and digits only.
func (m *Message) Event(source string) []byte {
	event := map[string]any{
		"specversion": "1.0", "id": m.ID, "source": source, "type": m.Type, "subject": m.Subject,
		"time": m.At.Format("2006-01-02T15:04:05.000000Z"), "datacontenttype": "application/json", "data": m.Data,
		VersionAttribute(m.Machine): m.Version,
	}
	text, _ := json.Marshal(event) // strings, a number, and data that was made by json.Marshal
	return text
}

// VersionAttribute is the name of the CloudEvents extension that holds a subject's version.
func VersionAttribute(machine string) string {
	return strings.ReplaceAll(machine, "_", "") + "version"
}

// SourceDefault is the source of events unless another is configured: a path, so that receivers
// complete it by whom they got the event from (CloudEvents 1.0, "source").
const SourceDefault = "/orders"

// Wake reports whether an observed request left messages, which a relay can be woken for.
func Wake(o engine.Observation) bool {
	return o.Result.Outcome == engine.Applied && o.Result.Proof != nil && o.Result.Proof.Messages > 0 && !o.Result.DryRun
}
