package verify

import (
	"bytes"
	"context"
	"fmt"
	"slices"
)

// unchanged compares a transition with its own hash, and an exclusive machine's row with the hashes that
// the transitions before and after it keep. A hash counts for the fields that its machine version
// covered: another version of the program may have added some.
func (t *trail) unchanged(ctx context.Context, s *step) error {
	if s.changed {
		t.found(Unchanged, s.version, "%s was changed after it was written", s.event)
		return nil
	}
	fields, err := t.covered(ctx, s)
	if err != nil {
		return err
	}
	if s.unhashed {
		problem := t.v.lacks(kindTransitions, s.at)
		if len(fields) > 0 {
			problem = "has no hash, though the program that knew that the machine is exclusive made one"
		}
		if problem != "" {
			t.found(Unchanged, s.version, "%s %s", s.event, problem)
		}
		return nil
	}
	if len(fields) == 0 {
		return nil
	}
	if s.row == nil {
		t.found(Unchanged, s.version, "%s keeps no hash of the row, though the machine is exclusive", s.event)
		return nil
	}
	if t.begun && !t.last.changed && !t.last.unhashed && t.last.version == s.version-1 {
		before, err := t.covered(ctx, &t.last)
		if err != nil {
			return err
		}
		if slices.Equal(fields, before) && !bytes.Equal(s.found, t.last.row) {
			t.found(Unchanged, s.version, "%s found another row than version %d had left: something else has written to it",
				s.event, t.last.version)
		}
	}
	if t.stored == nil || t.stored.Version != s.version {
		return nil
	}
	hash, known, err := t.stored.Hash(fields)
	if err != nil {
		return fmt.Errorf("hash the row of %s: %w", t.id, err)
	}
	if known && !bytes.Equal(hash[:], s.row) {
		t.found(Unchanged, s.version, "the row is not as %s left it: something else has written to it", s.event)
	}
	return nil
}

// covered are the fields that a transition's row hashes cover; none where they are not kept, or where
// nobody knows.
func (t *trail) covered(ctx context.Context, s *step) ([]string, error) {
	m, err := t.v.versions.find(ctx, t.machine, s.machineVersion)
	if err != nil {
		return nil, fmt.Errorf("read machine version %s: %w", s.machineVersion, err)
	}
	return m.exclusive, nil
}
