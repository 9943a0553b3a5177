package orders

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"example.com/orderd/engine"
	"example.com/orderd/orders/provider"
)

// Fact is something that happened to money, the row of the machine "payment_fact": what a provider
// said, verified, or what a cancelled order leaves behind. It is kept whatever the order's state.
type Fact struct {
	ID            string        `gorm:"primaryKey" engine:"id" json:"id"`
	State         engine.State  `gorm:"column:status;<-:create" engine:"state" json:"state"`
	Version       int64         `gorm:"<-:create" engine:"version" json:"version"`
	Provider      string        `json:"provider"`
	Kind          provider.Kind `json:"type"`
	TransactionID string        `json:"transaction_id"` // the provider's own
	Reference     string        `json:"reference"`      // as the provider repeats it
	Amount        int64         `json:"amount"`         // minor units of Currency
	Currency      string        `json:"currency"`
	PaymentID     string        `engine:"derived" json:"payment_id"` // whose reference it is; "" if unknown or undecided
	OrderID       string        `engine:"derived" json:"order_id"`   // of that payment
	AppliedAmount int64         `json:"applied_amount"`              // credited to the order
	DeskAmount    int64         `json:"desk_amount"`                 // waits for a person
	DeskReason    DeskReason    `json:"desk_reason,omitempty"`
	CreatedAt     time.Time     `json:"created_at"` // when it was received
	UpdatedAt     time.Time     `json:"updated_at"`
}

// TableName is for gorm.
func (Fact) TableName() string { return "payment_facts" }

// DeskReason is why money waits at the money desk.
type DeskReason string

// The reasons.
const (
	DeskLate             DeskReason = "late"              // the order was cancelled or had expired
	DeskShort            DeskReason = "short"             // less than the payment is for
	DeskOver             DeskReason = "over"              // more than the order still needed; only the excess waits
	DeskCurrency         DeskReason = "currency"          // another currency than the payment's
	DeskSecond           DeskReason = "second"            // the payment or the order was paid already
	DeskMismatch         DeskReason = "mismatch"          // contradicts an earlier fact of the same transaction
	DeskUnknownReference DeskReason = "unknown_reference" // no payment of this provider has it
	DeskRefund           DeskReason = "refund"            // a refund that was made at the provider's
	DeskHeld             DeskReason = "held"              // what an order was paid in part before it ended
)

// providerShop is the provider of facts that orders themselves leave behind.
const providerShop = "shop"

// receipt is the input of the event receive: what every repeat of a fact must agree in.
type receipt struct {
	ID        string `json:"id"`
	Reference string `json:"reference"`
	Amount    int64  `json:"amount"`
	Currency  string `json:"currency"`
}

func receiptOf(f provider.Fact) receipt {
	return receipt{ID: f.ID, Reference: f.Reference, Amount: f.Amount, Currency: f.Currency}
}

// hash tells versions of one fact apart.
func (r receipt) hash() string {
	text, _ := json.Marshal(r) // strings and a number
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}

// decision is the input of the events apply and park: where the money has gone.
type decision struct {
	Payment string     `json:"payment,omitempty"`
	Order   string     `json:"order,omitempty"`
	Applied int64      `json:"applied,omitempty"`
	Desk    int64      `json:"desk,omitempty"`
	Reason  DeskReason `json:"reason,omitempty"` // "" leaves nothing to anybody
}

// event is how a decision is noted on its fact.
func (d decision) event() engine.Event {
	if d.Reason == "" {
		return EventApply
	}
	return EventPark
}

// toDesk is d with money for the desk.
func (d decision) toDesk(reason DeskReason, amount int64) decision {
	d.Reason, d.Desk = reason, amount
	return d
}
