package verify

import "time"

// Finding is one broken invariant, as close to its place as can be told.
type Finding struct {
	Invariant string `json:"invariant"` // such as "I1", which Invariants explains, or the name of a Check
	Machine   string `json:"machine,omitempty"`
	Subject   string `json:"subject,omitempty"`
	Version   int64  `json:"version,omitempty"` // of the transition concerned; 0 where it is no single one
	Text      string `json:"text"`
}

// Report is what a walk has seen and found.
type Report struct {
	Findings    []Finding `json:"findings"` // the first of them
	Total       int       `json:"total"`    // of all findings, those left out included
	Truncated   bool      `json:"truncated"`
	Subjects    int64     `json:"subjects"`
	Transitions int64     `json:"transitions"`
	Messages    int64     `json:"messages"`
	Attempts    int64     `json:"attempts"`

	// Unhashed counts the transitions and attempts that programs of before there were hashes have written. What was
	// changed in them since is found only where something else tells it.
	Unhashed int64 `json:"unhashed,omitempty"`

	// Tableless are the machines that have history but were not among Options.Machines: their history
	// was checked, but not the rows it belongs to, because nobody said where these are.
	Tableless []string `json:"tableless,omitempty"`

	Took time.Duration `json:"-"`
}

func (r *Report) add(f Finding, limit int) {
	r.Total++
	if len(r.Findings) < limit {
		r.Findings = append(r.Findings, f)
	} else {
		r.Truncated = true
	}
}
