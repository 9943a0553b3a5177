package enginetest_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
)

// ShopOrder is a row of a table that has been in use for years.
type ShopOrder struct {
	ID        uint64    `gorm:"primaryKey"`
	Status    string    `gorm:"<-:create" engine:"state"`
	Version   int64     `gorm:"<-:create;not null;default:0" engine:"version"`
	Customer  string    ``
	UpdatedAt time.Time ``
}

func (ShopOrder) TableName() string { return "shop_orders" }

type ShopPay struct{ Amount int64 }

var shopStored = map[engine.State]any{
	"pending": "PENDING", "paid": "PAID", "shipped": "In Transit", "delivered": "DELIVERED", "canceled": "CANCELED",
}

func shopOrders() (*engine.Machine[ShopOrder], error) {
	return engine.NewMachine(engine.Definition[ShopOrder]{
		Name:   "shop_order",
		Events: map[engine.Event]engine.Spec{"place": {}, "pay": {Input: ShopPay{}}, "ship": {}, "deliver": {}, "cancel": {}, "touch": {Repeatable: true}},
		Stored: shopStored,
		Edges: []engine.Edge[ShopOrder]{
			{Event: "place", To: "pending"},
			{Event: "pay", From: []engine.State{"pending"}, To: "paid"},
			{Event: "touch", From: []engine.State{"paid"}, To: "paid"},
			{Event: "ship", From: []engine.State{"paid"}, To: "shipped"},
			{Event: "deliver", From: []engine.State{"shipped"}, To: "delivered"},
			{Event: "cancel", From: []engine.State{"pending", "paid"}, To: "canceled"},
		},
	})
}

// The table as production has it: nobody knew of the engine when it was made.
const (
	shopMySQL = `CREATE TABLE shop_orders (
		id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
		status ENUM('PENDING','PAID','In Transit','DELIVERED','CANCELED') NOT NULL DEFAULT 'PENDING',
		customer VARCHAR(100) NOT NULL DEFAULT '',
		updated_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP
	) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4`
	shopSQLite = `CREATE TABLE shop_orders (
		id INTEGER PRIMARY KEY AUTOINCREMENT, status TEXT NOT NULL DEFAULT 'PENDING', customer TEXT NOT NULL DEFAULT '',
		updated_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP)`
)

const shopRows = 60

// shopTable makes the table with its old rows, then adds the column of the version.
func shopTable(machine *engine.Machine[ShopOrder]) func(db *gorm.DB) error {
	return func(db *gorm.DB) error {
		ddl := shopSQLite
		if db.Name() == "mysql" {
			ddl = shopMySQL
		}
		if err := db.Exec(ddl).Error; err != nil {
			return err
		}
		states := []string{"PENDING", "PAID", "In Transit", "DELIVERED", "CANCELED"}
		var rows []string
		for n := range shopRows {
			rows = append(rows, fmt.Sprintf("('%s', 'customer %d')", states[n%len(states)], n))
		}
		if err := db.Exec("INSERT INTO shop_orders (status, customer) VALUES " + strings.Join(rows, ", ")).Error; err != nil {
			return err
		}
		return engine.AddVersion(context.Background(), db, machine)
	}
}

func TestOldOrdersAreSafeAgainstDuplicates(t *testing.T) {
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		machine, err := shopOrders()
		if err != nil {
			t.Fatal(err)
		}
		enginetest.Storm(t, db, enginetest.Kit[ShopOrder]{
			Machine: machine,
			New:     func(n int) *ShopOrder { return &ShopOrder{ID: uint64(n)} },
			Input: func(_ ShopOrder, edge engine.DescribedEdge) any {
				if edge.Event == "pay" {
					return ShopPay{Amount: 100}
				}
				return nil
			},
			Prepare: shopTable(machine),
			Existing: func(db *gorm.DB) (ids []string, err error) {
				err = db.Table("shop_orders").Where("id <= ?", shopRows).Order("id").Pluck("id", &ids).Error
				return ids, err
			},
		}, enginetest.Storms{})

		// What the kit says it does: each way on from each state was stormed, and the rest adopted.
		moved := map[string]int{}
		var went []struct{ FromStatus, ToStatus string }
		err = db.Raw("SELECT from_status, to_status FROM engine_transitions WHERE machine = 'shop_order' AND subject IN (?)", oldIDs()).Scan(&went).Error
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range went {
			moved[w.FromStatus+">"+w.ToStatus]++
		}
		for _, way := range []string{"pending>paid", "paid>paid", "paid>shipped", "shipped>delivered", "pending>canceled", "paid>canceled"} {
			if moved[way] == 0 {
				t.Errorf("no old row went %s: %v", way, moved)
			}
		}
		adopted := 0
		for _, s := range []string{"pending", "paid", "shipped", "delivered", "canceled"} {
			adopted += moved[">"+s]
		}
		if adopted != shopRows {
			t.Errorf("%d rows were adopted, want all %d: %v", adopted, shopRows, moved)
		}
	})
}

func oldIDs() (ids []string) {
	for n := range shopRows {
		ids = append(ids, fmt.Sprint(n+1))
	}
	return ids
}
