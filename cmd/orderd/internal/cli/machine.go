package cli

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"example.com/orderd/cmd/orderd/internal/database"
	"example.com/orderd/cmd/orderd/internal/web"
	"example.com/orderd/engine"
	"example.com/orderd/engine/diagram"
	"example.com/orderd/engine/strictjson"
)

// Machine groups the commands about definitions. All but check need no database: they show the
// definitions that this program was built with.
type Machine struct {
	List    MachineList    `cmd:"" help:"List the machines of this program."`
	Show    MachineShow    `cmd:"" help:"Show states, events and edges of one machine."`
	Lint    MachineLint    `cmd:"" help:"Look for places where duplicates deserve a thought."`
	Diagram MachineDiagram `cmd:"" help:"Draw one machine."`
	Check   MachineCheck   `cmd:"" help:"Check a definition against the stored history."`
}

func descriptions() []engine.Description {
	var all []engine.Description
	for _, m := range database.Machines() {
		all = append(all, m.Describe())
	}
	slices.SortFunc(all, func(a, b engine.Description) int { return strings.Compare(a.Name, b.Name) })
	return all
}

func description(name string) (engine.Description, error) {
	all := descriptions()
	var names []string
	for _, d := range all {
		if d.Name == name {
			return d, nil
		}
		names = append(names, d.Name)
	}
	return engine.Description{}, no("there is no machine %q, only %s", name, strings.Join(names, ", "))
}

// MachineList lists machines.
type MachineList struct{}

// Help has the example.
func (MachineList) Help() string { return "Example: orderd machine list" }

// Run is the command.
func (c *MachineList) Run(e *Env, g *Globals) error {
	all := descriptions()
	return e.print(g, all, func(w *tabwriter.Writer) {
		say(w, "MACHINE", "STATES", "EVENTS", "EDGES", "HASH")
		for _, d := range all {
			say(w, d.Name, len(d.States), len(d.Events), len(d.Edges), d.Hash)
		}
	})
}

// MachineShow shows one machine.
type MachineShow struct {
	Name string `arg:"" help:"The machine."`
}

// Help has the example.
func (MachineShow) Help() string {
	return "Example: orderd machine show order --json > order.json   (a file that machine check reads)"
}

// Run is the command.
func (c *MachineShow) Run(e *Env, g *Globals) error {
	d, err := description(c.Name)
	if err != nil {
		return err
	}
	return e.print(g, d, func(w *tabwriter.Writer) {
		say(w, "EVENT", "FROM", "TO", "GUARDS", "ACTIONS")
		for _, edge := range d.Edges {
			from := string(edge.From)
			if from == "" {
				from = "(new)"
			}
			say(w, edge.Event, from, edge.To, strings.Join(edge.Guards, " "), strings.Join(edge.Actions, " "))
		}
	})
}

// MachineLint looks for places that deserve a thought.
type MachineLint struct {
	Name string `arg:"" optional:"" help:"The machine; all unless given."`
}

// Help has the example.
func (MachineLint) Help() string {
	return "Findings are advice, so the exit code stays 0: what would let a duplicate act twice does not even " +
		"start.\n\nExample: orderd machine lint order"
}

// Run is the command.
func (c *MachineLint) Run(e *Env, g *Globals) error {
	all := descriptions()
	if c.Name != "" {
		d, err := description(c.Name)
		if err != nil {
			return err
		}
		all = []engine.Description{d}
	}
	found := map[string][]engine.Finding{}
	for _, d := range all {
		found[d.Name] = append([]engine.Finding{}, d.Lint()...)
	}
	return e.print(g, found, func(w *tabwriter.Writer) {
		for _, d := range all {
			for _, f := range found[d.Name] {
				say(w, d.Name, f.Kind, f.Text)
			}
		}
	})
}

// MachineDiagram draws one machine.
type MachineDiagram struct {
	Name   string `arg:"" help:"The machine."`
	Format string `enum:"svg,mermaid,dot" default:"mermaid" help:"svg, mermaid or dot."`
}

// Help has the example.
func (MachineDiagram) Help() string {
	return "Example: orderd machine diagram order --format svg > order.svg"
}

// Run is the command.
func (c *MachineDiagram) Run(e *Env, g *Globals) error {
	d, err := description(c.Name)
	if err != nil {
		return err
	}
	text, _, _ := web.Draw(c.Format, d, diagram.View{}) // the format is one of the enum's
	if g.JSON {
		return e.print(g, map[string]string{"machine": d.Name, "format": c.Format, "diagram": text}, nil)
	}
	_, err = io.WriteString(e.Out, text)
	return err
}

// MachineCheck holds a definition against history.
type MachineCheck struct {
	Name string `arg:"" help:"The machine whose history is read."`
	File string `arg:"" optional:"" help:"A description as machine show --json prints it, - for standard input; this program's own unless given."`
}

// Help has the example.
func (MachineCheck) Help() string {
	return `Reads every kind of step that subjects ever took and says which of them the definition does not have:
before a deploy, whether orders exist that the new definition cannot explain.

Example: orderd machine check order next.json --db sqlite:shop.db`
}

// step is a kind of step that subjects took.
type step struct {
	From    engine.State `json:"from"`
	Event   engine.Event `json:"event"`
	To      engine.State `json:"to"`
	Times   int64        `json:"times"`
	Example string       `json:"example"` // a subject that took it
	Legal   bool         `json:"legal"`
}

// Run is the command.
func (c *MachineCheck) Run(e *Env, g *Globals) error {
	d, err := c.description()
	if err != nil {
		return err
	}
	db, err := e.open(g)
	if err != nil {
		return err
	}
	defer closeQuietly(db)
	steps, err := stepsOf(e.Context, db.Pool, c.Name)
	if err != nil {
		return err
	}
	var missing int
	for i := range steps {
		steps[i].Legal = explains(d, steps[i])
		if !steps[i].Legal {
			missing++
		}
	}
	err = e.print(g, steps, func(w *tabwriter.Writer) {
		for _, s := range steps {
			verdict := good
			if !s.Legal {
				verdict = "not in the definition"
			}
			say(w, verdict, s.From, s.Event, s.To, fmt.Sprint(s.Times, " times"), s.Example)
		}
	})
	if err == nil && missing > 0 {
		return no("%d of %d kinds of steps are not in the definition", missing, len(steps))
	}
	return err
}

func (c *MachineCheck) description() (engine.Description, error) {
	var text []byte
	var err error
	switch c.File {
	case "":
		return description(c.Name)
	case "-":
		text, err = io.ReadAll(io.LimitReader(os.Stdin, 1<<20))
	default:
		text, err = os.ReadFile(c.File)
	}
	var d engine.Description
	if err == nil {
		err = strictjson.Decode(text, &d)
	}
	if err == nil && d.Name != c.Name {
		err = fmt.Errorf("it describes %q, not %q", d.Name, c.Name)
	}
	if err != nil {
		return d, usage(fmt.Errorf("description: %w", err))
	}
	return d, nil
}

// explains reports whether a definition has a step. An adopted row may have been in any state that
// the definition knows.
func explains(d engine.Description, s step) bool {
	if s.Event == "adopt" && s.From == "" {
		return slices.ContainsFunc(d.States, func(state engine.DescribedState) bool { return state.Name == s.To })
	}
	return slices.ContainsFunc(d.Edges, func(e engine.DescribedEdge) bool {
		return e.Event == s.Event && e.From == s.From && e.To == s.To
	})
}

func stepsOf(ctx context.Context, pool *sql.DB, machine string) ([]step, error) {
	rows, err := pool.QueryContext(ctx, `SELECT from_status, event, to_status, COUNT(*), MIN(subject)
		FROM engine_transitions WHERE machine = ? GROUP BY from_status, event, to_status
		ORDER BY from_status, event, to_status`, machine)
	if err != nil {
		return nil, fmt.Errorf("read history: %w", err)
	}
	defer func() { _ = rows.Close() }()
	steps := []step{}
	for rows.Next() {
		var s step
		if err := rows.Scan(&s.From, &s.Event, &s.To, &s.Times, &s.Example); err != nil {
			return nil, err
		}
		steps = append(steps, s)
	}
	return steps, rows.Err()
}
