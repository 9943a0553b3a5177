package orders

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"time"

	"example.com/orderd/engine"
)

// Order is what a customer has ordered, the row of the machine "order". Amounts are in minor units of
// Currency; 0 <= RefundedAmount <= PaidAmount <= Amount always holds.
type Order struct {
	ID             string       `gorm:"primaryKey" engine:"id" json:"id"`
	State          engine.State `gorm:"column:status;<-:create" engine:"state" json:"state"`
	Version        int64        `gorm:"<-:create" engine:"version" json:"version"`
	Amount         int64        `json:"amount"`
	Currency       string       `json:"currency"`
	PaidAmount     int64        `json:"paid_amount"`
	RefundedAmount int64        `json:"refunded_amount"`
	CustomerRef    string       `json:"customer_ref"`
	Metadata       Metadata     `json:"metadata,omitempty"`
	Items          []Item       `gorm:"-" json:"items,omitempty"` // left out of lists
	CreatedAt      time.Time    `json:"created_at"`
	UpdatedAt      time.Time    `json:"updated_at"`
	ExpiresAt      time.Time    `json:"expires_at"` // when it expires unless it is paid
}

// TableName is for gorm.
func (Order) TableName() string { return "orders" }

// Rest is what is still to be paid.
func (o *Order) Rest() int64 { return o.Amount - o.PaidAmount }

// Item is one line of an order.
type Item struct {
	OrderID   string `gorm:"primaryKey" json:"-"`
	Line      int    `gorm:"primaryKey;autoIncrement:false" json:"-"` // from 1
	SKU       string `gorm:"column:sku" json:"sku"`
	Name      string `json:"name"`
	Quantity  int64  `json:"quantity"`
	UnitPrice int64  `json:"unit_price"` // minor units
}

// TableName is for gorm.
func (Item) TableName() string { return "order_items" }

// Metadata is what a checkout wants to find again with its order. The shop does not look at it.
type Metadata map[string]string

// Value writes it as a JSON object.
func (m Metadata) Value() (driver.Value, error) {
	if len(m) == 0 {
		return "{}", nil
	}
	text, err := json.Marshal(map[string]string(m)) // sorts the names
	return string(text), err
}

// Scan reads what Value wrote.
func (m *Metadata) Scan(stored any) error {
	*m = nil
	switch stored := stored.(type) {
	case []byte:
		return json.Unmarshal(stored, (*map[string]string)(m))
	case string:
		return json.Unmarshal([]byte(stored), (*map[string]string)(m))
	}
	return fmt.Errorf("orders: metadata is stored as a %T", stored)
}
