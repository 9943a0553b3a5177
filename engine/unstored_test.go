package engine_test

import (
	"errors"
	"strings"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
)

type (
	HookBase struct {
		ID      string `gorm:"primaryKey;size:64" engine:"id"`
		Status  string `gorm:"<-:create;size:16" engine:"state"`
		Version int64  `gorm:"<-:create" engine:"version"`
		Secret  string `gorm:"size:64"`
	}
	beforeSaved   struct{ HookBase }
	beforeUpdated struct{ HookBase }
	afterUpdated  struct{ HookBase }
	afterSaved    struct{ HookBase }
	createHooked  struct{ HookBase }
	HookMixin     struct{ HookBase }
	mixedIn       struct{ *HookMixin }
	withLock      struct {
		HookBase
		Lock lockClause
	}
	softDeleted struct {
		HookBase
		DeletedAt gorm.DeletedAt
	}
	// lockClause is an optimistic lock as plugins of gorm have it.
	lockClause int64
)

func (r *beforeSaved) BeforeSave(*gorm.DB) error { r.Secret = "sealed " + r.Secret; return nil }

func (r *beforeUpdated) BeforeUpdate(*gorm.DB) error { return nil }
func (r *afterUpdated) AfterUpdate(*gorm.DB) error   { return nil }
func (r *afterSaved) AfterSave(*gorm.DB) error       { return nil }
func (r *createHooked) BeforeCreate(*gorm.DB) error  { return nil }
func (r *createHooked) AfterCreate(*gorm.DB) error   { return nil }
func (r *createHooked) AfterFind(*gorm.DB) error     { return nil }
func (r *createHooked) BeforeDelete(*gorm.DB) error  { return nil }
func (r *HookMixin) BeforeUpdate(*gorm.DB) error     { return nil }

func (lockClause) UpdateClauses(*schema.Field) []clause.Interface { return nil }

func hookedMachine[S any](skip bool) (*engine.Machine[S], error) {
	def := shipsOf[S]("hooked", nil, false)
	def.SkipUpdateHooks = skip
	return engine.NewMachine(def)
}

// A row type whose updates gorm would do more for is refused, unless its definition says that transitions may go
// without.
func TestHooksOfUpdatesAreNotSkippedInSilence(t *testing.T) {
	refused := func(err error, want string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "SkipUpdateHooks") {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	accepted := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	_, err := hookedMachine[beforeSaved](false)
	refused(err, "hooks BeforeSave,")
	_, err = hookedMachine[beforeUpdated](false)
	refused(err, "hooks BeforeUpdate,")
	_, err = hookedMachine[afterUpdated](false)
	refused(err, "hooks AfterUpdate,")
	_, err = hookedMachine[afterSaved](false)
	refused(err, "hooks AfterSave,")
	_, err = hookedMachine[mixedIn](false)
	refused(err, "hooks BeforeUpdate,")
	_, err = hookedMachine[withLock](false)
	refused(err, "field Lock: a engine_test.lockClause adds to each update")
	_, err = hookedMachine[beforeSaved](true)
	accepted(err)
	_, err = hookedMachine[withLock](true)
	accepted(err)
	_, err = hookedMachine[createHooked](false)
	accepted(err)
	_, err = hookedMachine[softDeleted](false)
	accepted(err)
}

type (
	basket struct {
		ID        string `gorm:"primaryKey;size:64" engine:"id"`
		Status    string `gorm:"<-:create;size:16" engine:"state"`
		Version   int64  `gorm:"<-:create" engine:"version"`
		Reference string `gorm:"<-:create;size:16"`
		Note      string `gorm:"<-:update;size:16"`
		Total     int64  `gorm:"->"`
		OwnerID   *string
		Owner     *basketOwner
		Items     []basketItem
		Bill      basketBill
		Tags      []*basketTag `gorm:"many2many:basket_basket_tags"`
		Extra     basketExtra  `gorm:"embedded"`
	}
	basketExtra struct {
		Gifts []basketItem `gorm:"foreignKey:GiftOf"`
	}
	basketOwner struct {
		ID string `gorm:"primaryKey;size:64"`
	}
	basketItem struct {
		ID       int64
		BasketID string `gorm:"size:64"`
		GiftOf   string `gorm:"size:64"`
	}
	basketBill struct {
		ID       int64
		BasketID string `gorm:"size:64"`
	}
	basketTag struct{ ID int64 }
	// packer has a hook that packs.
	packer struct {
		HookBase
		Items []packerItem
	}
	packerItem struct {
		ID       int64
		PackerID string `gorm:"size:64"`
	}
)

func (r *packer) BeforeCreate(*gorm.DB) error {
	if r.Secret == "pack" {
		r.Items = append(r.Items, packerItem{})
	}
	return nil
}

type basketFill struct{ Fill string }

// basketFills are what a Set fills in a basket.
var basketFills = map[string]func(*basket){
	"Owner":       func(b *basket) { b.Owner = &basketOwner{ID: "o"} },
	"Items":       func(b *basket) { b.Items = []basketItem{{}} },
	"Bill":        func(b *basket) { b.Bill.ID = 1 },
	"Tags":        func(b *basket) { b.Tags = []*basketTag{{}} },
	"Extra.Gifts": func(b *basket) { b.Extra.Gifts = []basketItem{{}} },
	"Reference":   func(b *basket) { b.Reference = "r" },
	"Note":        func(b *basket) { b.Note = "n" },
	"Total":       func(b *basket) { b.Total = 1 },
	"OwnerID":     func(b *basket) { id := "o"; b.OwnerID = &id },
	"empty":       func(b *basket) { b.Items, b.Tags = make([]basketItem, 0, 5), []*basketTag{} },
}

func basketMachine(t *testing.T) *engine.Machine[basket] {
	fill := []engine.Action[basket]{engine.Set("fill", func(c engine.Call[basket, basketFill], _ *engine.Effects) error {
		if f := basketFills[c.Input.Fill]; f != nil {
			f(c.Subject)
		}
		return nil
	})}
	m, err := engine.NewMachine(engine.Definition[basket]{
		Name:   "basket",
		Events: map[engine.Event]engine.Spec{"make": {Input: basketFill{}}, "fill": {Input: basketFill{}, Repeatable: true}},
		Edges: []engine.Edge[basket]{
			{Event: "make", To: "open", Actions: fill},
			{Event: "fill", From: []engine.State{"open"}, To: "open", Actions: fill},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// What is not stored is not taken: rows of other tables in a row, and columns that a tag keeps from being written.
func TestWhatWouldNotBeStoredIsRefused(t *testing.T) {
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		if err := db.AutoMigrate(&basketOwner{}, &basket{}, &basketItem{}, &basketBill{}, &basketTag{}, &packer{}, &packerItem{}); err != nil {
			t.Fatal(err)
		}
		packers, err := hookedMachine[packer](false)
		if err != nil {
			t.Fatal(err)
		}
		m := basketMachine(t)
		e, err := engine.New(db, engine.Config{}, m, packers)
		if err != nil {
			t.Fatal(err)
		}
		defer shut(t, e)
		if err := db.Create(&basketOwner{ID: "o"}).Error; err != nil {
			t.Fatal(err)
		}
		if _, err := engine.Create(t.Context(), e, &basket{ID: "b"}, engine.Request{Machine: "basket"}); err != nil {
			t.Fatal(err)
		}
		for name, fill := range basketFills {
			given := &basket{ID: "given-" + name}
			fill(given)
			_, err := engine.Create(t.Context(), e, given, engine.Request{Machine: "basket"})
			var bad *engine.RequestError
			switch _, isColumn := map[string]bool{"Reference": true, "Note": true, "Total": true, "OwnerID": true, "empty": true}[name]; {
			case isColumn && err != nil:
				t.Errorf("Create with %s: %v", name, err)
			case !isColumn && (!errors.As(err, &bad) || bad.Field != name):
				t.Errorf("Create with %s: want a RequestError that names it, got %v", name, err)
			}
			_, err = engine.Create(t.Context(), e, &basket{ID: "set-" + name}, engine.Request{Machine: "basket", Input: basketFill{name}})
			faulted(t, "a Set of a creation", err, name, map[string]bool{"Reference": true, "OwnerID": true, "empty": true}[name])
			_, err = e.Apply(t.Context(), engine.Request{Machine: "basket", ID: "b", Event: "fill", Input: basketFill{name},
				Key: engine.Key{Source: "principal:a", Seq: name}})
			faulted(t, "a Set of a transition", err, name, map[string]bool{"Note": true, "OwnerID": true, "empty": true}[name])
		}
		// A column that only updates write is not folded into the INSERT.
		results := e.ApplyAll(t.Context(), []engine.Request{{Machine: "basket", ID: "b", Event: "fill", Input: basketFill{"Note"},
			Key: engine.Key{Source: "principal:a", Seq: "again"}}})
		if err := results[0].Err(); err != nil {
			t.Error(err)
		}
		if stored, err := engine.Load[basket](t.Context(), e, "basket", "b"); err != nil || stored.Note != "n" {
			t.Errorf("stored %+v: %v", stored, err)
		}
		_, err = engine.Create(t.Context(), e, &packer{HookBase: HookBase{ID: "p", Secret: "pack"}}, engine.Request{Machine: "hooked"})
		if err == nil || !strings.Contains(err.Error(), "a hook of *engine_test.packer put rows into Items") {
			t.Errorf("a hook that packs: %v", err)
		}
		if _, err = engine.Create(t.Context(), e, &packer{HookBase: HookBase{ID: "q"}}, engine.Request{Machine: "hooked"}); err != nil {
			t.Error(err)
		}
		clean(t, db, m, packers)
	})
}

func faulted(t *testing.T, what string, err error, name string, fine bool) {
	t.Helper()
	var bad *engine.ActionError
	switch {
	case fine && err != nil:
		t.Errorf("%s fills %s: %v", what, name, err)
	case !fine && (!errors.As(err, &bad) || bad.Action != "fill" || !strings.Contains(err.Error(), name)):
		t.Errorf("%s fills %s: want an ActionError that names it, got %v", what, name, err)
	}
}
