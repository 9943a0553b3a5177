// Package words says in sentences what the engine answers. It is the only home of such sentences, so that
// the pages, the API and the terminal say the same, and one test holds each of them against what the
// machine can do.
package words

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"example.com/orderd/engine"
)

// Plain is a name of a machine within a sentence: partly_paid reads "partly paid".
func Plain[T ~string](name T) string { return strings.ReplaceAll(string(name), "_", " ") }

// list is "paid, partly shipped or completed".
func list(states []engine.State) string {
	var b strings.Builder
	for i, s := range states {
		switch {
		case i > 0 && i == len(states)-1:
			b.WriteString(" or ")
		case i > 0:
			b.WriteString(", ")
		}
		b.WriteString(Plain(s))
	}
	return b.String()
}

// Ago says when something was, as seen from the page that shows it: "5 min ago". Nil leaves it out.
type Ago func(time.Time) string

// WhyNot says in a sentence why an event is not possible for a subject of a machine. Failing conditions are the
// caller's to list.
func WhyNot(machine string, p engine.Possibility, ago Ago) string {
	subject := Plain(machine)
	switch {
	case p.Outcome == engine.Early:
		return fmt.Sprintf("Not possible yet. It needs the %s to be %s.", subject, list(p.PossibleFrom))
	case p.Outcome == engine.Already:
		return already(subject, p, ago)
	case p.Detail == engine.ReachedOtherwise:
		return fmt.Sprintf("The %s is there already%s.", subject, by(p.Proof, ago))
	case p.Detail == engine.Passed && len(p.PossibleFrom) == 0:
		return fmt.Sprintf("Too late: from here, the %s can no longer come to where this is possible.", subject)
	case p.Detail == engine.Passed:
		return fmt.Sprintf("Not possible any more where the %s is. It needs the %s to be %s.",
			subject, subject, list(p.PossibleFrom))
	case p.Detail == engine.NoPath:
		return fmt.Sprintf("Never possible for this %s.", subject)
	case p.Detail == engine.GuardRefused:
		return "A condition is not met."
	}
	return fmt.Sprintf("Not possible: %s.", Outcome(p.Outcome, p.Detail))
}

func already(subject string, p engine.Possibility, ago Ago) string {
	switch {
	case p.Proof == nil || p.Proof.Event != p.Event: // another event counts as this one
		return fmt.Sprintf("The %s is there already%s.", subject, by(p.Proof, ago))
	case p.Detail == engine.Superseded:
		return fmt.Sprintf("It has happened%s, and the %s has moved on since.", when(p.Proof, ago), subject)
	}
	return fmt.Sprintf("It has happened%s.", when(p.Proof, ago))
}

// by names the transition that led to where a subject is.
func by(t *engine.Transition, ago Ago) string {
	if t == nil {
		return ""
	}
	return ", by " + Plain(t.Event) + when(t, ago)
}

func when(t *engine.Transition, ago Ago) string {
	switch {
	case t == nil:
		return ""
	case ago == nil:
		return fmt.Sprintf(" (version %d)", t.Version)
	}
	return fmt.Sprintf(" %s (version %d)", ago(t.At), t.Version)
}

// NothingNext says why no event is possible for a subject of m in a state.
func NothingNext(m engine.Description, state engine.State) string {
	end := slices.ContainsFunc(m.States, func(s engine.DescribedState) bool { return s.Name == state && s.Final })
	if end {
		return fmt.Sprintf("Nothing: %s is where this %s ends.", Plain(state), Plain(m.Name))
	}
	return fmt.Sprintf("Nothing now: conditions stand in the way of all that leads on from %s.", Plain(state))
}

// Outcome is an outcome as the API writes it: "stale/passed".
func Outcome(o engine.Outcome, d engine.Detail) string {
	if d == "" {
		return string(o)
	}
	return string(o) + "/" + string(d)
}

// Answer says in sentences what has become of a request.
func Answer(r engine.Result) string {
	subject := Plain(r.Machine)
	switch {
	case r.DryRun && r.Outcome == engine.Applied:
		return fmt.Sprintf("The %s would be %s, version %d. Nothing was done.", subject, Plain(r.State), r.Version)
	case r.Outcome == engine.Applied:
		return fmt.Sprintf("The %s is %s now, version %d.", subject, Plain(r.State), r.Version)
	case r.Outcome == engine.Already && r.Proof != nil && r.Proof.Event == r.Event:
		return fmt.Sprintf("It happened as version %d. Nothing happened a second time.", r.Proof.Version)
	case r.Outcome == engine.Already:
		return fmt.Sprintf("The %s is %s already%s. Nothing was done.", subject, Plain(r.State), by(r.Proof, nil))
	case r.Detail == engine.InputDiffers && r.Proof != nil:
		return fmt.Sprintf("It has happened as version %d, with other input. That stays; nothing was done now.", r.Proof.Version)
	case r.Outcome == engine.Unavailable:
		return "Nothing was done. Try again in a moment."
	case r.Outcome == engine.Unknown:
		return "The database did not confirm it. Look at the history before you try again."
	case r.State == "":
		return fmt.Sprintf("Nothing was done: %s.", Outcome(r.Outcome, r.Detail))
	}
	return fmt.Sprintf("Nothing was done: the %s is %s, version %d.", subject, Plain(r.State), r.Version)
}
