package enginetest

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"example.com/orderd/engine"
)

// judge holds one answer against history and against what had been told before.
func (c *comparison) judge(q *Asked) {
	r := q.result
	if err := errOf(r); err != nil {
		c.fault(q, "%v", err)
		return
	}
	c.judgeState(q)
	c.judgeProof(q)
	c.judgeKey(q)
	switch r.Outcome {
	case engine.Applied:
		c.judgeApplied(q)
	case engine.Already:
		c.judgeAlready(q)
	case engine.Conflict:
		c.judgeConflict(q)
	case engine.Stale, engine.Early, engine.Illegal:
		c.judgeRefusal(q)
	}
}

// judgeState holds that the subject was where the answer says at some moment between the asking and the
// answer.
func (c *comparison) judgeState(q *Asked) {
	at, told := q.told()
	if !told {
		return
	}
	h, last := c.at[at], c.last[at.subject]
	switch {
	case at.version > last:
		c.fault(q, "history ends with version %d", last)
	case h == nil && at.version > 0:
		c.fault(q, "history has no such version")
	case h != nil && h.To != q.result.State:
		c.fault(q, "version %d is in state %q", at.version, h.To)
	case h != nil && h.possibly > q.ended:
		c.fault(q, "version %d was asked for only after that, at %d", at.version, h.possibly)
	}
	if next := c.at[place{at.subject, at.version + 1}]; next != nil && next.surely < q.began {
		c.fault(q, "somebody had been told at %d, before it was asked, that version %d was there", next.surely, next.Version)
	}
}

// judgeProof holds that the transition shown is the one in history.
func (c *comparison) judgeProof(q *Asked) {
	p := q.result.Proof
	if p == nil || q.request.DryRun && q.result.Outcome == engine.Applied {
		return
	}
	h := c.at[q.proofAt()]
	switch {
	case h == nil:
		c.fault(q, "history has no version %d of %s %s to prove it", p.Version, q.proofAt().machine, q.proofAt().id)
	case h.possibly > q.ended:
		c.fault(q, "its proof, version %d, was asked for only after that, at %d", h.Version, h.possibly)
	default:
		if differ := differences(*p, h.Transition); len(differ) > 0 {
			c.fault(q, "its proof, version %d, has another %s in history", h.Version, strings.Join(differ, ", "))
		}
	}
}

// differences names the fields of a proof that are not those of the transition. Without a fingerprint it
// came from JSON, and what it lacks is not compared.
func differences(p, h engine.Transition) (names []string) {
	partly := p.Fingerprint == [32]byte{}
	for _, f := range []struct {
		name         string
		given, equal bool
	}{
		{"event", p.Event != "", p.Event == h.Event},
		{"from", p.From != "", p.From == h.From},
		{"to", p.To != "", p.To == h.To},
		{"key", !p.Key.IsZero(), p.Key == h.Key},
		{"fingerprint", !partly, p.Fingerprint == h.Fingerprint},
		{"actor", p.Actor != "", p.Actor == h.Actor},
		{"reason", p.Reason != "", p.Reason == h.Reason},
		{"input", p.Input != nil, sameJSON(p.Input, h.Input)},
		{"number of messages", p.Messages != 0, p.Messages == h.Messages},
		{"machine version", p.MachineVersion != "", p.MachineVersion == h.MachineVersion},
		{"time", !p.At.IsZero(), p.At.Equal(h.At)},
	} {
		if !f.equal && (f.given || !partly) {
			names = append(names, f.name)
		}
	}
	return names
}

func sameJSON(a, b json.RawMessage) bool {
	if bytes.Equal(a, b) {
		return true
	}
	var x, y bytes.Buffer
	return json.Compact(&x, a) == nil && json.Compact(&y, b) == nil && bytes.Equal(x.Bytes(), y.Bytes())
}

// judgeKey holds that a key that had led to a transition before it was asked with is known for ever.
func (c *comparison) judgeKey(q *Asked) {
	h := c.byKey[q.request.Key]
	if h == nil || h.surely >= q.began {
		return
	}
	switch r := q.result; {
	case r.Detail == engine.Replayed, r.Detail == engine.KeyReused, r.Detail == engine.FactMismatch:
	case r.Outcome == engine.Unavailable, r.Outcome == engine.Unknown, r.Outcome == "", r.Detail == engine.LostRace:
	case r.Detail == engine.UnknownEvent: // judged before the key is looked for
	default:
		c.fault(q, "its key had made version %d of %s %s, as somebody was told at %d", h.Version, h.Machine, h.Subject, h.surely)
	}
}

func (c *comparison) judgeApplied(q *Asked) {
	r, p := q.request, q.result.Proof
	if r.DryRun {
		return
	}
	if p == nil {
		c.fault(q, "there is no proof")
		return
	}
	h := c.at[q.proofAt()]
	if h == nil {
		return
	}
	switch {
	case q.proofAt().subject != q.subject(), h.Version != q.result.Version:
		c.fault(q, "its proof is version %d of %s %s", h.Version, h.Machine, h.Subject)
	case r.Event != "" && h.Event != r.Event:
		c.fault(q, "its proof is %s", h.Event)
	case h.Key != r.Key:
		c.fault(q, "its proof has the key %s %s", h.Key.Source, h.Key.Seq)
	case p.Fingerprint != [32]byte{} && (h.Actor != r.Actor || h.Reason != r.Reason):
		c.fault(q, "its proof says %q did it because of %q", h.Actor, h.Reason)
	case r.IfVersion != 0 && h.From != "" && h.Version != r.IfVersion+1, r.IfState != "" && h.From != "" && h.From != r.IfState:
		c.fault(q, "it went from state %q at version %d", h.From, h.Version-1)
	}
}

func (c *comparison) judgeAlready(q *Asked) {
	r, a := q.request, q.result
	if a.Proof == nil {
		c.fault(q, "there is no proof")
		return
	}
	h := c.at[q.proofAt()]
	if h == nil {
		return
	}
	same := r.Event == "" || h.Event == r.Event
	if !r.Creates() && h.Subject != r.ID && r.ID != "" || a.Version < h.Version || !same && a.Detail != engine.SameState {
		c.fault(q, "its proof is %s, version %d of %s %s", h.Event, h.Version, h.Machine, h.Subject)
	}
	switch a.Detail {
	case engine.Replayed:
		pinned := r.IfVersion > 0 && h.Version == r.IfVersion+1 && h.Actor == r.Actor && (r.Key.IsZero() || h.keyless)
		if (r.Key.IsZero() || h.Key != r.Key) && !pinned {
			c.fault(q, "its proof has the key %s %s", h.Key.Source, h.Key.Seq)
		}
	case engine.SameState:
		if h.To != a.State {
			c.fault(q, "its proof led to %q", h.To)
		}
	case engine.Superseded:
		if h.Version >= a.Version {
			c.fault(q, "nothing came after its proof, version %d", h.Version)
		}
	}
}

func (c *comparison) judgeConflict(q *Asked) {
	r, a := q.request, q.result
	switch a.Detail {
	case engine.KeyReused, engine.FactMismatch:
		h := c.byKey[r.Key]
		switch {
		case h == nil:
			c.fault(q, "its key has made nothing")
		case a.Proof != nil && c.at[q.proofAt()] != h:
			c.fault(q, "its proof is not what the key made: version %d of %s %s", h.Version, h.Machine, h.Subject)
		case h.possibly > q.ended:
			c.fault(q, "its key was used only after that, at %d", h.possibly)
		case h.by != nil && sameInput(h.by.request, r):
			c.fault(q, "the key was used by the same request: %s", h.by)
		case strings.HasPrefix(r.Key.Source, engine.SourceProvider) != (a.Detail == engine.FactMismatch):
			c.fault(q, "that is not the word for such a key")
		}
	case engine.InputDiffers:
		if a.Proof == nil {
			c.fault(q, "there is no proof")
			return
		}
		if h := c.at[q.proofAt()]; h != nil && h.by != nil && sameInput(h.by.request, r) {
			c.fault(q, "the proof was asked for with the same input: %s", h.by)
		}
	}
}

// judgeRefusal holds that the machine, as it was in that state, gives this reason.
func (c *comparison) judgeRefusal(q *Asked) {
	r, a := q.request, q.result
	if a.Detail == engine.VersionMoved {
		if (r.IfVersion == 0 || r.IfVersion == a.Version) && (r.IfState == "" || r.IfState == a.State) {
			c.fault(q, "its pins hold")
		}
		return
	}
	if a.Detail == engine.IdentityRequired {
		if !r.Key.IsZero() || r.IfVersion != 0 {
			c.fault(q, "it has an identity")
		}
		return
	}
	at, told := q.told()
	h := c.at[at]
	if !told || h == nil || r.Creates() || r.Event == "" {
		return
	}
	d, known := c.graphs[h.MachineVersion]
	if !known {
		return
	}
	now, later := edges(d, a.State, r.Event)
	has := slices.ContainsFunc(d.Events, func(e engine.DescribedEvent) bool { return e.Name == r.Event })
	switch {
	case a.Detail == engine.UnknownEvent && has:
		c.fault(q, "the machine has that event")
	case a.Detail == engine.GuardRefused && !now:
		c.fault(q, "no edge leads from there that a guard could refuse")
	case a.Outcome == engine.Early && (now || !later), a.Detail == engine.NoPath && (now || later), a.Detail == engine.Passed && now:
		c.fault(q, "the event is possible there: %t, and reachable: %t", now, later)
	}
}
