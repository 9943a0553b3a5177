package diagram

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"example.com/orderd/engine"
)

// Mermaid writes the machine as a stateDiagram-v2.
//
// State diagrams can style states but not transitions, so the path of a view shows as the class of
// the states on it and as step numbers behind the events.
func Mermaid(d engine.Description, v View) string {
	p, t := newPicture(d), newTrail(v)
	m := mermaid{picture: p, trail: t, ids: mermaidIDs(p)}
	m.line("stateDiagram-v2")
	m.states()
	m.arrows()
	if !v.empty() {
		m.classes()
	}
	return m.out.String()
}

type mermaid struct {
	picture *picture
	trail   trail
	ids     []string // by state
	out     strings.Builder
}

func (m *mermaid) line(format string, args ...any) {
	fmt.Fprintf(&m.out, format+"\n", args...)
}

// states declares the states that need it: those whose name cannot be an id, and those that no
// arrow mentions.
func (m *mermaid) states() {
	mentioned := map[int]bool{}
	for _, a := range m.picture.arrows {
		mentioned[a.from], mentioned[a.to] = true, true
	}
	for i, s := range m.picture.states {
		switch {
		case m.ids[i] != string(s.name):
			m.line(`    state "%s" as %s`, mermaidText(string(s.name)), m.ids[i])
		case !mentioned[i] && !s.final:
			m.line("    %s", m.ids[i])
		}
	}
}

// arrows writes one transition for each label; Mermaid lays out parallel ones itself, and one line
// for each event keeps the source easy to compare between versions.
func (m *mermaid) arrows() {
	for _, a := range m.picture.arrows {
		from := "[*]"
		if !a.creating() {
			from = m.ids[a.from]
		}
		if len(a.labels) == 0 {
			m.line("    %s --> %s", from, m.ids[a.to])
		}
		for _, l := range a.labels {
			text := mermaidText(string(l.event))
			if visits := m.trail.visits(m.picture, a, l); len(visits) > 0 {
				text += " (" + joinNumbers(visits, ", ") + ")"
			}
			m.line("    %s --> %s: %s", from, m.ids[a.to], text)
		}
	}
	for i, s := range m.picture.states {
		if s.final {
			m.line("    %s --> [*]", m.ids[i])
		}
	}
}

func (m *mermaid) classes() {
	m.line("    classDef walked stroke:#2563eb,stroke-width:2px")
	m.line("    classDef current fill:#2563eb,stroke:#1d4ed8,color:#ffffff,font-weight:bold")
	for i, s := range m.picture.states {
		switch {
		case s.name == m.trail.view.Current:
			m.line("    class %s current", m.ids[i])
		case m.trail.visited[s.name]:
			m.line("    class %s walked", m.ids[i])
		}
	}
}

var mermaidID = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*$`)

// mermaidKeywords are the names Mermaid would read as its own syntax.
var mermaidKeywords = map[string]bool{
	"as": true, "accdescr": true, "acctitle": true, "class": true, "classdef": true, "click": true,
	"constructor": true, "default": true, "direction": true, "end": true, "hide": true, "href": true,
	"note": true, "scale": true, "state": true, "statediagram": true, "style": true,
}

// mermaidIDs returns an id for each state: its name where that reads as one, s and a number
// otherwise.
func mermaidIDs(p *picture) []string {
	ids := make([]string, len(p.states))
	taken := map[string]bool{}
	for i, s := range p.states {
		name := string(s.name)
		if mermaidID.MatchString(name) && !mermaidKeywords[strings.ToLower(name)] {
			ids[i], taken[name] = name, true
		}
	}
	next := 1
	for i := range ids {
		for ids[i] == "" {
			if id := "s" + strconv.Itoa(next); !taken[id] {
				ids[i] = id
			}
			next++
		}
	}
	return ids
}

// mermaidText writes anything but plain characters as the entity codes Mermaid knows, because it
// has no other way to quote.
func mermaidText(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r < ' ':
			b.WriteByte(' ')
		case strings.ContainsRune("\"#:;<>&\\`{}[]%", r):
			fmt.Fprintf(&b, "#%d;", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
