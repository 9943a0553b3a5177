package engine

import (
	"encoding/json"
	"time"
)

// Transition is one row of history. It is written once and never changed.
type Transition struct {
	Machine        string          `json:"machine"`
	Subject        string          `json:"subject"`
	Version        int64           `json:"version"` // 1 is the creation or adoption
	Event          Event           `json:"event"`
	From           State           `json:"from"` // "" on the first transition
	To             State           `json:"to"`
	Key            Key             `json:"-"` // zero where the caller gave none
	Fingerprint    [32]byte        `json:"-"` // of machine, subject, event and canonical input
	Actor          string          `json:"actor"`
	Reason         string          `json:"reason"`
	Input          json.RawMessage `json:"input,omitempty"` // canonical
	Messages       int             `json:"messages"`        // how many it emitted
	MachineVersion string          `json:"machine_version"`
	At             time.Time       `json:"at"` // UTC, microseconds

	nonce int64 // drawn per try: tells a settled commit from a twin's
	cut   bool  // Input is too long to have been read along

	filledIn []byte // of a creation: see filledPrint
}
