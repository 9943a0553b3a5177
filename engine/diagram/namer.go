package diagram

import (
	"strconv"
	"strings"
)

// ids names the groups of states and arrows, legally for HTML and unlike each other. They follow
// from the description alone, so that pages can link to a state.
func ids(p *picture) (states, arrows []string) {
	n := namer{prefix: slug(p.name), taken: map[string]bool{}}
	for _, s := range p.states {
		states = append(states, n.name("state", string(s.name)))
	}
	for _, a := range p.arrows {
		from := "start"
		if !a.creating() {
			from = string(p.stateName(a.from))
		}
		arrows = append(arrows, n.name("edge", from, string(p.stateName(a.to))))
	}
	return states, arrows
}

type namer struct {
	prefix string
	taken  map[string]bool
}

// name joins the parts; a name that is taken already gets a number.
func (n *namer) name(parts ...string) string {
	base := n.prefix
	for _, part := range parts {
		base += "-" + slug(part)
	}
	name := base
	for i := 2; n.taken[name]; i++ {
		name = base + "-" + strconv.Itoa(i)
	}
	n.taken[name] = true
	return name
}

// slug keeps letters, digits and underscores of a text and writes anything between as one dash.
func slug(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_':
			b.WriteRune(r)
		case !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	if b.Len() == 0 {
		return "machine"
	}
	return b.String()
}
