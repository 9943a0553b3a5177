package verify

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"example.com/orderd/engine"
)

// version is a machine as it was when it decided a transition.
type version struct {
	edges map[edge]bool
	final map[string]bool // has every state; true for those without exits

	exclusive []string // fields that row hashes cover

	missing bool // nobody recorded it
	forged  bool // what was recorded is not what its hash says; reported once
}

type edge struct{ event, from, to string }

type versionKey struct{ machine, hash string }

// versions are the machine versions met so far. They are few and never change, so each is read once.
type versions struct {
	v     *verifier
	known map[versionKey]*version
}

// loadAll reads every recorded version, so that forged ones are found although nothing used them.
func (vs *versions) loadAll(ctx context.Context) error {
	return vs.read(ctx, `SELECT name, hash, description FROM engine_machines ORDER BY name, hash`)
}

// find returns a version, looking again for what was recorded since the walk began. A version is
// recorded before the first transition that it decides, so one not found now was never there.
func (vs *versions) find(ctx context.Context, machine, hash string) (*version, error) {
	key := versionKey{machine, hash}
	if known := vs.known[key]; known != nil {
		return known, nil
	}
	err := vs.read(ctx, `SELECT name, hash, description FROM engine_machines WHERE name = ? AND hash = ?`, machine, hash)
	if err == nil && vs.known[key] == nil {
		vs.known[key] = &version{missing: true}
	}
	return vs.known[key], err
}

func (vs *versions) read(ctx context.Context, query string, args ...any) error {
	return vs.v.db.Each(ctx, query, args, func(rows *sql.Rows) error {
		var name, hash, text string
		if err := rows.Scan(&name, &hash, &text); err != nil {
			return err
		}
		m, err := parseVersion(name, hash, text)
		if err != nil {
			vs.v.found(Finding{Invariant: Path, Machine: name, Text: fmt.Sprintf("machine version %s: %v", hash, err)})
		}
		vs.known[versionKey{name, hash}] = m
		return nil
	})
}

// parseVersion reads a stored description and checks it against its hash, which was taken when the
// description did not have it yet.
func parseVersion(name, hash, text string) (*version, error) {
	var d engine.Description
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		return &version{forged: true}, fmt.Errorf("the description is not readable: %w", err)
	}
	sum := sha256.Sum256([]byte(strings.Replace(text, `"hash":"`+hash+`"`, `"hash":""`, 1)))
	if d.Name != name || d.Hash != hash || hex.EncodeToString(sum[:16]) != hash {
		return &version{forged: true}, fmt.Errorf("the description was changed after it was recorded")
	}
	m := &version{edges: map[edge]bool{}, final: map[string]bool{}, exclusive: d.Exclusive}
	for _, s := range d.States {
		m.final[string(s.Name)] = s.Final
	}
	for _, e := range d.Edges {
		m.edges[edge{string(e.Event), string(e.From), string(e.To)}] = true
	}
	return m, nil
}
