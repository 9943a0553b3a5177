package engine

import (
	"fmt"
	"testing"
)

func TestWhatTheJournalRemembersIsBounded(t *testing.T) {
	j := newJournal(&Engine{})
	j.closed = true // counts nothing, so that nothing waits to be written
	for i := range journalSeenMax + 10 {
		a := &Attempt{Machine: "m", Subject: fmt.Sprint(i), State: "on", Outcome: Early}
		a.id = a.identity()
		if !j.isFresh(a) {
			t.Fatalf("attempt %d is taken for a repeat", i)
		}
		if j.isFresh(a) {
			t.Fatalf("attempt %d is not known again at once", i)
		}
		if len(j.seen) > journalSeenMax || len(j.tallies) > talliesMax {
			t.Fatalf("%d attempts and %d subjects are remembered", len(j.seen), len(j.tallies))
		}
	}
}

func TestCountsThatWaitAreBounded(t *testing.T) {
	j := newJournal(&Engine{})
	for i := range journalSeenMax {
		j.counted[[16]byte{byte(i), byte(i >> 8)}] = &Attempt{Times: 1}
	}
	j.count(&Attempt{id: [16]byte{15: 1}, Times: 1})
	j.count(&Attempt{Times: 1})
	if len(j.counted) != journalSeenMax || j.counted[[16]byte{}].Times != 2 {
		t.Errorf("%d counts wait", len(j.counted))
	}
}

func TestASubjectsShareIsCountedBetweenLooks(t *testing.T) {
	all := tallies{}
	for i := range attemptsPerSubject + 2 {
		a := &Attempt{Machine: "m", Subject: "s", State: "on", Outcome: Early, Actor: fmt.Sprint("actor ", i), Key: Key{Source: sourceCall}}
		row := all.admit(a)
		if kept := row == a; kept != (i < attemptsPerSubject) {
			t.Fatalf("attempt %d: kept %v", i, kept)
		}
		if row != a && (row.Detail != NotKept || row.Actor != "" || row.Key != Key{}) {
			t.Fatalf("attempt %d is counted in %+v, which is not everybody's", i, row)
		}
	}
}
