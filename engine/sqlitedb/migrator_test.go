package sqlitedb_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
)

type customer struct {
	ID   uint `gorm:"primaryKey"`
	Name string
}

type order struct {
	gorm.Model
	Number     string `gorm:"uniqueIndex"`
	Status     string `gorm:"size:16"`
	CustomerID uint
	Customer   customer
}

// wider is the same table a year later.
type wider struct {
	gorm.Model
	Number     string `gorm:"uniqueIndex"`
	Status     string `gorm:"size:64;not null;default:PENDING;index"`
	Version    int64  `gorm:"not null;default:0"`
	CustomerID uint
	Customer   customer
}

func (order) TableName() string { return "orders" }
func (wider) TableName() string { return "orders" }

// What a shop has made with AutoMigrate goes on being changed by it, on a handle with one writer.
func TestAutoMigrateChangesTablesInPlace(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "x.db"))
	db.TranslateError = true
	require.NoError(t, db.AutoMigrate(&order{}))
	require.NoError(t, db.Create(&order{Number: "A1", Status: "PENDING", Customer: customer{Name: "Ann"}}).Error)
	err := db.Omit("Customer").Create(&order{Number: "A1", CustomerID: 1}).Error
	require.ErrorIs(t, err, gorm.ErrDuplicatedKey)
	require.ErrorIs(t, db.Omit("Customer").Create(&order{Number: "A2", CustomerID: 9}).Error, gorm.ErrForeignKeyViolated)

	for range 2 {
		require.NoError(t, db.AutoMigrate(&wider{}))
	}
	m := db.Migrator()
	assert.True(t, m.HasTable("orders"))
	assert.True(t, m.HasColumn(&wider{}, "Version"))
	assert.True(t, m.HasIndex("orders", "idx_orders_number"))
	assert.True(t, m.HasIndex("orders", "idx_orders_status"))
	types, err := m.ColumnTypes("orders")
	require.NoError(t, err)
	require.Len(t, types, 8)
	require.NoError(t, db.Migrator().AlterColumn(&wider{}, "Status"))
	require.NoError(t, db.Migrator().DropColumn(&wider{}, "Version"))

	var rows []wider
	require.NoError(t, db.Omit("Version").Preload("Customer").Find(&rows).Error)
	require.Len(t, rows, 1)
	assert.Equal(t, "PENDING", rows[0].Status)
	assert.Equal(t, "Ann", rows[0].Customer.Name)
	require.ErrorIs(t, db.Exec("INSERT INTO orders (number) VALUES ('A1')").Error, gorm.ErrDuplicatedKey, "a rebuilt table keeps its indexes")
	var on int
	require.NoError(t, db.Raw("PRAGMA foreign_keys").Row().Scan(&on))
	assert.Equal(t, 1, on, "what a rebuild switches off is on again")
}
