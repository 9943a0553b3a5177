package schema_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"example.com/orderd/engine/dberr"
	"example.com/orderd/engine/schema"
)

func TestDeriveKeepsEveryPromiseOfTheSchema(t *testing.T) {
	db := openSQLite(t)
	migrate(t, db, `
-- every type there is
CREATE TABLE IF NOT EXISTS things (
  id    VARBINARY(4)  NOT NULL COMMENT 'it''s; the key', -- short
  name  VARCHAR(3)    COLLATE utf8mb4_bin NULL DEFAULT 'x''y',
  big   BIGINT        DEFAULT -5,
  small INT           NULL DEFAULT NULL,
  tiny  TINYINT(1)    NOT NULL DEFAULT 0,
  yes   BOOLEAN       NOT NULL DEFAULT TRUE,
  at    DATETIME(6)   NULL,
  memo  MEDIUMTEXT    NULL,
  body  TEXT,
  hash  BINARY(2),
  raw   MEDIUMBLOB,
  blob1 BLOB,
  PRIMARY KEY (id),
  UNIQUE KEY things_name (name, big) COMMENT 'both',
  KEY at (at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='it;';
CREATE TABLE pairs (a VARBINARY(4) NOT NULL, b BIGINT NOT NULL, PRIMARY KEY (a, b)) ENGINE=InnoDB;
CREATE TABLE numbered (n BIGINT NOT NULL, PRIMARY KEY (n)) ENGINE=InnoDB;`)

	insert := func(column string, v any) error {
		return db.Transaction(func(tx *gorm.DB) error {
			if err := tx.Exec("DELETE FROM things").Error; err != nil {
				return err
			}
			return tx.Exec("INSERT INTO things (id, "+column+") VALUES ('i', ?)", v).Error
		})
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.FixedZone("", 3600))
	for column, values := range map[string]struct{ good, bad []any }{
		"name":  {[]any{"äöü", nil}, []any{"four", 12.5, []byte("x")}},
		"big":   {[]any{int64(1) << 62, nil, true}, []any{"x", 12.5, "12.5"}},
		"small": {[]any{1<<31 - 1}, []any{int64(1) << 31}},
		"tiny":  {[]any{127, false}, []any{128, nil}},
		"yes":   {[]any{true, 0}, []any{2}},
		"at":    {[]any{at, nil}, []any{"2026-01-02", "2026-01-02 03:04:05+01:00", 5}},
		"memo":  {[]any{"", "text"}, []any{[]byte("bytes")}},
		"body":  {[]any{string(make([]byte, 1<<16-1))}, []any{string(make([]byte, 1<<16))}},
		"hash":  {[]any{[]byte{1, 2}}, []any{[]byte{1}, []byte{1, 2, 3}, "xy"}},
		"raw":   {[]any{[]byte{1}}, []any{"text"}},
		"blob1": {[]any{make([]byte, 1<<16-1)}, []any{make([]byte, 1<<16)}},
	} {
		for _, v := range values.good {
			assert.NoError(t, insert(column, v), "%s %v", column, v)
		}
		for _, v := range values.bad {
			assert.Equal(t, dberr.Permanent, dberr.Classify(insert(column, v)), "%s %.20v", column, v)
		}
	}
	assert.Error(t, db.Exec("INSERT INTO things (id) VALUES ('ééé')").Error, "VARBINARY counts bytes")
	require.NoError(t, insert("memo", "m"))
	assert.Equal(t, "x'y -5 0 1", value[string](t, db, "SELECT name || ' ' || big || ' ' || tiny || ' ' || yes FROM things"))
	require.NoError(t, insert("at", at))
	assert.Equal(t, at.UTC(), value[time.Time](t, db, "SELECT at FROM things"))
	assert.Equal(t, "pairs", value[string](t, db, "SELECT GROUP_CONCAT(name) FROM sqlite_master WHERE sql LIKE '%WITHOUT ROWID' AND name <> 'engine_schema'"))
	assert.Equal(t, "things_name,things_at", value[string](t, db, "SELECT GROUP_CONCAT(name) FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"))
}

func TestDeriveRefusesWhatItDoesNotKnow(t *testing.T) {
	table := func(body string) string {
		return "-- line 1\nCREATE TABLE t (\n" + body + ",\nPRIMARY KEY (id)) ENGINE=InnoDB"
	}
	for ddl, want := range map[string]string{
		table("id BIGINT AUTO_INCREMENT"):                                   "line 3: AUTO_INCREMENT",
		table("id INT UNSIGNED"):                                            "line 3: UNSIGNED",
		table("id DATETIME"):                                                "line 3: DATETIME",
		table("id DATETIME(3)"):                                             "line 3: DATETIME",
		table("id JSON"):                                                    "line 3: unknown column type JSON",
		table("id VARCHAR"):                                                 "line 3: VARCHAR",
		table("id BIGINT(20)"):                                              "line 3: BIGINT",
		table("id INT(11)"):                                                 "line 3: INT with or without a size",
		table("id TEXT(20)"):                                                "line 3: TEXT with or without a size",
		table("id MEDIUMTEXT(20)"):                                          "line 3: MEDIUMTEXT with or without a size",
		table("id BLOB(20)"):                                                "line 3: BLOB with or without a size",
		table("id BINARY"):                                                  "line 3: BINARY with or without a size",
		table("id DATETIME(6) DEFAULT CURRENT_TIMESTAMP(6)"):                "line 3: \"CURRENT_TIMESTAMP\"",
		table("id BIGINT,\nFOREIGN KEY (id) REFERENCES x (id)"):             "line 4: FOREIGN",
		table("id BIGINT,\nKEY k (id(10))"):                                 "line 4: \"(\"",
		table("id BIGINT CHECK (id > 0)"):                                   "line 3: CHECK",
		"CREATE TABLE t (id BIGINT) ENGINE=InnoDB":                          "no PRIMARY KEY",
		"CREATE TABLE t (id BIGINT, PRIMARY KEY (id)) X=1":                  "unknown table option X",
		"CREATE VIEW v AS SELECT 1":                                         "line 1: \"CREATE\"",
		"CREATE TABLE t (id VARBINARY(4) DEFAULT 'a\\n', PRIMARY KEY (id))": "backslash",
		"CREATE TABLE t (id":                                                "",
		"INSERT INTO t VALUES (1)":                                          "line 1",
	} {
		_, err := schema.SQLite(ddl)
		assert.ErrorContains(t, err, want, ddl)
	}
}
