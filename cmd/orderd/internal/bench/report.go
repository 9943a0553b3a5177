package bench

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"example.com/orderd/engine/verify"
)

// Report is what a run found.
type Report struct {
	Bench   Kind     `json:"bench"`
	Server  string   `json:"server"`
	Machine Machine  `json:"machine"`
	Rounds  int      `json:"rounds"`
	Seconds float64  `json:"seconds"` // of one turn
	Ratios  []Ratio  `json:"ratios"`
	Figures []Figure `json:"figures"`
	Verify  Verified `json:"verify"`
}

// Machine is where the run took place.
type Machine struct {
	CPUs int    `json:"cpus"`
	OS   string `json:"os"`
	Go   string `json:"go"`
}

// Verified sums up the check of the databases after the run.
type Verified struct {
	Transitions int64    `json:"transitions"` // looked at
	Findings    int      `json:"findings"`
	First       []string `json:"first,omitempty"` // of the findings
}

func (v *Verified) add(found verify.Report) {
	v.Transitions += found.Transitions
	v.Findings += found.Total
	for _, f := range found.Findings {
		v.First = append(v.First, fmt.Sprintf("%s %s %d: %s", f.Invariant, f.Subject, f.Version, f.Text))
	}
}

// Spread is a figure over the rounds.
type Spread struct {
	Min    float64 `json:"min"`
	Median float64 `json:"median"`
	Max    float64 `json:"max"`
}

// Ratio compares two contenders round by round.
type Ratio struct {
	Figure  string `json:"figure"`
	Callers int    `json:"callers"`
	Against string `json:"against"`
	Spread
	Target float64 `json:"target,omitempty"` // at least that; at most that where Below is set
	Below  bool    `json:"below,omitempty"`
}

// Met reports whether the median reaches the target.
func (r Ratio) Met() bool {
	return r.Target == 0 || !r.Below && r.Median >= r.Target || r.Below && r.Median <= r.Target
}

// Figure is one contender's samples with some number of callers. What is "per transition" is per
// request where requests change nothing. Nil is what could not be learnt.
type Figure struct {
	Contender string  `json:"contender"`
	Callers   int     `json:"callers"`
	Pool      int     `json:"pool,omitempty"` // connections, where the best number was looked for
	PerSecond Spread  `json:"per_second"`
	P50       float64 `json:"p50_ms"`
	P99       float64 `json:"p99_ms"`
	P999      float64 `json:"p999_ms"`

	ClientCPU float64  `json:"client_cpu_us"` // of this process and the daemon, per transition
	ServerCPU *float64 `json:"server_cpu_us"`
	Rows      *float64 `json:"rows"`    // written, per transition
	Bytes     *float64 `json:"bytes"`   // written to files, per transition
	Flushes   *float64 `json:"flushes"` // of files, per transition

	Raw []float64 `json:"raw"` // per second, round by round
}

// spread sums up one number per round.
func spread(rounds []float64) Spread {
	if len(rounds) == 0 {
		return Spread{}
	}
	s := slices.Sorted(slices.Values(rounds))
	return Spread{Min: rounded(s[0]), Median: rounded(median(s)), Max: rounded(s[len(s)-1])}
}

func median(sorted []float64) float64 {
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// rounded keeps four digits, which is more than a measurement has.
func rounded(f float64) float64 {
	if f == 0 || math.IsInf(f, 0) || math.IsNaN(f) {
		return 0
	}
	scale := math.Pow(10, 3-math.Floor(math.Log10(math.Abs(f))))
	return math.Round(f*scale) / scale
}

// ratio adds a comparison: rounds has one quotient per round.
func (r *Report) ratio(figure string, callers int, against string, target float64, rounds []float64) {
	r.Ratios = append(r.Ratios, Ratio{Figure: figure, Callers: callers, Against: against, Spread: spread(rounds), Target: target})
}

// figures sums up samples by contender and callers, in the order of their first turn.
func figures(samples []sample) []Figure {
	type key struct {
		name    string
		callers int
	}
	var order []key
	groups := map[key][]sample{}
	for _, s := range samples {
		k := key{s.name, s.callers}
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], s)
	}
	slices.SortStableFunc(order, func(a, b key) int { return cmp.Compare(a.callers, b.callers) })
	var all []Figure
	for _, k := range order {
		all = append(all, figure(groups[k]))
	}
	return all
}

// figure sums up the samples of one contender: the median over the rounds of everything.
func figure(group []sample) Figure {
	middle := func(of func(sample) float64) float64 {
		var v []float64
		for _, s := range group {
			v = append(v, of(s))
		}
		return spread(v).Median
	}
	known := func(of func(sample) *float64) *float64 {
		for _, s := range group {
			if of(s) == nil {
				return nil
			}
		}
		v := middle(func(s sample) float64 { return *of(s) })
		return &v
	}
	f := Figure{
		Contender: group[0].name, Callers: group[0].callers, Pool: group[0].pool,
		P50: middle(sample.p50), P99: middle(sample.p99), P999: middle(sample.p999),
		ClientCPU: middle(sample.clientCPU), ServerCPU: known(sample.serverCPU),
		Rows: known(sample.rows), Bytes: known(sample.bytes), Flushes: known(sample.flushes),
	}
	for _, s := range group {
		f.Raw = append(f.Raw, rounded(s.perSecond()))
	}
	f.PerSecond = spread(f.Raw)
	return f
}

// MarshalJSON writes empty lists as such.
func (r *Report) MarshalJSON() ([]byte, error) {
	type plain Report
	p := plain(*r)
	if p.Ratios == nil {
		p.Ratios = []Ratio{}
	}
	if p.Figures == nil {
		p.Figures = []Figure{}
	}
	return json.Marshal(p)
}
