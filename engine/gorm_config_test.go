package engine_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	"gorm.io/gorm/schema"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/mysqldb"
	"example.com/orderd/engine/sqlitedb"
)

type parcelLine struct {
	ID        string `gorm:"primaryKey;size:64" engine:"id"`
	Status    string `gorm:"<-:create;size:16" engine:"state"`
	Version   int64  `gorm:"<-:create" engine:"version"`
	Label     string `gorm:"size:16;uniqueIndex"`
	CreatedAt time.Time
	UpdatedAt time.Time
}

// printed is what a logger was told.
type printed string

func (p *printed) Printf(format string, args ...any) { *p += printed(fmt.Sprintf(format, args...)) }

func TestADatabaseIsOpenedWithTheUsersGormConfig(t *testing.T) {
	open := map[string]func(t *testing.T, c *gorm.Config) (*gorm.DB, error){
		"sqlite": func(t *testing.T, c *gorm.Config) (*gorm.DB, error) {
			return sqlitedb.Open(filepath.Join(t.TempDir(), "x.db"), sqlitedb.GormConfig(c))
		},
	}
	for _, s := range enginetest.Servers() {
		open[s.Name] = func(t *testing.T, c *gorm.Config) (*gorm.DB, error) {
			return mysqldb.Open(s.DSN(t), mysqldb.GormConfig(c))
		}
	}
	for name, open := range open {
		t.Run(name, func(t *testing.T) {
			if _, err := open(t, &gorm.Config{DryRun: true, PrepareStmt: true, ConnPool: &gorm.PreparedStmtDB{}}); err == nil ||
				!strings.Contains(err.Error(), "gorm.Config.DryRun: nothing would ever be written") ||
				!strings.Contains(err.Error(), "gorm.Config.PrepareStmt: ") || !strings.Contains(err.Error(), "gorm.Config.ConnPool: ") {
				t.Errorf("what contradicts: %v", err)
			}

			var told printed
			shanghai := time.FixedZone("Shanghai", 8*3600)
			at := time.Date(2026, 1, 2, 3, 4, 5, 678_901_234, shanghai)
			c := &gorm.Config{
				NamingStrategy: schema.NamingStrategy{TablePrefix: "wms_", SingularTable: true}, TranslateError: true, QueryFields: true,
				CreateBatchSize: 1, NowFunc: func() time.Time { return at }, Logger: logger.New(&told, logger.Config{LogLevel: logger.Info}),
			}
			db, err := open(t, c)
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if pool, err := db.DB(); err != nil || pool.Close() != nil {
					t.Error("close", err)
				}
			}()
			if c.Dialector != nil || c.NowFunc().Location() != shanghai {
				t.Error("the user's configuration was changed")
			}
			m := ships[parcelLine](t, "parcel", nil, false)
			if err := errors.Join(db.AutoMigrate(&parcelLine{}), engine.Migrate(t.Context(), db)); err != nil {
				t.Fatal(err)
			}
			e, err := engine.New(db, engine.Config{}, m)
			if err != nil {
				t.Fatal(err)
			}
			defer shut(t, e)
			all := &collect{to: e}
			for _, id := range []string{"a", "b", "c"} {
				_, _ = engine.Create(t.Context(), all, &parcelLine{ID: id, Label: id}, engine.Request{Machine: "parcel"})
			}
			for _, r := range e.ApplyAll(t.Context(), all.requests) {
				if r.Outcome != engine.Applied {
					t.Errorf("create: %+v", r)
				}
			}
			if r, err := e.Apply(t.Context(), engine.Request{Machine: "parcel", ID: "b", Event: "leave"}); err != nil || r.State != "sailing" {
				t.Errorf("leave: %+v %v", r, err)
			}

			told = ""
			mine := parcelLine{ID: "d", Status: "open", Label: "d"}
			if err := db.Create(&mine).Error; err != nil || !mine.CreatedAt.Equal(at.Truncate(time.Microsecond)) || mine.CreatedAt.Location() != time.UTC {
				t.Errorf("my own: %+v %v", mine, err)
			}
			if !strings.Contains(string(told), "wms_parcel_line") {
				t.Errorf("the logger was told: %q", string(told))
			}
			if err := db.Create(&parcelLine{ID: "e", Label: "d"}).Error; !errors.Is(err, gorm.ErrDuplicatedKey) {
				t.Errorf("a label that is taken: %v", err)
			}
			clean(t, db, m)
		})
	}
}
