package diagram

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"example.com/orderd/engine"
)

// machines generates descriptions: ordinary names mostly, arbitrary text sometimes.
func machines() *rapid.Generator[engine.Description] {
	return rapid.Custom(func(t *rapid.T) engine.Description {
		name := rapid.OneOf(rapid.StringMatching(`[a-z_]{1,14}`), rapid.StringMatching(`[a-z_]{1,14}`), rapid.StringN(1, 8, -1))
		states := rapid.SliceOfNDistinct(name, 1, 14, rapid.ID[string]).Draw(t, "states")
		d := engine.Description{Name: rapid.String().Draw(t, "name")}
		leaves := map[string]bool{}
		for range rapid.IntRange(0, 40).Draw(t, "edges") {
			from, to := rapid.SampledFrom(states).Draw(t, "from"), rapid.SampledFrom(states).Draw(t, "to")
			if rapid.IntRange(0, 9).Draw(t, "creates") == 0 {
				from = ""
			}
			leaves[from] = true
			d.Edges = append(d.Edges, engine.DescribedEdge{
				Event: engine.Event(name.Draw(t, "event")), From: engine.State(from), To: engine.State(to),
			})
		}
		for i, s := range states {
			d.States = append(d.States, engine.DescribedState{Name: engine.State(s), Initial: i == 0, Final: !leaves[s]})
		}
		return d
	})
}

// views generates walks along the edges of a machine, with a stray step now and then.
func views(t *rapid.T, d engine.Description) View {
	var v View
	for range rapid.IntRange(0, 12).Draw(t, "steps") {
		s := Step{From: "nowhere", To: "elsewhere", Event: "stray"}
		if len(d.Edges) > 0 && rapid.IntRange(0, 9).Draw(t, "stray") > 0 {
			e := rapid.SampledFrom(d.Edges).Draw(t, "edge")
			s = Step{From: e.From, To: e.To, Event: e.Event}
		}
		v.Walked = append(v.Walked, s)
		v.Current = s.To
	}
	return v
}

func TestNothingOverlaps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		checkLayout(t, newPicture(machines().Draw(t, "machine")))
	})
}

// TestNothingOverlapsInExamples also covers machines larger than random ones get.
func TestNothingOverlapsInExamples(t *testing.T) {
	for _, e := range examples() {
		t.Run(e.name, func(t *testing.T) { checkLayout(t, newPicture(e.description)) })
	}
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("random ", seed), func(t *testing.T) { checkLayout(t, newPicture(randomMachine(seed, 40, 120))) })
	}
}

type failer interface {
	Helper()
	Errorf(format string, args ...any)
}

// checkLayout checks that states and labels keep clear of each other, of the border and of the
// arrows that have nothing to do with them.
func checkLayout(t failer, p *picture) {
	t.Helper()
	l := newLayout(p)
	type named struct {
		box
		name string
	}
	var boxes []named
	for i, b := range l.states {
		boxes = append(boxes, named{b, "state " + string(p.states[i].name)})
	}
	states := len(boxes)
	for i, labels := range l.labels {
		if len(labels) != len(p.arrows[i].labels) {
			t.Errorf("arrow %d has %d labels, %d are placed", i, len(p.arrows[i].labels), len(labels))
		}
		for j, b := range labels {
			boxes = append(boxes, named{b, fmt.Sprintf("label %s of arrow %d", p.arrows[i].labels[j].event, i)})
		}
	}
	for i, a := range boxes {
		if a.x < 0 || a.y < 0 || a.x+a.w > l.width || a.y+a.h > l.height {
			t.Errorf("%s sticks out: %v", a.name, a.box)
		}
		for _, b := range boxes[i+1:] {
			if overlap(a.box, b.box) {
				t.Errorf("%s %v overlaps %s %v", a.name, a.box, b.name, b.box)
			}
		}
	}
	for i, r := range l.routes {
		for _, at := range samples(t, r.path) {
			for _, b := range boxes[:states] {
				if inside(at, b.box) {
					t.Errorf("arrow %d runs through %s at %v: %s", i, b.name, at, r.path)
					return
				}
			}
			for j, labels := range l.labels {
				for _, b := range labels {
					if j != i && inside(at, b) {
						t.Errorf("arrow %d runs through a label of arrow %d at %v", i, j, at)
						return
					}
				}
			}
		}
	}
}

const slack = 0.11 // coordinates are written to a tenth

func overlap(a, b box) bool {
	return a.x+slack < b.x+b.w && b.x+slack < a.x+a.w && a.y+slack < b.y+b.h && b.y+slack < a.y+a.h
}

func inside(p point, b box) bool {
	return p.x > b.x+slack && p.x < b.x+b.w-slack && p.y > b.y+slack && p.y < b.y+b.h-slack
}

var pathCommand = regexp.MustCompile(`[MVC][^MVC]*`)

// samples returns points along path data of the commands that routes use.
func samples(t failer, path string) []point {
	var points []point
	var at point
	for _, command := range pathCommand.FindAllString(path, -1) {
		var numbers []float64
		for _, field := range strings.FieldsFunc(command[1:], func(r rune) bool { return r == ' ' || r == ',' }) {
			n, err := strconv.ParseFloat(field, 64)
			if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
				t.Errorf("path %q: %v", path, field)
			}
			numbers = append(numbers, n)
		}
		from := at
		switch command[0] {
		case 'M':
			at = point{numbers[0], numbers[1]}
		case 'V':
			at.y = numbers[0]
			for i := range 21 {
				points = append(points, point{at.x, from.y + (at.y-from.y)*float64(i)/20})
			}
		case 'C':
			at = point{numbers[4], numbers[5]}
			for i := range 21 {
				s := float64(i) / 20
				r := 1 - s
				cubic := func(a, b, c, d float64) float64 { return r*r*r*a + 3*r*r*s*b + 3*r*s*s*c + s*s*s*d }
				points = append(points, point{
					cubic(from.x, numbers[0], numbers[2], at.x), cubic(from.y, numbers[1], numbers[3], at.y),
				})
			}
		}
	}
	return points
}

func TestSVGIsWellFormedAndComplete(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := machines().Draw(t, "machine")
		v := views(t, d)
		drawn := SVG(d, v)
		texts, ids := parse(t, drawn)
		for _, s := range d.States {
			if !texts[legal(string(s.Name))] {
				t.Errorf("state %q is not in the drawing", s.Name)
			}
		}
		for _, e := range d.Edges {
			if !texts[legal(string(e.Event))] {
				t.Errorf("event %q is not in the drawing", e.Event)
			}
		}
		for id, n := range ids {
			if n > 1 {
				t.Errorf("id %q is used %d times", id, n)
			}
		}
		for _, draw := range []func(engine.Description, View) string{SVG, DOT, Mermaid} {
			if first, second := draw(d, v), draw(d, v); first != second {
				t.Errorf("two drawings of the same machine differ")
			}
		}
	})
}

// legal is a text after a way through XML.
func legal(s string) string {
	var into struct {
		Text string `xml:",chardata"`
	}
	if err := xml.Unmarshal([]byte("<t>"+escape(s)+"</t>"), &into); err != nil {
		panic(err)
	}
	return into.Text
}

// parse reads an SVG and returns the contents of its text elements and how often each id occurs.
func parse(t failer, drawn string) (texts map[string]bool, ids map[string]int) {
	t.Helper()
	texts, ids = map[string]bool{}, map[string]int{}
	decoder := xml.NewDecoder(strings.NewReader(drawn))
	element := ""
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return texts, ids
		}
		if err != nil {
			t.Errorf("not well-formed: %v", err)
			return texts, ids
		}
		switch token := token.(type) {
		case xml.StartElement:
			element = token.Name.Local
			for _, a := range token.Attr {
				if a.Name.Local == "id" {
					ids[a.Value]++
				}
			}
		case xml.CharData:
			if element == "text" {
				texts[string(token)] = true
			}
		case xml.EndElement:
			element = ""
		}
	}
}

func TestLargeMachinesTakeBoundedTime(t *testing.T) {
	d := randomMachine(3, 60, 300)
	begin := time.Now()
	drawn := SVG(d, View{})
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("drawing 60 states and 300 edges took %v", took)
	}
	parse(t, drawn)
	checkLayout(t, newPicture(d))
}
