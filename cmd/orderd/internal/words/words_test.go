package words_test

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/orderd/cmd/orderd/internal/words"
	"example.com/orderd/engine"
)

// truth is what may be said of one subject: its machine, walked without the engine's help, and its history.
type truth struct {
	m     engine.Description
	past  []engine.Transition
	state engine.State
}

func (t truth) version() int64 { return int64(len(t.past)) }

// from are the states with a step for an event.
func (t truth) from(event engine.Event) map[engine.State]bool {
	states := map[engine.State]bool{}
	for _, e := range t.m.Edges {
		if e.Event == event && e.From != "" {
			states[e.From] = true
		}
	}
	return states
}

// ahead are the states that can be reached from one, itself included.
func (t truth) ahead(from engine.State) map[engine.State]bool {
	seen := map[engine.State]bool{from: true}
	for range t.m.States {
		for _, e := range t.m.Edges {
			if seen[e.From] {
				seen[e.To] = true
			}
		}
	}
	return seen
}

// possible are the states from which an event is possible, as a sentence lists them.
func (t truth) possible(event engine.Event) string {
	ahead, from := t.ahead(t.state), t.from(event)
	var names []string
	for _, s := range t.m.States {
		if ahead[s.Name] && from[s.Name] {
			names = append(names, strings.ReplaceAll(string(s.Name), "_", " "))
		}
	}
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " or " + names[n-1]
	}
	return strings.Join(names, "")
}

// everAhead reports whether an event was possible from, or ahead of, a state that the subject has been in.
func (t truth) everAhead(event engine.Event) bool {
	for _, step := range t.past {
		for s := range t.ahead(step.To) {
			if t.from(event)[s] {
				return true
			}
		}
	}
	return false
}

// entered is the transition by which the subject came to where it is.
func (t truth) entered() engine.Transition {
	for _, step := range slices.Backward(t.past) {
		if step.To == t.state && step.From != t.state {
			return step
		}
	}
	return engine.Transition{}
}

func (t truth) happened(event engine.Event, version string) bool {
	n, err := strconv.ParseInt(version, 10, 64)
	return err == nil && n >= 1 && n <= t.version() && t.past[n-1].Event == event
}

func (t truth) leadsHere(event engine.Event) bool {
	return slices.ContainsFunc(t.m.Edges, func(e engine.DescribedEdge) bool { return e.Event == event && e.To == t.state })
}

func (t truth) spec(event engine.Event) engine.DescribedEvent {
	return t.m.Events[slices.IndexFunc(t.m.Events, func(e engine.DescribedEvent) bool { return e.Name == event })]
}

func (t truth) there(state, by, version string) bool {
	in := t.entered()
	return (state == "" || state == plain(t.state)) && by == plain(in.Event) && version == fmt.Sprint(in.Version)
}

func plain[T ~string](name T) string { return strings.ReplaceAll(string(name), "_", " ") }

// claims are all sentences there are, each with what must hold where it is said. said are the sentence's variable parts.
var claims = []struct {
	sentence string
	holds    func(t truth, event engine.Event, said []string) bool
}{
	{`Not possible yet\. It needs the (.+) to be (.+)\.`, func(t truth, event engine.Event, said []string) bool {
		return !t.from(event)[t.state] && said[1] != "" && said[1] == t.possible(event)
	}},
	{`Not possible any more where the (.+) is\. It needs the .+ to be (.+)\.`, func(t truth, event engine.Event, said []string) bool {
		return !t.from(event)[t.state] && t.everAhead(event) && said[1] != "" && said[1] == t.possible(event)
	}},
	{`Too late: from here, the (.+) can no longer come to where this is possible\.`, func(t truth, event engine.Event, _ []string) bool {
		return t.possible(event) == ""
	}},
	{`Never possible for this (.+)\.`, func(t truth, event engine.Event, _ []string) bool { return !t.everAhead(event) }},
	{`It has happened \(version (\d+)\)\.`, func(t truth, event engine.Event, said []string) bool {
		return t.happened(event, said[0]) && t.entered().Event == event
	}},
	{`It has happened \(version (\d+)\), and the (.+) has moved on since\.`, func(t truth, event engine.Event, said []string) bool {
		return t.happened(event, said[0]) && said[0] != fmt.Sprint(t.version())
	}},
	{`The (?:.+) is there already, by (.+) \(version (\d+)\)\.`, func(t truth, event engine.Event, said []string) bool {
		return t.leadsHere(event) && t.there("", said[0], said[1]) && said[0] != plain(event)
	}},
	{`A condition is not met\.`, func(t truth, event engine.Event, _ []string) bool { return t.from(event)[t.state] }},

	{`Nothing: (.+) is where this (?:.+) ends\.`, func(t truth, _ engine.Event, said []string) bool {
		return len(t.ahead(t.state)) == 1 && said[0] == plain(t.state) &&
			!slices.ContainsFunc(t.m.Edges, func(e engine.DescribedEdge) bool { return e.From == t.state })
	}},
	{`Nothing now: conditions stand in the way of all that leads on from (.+)\.`, func(t truth, _ engine.Event, said []string) bool {
		return said[0] == plain(t.state) && slices.ContainsFunc(t.m.Edges, func(e engine.DescribedEdge) bool { return e.From == t.state })
	}},

	{`It happened as version (\d+)\. Nothing happened a second time\.`, func(t truth, event engine.Event, said []string) bool {
		return t.happened(event, said[0])
	}},
	{`The (?:.+) is (.+) already, by (.+) \(version (\d+)\)\. Nothing was done\.`, func(t truth, event engine.Event, said []string) bool {
		return t.leadsHere(event) && t.spec(event).CountsOther && t.there(said[0], said[1], said[2])
	}},
	{`It has happened as version (\d+), with other input\. That stays; nothing was done now\.`, func(t truth, event engine.Event, said []string) bool {
		return t.happened(event, said[0])
	}},
	{`The (?:.+) would be (.+), version (\d+)\. Nothing was done\.`, func(t truth, event engine.Event, said []string) bool {
		return t.from(event)[t.state] && said[1] == fmt.Sprint(t.version()+1)
	}},
	{`Nothing was done: the (?:.+) is (.+), version (\d+)\.`, func(t truth, _ engine.Event, said []string) bool {
		return said[0] == plain(t.state) && said[1] == fmt.Sprint(t.version())
	}},
	{`Nothing was done: illegal/identity_required\.`, func(t truth, event engine.Event, _ []string) bool {
		return t.spec(event).Repeatable || t.spec(event).Factual
	}},
}

// requireTrue holds one sentence against the truth. A sentence that nothing is known about fails.
func requireTrue(tb testing.TB, t truth, event engine.Event, sentence string) {
	tb.Helper()
	for _, c := range claims {
		if said := regexp.MustCompile("^" + c.sentence + "$").FindStringSubmatch(sentence); said != nil {
			require.True(tb, c.holds(t, event, said[1:]), "%s of a %s after %s: %q", event, t.m.Name, way(t.past), sentence)
			return
		}
	}
	require.Fail(tb, "an unknown sentence", "%s of a %s after %s: %q", event, t.m.Name, way(t.past), sentence)
}

func way(past []engine.Transition) string {
	var steps []string
	for _, t := range past {
		steps = append(steps, fmt.Sprintf("%s>%s", t.Event, t.To))
	}
	return strings.Join(steps, " ")
}

// requireKindTrue holds what the pages of problems say of an outcome against the truth.
func requireKindTrue(tb testing.TB, t truth, event engine.Event, o engine.Outcome, d engine.Detail, possibleFrom []engine.State) {
	tb.Helper()
	holds := true
	switch {
	case o == engine.Early:
		holds = !t.from(event)[t.state] && t.possible(event) != ""
	case d == engine.Passed: // "has left a state in which the event was possible or still lay ahead"
		happenedAtCreation := slices.ContainsFunc(t.past, func(s engine.Transition) bool { return s.Event == event })
		holds = possibleFrom != nil && (t.everAhead(event) || happenedAtCreation) && (len(possibleFrom) == 0) == (t.possible(event) == "")
	case d == engine.NoPath:
		holds = !t.everAhead(event)
	case d == engine.ReachedOtherwise:
		holds = t.leadsHere(event) && t.entered().Event != event
	case d == engine.GuardRefused:
		holds = t.from(event)[t.state]
	}
	require.True(tb, holds, "%s/%s for %s of a %s after %s, possible from %v", o, d, event, t.m.Name, way(t.past), possibleFrom)
}

// requireHonest asks the engine for every event of a subject's machine, in all ways there are, and holds every
// sentence about the answers against the truth.
func requireHonest(tb testing.TB, e *engine.Engine, m engine.Description, id string) {
	tb.Helper()
	past, err := e.History(tb.Context(), m.Name, id, engine.HistoryQuery{})
	require.NoError(tb, err)
	now := truth{m: m, past: past, state: past[len(past)-1].To}
	all, err := e.Allowed(tb.Context(), m.Name, id)
	require.NoError(tb, err)
	require.Len(tb, all, len(m.Events))
	nothing := true
	for _, p := range all {
		if p.Allowed {
			nothing = false
			require.True(tb, now.from(p.Event)[now.state])
			continue
		}
		requireTrue(tb, now, p.Event, words.WhyNot(m.Name, p, nil))
		ago := words.WhyNot(m.Name, p, func(time.Time) string { return "5 min ago" })
		requireTrue(tb, now, p.Event, strings.ReplaceAll(ago, " 5 min ago", ""))
		requireKindTrue(tb, now, p.Event, p.Outcome, p.Detail, p.PossibleFrom)
	}
	if nothing {
		requireTrue(tb, now, "", words.NothingNext(m, now.state))
	}
	for _, key := range []engine.Key{{}, {Source: "principal:x", Seq: "never used"}} {
		for _, ev := range m.Events {
			inputs := []any{nil}
			if strings.HasSuffix(ev.Input, "Ship") {
				inputs = append(inputs, map[string]string{"tracking": "another"})
			}
			for _, input := range inputs {
				result, err := e.Apply(tb.Context(), engine.Request{Machine: m.Name, ID: id, Event: ev.Name, Key: key, Input: input, DryRun: true})
				if result.Outcome == "" { // malformed: this event needs input
					require.ErrorIs(tb, err, engine.ErrBadRequest)
					continue
				}
				requireTrue(tb, now, ev.Name, words.Answer(result))
				requireKindTrue(tb, now, ev.Name, result.Outcome, result.Detail, result.PossibleFrom)
				require.Equal(tb, result.Detail == engine.Passed, result.PossibleFrom != nil)
			}
		}
	}
}
