package orders

import (
	"time"

	"example.com/orderd/engine"
)

// ProviderManual is the provider of payments that an operator reports: cash, a bank transfer.
const ProviderManual = "manual"

// Payment is one attempt to pay an order, the row of the machine "payment". What it is for never
// changes: should the order's rest be another by the time money comes, the difference is decided then.
type Payment struct {
	ID            string       `gorm:"primaryKey" engine:"id" json:"id"`
	State         engine.State `gorm:"column:status;<-:create" engine:"state" json:"state"`
	Version       int64        `gorm:"<-:create" engine:"version" json:"version"`
	OrderID       string       `json:"order_id"`
	Provider      string       `json:"provider"`
	Reference     string       `engine:"derived" json:"reference"` // what the provider is told; cannot be guessed
	Amount        int64        `engine:"derived" json:"amount"`    // minor units of Currency
	Currency      string       `engine:"derived" json:"currency"`
	TransactionID string       `json:"transaction_id"` // the provider's number of the capture; "" before it
	CreatedAt     time.Time    `json:"created_at"`
	UpdatedAt     time.Time    `json:"updated_at"`

	refusal string // why it must not be started, for the guard of start
}

// TableName is for gorm.
func (Payment) TableName() string { return "payments" }

// NewPayment is what a checkout asks for.
type NewPayment struct {
	Provider string `json:"provider"`
	Amount   *int64 `json:"amount,omitempty"` // minor units of the order's currency; nil is the rest due
}

// Validate names the first field that is wrong, as an *engine.RequestError.
func (n NewPayment) Validate() error {
	if n.Provider == "" {
		return bad("provider", "missing")
	}
	if n.Amount != nil && (*n.Amount < 1 || *n.Amount > AmountMax) {
		return bad("amount", "want 1 to 2^53-1 minor units")
	}
	return nil
}

// start is the input of the event start: what makes two requests for a payment the same.
type start struct {
	Order string `json:"order"`
	NewPayment
}

// capture is the input of the event capture.
type capture struct {
	Transaction string `json:"transaction"`
	Amount      int64  `json:"amount"`
	Currency    string `json:"currency"`
}
