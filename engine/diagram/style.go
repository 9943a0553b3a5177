package diagram

import "strings"

// palette holds the colours of a drawing: each is the custom property --diagram-name of the page,
// or else the colour for a light or a dark background.
var palette = []struct{ name, light, dark string }{
	{"bg", "#ffffff", "#0d1117"},
	{"ink", "#1e293b", "#e2e8f0"},
	{"label", "#475569", "#a9b6c8"},
	{"line", "#7c8aa0", "#7a889e"},
	{"fill", "#f8fafc", "#1a2332"},
	{"border", "#94a3b8", "#55647a"},
	{"accent", "#2563eb", "#60a5fa"},
	{"on-accent", "#ffffff", "#0b1220"},
	{"visited", "#eff6ff", "#152a4d"},
	{"dim", "#cbd5e1", "#334155"}, // the lines a subject has not taken
	{"dim-label", "#64748b", "#8391a7"},
}

// style is the look of a drawing. It is light or dark as the reader prefers, unless the page says
// data-theme="light" or "dark" on an element round it. All of it is scoped to the class of the
// root, because the style of an inline SVG applies to the whole page.
var style = colours() + rules

func colours() string {
	var light, dark strings.Builder
	for _, c := range palette {
		light.WriteString("--" + c.name + ":var(--diagram-" + c.name + "," + c.light + ");")
		dark.WriteString("--" + c.name + ":var(--diagram-" + c.name + "," + c.dark + ");")
	}
	return "\n.machine-diagram{" + light.String() + "}\n" +
		"@media (prefers-color-scheme:dark){.machine-diagram{" + dark.String() + "}}\n" +
		"[data-theme=light] .machine-diagram{" + light.String() + "}\n" +
		"[data-theme=dark] .machine-diagram{" + dark.String() + "}\n"
}

// rules set a least width only when the page asks for one, for instance to scroll a drawing on a
// telephone instead of shrinking it.
const rules = `.machine-diagram{min-width:var(--diagram-min-width,0);max-width:100%;height:auto;
font-family:"Segoe UI",Roboto,"Helvetica Neue",Arial,"Liberation Sans",sans-serif}
.machine-diagram .canvas{fill:var(--bg)}
.machine-diagram .line{fill:none;stroke:var(--line);stroke-width:1.4;stroke-linecap:round}
.machine-diagram .head{fill:var(--line)}
.machine-diagram .start{fill:var(--ink)}
.machine-diagram .back .line{stroke-dasharray:5 4}
.machine-diagram .state rect{fill:var(--fill);stroke:var(--border);stroke-width:1.3}
.machine-diagram .state .inner{fill:none;stroke-width:1}
.machine-diagram text{fill:var(--ink);text-anchor:middle}
.machine-diagram .loop .label>text{text-anchor:start}
.machine-diagram .state text{font-size:13px;font-weight:600}
.machine-diagram .edge text{font-size:11.5px;fill:var(--label)}
.machine-diagram.viewed .line{stroke:var(--dim)}
.machine-diagram.viewed .head{fill:var(--dim)}
.machine-diagram.viewed .edge text{fill:var(--dim-label)}
.machine-diagram .walked .line{stroke:var(--accent);stroke-width:2.2}
.machine-diagram .walked .head{fill:var(--accent)}
.machine-diagram .edge .taken text{fill:var(--accent);font-weight:600}
.machine-diagram .edge .badge rect{fill:var(--accent)}
.machine-diagram .edge .badge text{fill:var(--on-accent);font-size:8.5px;font-weight:700}
.machine-diagram .visited rect{fill:var(--visited);stroke:var(--accent)}
.machine-diagram .current rect{fill:var(--accent);stroke:var(--accent)}
.machine-diagram .current .inner{stroke:var(--on-accent)}
.machine-diagram .current text{fill:var(--on-accent)}
`
