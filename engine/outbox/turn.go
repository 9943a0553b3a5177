package outbox

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A sink that rests is not asked about a message, which then waits like one that failed. It is not passed
// by a younger message of its subject: a row says which sinks have not been asked about it (unasked), and
// at these, younger ones have their turn after it. Sinks that were asked wait for nothing, and what failed
// at a sink has had its turn there.

// subject is whose messages are in order.
type subject struct{ machine, id string }

func (m *Message) of() subject { return subject{m.Machine, m.Subject} }

// first reports whether a sink has not been asked about a message yet.
func (m *Message) first(sink string) bool {
	return !slices.Contains(m.taken, sink) && (m.Status == Pending || slices.Contains(m.unasked, sink))
}

// turn is a subject's at a sink.
type turn struct {
	subject
	sink string
}

// queueUp looks for messages that come before those of a batch, and are not in it. Their place in the
// queue becomes the younger one's, too (behind), which keeps both in their order there.
func (r *Relay) queueUp(ctx context.Context, batch []Message) error {
	inBatch := make(map[address]bool, len(batch))
	youngest := map[subject]int64{}
	var subjects []subject
	for i := range batch {
		m := &batch[i]
		inBatch[m.address()] = true
		if !slices.ContainsFunc(r.sinks, func(o *outlet) bool { return m.first(o.Name()) }) {
			continue
		}
		v, known := youngest[m.of()]
		if !known {
			subjects = append(subjects, m.of())
		}
		youngest[m.of()] = max(v, m.Version)
	}
	oldest := map[turn]Message{}
	for part := range slices.Chunk(subjects, sentChunk) {
		var args []any
		for _, s := range part {
			args = append(args, s.machine, s.id, youngest[s])
		}
		one := "(machine = ? AND subject = ? AND version <= ?)"
		err := r.db.Each(ctx, "SELECT machine, subject, version, ordinal, next_at, unasked FROM engine_messages"+
			" WHERE COALESCE(status, '') = 'retrying' AND unasked <> '' AND ("+one+strings.Repeat(" OR "+one, len(part)-1)+")",
			args, func(rows *sql.Rows) error {
				var m Message
				var unasked string
				if err := rows.Scan(&m.Machine, &m.Subject, &m.Version, &m.Ordinal, &m.NextAt, &unasked); err != nil || inBatch[m.address()] {
					return err
				}
				for _, sink := range strings.Fields(unasked) {
					t := turn{m.of(), sink}
					if o, known := oldest[t]; !known || byVersion(m, o) < 0 {
						oldest[t] = m
					}
				}
				return nil
			})
		if err != nil {
			return fmt.Errorf("outbox: look for messages that come first: %w", err)
		}
	}
	for i := range batch {
		m := &batch[i]
		for _, o := range r.sinks {
			if before, known := oldest[turn{m.of(), o.Name()}]; known && m.first(o.Name()) && byVersion(before, *m) < 0 {
				m.putBehind(o.Name(), before.NextAt.UTC())
			}
		}
	}
	return nil
}

func (m *Message) putBehind(sink string, until time.Time) {
	if m.behind == nil {
		m.behind = map[string]time.Time{}
	}
	m.behind[sink] = until
}

// wait is why a sink was not asked about a message.
type wait struct {
	until time.Time
	why   string
}

func (w *wait) Error() string { return w.why }

const (
	whyRest   = "it has not answered in time, and is given a rest"
	whyBehind = "an older message of the subject comes first, about which it could not be asked yet"
)
