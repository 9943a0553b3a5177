package enginetest

import (
	"errors"
	"strings"
	"testing"

	"gorm.io/gorm"

	"example.com/orderd/engine"
)

type checkRow struct {
	ID      string       `gorm:"primaryKey;size:64" engine:"id"`
	Status  engine.State `gorm:"<-:create;size:32" engine:"state"`
	Version int64        `gorm:"<-:create" engine:"version"`
}

func checkMachine(t *testing.T) *engine.Machine[checkRow] {
	t.Helper()
	m, err := engine.NewMachine(engine.Definition[checkRow]{
		Name: "check", Events: map[engine.Event]engine.Spec{"open": {}, "end": {}},
		Edges: []engine.Edge[checkRow]{{Event: "open", To: "opened"}, {Event: "end", From: []engine.State{"opened"}, To: "ended"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestAKitSaysWhatItLacks(t *testing.T) {
	db, machine := SQLite(t), checkMachine(t)
	row := func(int) *checkRow { return &checkRow{} }
	existingOf := func(ids []string, err error) func(*gorm.DB) ([]string, error) {
		return func(*gorm.DB) ([]string, error) { return ids, err }
	}
	engineOf := func(k Kit[checkRow]) error {
		_, _, err := k.engine(db)
		return err
	}
	rowsOf := func(k Kit[checkRow]) error {
		_, err := k.existing(db)
		return err
	}
	lacksTable := engineOf(Kit[checkRow]{Machine: machine, New: row})
	if err := db.AutoMigrate(&checkRow{}); err != nil {
		t.Fatal(err)
	}
	if err := db.Exec("INSERT INTO check_rows (id, status, version) VALUES ('odd', 'weird', 0), ('good', 'opened', 0)").Error; err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		err  error
		says []string
	}{
		"no machine":  {(&Kit[checkRow]{New: row}).check(db), []string{"Kit.Machine is nil", "engine.NewMachine"}},
		"no New":      {(&Kit[checkRow]{Machine: machine}).check(db), []string{"Kit.New is nil", "makes the row"}},
		"nothing":     {(&Kit[checkRow]{}).check(nil), []string{"Kit.Machine is nil", "the database is nil"}},
		"no Prepare":  {lacksTable, []string{"table check_rows", "does not exist", "Kit.Prepare, which is nil"}},
		"no rows":     {rowsOf(Kit[checkRow]{Machine: machine, Existing: existingOf(nil, nil)}), []string{"names no rows", "Kit.Prepare"}},
		"no such row": {rowsOf(Kit[checkRow]{Machine: machine, Existing: existingOf([]string{"x"}, nil)}), []string{`row "x"`}},
		"no state":    {rowsOf(Kit[checkRow]{Machine: machine, Existing: existingOf([]string{"odd"}, nil)}), []string{`row "odd"`, `holds "weird"`, "Definition.Stored"}},
		"an error":    {rowsOf(Kit[checkRow]{Machine: machine, Existing: existingOf(nil, errors.New("the disk is full"))}), []string{"the disk is full"}},
	} {
		for _, want := range c.says {
			if c.err == nil || !strings.Contains(c.err.Error(), want) {
				t.Errorf("%s: %v, want it to say %q", name, c.err, want)
			}
		}
	}
	if err := (&Kit[checkRow]{Machine: machine, New: row}).check(db); err != nil {
		t.Errorf("a whole kit: %v", err)
	}
	rows, err := (&Kit[checkRow]{Machine: machine, Existing: existingOf([]string{"good"}, nil)}).existing(db)
	if err != nil || len(rows) != 1 || rows[0] != (existing{id: "good", state: "opened"}) {
		t.Errorf("%+v, %v, want the row as it is", rows, err)
	}
}

// Ways on from a state take every edge behind it, and none of them twice.
func TestWaysOnFromAState(t *testing.T) {
	d := engine.Description{
		States: []engine.DescribedState{{Name: "a"}, {Name: "b"}, {Name: "c"}},
		Edges: []engine.DescribedEdge{
			{Event: "make", To: "a"}, {Event: "go", From: "a", To: "b"}, {Event: "back", From: "b", To: "a"}, {Event: "end", From: "b", To: "c"},
		},
	}
	for from, want := range map[engine.State][]string{
		"a": {"there>a go>b back>a", "there>a go>b end>c"},
		"b": {"there>b back>a go>b end>c", "there>b end>c"},
		"c": {"there>c"},
	} {
		var got []string
		for _, p := range pathsFrom(d, from, 60) {
			got = append(got, p.String())
		}
		if strings.Join(got, "; ") != strings.Join(want, "; ") {
			t.Errorf("from %s: %q, want %q", from, got, want)
		}
	}
	d.Edges = append(d.Edges[:1:1], engine.DescribedEdge{Event: "one", From: "a", To: "b"}, engine.DescribedEdge{Event: "two", From: "a", To: "c"})
	if all := pathsFrom(d, "a", 1); len(all) != 2 {
		t.Errorf("cut off after one way: %v, want the edges next to the state all the same", all)
	}
}
