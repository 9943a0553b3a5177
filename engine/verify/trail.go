package verify

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"example.com/orderd/engine"
)

// trail follows one subject through its history. Of what is behind it keeps the last step only.
type trail struct {
	*walk
	id    string
	last  step
	begun bool // there is a last step
	visit visit

	stored *engine.StoredRow // the row, of an exclusive machine, read before its history
}

func (t *trail) found(invariant string, version int64, format string, args ...any) {
	t.v.found(Finding{Invariant: invariant, Machine: t.machine, Subject: t.id, Version: version, Text: fmt.Sprintf(format, args...)})
}

// follow goes on over the next span of versions.
func (t *trail) follow(ctx context.Context, p *past) error {
	for i := range p.steps {
		s := &p.steps[i]
		if err := t.unchanged(ctx, s); err != nil {
			return err
		}
		if err := t.step(ctx, s); err != nil {
			return err
		}
		t.messages(s, p.messages[s.version])
		t.timers(s, p.timers[s.version])
		delete(p.messages, s.version)
		delete(p.timers, s.version)
	}
	for _, version := range slices.Sorted(maps.Keys(p.messages)) {
		t.found(Outbox, version, "%d messages, such as %s, belong to no transition", p.messages[version].n, p.messages[version].name)
	}
	for _, version := range slices.Sorted(maps.Keys(p.timers)) {
		t.found(Timers, version, "%d timers, such as %s, belong to no transition", len(p.timers[version]), p.timers[version][0].name)
	}
	return nil
}

// step checks one transition against the one before and against the machine that decided it. Of
// several things wrong with its path the first is told, for the others follow from it.
func (t *trail) step(ctx context.Context, s *step) error {
	before, begun := t.last, t.begun
	t.last, t.begun = *s, true
	if s.otherRequest {
		t.found(Idempotency, s.version, "the fingerprint is not that of %s with the stored input", s.event)
	}
	expected := int64(1)
	if begun {
		expected = before.version + 1
	}
	switch {
	case s.version != expected:
		t.found(GapFree, s.version, "version %d is expected here", expected)
	case !begun && s.from != "":
		t.found(Path, s.version, "history begins in state %q, which nothing led to", s.from)
		return nil
	case begun && s.from != before.to:
		t.found(Path, s.version, "%s begins in state %q, but the transition before ended in %q", s.event, s.from, before.to)
		return nil
	}
	return t.legal(ctx, s)
}

// legal checks that the transition was one of its machine's edges.
func (t *trail) legal(ctx context.Context, s *step) error {
	m, err := t.v.versions.find(ctx, t.machine, s.machineVersion)
	if err != nil {
		return fmt.Errorf("read machine version %s: %w", s.machineVersion, err)
	}
	final, known := m.final[s.from]
	_, adoptable := m.final[s.to]
	switch {
	case m.missing:
		t.found(Path, s.version, "nobody recorded the machine version %q that decided it", s.machineVersion)
	case m.forged, m.edges[edge{s.event, s.from, s.to}]:
	case s.event == eventAdopt && s.version == 1 && adoptable:
	case known && final:
		t.found(Terminal, s.version, "%s follows state %q, which had no exits", s.event, s.from)
	default:
		t.found(Path, s.version, "no edge of the machine led from %q by %s to %q", s.from, s.event, s.to)
	}
	return nil
}

// end compares the end of history with the subject's row.
func (t *trail) end(h *head) {
	t.closeVisit(true)
	if t.table == nil {
		return
	}
	if h != nil {
		t.v.report.Subjects++
	}
	switch {
	case h == nil && t.begun:
		t.found(NoPhantom, 0, "history has no row in %s", t.table.name)
	case h == nil:
	case !t.begun && h.version != 0:
		t.found(NoPhantom, h.version, "the row is at version %d without any history", h.version)
	case t.begun && (h.version != t.last.version || h.state != t.last.to):
		t.found(Head, h.version, "the row is in state %q at version %d, history ends in %q at version %d",
			h.state, h.version, t.last.to, t.last.version)
	case !h.known:
		t.found(Live, h.version, "the row is in state %q, which the machine does not have", h.state)
	}
}
