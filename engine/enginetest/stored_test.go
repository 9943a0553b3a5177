package enginetest_test

import (
	"database/sql/driver"
	"os"
	"os/exec"
	"strings"
	"testing"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
)

type (
	Kept struct {
		ID      string `gorm:"primaryKey;size:64" engine:"id"`
		Status  string `gorm:"<-:create;size:16" engine:"state"`
		Version int64  `gorm:"<-:create" engine:"version"`
		Name    string `gorm:"size:64"`
		Count   *int64
	}
	// forgetful has a column that stores something else than it is given.
	forgetful struct {
		Kept
		Note forgetfulNote `gorm:"size:64"`
	}
	forgetfulNote string
	// sealing seals its note on each way into the database, and opens it on each way out, so that nobody notices
	// a note that is not sealed.
	sealing struct {
		Kept
		Note string `gorm:"size:64"`
	}
	// deriving keeps its name in lower case as well.
	deriving struct {
		Kept
		Note string `gorm:"size:64"`
	}
	// bystander seals its note, which no action writes.
	bystander struct {
		Kept
		Note string `gorm:"size:64"`
	}
)

func (forgetfulNote) Value() (driver.Value, error) { return "", nil }

func (n *forgetfulNote) Scan(any) error { *n = ""; return nil }

func (r *sealing) BeforeSave(*gorm.DB) error { r.Note = "sealed:" + r.Note; return nil }

func (r *sealing) AfterFind(*gorm.DB) error {
	r.Note = strings.TrimPrefix(r.Note, "sealed:")
	return nil
}

func (r *deriving) BeforeUpdate(*gorm.DB) error { r.Note = strings.ToLower(r.Name); return nil }

func (r *bystander) BeforeSave(*gorm.DB) error { r.Note = "sealed:" + r.Note; return nil }

func (r *bystander) AfterFind(*gorm.DB) error {
	r.Note = strings.TrimPrefix(r.Note, "sealed:")
	return nil
}

func keptKit[S any](t *testing.T, name string, of func(*S) *Kept, note func(*S)) enginetest.Kit[S] {
	m, err := engine.NewMachine(engine.Definition[S]{
		Name: name, SkipUpdateHooks: true,
		Events: map[engine.Event]engine.Spec{"make": {}, "write": {}, "close": {}},
		Edges: []engine.Edge[S]{
			{Event: "make", To: "made"},
			{Event: "write", From: []engine.State{"made"}, To: "written", Actions: []engine.Action[S]{
				engine.Set("write", func(c engine.Call[S, engine.NoInput], _ *engine.Effects) error {
					of(c.Subject).Name = "New"
					*of(c.Subject).Count += 7
					if note != nil {
						note(c.Subject)
					}
					return nil
				}),
			}},
			{Event: "close", From: []engine.State{"written"}, To: "closed"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return enginetest.Kit[S]{
		Machine: m, Prepare: func(db *gorm.DB) error { return db.AutoMigrate(new(S)) },
		New: func(n int) *S {
			row := new(S)
			*of(row) = Kept{ID: name + strings.Repeat("x", n%1000), Name: "Old", Count: new(int64)}
			return row
		},
	}
}

// drives are what another process of the test does: the kit fails, and so does its test.
var drives = map[string]func(*testing.T, *gorm.DB, bool){
	"forgetful": func(t *testing.T, db *gorm.DB, storm bool) {
		drive(t, db, storm, keptKit(t, "forgetful", func(r *forgetful) *Kept { return &r.Kept }, func(r *forgetful) { r.Note = "x" }))
	},
	"sealing": func(t *testing.T, db *gorm.DB, storm bool) {
		drive(t, db, storm, keptKit(t, "sealing", func(r *sealing) *Kept { return &r.Kept }, func(r *sealing) { r.Note = "x" }))
	},
	"deriving": func(t *testing.T, db *gorm.DB, storm bool) {
		drive(t, db, storm, keptKit(t, "deriving", func(r *deriving) *Kept { return &r.Kept }, nil))
	},
	"bystander": func(t *testing.T, db *gorm.DB, storm bool) {
		drive(t, db, storm, keptKit(t, "bystander", func(r *bystander) *Kept { return &r.Kept }, nil))
	},
}

func drive[S any](t *testing.T, db *gorm.DB, storm bool, kit enginetest.Kit[S]) {
	if storm {
		enginetest.Storm(t, db, kit, enginetest.Storms{Duplicates: 3, Callers: 4})
	} else {
		enginetest.Walk(t, db, kit)
	}
}

const driveEnv = "ENGINETEST_DRIVE"

func TestTheKitFailsWhereWritesAreLost(t *testing.T) {
	if name, ok := os.LookupEnv(driveEnv); ok {
		name, how, _ := strings.Cut(name, " ")
		drives[name](t, enginetest.SQLite(t), how == "storm")
		return
	}
	for name, want := range map[string]string{
		"forgetful": "column note of forgetfuls was written as",
		"sealing":   `column note of sealings is stored as "x": a hook of *enginetest_test.sealing, which transitions skip, would have made it "sealed:x"`,
		"deriving":  `column note of derivings is stored as "": a hook of *enginetest_test.deriving, which transitions skip, would have made it "new"`,
		"bystander": "",
	} {
		for _, how := range []string{"walk", "storm"} {
			t.Run(name+" "+how, func(t *testing.T) {
				c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestTheKitFailsWhereWritesAreLost$", "-test.count=1")
				c.Env = append(os.Environ(), driveEnv+"="+name+" "+how)
				out, err := c.CombinedOutput()
				if (err != nil) != (want != "") || !strings.Contains(string(out), want) {
					t.Errorf("want %q, got %v:\n%s", want, err, out)
				}
				if strings.Count(string(out), "column ") > 2 {
					t.Errorf("more is reported than is wrong:\n%s", out)
				}
			})
		}
	}
}
