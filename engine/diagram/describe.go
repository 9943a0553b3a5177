package diagram

import (
	"fmt"
	"strings"
)

// summary tells in a sentence or two what a drawing shows, for readers who cannot see it.
func summary(p *picture, t trail) string {
	var b strings.Builder
	transitions := 0
	for _, a := range p.arrows {
		transitions += len(a.labels)
	}
	fmt.Fprintf(&b, "State machine %swith %s and %s.", spaced(p.name),
		count(len(p.states), "state"), count(transitions, "transition"))
	if t.view.Current != "" {
		fmt.Fprintf(&b, " Current state: %s.", t.view.Current)
	}
	for i, s := range t.view.Walked {
		if i == 0 {
			b.WriteString(" Path so far: ")
		} else {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%s to %s", s.Event, s.To)
		if i == len(t.view.Walked)-1 {
			b.WriteString(".")
		}
	}
	return b.String()
}

// transcript lists all transitions of a machine, one sentence for each arrow.
func transcript(p *picture) string {
	sentences := make([]string, 0, len(p.arrows))
	for _, a := range p.arrows {
		sentences = append(sentences, arrowText(p, a)+".")
	}
	return strings.Join(sentences, " ")
}

// arrowText says where an arrow leads and by which events.
func arrowText(p *picture, a arrow) string {
	text := fmt.Sprintf("%s to %s", p.stateName(a.from), p.stateName(a.to))
	switch {
	case a.creating():
		text = fmt.Sprintf("starts at %s", p.stateName(a.to))
	case a.loop():
		text = fmt.Sprintf("%s to itself", p.stateName(a.to))
	}
	events := make([]string, 0, len(a.labels))
	for _, l := range a.labels {
		event := string(l.event)
		if len(l.guards) > 0 {
			event += " [" + strings.Join(l.guards, ", ") + "]"
		}
		events = append(events, event)
	}
	if len(events) > 0 {
		text += " by " + strings.Join(events, ", ")
	}
	return text
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// spaced adds a space behind a text unless it is empty.
func spaced(s string) string {
	if s == "" {
		return ""
	}
	return s + " "
}
