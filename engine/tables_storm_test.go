package engine_test

import (
	"fmt"
	"testing"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
)

type (
	stormNumbers struct {
		ID      string    `gorm:"primaryKey;size:64" engine:"id"`
		Status  shipState `gorm:"<-:create" engine:"state"`
		Version int64     `gorm:"<-:create" engine:"version"`
	}
	stormEnum struct {
		ID      uint64 `gorm:"primaryKey;autoIncrement:false" engine:"id"`
		Status  string `gorm:"<-:create;size:32" engine:"state"`
		Version int64  `gorm:"<-:create" engine:"version"`
	}
	stormModel struct {
		gorm.Model
		Status  string `gorm:"<-:create;size:32" engine:"state"`
		Version int64  `gorm:"<-:create" engine:"version"`
		Name    string `gorm:"size:64"`
	}
	stormUUID struct {
		ID      uuid.UUID `gorm:"primaryKey;type:char(36)" engine:"id"`
		Status  string    `gorm:"<-:create;size:32" engine:"state"`
		Version int64     `gorm:"<-:create" engine:"version"`
		Name    string    `gorm:"size:64"`
	}
)

func (r *stormUUID) BeforeCreate(*gorm.DB) error {
	r.ID = uuid.New()
	return nil
}

func TestStormsOnTablesAsTheyAre(t *testing.T) {
	if testing.Short() {
		t.Skip("storms")
	}
	for _, kind := range enginetest.Kinds() {
		stormOn(t, kind, "numbers", shipStates, func(n int) *stormNumbers { return &stormNumbers{ID: fmt.Sprint(n)} }, "")
		stormOn(t, kind, "enum", enumStates, func(n int) *stormEnum { return &stormEnum{ID: uint64(n) + 1} },
			"CREATE TABLE storm_enums (id BIGINT UNSIGNED PRIMARY KEY, status ENUM('PENDING','途中 In Transit','已付款') NOT NULL, version BIGINT NOT NULL) CHARACTER SET utf8mb4")
		stormOn(t, kind, "model", enumStates, func(n int) *stormModel { return &stormModel{Name: fmt.Sprint(n)} }, "")
		stormOn(t, kind, "uuid", nil, func(n int) *stormUUID { return &stormUUID{Name: fmt.Sprint(n)} }, "")
	}
}

func stormOn[S any](t *testing.T, kind enginetest.Kind, name string, stored map[engine.State]any, row func(n int) *S, ddl string) {
	t.Run(kind.Name+"/"+name, func(t *testing.T) {
		db := kind.Open(t)
		kit := enginetest.Kit[S]{
			Machine: ships[S](t, name, stored, false), New: row,
			Prepare: func(db *gorm.DB) error {
				if ddl != "" && db.Name() == "mysql" {
					return db.Exec(ddl).Error
				}
				return db.AutoMigrate(new(S))
			},
		}
		enginetest.Storm(t, db, kit, enginetest.Storms{})
		kit.Prepare = nil
		enginetest.Walk(t, db, kit)
	})
}
