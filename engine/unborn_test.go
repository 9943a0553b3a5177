package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
)

// ticketRow gets its key from the database.
type ticketRow struct {
	gorm.Model
	Status  string `gorm:"<-:create;size:16" engine:"state"`
	Version int64  `gorm:"<-:create;not null;default:0" engine:"version"`
	Guest   string `gorm:"size:64"`
	Number  string `gorm:"size:64" engine:"derived"`
	Barcode string `gorm:"<-:create;size:64" engine:"derived"`
}

// hookedRow gets its key from a hook, as gorm's documentation has it.
type hookedRow struct {
	ID      uuid.UUID `gorm:"primaryKey;type:char(36)" engine:"id"`
	Status  string    `gorm:"<-:create;size:16" engine:"state"`
	Version int64     `gorm:"<-:create" engine:"version"`
	Guest   string    `gorm:"size:64"`
	Number  string    `gorm:"size:64" engine:"derived"`
	Barcode string    `gorm:"<-:create;size:64" engine:"derived"`
}

func (r *hookedRow) BeforeCreate(*gorm.DB) error {
	r.ID = uuid.New()
	return nil
}

// ticketOf has the fields of either row.
type ticketOf struct {
	id              string
	guest           string
	number, barcode *string
}

func tickets[S any](t *testing.T, of func(*S) ticketOf, exec func(context.Context, *gorm.DB, ticketOf) error) *engine.Machine[S] {
	t.Helper()
	m, err := engine.NewMachine(engine.Definition[S]{
		Name:   "ticket",
		Events: map[engine.Event]engine.Spec{"sell": {}, "use": {}},
		Edges: []engine.Edge[S]{
			{
				Event: "sell", To: "sold",
				Guards: []engine.Guard[S]{engine.Check("welcome", func(c engine.Call[S, engine.NoInput]) error {
					if of(c.Subject).guest == "nobody" {
						return errors.New("not welcome")
					}
					return nil
				})},
				Actions: []engine.Action[S]{
					engine.Set("number", func(c engine.Call[S, engine.NoInput], fx *engine.Effects) error {
						row := of(c.Subject)
						*row.number, *row.barcode = "N-"+row.id, "B-"+row.id
						if row.guest == "late" && row.id != "" && row.id != "0" {
							return engine.Refuse("too late for %s", row.id[:1])
						}
						fx.Emit("ticket.sold", map[string]string{"ticket": row.id})
						return nil
					}),
					engine.Exec("exec", func(ctx context.Context, tx *gorm.DB, c engine.Call[S, engine.NoInput]) error {
						row := of(c.Subject)
						if c.Request.ID != row.id || row.id == "" {
							return fmt.Errorf("the request is for %q, the row is %q", c.Request.ID, row.id)
						}
						return exec(ctx, tx, row)
					}),
				},
			},
			{Event: "use", From: []engine.State{"sold"}, To: "used"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func ofTicket(r *ticketRow) ticketOf {
	return ticketOf{fmt.Sprint(r.ID), r.Guest, &r.Number, &r.Barcode}
}

func ofHooked(r *hookedRow) ticketOf {
	id := r.ID.String()
	if r.ID == uuid.Nil {
		id = ""
	}
	return ticketOf{id, r.Guest, &r.Number, &r.Barcode}
}

func TestARowGetsItsKeyByBeingMade(t *testing.T) {
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		t.Run("AUTO_INCREMENT", func(t *testing.T) {
			makeTickets(t, db, func(guest string) *ticketRow { return &ticketRow{Guest: guest} }, ofTicket)
		})
		t.Run("a hook", func(t *testing.T) {
			for _, table := range []string{"engine_transitions", "engine_messages", "engine_attempts"} {
				if err := db.Exec("DELETE FROM " + table).Error; err != nil {
					t.Fatal(err)
				}
			}
			makeTickets(t, db, func(guest string) *hookedRow { return &hookedRow{Guest: guest} }, ofHooked)
		})
	})
}

func makeTickets[S any](t *testing.T, db *gorm.DB, row func(guest string) *S, of func(*S) ticketOf) {
	if err := db.AutoMigrate(new(S)); err != nil {
		t.Fatal(err)
	}
	fail := true
	m := tickets(t, of, func(_ context.Context, _ *gorm.DB, row ticketOf) error {
		if row.guest == "unlucky" && fail {
			return engine.Refuse("no luck")
		}
		return nil
	})
	e, err := engine.New(db, engine.Config{}, m)
	if err != nil {
		t.Fatal(err)
	}
	defer shut(t, e)
	key := func(seq string) engine.Key { return engine.Key{Source: "t", Seq: seq} }
	sell := func(row *S, seq string) engine.Result {
		t.Helper()
		r := engine.Request{Machine: "ticket"}
		if seq != "" {
			r.Key = key(seq)
		}
		result, err := engine.Create(t.Context(), e, row, r)
		if result.Outcome == "" {
			t.Fatalf("%s: %v", seq, err)
		}
		return result
	}

	ana := row("ana")
	first := sell(ana, "1")
	if id := of(ana).id; first.Outcome != engine.Applied || first.ID == "" || first.ID != id || first.Proof.Subject != id || first.Proof.Messages != 1 {
		t.Fatalf("%+v, proof %+v, row %+v", first, first.Proof, ana)
	}
	loaded, err := engine.Load[S](t.Context(), e, "ticket", first.ID)
	if err != nil || *of(loaded).number != "N-"+first.ID || *of(loaded).barcode != "B-"+first.ID {
		t.Errorf("the row: %+v %v", loaded, err)
	}
	var data string
	if err := db.Raw("SELECT data FROM engine_messages WHERE machine = 'ticket' AND subject = ?", first.ID).Scan(&data).Error; err != nil || !strings.Contains(data, `"`+first.ID+`"`) {
		t.Errorf("the message: %q %v", data, err)
	}

	again := row("ana")
	if r := sell(again, "1"); r.Detail != engine.Replayed || r.ID != first.ID || of(again).id == first.ID {
		t.Errorf("with the same key: %+v", r)
	}
	if r := sell(row("bea"), "1"); r.Detail != engine.KeyReused || r.ID != first.ID {
		t.Errorf("another with the same key: %+v", r)
	}
	a, b := sell(row("cleo"), ""), sell(row("cleo"), "")
	if a.Outcome != engine.Applied || b.Outcome != engine.Applied || a.ID == b.ID {
		t.Errorf("without a key: %+v %+v", a, b)
	}

	for guest, want := range map[string]string{"nobody": "welcome: not welcome", "unlucky": "exec: no luck", "late": "number: too late"} {
		r := sell(row(guest), guest)
		if r.Detail != engine.GuardRefused || r.ID != "" || r.Version != 0 || !strings.HasPrefix(r.Refused[0].Guard+": "+r.Refused[0].Reason, want) {
			t.Errorf("%s: %+v", guest, r)
		}
	}
	if r, err := engine.Create(t.Context(), e, row("dry"), engine.Request{Machine: "ticket", DryRun: true}); err != nil || r.ID != "" || r.State != "sold" {
		t.Errorf("dry run: %+v %v", r, err)
	}
	attempts, err := e.Attempts(t.Context(), "ticket", "", engine.AttemptQuery{})
	if err != nil || len(attempts) != 3 {
		t.Errorf("refused creations are journalled: %d %v", len(attempts), err)
	}

	manyAtOnce(t, e, row)

	tx := db.Begin()
	defer tx.Rollback()
	mine := row("tx")
	r, err := engine.CreateTx(t.Context(), e, tx, mine, engine.Request{Machine: "ticket", Key: key("tx")})
	if err != nil || r.ID == "" || of(mine).id != r.ID {
		t.Fatalf("in a transaction: %+v %v", r, err)
	}
	if r, err := e.ApplyTx(t.Context(), tx, engine.Request{Machine: "ticket", ID: r.ID, Event: "use"}); err != nil || r.State != "used" {
		t.Errorf("and on in it: %+v %v", r, err)
	}
	if err := tx.Commit().Error; err != nil {
		t.Fatal(err)
	}
	clean(t, db, m)
}

// manyAtOnce makes rows in one batch, some of them twins of others.
func manyAtOnce[S any](t *testing.T, e *engine.Engine, row func(guest string) *S) {
	t.Helper()
	all := &collect{to: e}
	for i := range 12 {
		r := engine.Request{Machine: "ticket"}
		if i%4 != 3 {
			r.Key = engine.Key{Source: "many", Seq: fmt.Sprint(i % 4)}
		}
		_, _ = engine.Create(t.Context(), all, row(fmt.Sprint("guest", i%4)), r)
	}
	ids := map[string][]int{}
	for i, r := range e.ApplyAll(t.Context(), all.requests) {
		want := engine.Applied
		if i >= 4 && i%4 != 3 {
			want = engine.Already
		}
		if r.Outcome != want || r.ID == "" || r.Proof == nil || r.Proof.Subject != r.ID {
			t.Errorf("%d: %+v, proof %+v", i, r, r.Proof)
		}
		ids[r.ID] = append(ids[r.ID], i)
	}
	if len(ids) != 6 {
		t.Errorf("%d rows: %v", len(ids), ids)
	}
	for _, is := range ids {
		if slices.ContainsFunc(is, func(i int) bool { return i%4 != is[0]%4 }) {
			t.Errorf("one row for several requests: %v", is)
		}
	}
}

// collect keeps the requests that Create makes.
type collect struct {
	to       engine.Applier
	requests []engine.Request
}

func (c *collect) Apply(_ context.Context, r engine.Request) (engine.Result, error) {
	c.requests = append(c.requests, r)
	return engine.Result{}, nil
}

func (c *collect) ApplyAll(ctx context.Context, rs []engine.Request) []engine.Result {
	return c.to.ApplyAll(ctx, rs)
}

type (
	plainRow struct {
		ID      string `gorm:"primaryKey;size:64" engine:"id"`
		Status  string `gorm:"<-:create;size:16" engine:"state"`
		Version int64  `gorm:"<-:create" engine:"version"`
	}
	meddlingRow struct {
		ID      string `gorm:"primaryKey;size:64" engine:"id"`
		Status  string `gorm:"<-:create;size:16" engine:"state"`
		Version int64  `gorm:"<-:create" engine:"version"`
		Wish    string `gorm:"size:16"`
	}
	keylessRow struct {
		ID      int64  `gorm:"primaryKey;autoIncrement" engine:"id"`
		Status  string `gorm:"<-:create;size:16" engine:"state"`
		Version int64  `gorm:"<-:create" engine:"version"`
	}
)

func (r *meddlingRow) BeforeSave(*gorm.DB) error {
	switch r.Wish {
	case "state":
		r.Status = "sailing"
	case "id":
		r.ID = "other"
	}
	return nil
}

// Nothing is stored under a name that history does not have.
func TestAKeyThatNobodyKnowsIsNoKey(t *testing.T) {
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		if err := db.AutoMigrate(&plainRow{}, &meddlingRow{}); err != nil {
			t.Fatal(err)
		}
		if err := db.Exec("CREATE TABLE keyless_rows (id BIGINT PRIMARY KEY, status VARCHAR(16), version BIGINT)").Error; err != nil {
			t.Fatal(err)
		}
		def := shipsOf[meddlingRow]("meddling", nil, false)
		def.SkipUpdateHooks = true
		meddling, err := engine.NewMachine(def)
		if err != nil {
			t.Fatal(err)
		}
		e, err := engine.New(db, engine.Config{}, ships[plainRow](t, "plain", nil, false), meddling,
			ships[keylessRow](t, "keyless", nil, false))
		if err != nil {
			t.Fatal(err)
		}
		defer shut(t, e)
		refused := func(err error, want string) {
			t.Helper()
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("want %q, got %v", want, err)
			}
		}
		_, err = engine.Create(t.Context(), e, &plainRow{}, engine.Request{Machine: "plain"})
		refused(err, "ID is empty: set field ID of the row, or let a hook BeforeCreate of *engine_test.plainRow do so")
		_, err = engine.Create(t.Context(), e, &plainRow{}, engine.Request{Machine: "plain", ID: "p"})
		refused(err, `ID is "p", but field ID of the row is empty: set the key there`)
		_, err = engine.Create(t.Context(), e, &plainRow{ID: "q"}, engine.Request{Machine: "plain", ID: "p"})
		refused(err, `ID is "p", but the key of the row is "q": leave ID empty`)
		_, err = engine.Create(t.Context(), e, &meddlingRow{ID: "m", Wish: "id"}, engine.Request{Machine: "meddling"})
		refused(err, `meddling m: a hook of *engine_test.meddlingRow changed the key that Create was given to "other"`)
		_, err = engine.Create(t.Context(), e, &meddlingRow{ID: "m", Wish: "state"}, engine.Request{Machine: "meddling"})
		refused(err, `a hook of *engine_test.meddlingRow changed the state or the version of the row`)
		_, err = engine.Create(t.Context(), e, &meddlingRow{}, engine.Request{Machine: "meddling"})
		refused(err, `table meddling_rows, whose INSERT makes the key id: it has made none`)
		_, err = engine.Create(t.Context(), e, &keylessRow{}, engine.Request{Machine: "keyless"})
		if db.Name() == "mysql" { // SQLite takes NULL for such a key
			refused(err, "table keyless_rows, whose INSERT makes the key id: Error 1364")
		} else {
			refused(err, `table keyless_rows, whose INSERT makes the key id: it has made none: let the column be AUTO_INCREMENT`)
		}
		if r, err := engine.Create(t.Context(), e, &meddlingRow{Wish: "id"}, engine.Request{Machine: "meddling"}); err != nil || r.ID != "other" {
			t.Errorf("%+v %v", r, err)
		}
		var n int64
		for table, want := range map[string]int64{"plain_rows": 0, "meddling_rows": 1, "keyless_rows": 0, "engine_transitions": 1} {
			if err := db.Table(table).Count(&n).Error; err != nil || n != want {
				t.Errorf("%s has %d rows: %v", table, n, err)
			}
		}
	})
}

// A COMMIT that gets no answer is settled by the request's key, also by the one that the engine has drawn: the row is
// there once, and its maker is told its key.
func TestALostCommitOfARowWithoutAKeyIsSettled(t *testing.T) {
	for _, kind := range enginetest.Kinds() {
		for _, fault := range []enginetest.Fault{enginetest.LostBefore, enginetest.LostAfter} {
			t.Run(kind.Name+"/"+fault.String(), func(t *testing.T) {
				db := kind.Open(t)
				if err := db.AutoMigrate(&ticketRow{}); err != nil {
					t.Fatal(err)
				}
				shaken, faults := enginetest.NewFaulty(db, nil)
				m := tickets(t, ofTicket, func(context.Context, *gorm.DB, ticketOf) error { return nil })
				e, err := engine.New(shaken, engine.Config{}, m)
				if err != nil {
					t.Fatal(err)
				}
				defer shut(t, e)
				for n, key := range []engine.Key{{}, {Source: "t", Seq: "1"}} {
					lost := false
					faults.Decide(func(_ int, kind enginetest.CallKind, _ string) enginetest.Fault {
						if kind == enginetest.CallCommit && !lost {
							lost = true
							return fault
						}
						return enginetest.NoFault
					})
					row := &ticketRow{Guest: "ana"}
					r, err := engine.Create(t.Context(), e, row, engine.Request{Machine: "ticket", Key: key})
					if err != nil || r.Outcome != engine.Applied || !lost || r.ID == "" || fmt.Sprint(row.ID) != r.ID || row.Number != "N-"+r.ID {
						t.Errorf("%+v %v, row %+v", r, err, row)
					}
					var rows int64
					if err := db.Table("ticket_rows").Count(&rows).Error; err != nil || rows != int64(n+1) {
						t.Errorf("%d rows: %v", rows, err)
					}
				}
				clean(t, db, m)
			})
		}
	}
}
