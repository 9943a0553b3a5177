package enginetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"

	"example.com/orderd/engine"
)

// Compare returns what is false in the answers, each with its reason; err says why it could not look.
func (a *Answers) Compare(ctx context.Context, db *gorm.DB) (untrue []error, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.left > 0 {
		return nil, fmt.Errorf("there were %d requests more than %d", a.left, answersMax)
	}
	p, err := readPast(ctx, db)
	if err != nil {
		return nil, err
	}
	c := &comparison{past: p, asked: a.asked, open: map[engine.Key][]*Asked{}}
	c.claim()
	c.account()
	c.order(a.asked)
	for _, q := range a.asked {
		if q.ended > 0 {
			c.judge(q)
		}
	}
	c.inOrder()
	return c.untrue, nil
}

type comparison struct {
	*past
	asked  []*Asked
	open   map[engine.Key][]*Asked // requests that nobody knows the end of
	untrue []error
}

func (c *comparison) fault(q *Asked, format string, args ...any) {
	c.untrue = append(c.untrue, fmt.Errorf("%s: %s", q, fmt.Sprintf(format, args...)))
}

// claim gives each transition to the one answer that says it made it.
func (c *comparison) claim() {
	for _, q := range c.asked {
		if q.ended == 0 || q.request.DryRun || q.result.Outcome != engine.Applied || q.result.Proof == nil {
			continue
		}
		h := c.at[q.proofAt()]
		switch {
		case h == nil: // judge says so
		case h.by != nil:
			c.fault(q, "the same transition was applied by another call: %s", h.by)
		default:
			h.by, h.possibly = q, q.began
		}
	}
}

// asker is who may have made a transition without a key.
type asker struct {
	subject
	event engine.Event
	actor string
}

func (q *Asked) asker() asker {
	return asker{subject{q.request.Machine, q.request.ID}, q.request.Event, q.request.Actor}
}

// account holds that no transition is there that nobody was told of: where no answer says applied, there
// must be a request without a certain answer. That is how a refusal, or "nothing was done", is told from
// the truth although others asked with the same key.
func (c *comparison) account() {
	byKey, keyless, lost := map[engine.Key]*Asked{}, map[asker]*Asked{}, map[asker]int{}
	for _, q := range c.asked {
		k := q.request.Key
		switch {
		case q.request.DryRun:
		case k.IsZero() && q.request.ID != "":
			keyless[q.asker()] = q
			lost[q.asker()] += btoi(q.isOpen())
		case q.isOpen():
			c.open[k] = append(c.open[k], q)
		}
		if !k.IsZero() {
			byKey[k] = q
		}
	}
	for k, q := range byKey {
		h := c.byKey[k]
		if h == nil || h.by != nil {
			continue
		}
		if len(c.open[k]) == 0 {
			c.fault(q, "its key made version %d of %s %s, and nobody was told applied or left without an answer", h.Version,
				h.Machine, h.Subject)
			continue
		}
		h.possibly = c.open[k][0].began // they are in the order in which they were asked
	}
	for _, h := range c.at {
		if by := (asker{subject{h.Machine, h.Subject}, h.Event, h.Actor}); h.keyless && h.by == nil && keyless[by] != nil {
			if lost[by]--; lost[by] < 0 {
				c.fault(keyless[by], "version %d was made without a key, and nobody was told applied or left without an answer", h.Version)
			}
		}
	}
}

func (q *Asked) isOpen() bool { return q.ended == 0 || q.result.Outcome == engine.Unknown }

// told is the version of its subject that an answer speaks of, where it speaks of one as read.
func (q *Asked) told() (place, bool) {
	r := q.result
	switch {
	case r.Outcome == "", r.Outcome == engine.Unavailable, r.Outcome == engine.Unknown, r.Detail == engine.LostRace:
		return place{}, false
	case r.DryRun && r.Outcome == engine.Applied: // what would be
		return place{}, false
	case r.State == "" && r.Outcome != engine.NotFound, q.subject().id == "":
		return place{}, false
	}
	return place{q.subject(), r.Version}, true
}

func (q *Asked) subject() subject {
	id := q.result.ID
	if id == "" {
		id = q.request.ID
	}
	return subject{q.request.Machine, id}
}

func (q *Asked) proofAt() place {
	p := q.result.Proof
	of := subject{p.Machine, p.Subject}
	if of.machine == "" {
		of = q.subject()
	}
	return place{of, p.Version}
}

// String is the request and its answer, as a test's output names them.
func (q *Asked) String() string {
	r := q.request
	var b strings.Builder
	fmt.Fprintf(&b, "%s of %s %s", r.Event, r.Machine, q.subject().id)
	if !r.Key.IsZero() {
		fmt.Fprintf(&b, " with key %s %s", r.Key.Source, r.Key.Seq)
	}
	if r.IfVersion != 0 || r.IfState != "" {
		fmt.Fprintf(&b, " if version %d state %q", r.IfVersion, r.IfState)
	}
	if q.ended == 0 {
		fmt.Fprintf(&b, ", asked at %d, not answered", q.began)
		return b.String()
	}
	fmt.Fprintf(&b, ", asked at %d, was answered at %d: %s/%s in state %q at version %d", q.began, q.ended,
		q.result.Outcome, q.result.Detail, q.result.State, q.result.Version)
	if q.result.Outcome == "" {
		fmt.Fprintf(&b, " (%v)", q.result.Err())
	}
	return b.String()
}

// inOrder holds that the requests of one call were decided in their order.
func (c *comparison) inOrder() {
	type line struct {
		call int64
		subject
	}
	before := map[line]*Asked{}
	for _, q := range c.asked {
		at, told := q.told()
		if q.call == 0 || q.ended == 0 || !told || q.request.DryRun ||
			q.result.Detail == engine.UnknownEvent || q.result.Detail == engine.IdentityRequired { // judged before the others
			continue
		}
		l := line{q.call, at.subject}
		if first := before[l]; first != nil && first.result.Version > at.version {
			c.fault(q, "it was decided before what stood before it in the same call: %s", first)
		}
		before[l] = q
	}
}

// sameInput reports whether two requests are sure to say the same; rows of creations are not known here.
func sameInput(a, b engine.Request) bool {
	if a.Creates() || b.Creates() || a.Machine != b.Machine || a.ID != b.ID || a.Event != b.Event {
		return false
	}
	x, errX := json.Marshal(a.Input)
	y, errY := json.Marshal(b.Input)
	return errX == nil && errY == nil && slices.Equal(x, y)
}

// errOf is nil if an answer is one of the table's.
func errOf(r engine.Result) error {
	for _, d := range details[r.Outcome] {
		if d == r.Detail {
			return nil
		}
	}
	return errors.New("no such answer")
}

// details are the answers that there are. No outcome at all is a fault, or a caller who went away in time.
var details = map[engine.Outcome][]engine.Detail{
	"":                 {""},
	engine.Applied:     {""},
	engine.Already:     {engine.Replayed, engine.SameState, engine.Superseded},
	engine.Stale:       {engine.Passed, engine.VersionMoved, engine.ReachedOtherwise},
	engine.Early:       {""},
	engine.Illegal:     {engine.UnknownEvent, engine.NoPath, engine.GuardRefused, engine.IdentityRequired},
	engine.Conflict:    {engine.LostRace, engine.InputDiffers, engine.KeyReused, engine.FactMismatch},
	engine.NotFound:    {""},
	engine.Unavailable: {""},
	engine.Unknown:     {""},
}
