package sqldb_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/internal/sqldb"
)

// Whoever narrows a handle expects it to stay narrow, which the engine cannot promise.
func TestWrapRefusesAHandleThatMeansSomethingElse(t *testing.T) {
	type model struct{ ID string }
	g := openSQLite(t)
	failed := g.Session(&gorm.Session{})
	require.Error(t, failed.AddError(errors.New("of an earlier query")))
	for name, bad := range map[string]*gorm.DB{
		"dry run":            g.Session(&gorm.Session{DryRun: true}),
		"condition":          g.Where("tenant = ?", 7),
		"shared condition":   g.Where("tenant = ?", 7).Session(&gorm.Session{}),
		"table":              g.Table("orders"),
		"model":              g.Model(&model{}),
		"unscoped":           g.Unscoped(),
		"selected columns":   g.Select("id"),
		"left out columns":   g.Omit("id"),
		"limit":              g.Limit(1),
		"order":              g.Order("id"),
		"join":               g.Joins("JOIN x"),
		"distinct":           g.Distinct("id"),
		"scope":              g.Scopes(func(db *gorm.DB) *gorm.DB { return db.Where("tenant = 7") }),
		"error":              failed,
		"raw statement":      g.Raw("SELECT 1"),
		"condition, context": g.Where("tenant = ?", 7).WithContext(ctx),
	} {
		_, err := sqldb.Wrap(ctx, bad)
		assert.ErrorContains(t, err, "pass ", name)
	}
	for name, good := range map[string]*gorm.DB{
		"opened":     g,
		"context":    g.WithContext(ctx),
		"new":        g.Where("tenant = ?", 7).Session(&gorm.Session{NewDB: true}),
		"no hooks":   g.Session(&gorm.Session{SkipHooks: true}),
		"with value": g.Set("tenant", 7),
		"debug":      g.Debug(),
	} {
		_, err := sqldb.Wrap(ctx, good)
		assert.NoError(t, err, name)
	}
}

// charsets are what a text can break out of, or is changed in.
var charsets = []string{"gbk", "big5", "sjis", "latin1", "utf8", "cp932"}

func TestWrapRefusesSessionsThatAreNotUTF8MB4(t *testing.T) {
	enginetest.OnServers(t, func(t *testing.T, s enginetest.Server) {
		for _, flags := range []string{
			"charset=%s", "charset=%s&interpolateParams=true", "charset=nowhere,%s", "charset=utf8mb4&character_set_client=%s",
			"character_set_connection=%s", "character_set_results=%s",
		} {
			for _, c := range charsets {
				_, err := sqldb.Wrap(ctx, usersMySQL(t, s, usersParams+"&"+strings.ReplaceAll(flags, "%s", c), &gorm.Config{}))
				assert.ErrorContains(t, err, "utf8mb4", "%s: %s", flags, c)
			}
		}
		_, err := sqldb.Wrap(ctx, usersMySQL(t, s, usersParams+"&charset=utf8mb4", &gorm.Config{}))
		assert.NoError(t, err)
	})
}

// The pool is the user's, and so are its sessions: one that another part of the program has changed comes back.
func TestNoTextIsReadAsSQLWhateverTheSession(t *testing.T) {
	text := `價 "` + "\u07bf" + `', 'forged') -- \` // 0xde 0xbf before a quote
	enginetest.OnServers(t, func(t *testing.T, s enginetest.Server) {
		g := usersMySQL(t, s, usersParams+"&interpolateParams=true", &gorm.Config{})
		pool, err := g.DB()
		require.NoError(t, err)
		pool.SetMaxOpenConns(1)
		db := wrap(t, g)
		_, err = db.Exec(ctx, "CREATE TABLE notes (a VARCHAR(100) CHARACTER SET utf8mb4, b VARBINARY(100), c VARCHAR(100))")
		require.NoError(t, err)
		write := map[string]func(text string) error{
			"transaction": func(text string) error {
				return db.InTx(ctx, func(tx *sqldb.Tx) error {
					_, err := tx.Exec(ctx, "INSERT INTO notes (a, b, c) VALUES (?, ?, 'why?')", text, []byte(text))
					return err
				})
			},
			"user's code in it": func(text string) error {
				return db.InTx(ctx, func(tx *sqldb.Tx) error {
					return tx.Gorm(ctx).Exec("INSERT INTO notes (a, b, c) VALUES (?, ?, 'why?')", text, []byte(text)).Error
				})
			},
			"alone": func(text string) error {
				_, err := db.Exec(ctx, "INSERT INTO notes (a, b, c) VALUES (?, ?, 'why?')", text, []byte(text))
				return err
			},
		}
		for _, c := range append(charsets, "utf8mb4") {
			require.NoError(t, g.Exec("SET NAMES "+c).Error)
			for name, f := range write {
				require.NoError(t, f(text), "%s: %s", c, name)
				require.NoError(t, g.Exec("SET NAMES utf8mb4").Error)
				assert.Equal(t, "why?", value[string](t, db, "SELECT c FROM notes"), "%s: %s", c, name)
				assert.Equal(t, text, value[string](t, db, "SELECT a FROM notes"), "%s: %s", c, name)
				assert.Equal(t, text, value[string](t, db, "SELECT b FROM notes"), "%s: %s", c, name)
				require.NoError(t, g.Exec("SET NAMES "+c).Error)
				assert.Equal(t, int64(1), count(t, db, text), "%s: %s", c, name)
				require.NoError(t, g.Exec("DELETE FROM notes").Error)
			}
		}
	})
}

// count asks for a text, by the engine's own way and by gorm's.
func count(t *testing.T, db *sqldb.DB, text string) (n int64) {
	require.NoError(t, db.Gorm(ctx).Table("notes").Where("a = ? AND b = ?", text, []byte(text)).Count(&n).Error)
	return n
}

func TestACharacterSetInsideATransactionIsRefused(t *testing.T) {
	enginetest.OnServers(t, func(t *testing.T, s enginetest.Server) {
		db := wrap(t, openMySQL(t, s, ""))
		for _, set := range []string{"SET NAMES gbk", "set  names 'gbk'", "SET CHARACTER SET gbk", "SET SESSION character_set_client = gbk", "SET @@character_set_connection=big5"} {
			err := db.InTx(ctx, func(tx *sqldb.Tx) error { return tx.Gorm(ctx).Exec(set).Error })
			assert.ErrorContains(t, err, "character set", set)
		}
		own := usersMySQL(t, s, usersParams, &gorm.Config{})
		for _, bad := range []bool{true, false} {
			tx := own.Begin()
			if bad {
				require.NoError(t, tx.Exec("SET NAMES gbk").Error)
			}
			joined, err := sqldb.Join(tx)
			require.NoError(t, err)
			_, err = joined.Savepoint(ctx)
			assert.Equal(t, bad, err != nil, "%v", err)
			assert.NotErrorIs(t, err, sqldb.ErrEnded)
			require.NoError(t, tx.Exec("SET NAMES utf8mb4").Error, "it is still the caller's")
			require.NoError(t, tx.Rollback().Error)
		}
	})
}
